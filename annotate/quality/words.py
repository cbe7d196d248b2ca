"""What an assessment says in words, the same on the page and at the terminal."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.quality.facts import EstimateFacts, Facts, LearningFacts
from annotate.quality.learning import NO_FEATURES
from pairselect.core.learning import FEWEST_CONTROL, FEWEST_LABELS, FEWEST_PROMPTS
from pairselect.pools.words import localised, whole

FEWEST = 20  # pairs with two labels, repeats or gold answers, to say anything from
WIDE = 0.5  # an interval of α that says nothing
# Krippendorff asks for .667 to draw conclusions and .8 to rely on it; people who compare free
# answers of language models reach about .2 to .5.
RELIABLE, GOOD, USUAL = 0.667, 0.4, 0.2
LITTLE = 0.58  # held-out accuracy: the features see something, and not much
NOTHING = 0.6  # where the interval ends below, and holds ½: as good as not seen


def share(number: float) -> str:
    """“71%”."""
    return localised(f"{number:.0%}")


def shares(found: EstimateFacts) -> str:
    """“71% (66 to 75%)”."""
    low, high = localised(f"{100 * found['low']:.0f}"), share(found["high"])
    return _("%(value)s (%(low)s to %(high)s)") % {
        "value": share(found["value"]),
        "low": low,
        "high": high,
    }


def decimals(found: EstimateFacts) -> str:
    """“0.41 (0.33 to 0.49)”."""
    return _("%(value)s (%(low)s to %(high)s)") % {
        name: two(found[name]) for name in ("value", "low", "high")
    }


def two(number: float) -> str:
    """“0.41”, “−0.08”."""
    return localised(f"{number:.2f}").replace("-", "−")


def is_measured(facts: Facts) -> bool:
    """Whether the agreement of people can be told."""
    found = facts["agreement"]["alpha"]
    if found is None or facts["agreement"]["pairs"] < FEWEST:
        return False
    return found["high"] - found["low"] <= WIDE


def trust(facts: Facts) -> str:
    """What the labels are good for, in one sentence or two."""
    found = facts["agreement"]["alpha"]
    if found is not None and is_measured(facts):
        if found["low"] <= 0 and found["high"] >= USUAL:
            return _(
                "Whether people agree more than by chance cannot be told from so few pairs: have "
                "more of them labelled twice."
            )
        if found["low"] <= 0:
            return _("People do not agree more than chance would have it: do not train on this.")
        if found["value"] >= RELIABLE:
            return _("People agree: single labels can be trusted.")
        if found["value"] >= GOOD:
            return _(
                "People agree well beyond chance, and still differ: trust many labels, not a "
                "single one."
            )
        if found["value"] >= USUAL:
            return _(
                "People agree beyond chance, and differ often: the labels carry a signal, but "
                "each of them is noisy."
            )
        return _(
            "People agree little more than by chance: make clearer what “better” means before "
            "you train on this."
        )
    consistent, gold = facts["consistent"], facts["gold"]
    if consistent is not None and consistent["total"] >= FEWEST:
        return _("People agree with themselves in %(share)s; whether with each other is open.") % {
            "share": shares(consistent)
        }
    if gold is not None and gold["total"] >= FEWEST:
        return _(
            "People get %(share)s of the gold pairs right; whether they agree on others is open."
        ) % {"share": shares(gold)}
    return _("Nothing shows yet how far these labels can be trusted.")


def advice(facts: Facts) -> list[str]:
    """What to do about what is not known, or odd."""
    found = []
    pairs = facts["agreement"]["pairs"]
    if not is_measured(facts) and facts["labels_per_pair"] == 1:
        found.append(
            _(
                "With one label a pair agreement cannot be measured: open the next round with two "
                "labels a pair, or at least give this campaign a share of repeats and of gold "
                "pairs."
            )
        )
    elif not is_measured(facts):
        said = ngettext(
            "%(number)s pair has two labels so far, too few to tell how far people agree: let at "
            "least two people compare here, and assess again.",
            "%(number)s pairs have two labels so far, too few to tell how far people agree: let at "
            "least two people compare here, and assess again.",
            pairs,
        )
        found.append(said % {"number": whole(pairs)})
    left = facts["confounds"]["left"]
    if left is not None and (left["low"] > 0.5 or left["high"] < 0.5):
        side = _("left") if left["value"] > 0.5 else _("right")
        found.append(
            _(
                "The %(side)s side is preferred. Sides are drawn at random, so it pulls to no "
                "text, but it is noise: ask people to read both before they choose."
            )
            % {"side": side}
        )
    if not facts["beliefs"]["converged"]:
        found.append(_("The beliefs on the pairs have not converged: take them with caution."))
    return found


def agreement_sentence(facts: Facts) -> str:
    found = facts["agreement"]
    if found["percent"] is None:
        return _("No pair has two labels.")
    said = ngettext(
        "Two labels of a pair are the same in %(share)s, over %(pairs)s pair.",
        "Two labels of a pair are the same in %(share)s, over %(pairs)s pairs.",
        found["pairs"],
    ) % {"share": shares(found["percent"]), "pairs": whole(found["pairs"])}
    if found["alpha"] is None:
        said += " " + _("They are all alike, so α is not defined.")
    return said


def beliefs_sentence(facts: Facts) -> str:
    found = facts["beliefs"]
    return ngettext(
        "Of %(pairs)s pair the better side is believed with 90%% or more on %(sure)s.",
        "Of %(pairs)s pairs the better side is believed with 90%% or more on %(sure)s.",
        found["pairs"],
    ) % {"pairs": whole(found["pairs"]), "sure": whole(found["sure"]["0.9"])}


def learning_sentence(facts: Facts) -> str:
    """Whether the features see what these people judge, and so whether a design can pay."""
    found = facts["learning"]
    if found is None:
        return _unlearnt(facts["unlearnt"])
    last = found["everything"][-1]
    accuracy = last["accuracy"]
    if accuracy["low"] > 0.5 and accuracy["value"] >= LITTLE:
        said = _("the features see what these people judge, so a design can pay here.")
    elif accuracy["low"] > 0.5:
        said = _("the features see a little of what these people judge; a design may pay here.")
    elif accuracy["high"] < NOTHING:
        said = _("the features do not see it, so a design cannot pay here.")
    else:
        said = _("too few labels to tell whether the features see what these people judge.")
    return _("Held-out accuracy %(share)s: %(said)s") % {"share": shares(accuracy), "said": said}


def contrast_sentence(learning: LearningFacts) -> str:
    """Whether designed labels teach more than as many random ones."""
    found = learning["contrast"]
    if found is None and learning["judged_by_control"]:
        return _("Too few of these labels are on designed pairs to say what a design brings.")
    if found is None:
        return _(
            "Without a random control of %(number)s labels nobody can say what the design itself "
            "brings: give the next round a share of random pairs."
        ) % {"number": whole(FEWEST_CONTROL)}
    difference = found["difference"]
    numbers = {
        "number": whole(found["labels"]),
        "points": _points(difference["value"]),
        "low": _points(difference["low"]),
        "high": _points(difference["high"]),
    }
    if difference["low"] > 0:
        return (
            _(
                "%(number)s designed labels teach more than as many on random pairs: %(points)s "
                "points (%(low)s to %(high)s)."
            )
            % numbers
        )
    if difference["high"] < 0:
        return (
            _(
                "%(number)s designed labels teach less than as many on random pairs: %(points)s "
                "points (%(low)s to %(high)s)."
            )
            % numbers
        )
    return (
        _(
            "%(number)s designed labels and as many on random pairs do not differ so far: "
            "%(points)s points (%(low)s to %(high)s)."
        )
        % numbers
    )


def judged_sentence(learning: LearningFacts) -> str:
    """On which labels the accuracy is counted."""
    numbers = {
        "labels": whole(learning["held_out"]),
        "prompts": whole(learning["prompts"]),
        "dimension": whole(learning["dimension"]),
    }
    if learning["judged_by_control"]:
        return (
            _(
                "Counted on %(labels)s labels of random pairs of %(prompts)s prompts, each held "
                "out with all of its prompt; features of %(dimension)s dimensions."
            )
            % numbers
        )
    return (
        _(
            "Counted on %(labels)s labels of %(prompts)s prompts, designed pairs among them, each "
            "held out with all of its prompt; features of %(dimension)s dimensions."
        )
        % numbers
    )


def summary(facts: Facts) -> str:
    """The command's lines."""
    lines = [trust(facts), agreement_sentence(facts)]
    if alpha := facts["agreement"]["alpha"]:
        lines.append(f"Krippendorff's α {decimals(alpha)}.")
    lines += [beliefs_sentence(facts), learning_sentence(facts)]
    if facts["learning"] is not None:
        lines.append(contrast_sentence(facts["learning"]))
    return "\n".join([*lines, *advice(facts)])


def _unlearnt(reason: str) -> str:
    if reason == NO_FEATURES:
        return _(
            "The features that the design was made with are not in the data folder, so nothing can "
            "be fitted to the labels: extract them again, and assess again."
        )
    return _(
        "Too few labels to learn from: from %(labels)s decided ones on %(prompts)s prompts on, "
        "the fitted reward shows whether the features see what these people judge."
    ) % {"labels": whole(FEWEST_LABELS), "prompts": whole(FEWEST_PROMPTS)}


def _points(difference: float) -> str:
    """“+4.1”, “−0.3”: percentage points."""
    number = localised(f"{abs(100 * difference):.1f}")
    return f"{'−' if difference < 0 else '+'}{number}"
