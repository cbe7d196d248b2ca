"""Pairs whose better side is known: adding them, by hand or from a file, and taking them out."""

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Campaign, Gold
from pairselect.pools.reading import Columns
from pairselect.pools.reading.build import builder
from pairselect.pools.reading.json_records import lines
from pairselect.pools.reading.rows import BadRow, Record, RowProblem, UnreadableFile
from pairselect.trail.actions import record

MOST_BYTES = 5_000_000  # of a file
MOST_ROWS = 5_000  # of gold in a campaign: of more, nobody would meet a noticeable part
MOST_EXPLAINED = 20_000  # characters of an explanation
SHOWN = 20  # problems of a file that are listed

BETTER, WORSE = ("better", "chosen"), ("worse", "rejected")


@dataclass(frozen=True)
class GoldPair:
    """What a person, or a row of a file, says of one gold pair."""

    use: Gold.Use
    messages: list[dict[str, str]]
    better: str
    worse: str
    explanation: str = ""

    @property
    def texts(self) -> tuple[str, frozenset[str]]:
        """Equal for pairs that ask the same, whichever is said to be the better one."""
        return json.dumps(self.messages, sort_keys=True), frozenset((self.better, self.worse))


class GoldRefused(Exception):
    """The message says what is wrong; ``problems`` say it of each row, where there are rows."""

    def __init__(self, message: str, problems: Sequence[RowProblem] = ()) -> None:
        super().__init__(message)
        self.problems = list(problems)

    @property
    def shown(self) -> list[str]:
        """The first of the problems, and how many more there are."""
        found = [
            _("Row %(row)d: %(problem)s") % {"row": one.row, "problem": one.message}
            for one in self.problems[:SHOWN]
        ]
        more = len(self.problems) - SHOWN
        return [*found, _("And %(more)d more.") % {"more": more}] if more > 0 else found


def gold_pair(record: Record, *, use: Gold.Use = Gold.Use.CHECK) -> GoldPair:
    """A row as a pair: ``prompt`` a text or messages, ``better`` and ``worse`` texts.

    ``use`` is for a row that does not say its own.

    Raises
    ------
    BadRow
    """
    better, worse = _column(record, BETTER), _column(record, WORSE)
    columns = Columns("preferences", prompt="prompt", chosen=better, rejected=worse)
    row = builder(columns, settings.PAIRSELECT_MAX_CHARACTERS)(record)
    first, second = (one.text for one in row.completions)  # type: ignore[union-attr]
    for name, text in ((better, first), (worse, second)):
        if not text.strip():
            raise BadRow(_("“%(name)s” is empty: both texts are needed.") % {"name": name})
    if first.strip() == second.strip():
        raise BadRow(_("The better and the worse text are the same: nobody could tell them apart."))
    return GoldPair(
        use=_use(record.get("use") or use),
        messages=row.prompt.messages,  # type: ignore[union-attr]
        better=first,
        worse=second,
        explanation=_explanation(record.get("explanation")),
    )


def read_gold(content: bytes, *, use: Gold.Use = Gold.Use.CHECK) -> list[tuple[int, GoldPair]]:
    """The pairs of a JSONL file with their line numbers.

    Raises
    ------
    GoldRefused
        When any row is bad, naming them all.
    """
    if len(content) > MOST_BYTES:
        raise GoldRefused(too_large())
    problems: list[RowProblem] = []
    found = []
    try:
        for number, record in lines(io.BytesIO(content), problems.append):  # type: ignore[arg-type]
            try:
                found.append((number, gold_pair(record, use=use)))
            except BadRow as bad:
                problems.append(RowProblem(number, str(bad)))
    except UnreadableFile as problem:
        raise GoldRefused(str(problem)) from None
    if problems:
        raise GoldRefused(_("Nothing was stored. Mend these rows."), problems)
    if not found:
        raise GoldRefused(_("The file is empty: write one JSON object a line."))
    return found


def add_gold(campaign: Campaign, pairs: Iterable[tuple[int, GoldPair]]) -> int:
    """Store all the pairs, each with the number of its row, or none. Returns how many.

    Raises
    ------
    GoldRefused
        When the campaign has one of them already, or one is there twice.
    """
    pairs = list(pairs)
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        known = {_stored(one).texts: one for one in campaign.gold.all()}
        if len(known) + len(pairs) > MOST_ROWS:
            raise GoldRefused(
                _("A campaign has at most %(most)d gold pairs. Add fewer.") % {"most": MOST_ROWS}
            )
        problems, earlier = [], dict[Any, int]()
        for number, pair in pairs:
            if pair.texts in known:
                problems.append(RowProblem(number, _there_already(known[pair.texts], pair)))
            elif pair.texts in earlier:
                row = earlier[pair.texts]
                problems.append(RowProblem(number, _("It is row %(row)d again.") % {"row": row}))
            earlier.setdefault(pair.texts, number)
        if problems:
            raise GoldRefused(_("Nothing was stored. Mend these rows."), problems)
        Gold.objects.bulk_create(
            (
                Gold(
                    campaign=campaign,
                    use=pair.use,
                    messages=pair.messages,
                    better=pair.better,
                    worse=pair.worse,
                    explanation=pair.explanation,
                )
                for _number, pair in pairs
            ),
            batch_size=500,
        )
        record("gold.added", campaign, pairs=len(pairs))
    return len(pairs)


def retire_gold(gold: Gold) -> bool:
    """Ask it no more. True when nobody was ever asked, and it is gone; else it is kept, retired."""
    pk = gold.pk  # which `delete` takes from it
    try:
        with transaction.atomic():
            record("gold.retired", gold.campaign, gold=pk, deleted=True)
            gold.delete()
    except IntegrityError:  # protected, or asked in this moment, which the commit finds
        with transaction.atomic():
            used = Gold.objects.filter(pk=pk, retired_at__isnull=True)
            if used.update(retired_at=timezone.now()):
                record("gold.retired", gold.campaign, gold=pk)
        return False
    return True


def use_again(gold: Gold) -> None:
    with transaction.atomic():
        retired = Gold.objects.filter(pk=gold.pk, retired_at__isnull=False)
        if retired.update(retired_at=None):
            record("gold.restored", gold.campaign, gold=gold.pk)


def too_large() -> str:
    return _("The file is larger than %(size)d MB. Split it.") % {"size": MOST_BYTES // 10**6}


def _column(record: Record, names: tuple[str, str]) -> str:
    return next((name for name in names if record.get(name) is not None), names[0])


def _use(value: Any) -> Gold.Use:
    try:
        return Gold.Use(value)
    except ValueError:
        raise BadRow(_("“use” is check or onboarding.")) from None


def _explanation(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRow(_("The explanation is not a text."))
    if len(value) > MOST_EXPLAINED:
        most = {"most": MOST_EXPLAINED}
        raise BadRow(_("The explanation has more than %(most)d characters. Shorten it.") % most)
    if "\x00" in value:
        raise BadRow(_("The explanation holds a NUL character. Take it out."))
    return value


def _stored(gold: Gold) -> GoldPair:
    return GoldPair(Gold.Use(gold.use), gold.messages, gold.better, gold.worse)


ALREADY = {
    "same": gettext_lazy("The campaign has this pair already."),
    "retired": gettext_lazy("The campaign has this pair already, retired. Use that one again."),
    "swapped": gettext_lazy(
        "The campaign has this pair already, with the other one as the better. Take that out first."
    ),
}


def _there_already(gold: Gold, pair: GoldPair) -> str:
    if gold.better != pair.better:
        return str(ALREADY["swapped"])
    return str(ALREADY["retired" if gold.retired_at else "same"])
