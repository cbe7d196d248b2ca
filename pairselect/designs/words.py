"""What a receipt says in words, the same on the page and at the terminal."""

from pairselect.core import STRATEGIES
from pairselect.designs.models import Design


def count(number: int, noun: str) -> str:
    """“1 pair”, “2,000 pairs”."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def about(number: float) -> int:
    """To two digits, as far as the prediction goes; small numbers to the nearest whole."""
    digits = len(str(int(number)))
    return int(round(number, 2 - digits)) if digits > 2 else round(number)


def figure(number: float) -> str:
    """Three digits, without an exponent where people can do without."""
    if number < 1000:
        return f"{number:.3g}"
    return f"{number:,.0f}" if number < 1e7 else f"{number:.1e}"


def in_random_labels(worth: float) -> str:
    """“860”, “less than one”."""
    return f"{about(worth):,}" if worth >= 1 else "less than one"


def verdict(design: Design) -> str:
    """What the labels are worth, in random labels; why that cannot be said, where it cannot."""
    facts = design.diagnostics
    if design.has_few_pairs or not facts:
        return design.message
    number = count(design.budget, "label")
    theirs = "is worth" if design.budget == 1 else "are worth"
    yours = f"Your {number} {theirs}"
    if fit := facts.get("fit"):
        before = count(fit["labels"], "label")
        yours = f"Beside the {before} that you have, {design.budget:,} more {theirs}"
    if design.is_control:
        return (
            f"Your {number} {'is' if design.budget == 1 else 'are'} drawn at random: the control "
            "that another choice is measured against."
        )
    return f"{yours} {_equivalent(design)}."


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
    worth = design.worth
    if worth is None:
        most = design.diagnostics["curve"]["uniform_budgets"][-1]
        said = f"more than all {count(most, 'pair')} labelled at random"
        if design.max_per_prompt:  # the cap, not the pool, ends there
            cap = count(design.max_per_prompt, "pair")
            allow = "allows" if design.max_per_prompt == 1 else "allow"
            said = f"more than {count(most, 'random one')}, all that {cap} a prompt {allow}"
    elif worth < 1:
        said = "less than one random label"
    else:
        said = f"about {count(about(worth), 'random one')}"
    strategy = STRATEGIES.get(design.strategy)
    if strategy is not None and "scores" in strategy.needs:
        return f"{said} by a measure that does not count scores"
    if worth is not None and about(worth) < about(design.budget):
        return f"{said}: by this measure, pairs at random do better"
    return said


def _gap(design: Design) -> list[str]:
    if design.admissible_gap_percent is not None:
        return [f"at most {design.admissible_gap_percent:.2f}% above the best it could choose"]
    if design.gap is not None:
        return [f"at most {design.gap:.2%} above the best possible"]
    return []
