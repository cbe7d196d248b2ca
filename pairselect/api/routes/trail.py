from datetime import datetime

from django.http import HttpRequest, HttpResponse
from ninja import Router

from pairselect.api.access import Bearer, Scope
from pairselect.api.common import Id
from pairselect.api.paging import Page, Paged, page_of
from pairselect.trail.queries import entries
from pairselect.trail.summaries import EntrySummary, entry_summary

router = Router(tags=["History"])


@router.get("", auth=Bearer(Scope.READ), response=Page[EntrySummary], summary="List what was done")
def list_entries(
    request: HttpRequest,
    response: HttpResponse,
    page: Paged,
    person: str = "",
    action: str = "",
    subject_kind: str = "",
    subject_id: Id | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[EntrySummary]:
    """Who did what, the newest first: by a person's name, an action or the first part of several,
    a subject, and from one moment until before another."""
    rows = entries(
        person=person,
        action=action,
        subject_kind=subject_kind,
        subject_id=subject_id,
        since=since,
        until=until,
    )
    return page_of(request, response, rows, page, entry_summary)
