"""What a receipt says in words, the same on the page and at the terminal."""

from django.utils.translation import gettext, gettext_noop, ngettext

from pairselect.core import STRATEGIES
from pairselect.designs.models import Design
from pairselect.pools.words import localised, whole

# What the core says, for the translators: the core itself knows no language but its own.
CORE_SAYS = (
    gettext_noop("The pairs whose labels tell most about the policy: the trace design."),
    gettext_noop("The trace design among the pairs whose scores differ most."),
    gettext_noop("The trace design with each pair weighed by how far its scores differ."),
    gettext_noop("The paper's design: uncapped, then sampled."),
    gettext_noop("The pairs that tell most about the parameters: log det."),
    gettext_noop("Pairs at random, as a control."),
    gettext_noop("The first two completions of each prompt, prompts in order."),
    gettext_noop("At random, as likely as the reference model writes both."),
    gettext_noop("Pairs as different from each other as possible."),
    gettext_noop("The pairs whose scores differ most."),
    gettext_noop("The pairs whose scores differ least."),
    gettext_noop("Of a diverse subset, the pairs whose scores differ least."),
    gettext_noop(
        "The design's weights are within the tolerance of the optimum; what is lost by "
        "whole pairs shows in the gap of the selection."
    ),
    gettext_noop(
        "The passes ran out before the tolerance was met; gap says how far at most it is "
        "above the best. Use it as it is, or allow more passes (max_passes)."
    ),
    gettext_noop(
        "The budget takes all pairs that there were to choose from; lower it, enlarge the "
        "pool or let the strategy keep more, to have a choice."
    ),
    gettext_noop(
        "Within the tolerance, but the pairs to choose from do not vary in every "
        "direction of the features, and there the ridge decides; reduce the features to "
        "fewer dimensions."
    ),
    gettext_noop(
        "There are fewer pairs than dimensions, so no choice can inform every direction "
        "and the gap says little; label at least two pairs a dimension, or reduce the "
        "features to fewer."
    ),
    gettext_noop(
        "Chosen by a rule that does not look at the objective; gap says how far at most "
        "it is above the best choice."
    ),
)


def count(number: int, noun: str) -> str:
    """“1 pair”, “2,000 pairs”: at the terminal, which speaks English."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def about(number: float) -> int:
    """To two digits, as far as the prediction goes; small numbers to the nearest whole."""
    digits = len(str(int(number)))
    return int(round(number, 2 - digits)) if digits > 2 else round(number)


def figure(number: float) -> str:
    """Three digits, without an exponent where people can do without."""
    if number < 1000:
        return localised(f"{number:.3g}")
    return localised(f"{number:,.0f}" if number < 1e7 else f"{number:.1e}")


def in_random_labels(worth: float) -> str:
    """“860”, “less than one”."""
    return whole(about(worth)) if worth >= 1 else gettext("less than one")


def strategy_summary(name: str) -> str:
    """A line on the strategy; nothing on one that is no more."""
    strategy = STRATEGIES.get(name)
    return gettext(strategy.summary) if strategy else ""


def outcome(design: Design) -> str:
    """How the choice ended, in the reader's language."""
    return gettext(design.message) if design.message else ""


def verdict(design: Design) -> str:
    """What the labels are worth, in random labels; why that cannot be said, where it cannot."""
    facts = design.diagnostics
    if design.has_few_pairs or not facts:
        return outcome(design)
    said = {"number": whole(design.budget)}
    if design.is_control:
        return (
            ngettext(
                "Your %(number)s label is drawn at random: the control that another choice is "
                "measured against.",
                "Your %(number)s labels are drawn at random: the control that another choice is "
                "measured against.",
                design.budget,
            )
            % said
        )
    said["worth"] = _equivalent(design)
    if fit := facts.get("fit"):
        known = ngettext(
            "the %(number)s label that you have",
            "the %(number)s labels that you have",
            fit["labels"],
        )
        said["known"] = known % {"number": whole(fit["labels"])}
        return (
            ngettext(
                "Beside %(known)s, %(number)s more is worth %(worth)s.",
                "Beside %(known)s, %(number)s more are worth %(worth)s.",
                design.budget,
            )
            % said
        )
    return (
        ngettext(
            "Your %(number)s label is worth %(worth)s.",
            "Your %(number)s labels are worth %(worth)s.",
            design.budget,
        )
        % said
    )


def receipt(design: Design) -> str:
    """The command's line."""
    if design.has_few_pairs or design.objective is None:
        return verdict(design)
    parts = [f"Φ = {design.objective:.4g}"]
    if design.random_objective is not None:
        parts.append(f"of random pairs {design.random_objective:.4g}")
    if design.status != "rule":  # which does not aim at Φ
        parts += _gap(design)
    return f"{verdict(design)} {', '.join(parts)}."


def _equivalent(design: Design) -> str:
    """“about 860 random ones”, and what that leaves out or means."""
    worth, said = design.worth, _in_random_ones(design)
    strategy = STRATEGIES.get(design.strategy)
    if strategy is not None and "scores" in strategy.needs:
        return gettext("%(worth)s by a measure that does not count scores") % {"worth": said}
    if worth is not None and about(worth) < about(design.budget):
        return gettext("%(worth)s: by this measure, pairs at random do better") % {"worth": said}
    return said


def _in_random_ones(design: Design) -> str:
    if design.worth is not None and design.worth < 1:
        return gettext("less than one random label")
    if design.worth is not None:
        number = about(design.worth)
        said = ngettext("about %(number)s random one", "about %(number)s random ones", number)
        return said % {"number": whole(number)}
    most, cap = design.diagnostics["curve"]["uniform_budgets"][-1], design.max_per_prompt
    if not cap:
        said = ngettext(
            "more than all %(number)s pair labelled at random",
            "more than all %(number)s pairs labelled at random",
            most,
        )
        return said % {"number": whole(most)}
    # The cap, not the pool, ends there.
    first = ngettext("more than %(number)s random one", "more than %(number)s random ones", most)
    said = ngettext(
        "%(more)s, all that %(number)s pair a prompt allows",
        "%(more)s, all that %(number)s pairs a prompt allow",
        cap,
    )
    return said % {"more": first % {"number": whole(most)}, "number": whole(cap)}


def _gap(design: Design) -> list[str]:
    if design.admissible_gap_percent is not None:
        return [f"at most {design.admissible_gap_percent:.2f}% above the best it could choose"]
    if design.gap is not None:
        return [f"at most {design.gap:.2%} above the best possible"]
    return []
