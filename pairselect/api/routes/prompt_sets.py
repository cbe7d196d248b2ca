from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router

from pairselect.api.access import Bearer, Scope
from pairselect.api.common import Id
from pairselect.api.paging import Page, Paged, page_of
from pairselect.pools.models import PromptSet
from pairselect.pools.summaries import (
    PromptSetSummary,
    PromptSummary,
    prompt_set_summary,
    prompt_summary,
)

router = Router(tags=["Prompt sets"])


@router.get(
    "", auth=Bearer(Scope.READ), response=Page[PromptSetSummary], summary="List prompt sets"
)
def list_prompt_sets(
    request: HttpRequest, response: HttpResponse, page: Paged
) -> Page[PromptSetSummary]:
    """The newest first, those whose import is on its way among them."""
    return page_of(request, response, _prompt_sets(), page, prompt_set_summary)


@router.get(
    "/{prompt_set_id}",
    auth=Bearer(Scope.READ),
    response=PromptSetSummary,
    summary="Look at a prompt set",
)
def get_prompt_set(request: HttpRequest, prompt_set_id: Id) -> PromptSetSummary:
    """One prompt set."""
    return prompt_set_summary(get_object_or_404(_prompt_sets(), pk=prompt_set_id))


@router.get(
    "/{prompt_set_id}/prompts",
    auth=Bearer(Scope.READ),
    response=Page[PromptSummary],
    summary="List its prompts",
)
def list_prompts(
    request: HttpRequest, response: HttpResponse, prompt_set_id: Id, page: Paged
) -> Page[PromptSummary]:
    """Its prompts, in the order of the file."""
    found = get_object_or_404(PromptSet, pk=prompt_set_id, imported_at__isnull=False)
    return page_of(
        request,
        response,
        found.prompts.all(),
        page,
        prompt_summary,
        key="position",
        newest_first=False,
    )


def _prompt_sets() -> QuerySet[PromptSet]:
    return PromptSet.objects.select_related("upload").defer("upload__preview")
