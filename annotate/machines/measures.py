"""How each machine of a campaign answers, in a table of its own."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Avg, Count, Q

from annotate.machines.verdicts import Orders, both_orders, said
from annotate.measures import Share
from annotate.models import Assignment, Campaign, Comparison, Judgement
from annotate.queries import current_judgements, current_labels
from pairselect.accounts.roles import MACHINE

Choice = Judgement.Choice
SHOWN = 10  # disagreements
OFTEN = 10
SIDES = ("first", "second")


@dataclass(frozen=True)
class MachineMeasures:
    """One machine's answers in one campaign.

    ``left`` takes the answers to be independent. The two to one pair are not: who follows the
    text says left once of twice, so of such a machine it varies less than the interval says.
    """

    assignment: Assignment
    answers: int = 0
    skips: int = 0
    seconds: float | None = None  # an answer, their mean
    pairs: int = 0  # answered in both orders
    left: Share = field(default_factory=Share)  # of the decided answers
    consistent: Share = field(default_factory=Share)  # pairs with the same answer in both orders
    kept_side: Share = field(default_factory=Share)  # pairs where the answer followed the side
    agreement: Share = field(default_factory=Share)  # with people, where both name a winner

    @property
    def name(self) -> str:
        return self.assignment.machine.user.username

    @property
    def short_name(self) -> str:
        return self.name.removeprefix(MACHINE)

    @property
    def follows_the_side(self) -> bool:
        """Whether the place decides for it more often than one pair in `OFTEN`, not by chance."""
        low = self.kept_side.low
        return low is not None and low > 100 / OFTEN


@dataclass(frozen=True)
class Disagreement:
    """A pair of which a machine says, in both orders, that the other text is better."""

    comparison: Comparison  # the people's, with its texts
    name: str
    people: str  # first or second
    share: Share  # of the people's labels that say so
    confidence: float | None

    @property
    def short_name(self) -> str:
        return self.name.removeprefix(MACHINE)

    @property
    def percent(self) -> float | None:
        return None if self.confidence is None else 100 * self.confidence


@dataclass(frozen=True)
class MachineReport:
    """All machines of one campaign, and the first of their disagreements with people."""

    measures: list[MachineMeasures]
    disagreements: list[Disagreement]  # those of which a machine is surest first
    disagreement_count: int


def report_on(campaign: Campaign, *, most: int = SHOWN) -> MachineReport:
    """In five queries, however many machines and pairs there are."""
    counts, orders, people = _counts(campaign), both_orders(campaign), people_say(campaign)
    measures = [
        _measured(one, counts.get(name, {}), orders.get(name, {}), people)
        for one in campaign.assignments.select_related("machine__user")
        for name in [one.machine.user.username]
    ]
    found = _disagreements(orders, people)
    return MachineReport(measures, _with_texts(campaign, found[:most], people), len(found))


Found = tuple[float, int, str, str]  # minus the confidence, pair, machine, what people say


def _disagreements(
    orders: dict[str, dict[int, Orders]], people: dict[int, Counter[str]]
) -> list[Found]:
    found: list[Found] = []
    for name, pairs in orders.items():
        for pair_id, one in pairs.items():
            winner = winner_of(people.get(pair_id, Counter()))
            if winner and one.verdict in SIDES and one.verdict != winner:
                found.append((-(one.confidence or 0.0), pair_id, name, winner))
    return sorted(found)


def _with_texts(
    campaign: Campaign, found: list[Found], people: dict[int, Counter[str]]
) -> list[Disagreement]:
    rows = (
        campaign.comparisons.filter(kind=Comparison.Kind.LABEL, slot=0)
        .filter(pair__in=[pair_id for _, pair_id, *_ in found])
        .select_related("campaign__design__pool", "pair__prompt", "pair__first", "pair__second")
    )
    by_pair = {one.pair_id: one for one in rows}
    return [
        Disagreement(
            comparison=by_pair[pair_id],
            name=name,
            people=winner,
            share=Share(people[pair_id][winner], people[pair_id].total()),
            confidence=-minus or None,
        )
        for minus, pair_id, name, winner in found
    ]


def people_say(campaign: Campaign) -> dict[int, Counter[str]]:
    """By pair's id: how many of its labels say what. Skips say nothing."""
    rows = (
        current_labels(campaign)
        .exclude(choice=Choice.SKIP)
        .order_by()
        .values_list("comparison__pair", "choice", "first_on_left")
        .annotate(Count("pk"))
    )
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for pair_id, choice, first_on_left, number in rows.iterator(chunk_size=2000):
        found[pair_id][said(choice, first_on_left)] += number
    return found


def winner_of(says: Counter[str]) -> str | None:
    """Which text more labels name than name the other or call it a tie; None: no such one."""
    ranked = says.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0] if ranked[0][0] in SIDES else None


def _measured(
    assignment: Assignment,
    counts: dict[str, Any],
    orders: dict[int, Orders],
    people: dict[int, Counter[str]],
) -> MachineMeasures:
    both_name = same = 0
    for pair_id, one in orders.items():
        winner = winner_of(people.get(pair_id, Counter()))
        if winner and one.verdict in SIDES:
            both_name += 1
            same += one.verdict == winner
    pairs = len(orders)
    return MachineMeasures(
        assignment=assignment,
        answers=counts.get("answers", 0),
        skips=counts.get("skips", 0),
        seconds=counts.get("seconds"),
        pairs=pairs,
        left=Share(counts.get("left", 0), counts.get("decided", 0)),
        consistent=Share(sum(one.is_consistent for one in orders.values()), pairs),
        kept_side=Share(sum(one.kept_the_side for one in orders.values()), pairs),
        agreement=Share(same, both_name),
    )


def _counts(campaign: Campaign) -> dict[str, dict[str, Any]]:
    answered = ~Q(choice=Choice.SKIP)
    rows = (
        current_judgements()
        .filter(comparison__campaign=campaign, comparison__kind=Comparison.Kind.MACHINE)
        .order_by()
        .values("annotator__username")
        .annotate(
            answers=Count("pk", filter=answered),
            skips=Count("pk", filter=~answered),
            mean_seconds=Avg("seconds", filter=answered),
            left=Count("pk", filter=Q(choice=Choice.LEFT)),
            decided=Count("pk", filter=Q(choice__in=[Choice.LEFT, Choice.RIGHT])),
        )
    )
    return {row["annotator__username"]: row | {"seconds": row["mean_seconds"]} for row in rows}
