"""An entry is written where something is done, and sealed into the chain once it is committed."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction

from pairselect.trail.context import COMMAND, current, operator
from pairselect.trail.models import Entry, Seal, link

logger = logging.getLogger(__name__)

LONGEST = 500  # characters of a text within the details
LATELY = 1_000  # entries among which one is looked for that a killed process has left unsealed
MOST_TRIES = 50


def record(
    action: str, subject: models.Model | None, *, person: User | None = None, **details: Any
) -> None:
    """Write that this was done, in the transaction that is open.

    Parameters
    ----------
    action
        Its code, such as ``campaign.paused``; `pairselect.trail.words` has its sentence.
    subject
        The row that it was done to. One that is deleted is given before, or with its old id.
    person
        Who did it, where that is not whose request or job this is.
    details
        What else is worth knowing, as JSON has it; see `changed`. Never a secret.
    """
    here = current()
    who = person or here.whose()
    name = who.get_username() if who else operator() if here.via == COMMAND else ""
    Entry.objects.create(
        person_id=who.pk if who else None,
        person_name=name[:150],
        via=here.via,
        via_name=here.name[:100],
        action=action,
        subject_kind=subject._meta.label_lower if subject is not None else "",
        subject_id=subject.pk if subject is not None else None,
        subject_name=_clean(str(subject))[:200] if subject is not None else "",
        details=_clean(details),
        request_id=here.request_id,
        job_id=here.job_id,
    )
    transaction.on_commit(seal, robust=True)  # if that fails, the next entry's commit does it


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Each setting that is another than before: ``{"price": {"before": None, "after": "0.4"}}``."""
    return {
        name: {"before": before.get(name), "after": value}
        for name, value in after.items()
        if before.get(name) != value
    }


def seal(*, everything: bool = False) -> Seal | None:
    """Give the entries without a link their place in the chain; returns the chain's end.

    Two processes may do so at once: the number that both want is one's alone, and the other looks
    again. Entries that a process left behind are found among the last; ``everything`` looks
    through all.
    """
    for _ in range(MOST_TRIES):
        try:
            with transaction.atomic():
                links = _add_links(everything)
        except IntegrityError:
            continue
        for said, last in links:  # a copy of the chain's end where the database cannot reach
            level = logging.DEBUG if current().via == COMMAND else logging.INFO
            logger.log(level, "trail %s %s", last, said)
        break
    return Seal.objects.last()


def _add_links(everything: bool) -> list[tuple[str, Seal]]:
    made, last = [], Seal.objects.last()
    sealed = Seal.objects.filter(entry_id=models.OuterRef("pk"))
    entries = Entry.objects.order_by("pk")
    if not everything:
        newest: int = Entry.objects.values_list("pk", flat=True).first() or 0
        entries = entries.filter(pk__gt=newest - LATELY)
    for entry in entries.exclude(models.Exists(sealed)).iterator():
        number, before = (last.number, last.digest) if last else (0, "")
        last = Seal(number=number + 1, entry_id=entry.pk, digest=link(before, entry))
        last.save()
        subject = f" {entry.subject_kind}:{entry.subject_id}" if entry.subject_kind else ""
        made.append((entry.action + subject, last))
    return made


def _clean(value: Any) -> Any:
    """What both databases can keep as JSON: no NUL and no half characters in texts, no text without
    end, no number that is none."""
    if isinstance(value, str):
        short = value.replace("\0", "�").encode(errors="replace").decode()
        return short if len(short) <= LONGEST else f"{short[: LONGEST - 1]}…"
    if isinstance(value, Mapping):
        return {str(name): _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | None) else str(value)
