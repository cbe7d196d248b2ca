"""What each machine says of each pair, whatever the sides."""

from dataclasses import dataclass
from typing import Literal

from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import current_judgements

Choice = Judgement.Choice
Said = Literal["first", "second", "tie", "both_bad"]


@dataclass(frozen=True)
class Orders:
    """A machine's answers to one pair in both orders.

    Parameters
    ----------
    first_shown, second_shown
        The choice (left, right, tie, both_bad) with the pair's first text on the left, and with
        its second there.
    confidence
        The machine's own, the mean of both. None where either is not known.
    """

    first_shown: str
    second_shown: str
    confidence: float | None

    @property
    def verdict(self) -> Said:
        """What it said both times; a tie where it did not say the same."""
        one, other = said(self.first_shown, True), said(self.second_shown, False)
        return one if one == other else "tie"

    @property
    def is_consistent(self) -> bool:
        return said(self.first_shown, True) == said(self.second_shown, False)

    @property
    def kept_the_side(self) -> bool:
        """Whether both answers named the same side, so that the place decided and not the text."""
        return self.first_shown == self.second_shown and self.first_shown in ("left", "right")


def said(choice: str, first_on_left: bool) -> Said:
    """The answer whatever the sides: the winner, or the choice that names none."""
    if choice == Choice.TIE:
        return "tie"
    if choice == Choice.BOTH_BAD:
        return "both_bad"
    return "first" if (choice == Choice.LEFT) == first_on_left else "second"


def verdicts(campaign: Campaign) -> dict[str, dict[int, Said]]:
    """By machine's name and pair's id: what it said in both orders, or a tie where they differ.

    Pairs that it has answered in one order alone, or skipped, are left out.
    """
    return {
        name: {pair_id: orders.verdict for pair_id, orders in pairs.items()}
        for name, pairs in both_orders(campaign).items()
    }


def both_orders(campaign: Campaign) -> dict[str, dict[int, Orders]]:
    """By machine's name and pair's id: the pairs answered in both orders, in one query."""
    rows = (
        current_judgements()
        .filter(comparison__campaign=campaign, comparison__kind=Comparison.Kind.MACHINE)
        .exclude(choice=Choice.SKIP)
        .order_by("comparison__position", "-first_on_left")
        .values_list(
            "annotator__username", "comparison__pair", "first_on_left", "choice", "confidence"
        )
    )
    found: dict[str, dict[int, Orders]] = {}
    earlier: dict[tuple[str, int], tuple[str, float | None]] = {}
    for name, pair_id, first_on_left, choice, confidence in rows.iterator(chunk_size=2000):
        if first_on_left:
            earlier[name, pair_id] = choice, confidence
        elif (name, pair_id) in earlier:
            before, known = earlier.pop((name, pair_id))
            mean = None if known is None or confidence is None else (known + confidence) / 2
            found.setdefault(name, {})[pair_id] = Orders(before, choice, mean)
    return found
