"""Long lists in pages, by the place where the last one ended: rows that come in between neither
shift nor repeat anything."""

from collections.abc import Callable
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Schema
from typing_extensions import TypedDict

M = TypeVar("M", bound=Model)
T = TypeVar("T")

USUAL, MOST = 50, 200


class Page(TypedDict, Generic[T]):
    items: list[T]
    next: str | None  # the address of the next page; also in the Link header


class PageQuery(Schema):
    after: int | None = Field(None, ge=0, lt=2**63, description="where the page before ended")
    limit: int = Field(USUAL, ge=1, le=MOST, description=f"at most {MOST}")


Paged = Annotated[PageQuery, Query(...)]


def page_of(
    request: HttpRequest,
    response: HttpResponse,
    rows: QuerySet[M],
    asked: PageQuery,
    summary: Callable[[M], T],
    *,
    key: str = "pk",
    newest_first: bool = True,
    prepare: Callable[[list[M]], object] = list,
) -> Page[T]:
    """A page of the rows in the order of ``key``, each as its summary.

    ``prepare`` is called with the page's rows before, to read what they need together.
    """
    if asked.after is not None:
        rows = rows.filter(**{f"{key}__{'lt' if newest_first else 'gt'}": asked.after})
    found = list(rows.order_by(f"-{key}" if newest_first else key)[: asked.limit + 1])
    shown = found[: asked.limit]
    prepare(shown)
    following = None
    if len(found) > len(shown):
        following = _following(request, response, asked, getattr(shown[-1], key))
    return Page(items=[summary(row) for row in shown], next=following)


def _following(request: HttpRequest, response: HttpResponse, asked: PageQuery, last: int) -> str:
    query = request.GET.dict() | {"after": str(last), "limit": str(asked.limit)}
    address = request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
    response["Link"] = f'<{address}>; rel="next"'
    return address
