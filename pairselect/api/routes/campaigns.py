from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from pydantic import Field

from annotate.actions import (
    close_campaign,
    create_campaign,
    pause_campaign,
    reopen_campaign,
    resume_campaign,
    work_for_campaign,
)
from annotate.amending import AmendmentRefused, amend, named
from annotate.forms.campaigns import CampaignForm
from annotate.measures import people_of
from annotate.models import Assessment, Campaign
from annotate.quality.assess import create_assessment
from annotate.queries import annotators, campaigns
from annotate.rounds import NoLabels, create_next_round
from annotate.summaries import (
    AssessmentSummary,
    CampaignDetail,
    CampaignSummary,
    PersonSummary,
    assessment_summary,
    campaign_detail,
    campaign_summary,
    person_summary,
)
from pairselect.api.access import Bearer, Queues, Scope, person
from pairselect.api.common import Id, Input, NumberOrName, begin, percent, row_of, valid
from pairselect.api.errors import ApiError
from pairselect.api.paging import Page, Paged, page_of
from pairselect.api.routes.designs import NAMES as DESIGN_NAMES
from pairselect.api.routes.designs import DesignBegun, RoundInput
from pairselect.designs.actions import work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.designs.queries import openable_designs
from pairselect.designs.summaries import design_summary
from pairselect.jobs.actions import is_active
from pairselect.jobs.summaries import JobSummary

router = Router(tags=["Campaigns"])
REASON_AT = {"left": "side", "right": "side"}  # as the form's choices have them


class CampaignBegun(CampaignSummary):
    jobs: list[JobSummary]


class CampaignInput(Input):
    """A campaign to open, and what it asks. Shares are from 0 to 1."""

    design: NumberOrName
    name: str
    annotators: list[str] = Field([], description="their names")
    guidelines: str = Field("", description="Markdown: what “better” means here")
    labels_per_pair: int = Field(1, description="by as many people")
    strengths: int = Field(1, description="steps of a preference, 1 to 3")
    ties: bool = True
    both_bad: bool = True
    skips: bool = True
    flags: bool = True
    reason: Literal["off", "optional", "required"] = "optional"
    reason_at: list[Literal["left", "right", "tie", "both_bad"]] = []
    criteria: list[str] = []
    criteria_required: bool = False
    edits: bool = False
    repeat_share: float = 0.05
    gold_share: float = 0.0
    passing_mark: float | None = None
    mask_identities: bool = False
    mix_window: int = 10
    pause_minutes: int = 50

    def form_data(self) -> dict[str, Any]:
        """As the page's form has it, which has shares in percent."""
        data = self.model_dump(exclude={"design", "annotators"})
        return data | {
            "criteria": "\n".join(self.criteria),
            "reason_at": sorted({REASON_AT.get(one, one) for one in self.reason_at}),
            "repeat_share": percent(self.repeat_share),
            "gold_share": percent(self.gold_share),
            "passing_mark": percent(self.passing_mark),
        }


class AssessmentBegun(AssessmentSummary):
    jobs: list[JobSummary]


class AssessmentInput(Input):
    together: bool = Field(False, description="with the labels of the rounds before")


class ChangeInput(Input):
    """What is not given stays as it is."""

    annotators: list[str] | None = Field(None, description="all who compare from now on")
    adjudicate: Literal["never", "split", "any"] | None = Field(
        None, description="which pairs an adjudicator decides, once all their labels are there"
    )
    adjudicators: list[str] | None = Field(None, description="all who decide disagreements")
    price: float | None = Field(None, description="of each label, or active hour")
    priced_by: Literal["label", "hour"] | None = None
    currency: str | None = Field(None, description="three letters, such as EUR")


@router.get("", auth=Bearer(Scope.READ), response=Page[CampaignSummary], summary="List campaigns")
def list_campaigns(
    request: HttpRequest, response: HttpResponse, page: Paged
) -> Page[CampaignSummary]:
    """The newest first."""
    return page_of(request, response, _campaigns(), page, campaign_summary)


@router.post(
    "",
    auth=Queues(Scope.PREPARE),
    response={200: CampaignBegun, 201: CampaignBegun},
    summary="Open a campaign",
)
def create(request: HttpRequest, body: CampaignInput) -> Status[CampaignBegun]:
    """Put a design's pairs before people, as soon as it is solved. The same request again finds
    the same campaign; with other settings the name is refused."""
    design = row_of(openable_designs(), body.design, field="design")
    data = body.form_data() | {"design": design.pk, "annotators": _people(body.annotators)}
    form = valid(CampaignForm(data))
    is_new = not Campaign.objects.filter(name=form.cleaned_data["name"]).exists()
    campaign = create_campaign(**form.cleaned_data, created_by=person(request))
    jobs = begin(work_for_campaign(campaign), request)
    return Status(201 if is_new else 200, CampaignBegun(**campaign_summary(campaign), jobs=jobs))


@router.get(
    "/{campaign_id}", auth=Bearer(Scope.READ), response=CampaignDetail, summary="Look at a campaign"
)
def get_campaign(request: HttpRequest, campaign_id: Id) -> CampaignDetail:
    """One campaign: how far it is, its pace and cost, and how far its labels can be trusted."""
    return campaign_detail(_campaign(campaign_id))


