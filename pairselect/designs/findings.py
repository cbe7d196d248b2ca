"""What to know of a choice before its labels are bought: figures, and advice where one is odd."""

from collections.abc import Iterator
from dataclasses import dataclass

from pairselect.designs.facts import Diagnostics, FitFacts
from pairselect.designs.models import Design
from pairselect.designs.words import count, figure
from pairselect.pools.models import Pool

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
        found = [*_fit(facts["fit"], is_set=design.prior_sd is not None), *found]
    return found


def _length(facts: Diagnostics) -> Finding:
    length = facts["length"]
    directions = list(zip(length["correlation"], length["information_share"], strict=True))
    share = sum(part * r**2 for r, part in directions)  # r² of a direction goes with length
    hint = "of what matters goes with length, counted over "
    hint += f"{count(len(directions), 'leading direction')}"
    if length["r_squared"] is not None:
        hint += f"; all features together explain {max(length['r_squared'], 0):.0%} of the length"
    advice = ""
    if share >= MUCH_LENGTH:
        advice = "Labels will tell much about length: watch whether the longer answer always wins."
    return Finding("Length", f"{share:.0%}", hint, advice)


def _duplicates(facts: Diagnostics, *, generated: bool) -> Finding:
    pool = facts["pool"]
    share, equal = pool["near_duplicate_share"], pool["equal_text_share"]
    hint = "of the pairs; they are never compared" if share else "the features tell all pairs apart"
    advice = ""
    if share > MANY_DUPLICATES:
        advice = "The completions are much alike: there is less to choose from than it seems."
        if generated:
            advice = (
                "The completions are much alike: a higher temperature would give more to choose."
            )
    if equal:
        compared = "neither" if share else "are never compared"
        hint += f". Equal texts, {_percent(equal)} of all pairs, {compared}"
    return Finding("Near-duplicates", _percent(share), hint, advice)


def _ridge(facts: Diagnostics) -> Finding:
    ridge = facts["ridge"]
    at = dict(zip(ridge["factors"], ridge["objective"], strict=True))
    hint = f"Φ = {figure(at[0.1])} at a tenth of λ, {figure(at[10.0])} at ten times"
    if ridge["stable"]:
        return Finding("Ridge", "hardly matters", hint)
    advice = "Label more pairs, or lower the dimensions: some directions have next to no labels."
    return Finding("Ridge", "matters", hint, advice)


def _directions(facts: Diagnostics) -> Finding:
    hint = f"{facts['pool']['effective_rank']:.1f} in effect in the pool; "
    hint += f"the policy varies in {facts['target_rank']:.1f}"
    if facts["condition_number"] is not None:
        hint += f"; condition of M {figure(facts['condition_number'])}"
    return Finding("Directions", f"{facts['dimension']}", hint)


def _prompts(facts: Diagnostics) -> Finding:
    spread = facts["allocation"]
    used, without = spread["prompts"] - spread["without"], spread["without"]
    hint = "each of them has a pair"
    if without:
        hint = f"{count(without, 'prompt')} {'gets' if without == 1 else 'get'} none"
    hint += f"; at most {count(spread['maximum'], 'pair')} of one"
    advice = ""
    if spread["top_share"] > CROWDED and spread["maximum"] > 1:
        advice = (
            f"A tenth of the prompts has {spread['top_share']:.0%} of the pairs: cap the pairs a "
            "prompt if every prompt should have its say."
        )
    return Finding("Prompts", f"{used:,} of {spread['prompts']:,}", hint, advice)


def _fit(fit: FitFacts, *, is_set: bool) -> Iterator[Finding]:
    repeated = fit["labels"] - fit["pairs"]
    hint = f"on {count(fit['pairs'], 'pair')}" if repeated else "each on a pair of its own"
    yield Finding("Labels known", f"{fit['labels']:,}", hint)
    accuracy = "–" if fit["accuracy"] is None else f"{fit['accuracy']:.0%}"
    hint = f"of these labels, which it was fitted to; −{-fit['log_likelihood']:.3f} nats each, "
    hint += "where a coin has −0.693"
    advice = "" if fit["converged"] else "The fit has not converged: take it with caution."
    yield Finding("Fitted reward agrees", accuracy, hint, advice)
    hint = "standard deviation of a random pair’s logit, "
    hint += "as set" if is_set else "chosen by the evidence"
    advice = ""
    if not is_set and fit["prior_sd"] <= HARDLY_SEEN:
        advice = (
            "The features hardly see what these labels judge: scores fitted to them are little but "
            "chance. Prefer trace to trace gap, or try other features."
        )
    yield Finding("Strength of preference", f"{fit['prior_sd']:g}", hint, advice)


def _percent(share: float) -> str:
    if share == 0:
        return "none"
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"
