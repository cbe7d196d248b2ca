from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from pairselect.trail.models import Entry


class EntryPerson(TypedDict):
    id: int | None
    name: str


class EntrySubject(TypedDict):
    kind: str
    id: int | None
    name: str


class EntrySummary(TypedDict):
    id: int
    at: datetime
    person: EntryPerson
    via: str  # web, api, command or job
    via_name: str
    action: str
    sentence: str
    subject: EntrySubject
    details: dict[str, Any]
    request_id: str
    job_id: int | None


def entry_summary(entry: Entry) -> EntrySummary:
    """The entry as JSON: of the API, and of the command."""
    return EntrySummary(
        id=entry.pk,
        at=entry.at,
        person=EntryPerson(id=entry.person_id, name=entry.person_name),
        via=entry.via,
        via_name=entry.via_name,
        action=entry.action,
        sentence=entry.sentence,
        subject=EntrySubject(kind=entry.subject_kind, id=entry.subject_id, name=entry.subject_name),
        details=entry.details,
        request_id=entry.request_id,
        job_id=entry.job_id,
    )
