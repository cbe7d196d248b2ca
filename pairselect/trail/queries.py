"""Reading the trail: what a page, the API and a command ask of it."""

from datetime import UTC, datetime

from django.db.models import QuerySet

from pairselect.trail.models import Entry


def entries(
    *,
    person: str = "",
    action: str = "",
    subject_kind: str = "",
    subject_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> "QuerySet[Entry]":
    """The entries of which all that is given holds, the newest first.

    Parameters
    ----------
    person
        A name, as it was then.
    action
        A code, or the first part of several: ``campaign`` is ``campaign.paused`` too.
    since, until
        The first moment, and the first one after the last.
    """
    found: QuerySet[Entry] = Entry.objects.order_by("-pk")
    if person:
        found = found.filter(person_name=person)
    if action:
        whole = "." in action or not Entry.objects.filter(action__startswith=f"{action}.").exists()
        found = found.filter(**{"action" if whole else "action__startswith": action})
    if subject_kind:
        found = found.filter(subject_kind=subject_kind)
    if subject_id is not None:
        found = found.filter(subject_id=subject_id)
    if since is not None:
        found = found.filter(at__gte=_in_utc(since))
    if until is not None:
        found = found.filter(at__lt=_in_utc(until))
    return found


def _in_utc(moment: datetime) -> datetime:
    """The moment as the database has it, or the nearest that there is: somebody may ask for the
    first day of all in a zone where it begins a day before."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return (datetime.min if moment.year == 1 else datetime.max).replace(tzinfo=UTC)
