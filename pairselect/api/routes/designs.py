from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from pydantic import Field

from pairselect.api.access import Bearer, Queues, Scope, person
from pairselect.api.common import Id, Input, NumberOrName, begin, percent, row_of, valid
from pairselect.api.paging import Page, Paged, page_of
from pairselect.core.strategies import AGREEMENT, KEEP
from pairselect.designs.actions import create_design, work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.designs.models import PRIOR_SD, Design, Plan
from pairselect.designs.planning import ask_plan, plan_summary, work_for_plan
from pairselect.designs.queries import pairs_in_order
from pairselect.designs.summaries import (
    DesignSummary,
    PairSummary,
    Receipt,
    design_summary,
    pair_summary,
    receipt,
)
from pairselect.jobs.summaries import JobSummary
from pairselect.pools.models import Pool
from pairselect.pools.queries import DEFAULT_FEATURES

router = Router(tags=["Designs"])
plans = Router(tags=["Designs"])
NAMES = {"feature_kind": "features"}  # of the form's field, as requests have it


class DesignBegun(DesignSummary):
    jobs: list[JobSummary]


class ChoiceInput(Input):
    """What a choice of pairs is asked for. Shares are from 0 to 1."""

    budget: int = Field(description="pairs to label")
    strategy: str = Field("trace", description="as docs/design.md lists them")
    method: str = Field("exact", description="exact or randomized")
    random_share: float = Field(0.0, description="of the budget, drawn at random as a control")
    keep: float = Field(KEEP, description="of the pairs, those that trace_gap looks at")
    agreement: float = Field(
        AGREEMENT,
        description="of the labels, those that follow the scores, as trace_weighted takes it",
    )
    scores: str = Field("", description="which of the pool's, by name; else the newest")
    max_per_prompt: int | None = Field(None, description="pairs of a prompt, at most")
    target: str = Field("samples", description="samples, policy or, in a next round, fitted")
    features: str = Field(DEFAULT_FEATURES, description="which kind of the pool's")
    dimension: int | None = Field(None, description="of the features, at most")
    ridge: float = Field(1e-3, description="λ, relative to the pool")
    prior_sd: float | None = Field(
        PRIOR_SD, description="expected of a random pair's logit; null: the ridge alone"
    )
    seed: int = 0

    def form_data(self) -> dict[str, Any]:
        """As the page's form has it, which has shares in percent."""
        data = self.model_dump(exclude={"features", "pool"}, exclude_none=True)
        shares = {
            name: percent(getattr(self, name)) for name in ("random_share", "keep", "agreement")
        }
        return data | shares | {"feature_kind": self.features}


class PlanInput(ChoiceInput):
    pool: NumberOrName


class RoundInput(ChoiceInput):
    name: str


class DesignInput(PlanInput):
    name: str


@router.get("", auth=Bearer(Scope.READ), response=Page[DesignSummary], summary="List designs")
def list_designs(request: HttpRequest, response: HttpResponse, page: Paged) -> Page[DesignSummary]:
    """The newest first."""
    rows = Design.objects.select_related("pool", "after", "score_set")
    return page_of(request, response, rows, page, design_summary)


@router.post(
    "",
    auth=Queues(Scope.PREPARE),
    response={200: DesignBegun, 201: DesignBegun},
    summary="Make a design",
)
def create(request: HttpRequest, body: DesignInput) -> Status[DesignBegun]:
    """Have the pairs of a pool chosen that deserve a label, as soon as the pool is there. The
    same request again finds the same design; with other settings the name is refused."""
    pool = row_of(Pool.objects.all(), body.pool, field="pool")
    data = body.form_data() | {"pool": pool.pk}
    form = valid(DesignForm(data), NAMES)
    is_new = not Design.objects.filter(name=form.cleaned_data["name"]).exists()
    design = create_design(**form.cleaned_data, created_by=person(request))
    jobs = begin(work_for_design(design), request)
    return Status(201 if is_new else 200, DesignBegun(**design_summary(design), jobs=jobs))


@router.get("/{design_id}", auth=Bearer(Scope.READ), response=Receipt, summary="Look at a design")
def get_design(request: HttpRequest, design_id: Id) -> Receipt:
    """One design with its receipt: what was asked for, what came out, how far it is from the
    best, and the predicted value of more labels."""
    rows = Design.objects.select_related("pool", "after", "score_set")
    return receipt(get_object_or_404(rows, pk=design_id))


@router.get(
    "/{design_id}/pairs",
    auth=Bearer(Scope.READ),
    response=Page[PairSummary],
    summary="List its pairs",
)
def list_pairs(
    request: HttpRequest, response: HttpResponse, design_id: Id, page: Paged
) -> Page[PairSummary]:
    """Its pairs in the order of the queue, each with why it was chosen."""
    design = get_object_or_404(Design, pk=design_id)
    return page_of(
        request,
        response,
        pairs_in_order(design),
        page,
        pair_summary,
        key="position",
        newest_first=False,
    )


@plans.post(
    "",
    auth=Queues(Scope.PREPARE),
    response={202: dict[str, Any]},
    summary="Predict what labels bring",
)
def predict(request: HttpRequest, body: PlanInput) -> Status[dict[str, Any]]:
    """Have a worker say, before any pair is chosen, what so many labels would bring by each
    strategy, and where more of them stop helping."""
    pool = row_of(Pool.objects.all(), body.pool, field="pool")
    data = body.form_data() | {"pool": pool.pk}
    form = valid(DesignForm(data, predicts=True), NAMES)
    plan = ask_plan(**form.cleaned_data, entry=form.typed(), created_by=person(request))
    jobs = begin(work_for_plan(plan), request)
    return Status(202, plan_summary(plan) | {"jobs": jobs})


@plans.get(
    "/{plan_id}",
    auth=Bearer(Scope.READ),
    response=dict[str, Any],
    summary="Look at a prediction",
)
def get_plan(request: HttpRequest, plan_id: Id) -> dict[str, Any]:
    """A prediction: the predicted loss over the number of labels, designed and at random, what
    the labels are worth in random ones, and the strategies side by side."""
    return plan_summary(get_object_or_404(Plan.objects.select_related("pool"), pk=plan_id))
