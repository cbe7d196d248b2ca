from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from pydantic import Field

from pairselect.api.access import Bearer, Queues, Scope, person
from pairselect.api.common import Id, Input, NumberOrName, begin, given, row_of, valid
from pairselect.api.errors import ApiError
from pairselect.api.paging import Page, Paged, page_of
from pairselect.jobs.summaries import JobSummary
from pairselect.pools.actions import (
    create_feature_set,
    create_pool,
    create_score_set,
    work_for_pool,
    work_for_report,
)
from pairselect.pools.forms import PoolForm, ScoreForm
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet
from pairselect.pools.queries import DEFAULT_FEATURES, is_feature_kind, pools
from pairselect.pools.summaries import (
    PoolSummary,
    PromptCompletions,
    pool_summary,
    prompt_completions,
)

router = Router(tags=["Pools"])
NAMES = {  # of the form's fields, as requests have them
    "model": "models",
    "temperature": "temperatures",
    "system_prompt": "system_prompts",
}
BETWEEN = "---"  # system prompts, in the form's one field


class PoolBegun(PoolSummary):
    jobs: list[JobSummary]


class PoolInput(Input):
    prompt_set: NumberOrName
    name: str
    models: list[str] = Field([], description="of those on offer; none: the operator's usual one")
    temperatures: list[float] = [1.0]
    system_prompts: list[str] = Field([], description="for variety; “” stands for none")
    completions: int = Field(8, description="a prompt, by each of these ways")
    max_new_tokens: int = 128
    top_p: float = 1.0
    seed: int = 0
    features: bool = Field(True, description="whether they are extracted, as designs need it")


class FeatureInput(Input):
    kinds: list[str] = [DEFAULT_FEATURES]


class ScoreInput(Input):
    model: str = Field(description="a reward model, or a judge on a server, of those on offer")
    rubric: str = Field("", description="for a judge: what makes an answer good")
    name: str = Field("", description="tells scores apart; else the model's")


@router.get("", auth=Bearer(Scope.READ), response=Page[PoolSummary], summary="List pools")
def list_pools(request: HttpRequest, response: HttpResponse, page: Paged) -> Page[PoolSummary]:
    """The newest first, those that are being made among them."""
    return page_of(request, response, _pools(), page, pool_summary)


@router.post(
    "", auth=Queues(Scope.PREPARE), response={200: PoolBegun, 201: PoolBegun}, summary="Make a pool"
)
def create(request: HttpRequest, body: PoolInput) -> Status[PoolBegun]:
    """Have several completions of every prompt written. The same request again finds the same
    pool and goes on with what it lacks; with other settings the name is refused."""
    if any(BETWEEN in map(str.strip, text.splitlines()) for text in body.system_prompts):
        raise ApiError(422, "A system prompt has no line with ---.", field="system_prompts")
    prompts = row_of(
        PromptSet.objects.filter(imported_at__isnull=False), body.prompt_set, field="prompt_set"
    )
    data = given(body, "name", "completions", "max_new_tokens", "top_p", "seed") | {
        "prompt_set": prompts.pk,
        "model": body.models,
        "temperature": ", ".join(map(repr, body.temperatures)),
        "system_prompt": f"\n{BETWEEN}\n".join(body.system_prompts),
    }
    form = valid(PoolForm(data), NAMES)
    is_new = not Pool.objects.filter(name=form.cleaned_data["name"]).exists()
    pool = create_pool(**form.settings, created_by=person(request))
    work = work_for_report(pool) if body.features else work_for_pool(pool, features="")
    jobs = begin(work, request)
    return Status(201 if is_new else 200, PoolBegun(**pool_summary(pool), jobs=jobs))


@router.get("/{pool_id}", auth=Bearer(Scope.READ), response=PoolSummary, summary="Look at a pool")
def get_pool(request: HttpRequest, pool_id: Id) -> PoolSummary:
    """One pool, with its features and scores."""
    return pool_summary(get_object_or_404(_pools(), pk=pool_id))


@router.get(
    "/{pool_id}/completions",
    auth=Bearer(Scope.READ),
    response=Page[PromptCompletions],
    summary="List its completions",
)
def list_completions(
    request: HttpRequest, response: HttpResponse, pool_id: Id, page: Paged
) -> Page[PromptCompletions]:
    """Its prompts in the order of the file, each with all completions that there are."""
    pool = get_object_or_404(Pool, pk=pool_id)
    by_prompt: dict[int, list[Completion]] = {}

    def summary(prompt: Prompt) -> PromptCompletions:
        return prompt_completions(prompt, by_prompt.get(prompt.pk, []))

    def read(prompts: list[Prompt]) -> None:
        rows = Completion.objects.filter(pool=pool, prompt__in=prompts)
        for one in rows.order_by("prompt__position", "index"):
            by_prompt.setdefault(one.prompt_id, []).append(one)

    return page_of(
        request,
        response,
        pool.prompt_set.prompts.all(),
        page,
        summary,
        key="position",
        newest_first=False,
        prepare=read,
    )


@router.post(
    "/{pool_id}/features",
    auth=Queues(Scope.PREPARE),
    response={202: PoolBegun},
    summary="Extract features",
)
def extract_features(request: HttpRequest, pool_id: Id, body: FeatureInput) -> Status[PoolBegun]:
    """Have further kinds of features extracted."""
    pool = get_object_or_404(_pools(), pk=pool_id)
    for kind in body.kinds:
        if not is_feature_kind(kind):
            raise ApiError(422, f"There is no kind of features “{kind}”.", field="kinds")
    if pool.completed_at is None:
        raise ApiError(409, "The pool is not complete yet. Wait for its jobs to end.")
    sets = [create_feature_set(pool, kind=kind) for kind in body.kinds]
    work = [("extract_features", one.pk) for one in sets if one.completed_at is None]
    jobs = begin(work, request)
    return Status(202, PoolBegun(**pool_summary(_pools().get(pk=pool_id)), jobs=jobs))


@router.post(
    "/{pool_id}/scores",
    auth=Queues(Scope.PREPARE),
    response={202: PoolBegun},
    summary="Score a pool",
)
def score(request: HttpRequest, pool_id: Id, body: ScoreInput) -> Status[PoolBegun]:
    """Have every completion scored, for strategies that look at scores."""
    pool = get_object_or_404(_pools(), pk=pool_id)
    form = valid(ScoreForm(body.model_dump()))
    found = create_score_set(pool, **form.cleaned_data)
    work = [] if found.completed_at else [("score_pool", found.pk)]
    jobs = begin(work, request)
    return Status(202, PoolBegun(**pool_summary(_pools().get(pk=pool_id)), jobs=jobs))


def _pools() -> QuerySet[Pool]:
    return pools().prefetch_related("variants", "feature_sets", "score_sets")
