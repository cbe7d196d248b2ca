"""What to know of a choice before its labels are bought: figures, and advice where one is odd."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext

from pairselect.designs.facts import Diagnostics, FitFacts
from pairselect.designs.models import Design
from pairselect.designs.words import figure
from pairselect.pools.models import Pool
from pairselect.pools.words import localised, whole

# Of what matters: as much as one direction with a tenth of it, and that direction length alone.
MUCH_LENGTH = 0.1
MANY_DUPLICATES = 0.1
# The evidence finds that the better of two random completions wins 55% of the time, or less.
HARDLY_SEEN = 0.25
CROWDED = 0.5  # of the pairs in a tenth of the prompts


@dataclass(frozen=True)
class Finding:
    title: str
    value: str
    hint: str
    advice: str = ""


def findings(design: Design) -> list[Finding]:
    facts: Diagnostics = design.diagnostics
    found = [
        _length(facts),
        _duplicates(facts, generated=design.pool.source == Pool.Source.GENERATED),
        _ridge(facts),
        _directions(facts),
        _prompts(facts),
    ]
    if facts["fit"] is not None:
        found = [*_fit(facts["fit"]), *found]
    return found


def _length(facts: Diagnostics) -> Finding:
    length = facts["length"]
    directions = list(zip(length["correlation"], length["information_share"], strict=True))
    share = sum(part * r**2 for r, part in directions)  # r² of a direction goes with length
    hint = ngettext(
        "of what matters goes with length, counted over %(number)s leading direction",
        "of what matters goes with length, counted over %(number)s leading directions",
        len(directions),
    ) % {"number": whole(len(directions))}
    if length["r_squared"] is not None:
        explained = gettext("all features together explain %(share)s of the length")
        hint += "; " + explained % {"share": _whole_percent(max(length["r_squared"], 0))}
    advice = ""
    if share >= MUCH_LENGTH:
        advice = gettext(
            "Labels will tell much about length: watch whether the longer answer always wins."
        )
    return Finding(gettext("Length"), _whole_percent(share), hint, advice)


def _duplicates(facts: Diagnostics, *, generated: bool) -> Finding:
    pool = facts["pool"]
    share, equal = pool["near_duplicate_share"], pool["equal_text_share"]
    hint = gettext("the features tell all pairs apart")
    if share:
        hint = gettext("of the pairs; they are never compared")
    advice = ""
    if share > MANY_DUPLICATES:
        advice = gettext(
            "The completions are much alike: there is less to choose from than it seems."
        )
        if generated:
            advice = gettext(
                "The completions are much alike: a higher temperature would give more to choose."
            )
    if equal:
        said = gettext("Equal texts, %(share)s of all pairs, are never compared")
        if share:
            said = gettext("Equal texts, %(share)s of all pairs, neither")
        hint += ". " + said % {"share": _percent(equal)}
    return Finding(gettext("Near-duplicates"), _percent(share), hint, advice)


def _ridge(facts: Diagnostics) -> Finding:
    ridge = facts["ridge"]
    at = dict(zip(ridge["factors"], ridge["objective"], strict=True))
    hint = gettext("Φ = %(low)s at a tenth of λ, %(high)s at ten times") % {
        "low": figure(at[0.1]),
        "high": figure(at[10.0]),
    }
    if ridge["stable"]:
        return Finding(gettext("Ridge"), gettext("hardly matters"), hint)
    advice = gettext(
        "Label more pairs, or lower the dimensions: some directions have next to no labels."
    )
    return Finding(gettext("Ridge"), gettext("matters"), hint, advice)


def _directions(facts: Diagnostics) -> Finding:
    hint = gettext("%(pool)s in effect in the pool; the policy varies in %(policy)s") % {
        "pool": localised(f"{facts['pool']['effective_rank']:.1f}"),
        "policy": localised(f"{facts['target_rank']:.1f}"),
    }
    if facts["condition_number"] is not None:
        said = gettext("condition of M %(number)s")
        hint += "; " + said % {"number": figure(facts["condition_number"])}
    return Finding(gettext("Directions"), f"{facts['dimension']}", hint)


def _prompts(facts: Diagnostics) -> Finding:
    spread = facts["allocation"]
    used, without = spread["prompts"] - spread["without"], spread["without"]
    hint = gettext("each of them has a pair")
    if without:
        said = ngettext("%(number)s prompt gets none", "%(number)s prompts get none", without)
        hint = said % {"number": whole(without)}
    most = ngettext(
        "at most %(number)s pair of one", "at most %(number)s pairs of one", spread["maximum"]
    )
    hint += "; " + most % {"number": whole(spread["maximum"])}
    advice = ""
    if spread["top_share"] > CROWDED and spread["maximum"] > 1:
        advice = gettext(
            "A tenth of the prompts has %(share)s of the pairs: cap the pairs a prompt if every "
            "prompt should have its say."
        ) % {"share": _whole_percent(spread["top_share"])}
    value = gettext("%(part)s of %(whole)s")
    value %= {"part": whole(used), "whole": whole(spread["prompts"])}
    return Finding(gettext("Prompts"), value, hint, advice)


def _fit(fit: FitFacts) -> Iterator[Finding]:
    hint = gettext("each on a pair of its own")
    if fit["labels"] > fit["pairs"]:
        hint = ngettext("on %(number)s pair", "on %(number)s pairs", fit["pairs"])
        hint %= {"number": whole(fit["pairs"])}
    yield Finding(gettext("Labels known"), whole(fit["labels"]), hint)
    accuracy = "–" if fit["accuracy"] is None else _whole_percent(fit["accuracy"])
    hint = gettext(
        "of these labels, which it was fitted to; %(number)s nats each, where a coin has %(coin)s"
    ) % {
        "number": localised(f"−{-fit['log_likelihood']:.3f}"),
        "coin": localised("−0.693"),
    }
    advice = ""
    if not fit["converged"]:
        advice = gettext("The fit has not converged: take it with caution.")
    yield Finding(gettext("Fitted reward agrees"), accuracy, hint, advice)
    hint = gettext("standard deviation of a random pair’s logit, chosen by the evidence")
    advice = ""
    if fit["prior_sd"] <= HARDLY_SEEN:
        advice = gettext(
            "The features hardly see what these labels judge: scores fitted to them are little but "
            "chance. Prefer trace to trace gap, or try other features."
        )
    value = localised(f"{fit['prior_sd']:g}")
    yield Finding(gettext("Strength of preference"), value, hint, advice)


def _whole_percent(share: float) -> str:
    return localised(f"{share:.0%}")


def _percent(share: float) -> str:
    if share == 0:
        return gettext("none")
    if share < 0.001:
        return gettext("under %(share)s") % {"share": localised("0.1%")}
    return localised(f"{share:.1%}")