@router.get(
    "/{campaign_id}/people",
    auth=Bearer(Scope.READ),
    response=list[PersonSummary],
    summary="List its people",
)
def list_people(request: HttpRequest, campaign_id: Id) -> list[PersonSummary]:
    """How each of its people answers, with what so many answers can tell."""
    return [person_summary(one) for one in people_of(_campaign(campaign_id))]


@router.get(
    "/{campaign_id}/assessments",
    auth=Bearer(Scope.READ),
    response=Page[AssessmentSummary],
    summary="List assessments",
)
def list_assessments(
    request: HttpRequest, response: HttpResponse, campaign_id: Id, page: Paged
) -> Page[AssessmentSummary]:
    """How far its labels can be trusted: each time that it was worked out, the newest first."""
    rows = _campaign(campaign_id).assessments.select_related("campaign__design")
    return page_of(request, response, rows, page, assessment_summary)


@router.post(
    "/{campaign_id}/assessments",
    auth=Queues(Scope.PREPARE),
    response={202: AssessmentBegun},
    summary="Assess the labels",
)
def assess(request: HttpRequest, campaign_id: Id, body: AssessmentInput) -> Status[AssessmentBegun]:
    """Have a worker find out how far the labels that there are now can be trusted."""
    campaign = _campaign(campaign_id)
    found: Assessment | None = campaign.assessments.filter(completed_at__isnull=True).first()
    if found is None or not is_active("assess_labels", found.pk):
        found = create_assessment(campaign, together=body.together, created_by=person(request))
    jobs = begin([("assess_labels", found.pk)], request)
    return Status(202, AssessmentBegun(**assessment_summary(found), jobs=jobs))


@router.patch(
    "/{campaign_id}",
    auth=Bearer(Scope.PREPARE),
    response=CampaignSummary,
    summary="Change a campaign",
)
def change(request: HttpRequest, campaign_id: Id, body: ChangeInput) -> CampaignSummary:
    """Who compares, who decides disagreements, and what people are paid, from now on. Answers of
    whoever leaves are kept."""
    try:
        amend(_campaign(campaign_id), **body.model_dump(exclude_none=True))
    except AmendmentRefused as problem:
        raise ApiError(422, str(problem), field=problem.field) from problem
    return campaign_summary(_campaign(campaign_id))


@router.post(
    "/{campaign_id}/pause",
    auth=Bearer(Scope.PREPARE),
    response=CampaignSummary,
    summary="Pause a campaign",
)
def pause(request: HttpRequest, campaign_id: Id) -> CampaignSummary:
    """Ask nobody anything until it is resumed. What is in somebody's hands still counts."""
    pause_campaign(_campaign(campaign_id))
    return campaign_summary(_campaign(campaign_id))


@router.post(
    "/{campaign_id}/resume",
    auth=Bearer(Scope.PREPARE),
    response=CampaignSummary,
    summary="Resume a campaign",
)
def resume(request: HttpRequest, campaign_id: Id) -> CampaignSummary:
    """Go on after a pause."""
    resume_campaign(_campaign(campaign_id))
    return campaign_summary(_campaign(campaign_id))


@router.post(
    "/{campaign_id}/close",
    auth=Bearer(Scope.PREPARE),
    response=CampaignSummary,
    summary="Close a campaign",
)
def close(request: HttpRequest, campaign_id: Id) -> CampaignSummary:
    """End it. Labels and exports are kept, and it can be opened again."""
    close_campaign(_campaign(campaign_id))
    return campaign_summary(_campaign(campaign_id))


@router.post(
    "/{campaign_id}/reopen",
    auth=Bearer(Scope.PREPARE),
    response=CampaignSummary,
    summary="Open it again",
)
def reopen(request: HttpRequest, campaign_id: Id) -> CampaignSummary:
    """Open a closed campaign again."""
    reopen_campaign(_campaign(campaign_id))
    return campaign_summary(_campaign(campaign_id))


@router.post(
    "/{campaign_id}/rounds",
    auth=Queues(Scope.PREPARE),
    response={201: DesignBegun},
    summary="Design the next round",
)
def next_round(request: HttpRequest, campaign_id: Id, body: RoundInput) -> Status[DesignBegun]:
    """Have further pairs of the campaign's pool chosen, in the knowledge of its labels so far."""
    campaign = get_object_or_404(Campaign.objects.select_related("design__pool"), pk=campaign_id)
    form = valid(DesignForm(body.form_data(), after=campaign.design), DESIGN_NAMES)
    try:
        design = create_next_round(campaign, **form.cleaned_data, created_by=person(request))
    except NoLabels as problem:
        raise ApiError(409, str(problem)) from problem
    jobs = begin(work_for_design(design), request)
    return Status(201, DesignBegun(**design_summary(design), jobs=jobs))


def _campaigns() -> QuerySet[Campaign]:
    return campaigns().prefetch_related("annotators", "adjudicators")


def _campaign(pk: int) -> Campaign:
    return get_object_or_404(_campaigns(), pk=pk)


def _people(names: list[str]) -> list[int]:
    try:
        return [one.pk for one in named(annotators(), names, "annotators")]
    except AmendmentRefused as problem:
        raise ApiError(422, str(problem), field=problem.field) from problem
