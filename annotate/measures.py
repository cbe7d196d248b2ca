"""How each person of a campaign answers, with what so many answers can tell."""

from dataclasses import dataclass, field
from datetime import datetime

from annotate.counting_people import PersonCounts, count_people
from annotate.models import Campaign
from annotate.tally import tally_of
from pairselect.core.intervals import wilson_interval

WIDE = 0.3  # an interval wider than this says little; 39 answers narrow every one to it


@dataclass(frozen=True)
class Share:
    """So many of so many, with the Wilson 95% interval of the share behind it."""

    count: float = 0  # whole, but where an answer counts in part
    total: int = 0

    @property
    def percent(self) -> float | None:
        return 100 * self.count / self.total if self.total else None

    @property
    def low(self) -> float | None:
        """In percent, as `high`."""
        return 100 * wilson_interval(self.count, self.total)[0] if self.total else None

    @property
    def high(self) -> float | None:
        return 100 * wilson_interval(self.count, self.total)[1] if self.total else None

    @property
    def is_wide(self) -> bool:
        low, high = self.low, self.high
        return low is not None and high is not None and high - low > 100 * WIDE

    @property
    def lean(self) -> str:
        """More, or less, than a half: where the interval leaves the half out and is not wide.

        Of those without a lean at most 7 in 100 are said to have one, whatever the number of
        answers. Four answers, all on one side, leave out the half too, by chance in 12 of 100.
        """
        low, high = self.low, self.high
        if low is None or high is None or self.is_wide or low <= 50 <= high:
            return ""
        return "more" if low > 50 else "less"


@dataclass(frozen=True)
class PersonMeasures:
    """One person's answers that stand. The onboarding is left out, and skips where not named."""

    name: str
    labels: int = 0
    active_seconds: float = 0.0  # of all answers, those that do not stand among them
    seconds: float | None = None  # active ones a label, their median; no label: None
    agree: Share = field(default_factory=Share)  # of labels on pairs that others labelled too
    left: Share = field(default_factory=Share)  # of the decided labels and repeats
    longer: Share = field(default_factory=Share)  # of decided labels on texts of unequal length
    consistent: Share = field(default_factory=Share)  # of the repeats with a standing original
    same_side: int = 0  # repeats that differ from their original because the side was kept
    gold: Share = field(default_factory=Share)  # right ones; a tie on gold is wrong
    answers: int = 0  # that stand, checks and skips among them
    skips: int = 0
    undone: int = 0
    revised: int = 0
    flags: int = 0

    @property
    def hours(self) -> float:
        return self.active_seconds / 3600

    @property
    def minutes(self) -> float:
        return self.active_seconds / 60

    @property
    def skipped(self) -> Share:
        return Share(self.skips, self.answers)


class People(list[PersonMeasures]):
    """Those of one campaign, most labels first."""

    counted_at: datetime | None = None  # None: now

    @property
    def left(self) -> Share:
        """Of everybody's decided answers together."""
        return Share(sum(one.left.count for one in self), sum(one.left.total for one in self))

    @property
    def longer(self) -> Share:
        """How often the longer text won, whoever answered."""
        return Share(sum(one.longer.count for one in self), sum(one.longer.total for one in self))


def people_of(campaign: Campaign) -> People:
    """Everybody who has answered or flagged something: as it stands, or, of a large campaign, when
    it was last counted.

    Neither machines nor adjudicators: what they answer is of kinds of their own.
    """
    tally = tally_of(campaign)
    rows: list[PersonCounts] = count_people(campaign) if tally is None else tally.people
    people = People(sorted(map(_measures, rows), key=lambda one: (-one.labels, one.name)))
    people.counted_at = tally.counted_at if tally else None
    return people


def _measures(row: PersonCounts) -> PersonMeasures:
    return PersonMeasures(
        name=row["name"],
        labels=row["labels"],
        active_seconds=row["active_seconds"],
        seconds=row["seconds"],
        agree=Share(*row["agree"]),
        left=Share(*row["left"]),
        longer=Share(*row["longer"]),
        consistent=Share(*row["consistent"]),
        same_side=row["same_side"],
        gold=Share(*row["gold"]),
        answers=row["answers"],
        skips=row["skips"],
        undone=row["undone"],
        revised=row["revised"],
        flags=row["flags"],
    )
