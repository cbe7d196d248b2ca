"""Where a program compares for somebody: an interface of one's own, or a model that judges."""

from typing import Literal
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from pydantic import Field
from typing_extensions import TypedDict

from annotate.addresses import id_of, word_of
from annotate.answering import Outcome, answer, in_time, undo
from annotate.forms.answers import AnswerForm, criterion_field
from annotate.leasing import next_comparison
from annotate.machines.actions import MachineRefused
from annotate.machines.answering import machine_answer, machine_next
from annotate.models import Campaign, Comparison, Judgement, Machine
from annotate.onboarding import is_right, onboarding_result, try_again
from annotate.queries import answers_of, campaigns_known_to, campaigns_of, is_complete
from annotate.summaries import Guidelines, guidelines_of, state_of
from annotate.work_summaries import (
    AnswerSummary,
    ComparisonSheet,
    WorkSummary,
    answer_summary,
    comparison_sheet,
    work_summary,
)
from pairselect.api.access import Bearer, Scope, person
from pairselect.api.common import Id, Input, valid
from pairselect.api.errors import ApiError
from pairselect.api.paging import Page, Paged, page_of

router = Router(tags=["Judging"])
JUDGES = Bearer(Scope.JUDGE, admin=False)

PASSED_ON = "This comparison is no longer yours, so the answer was not stored. Fetch the next one."
DIFFERED = "Another answer was stored under this lease and stands. Undo takes it back."
Side = Literal["left", "same", "right"]


class Onboarding(TypedDict):
    right: int
    asked: int
    needed: int
    passed: bool


class Next(TypedDict):
    comparison: ComparisonSheet | None  # None: there is nothing to compare at present
    choices: list[str]  # what may be answered
    complete: bool  # whether every label that is wanted is there
    guidelines: Guidelines | None
    onboarding: Onboarding | None  # of an attempt that is over and was not enough


class Explained(TypedDict):
    """Of the onboarding: what would have been right."""

    right: bool
    better: str
    explanation: str  # Markdown


class Answered(TypedDict):
    outcome: str  # stored, or repeated: the same answer had come before
    answer: AnswerSummary | None  # None for a machine
    explained: Explained | None


class Undone(TypedDict):
    comparison: ComparisonSheet  # the person's again, with what had been answered


class AnswerInput(Input):
    comparison: str = Field(description="its id")
    lease: UUID = Field(description="as it came with the comparison")
    choice: Literal["left", "right", "tie", "both_bad", "skip"]
    strength: int | None = Field(None, description="1 to the campaign's steps, of left and right")
    criteria: dict[str, Side] = {}
    reason: str = ""
    skip_reason: str = Field("", description="with skip: why")
    edit: str = Field("", description="the better text, made better still")
    edit_of: Literal["", "left", "right"] = ""
    guideline: int | None = Field(None, description="the id of the guidelines that were shown")
    seconds: float | None = Field(None, description="from shown to answered")
    active_seconds: float | None = None
    confidence: float | None = Field(None, description="of a machine, in its choice: 0 to 1")


class UndoInput(Input):
    answer: Id = Field(description="its id: the last that the person gave")


@router.get(
    "/work",
    auth=Bearer(Scope.READ, admin=False),
    response=list[WorkSummary],
    summary="List the work",
)
def list_work(request: HttpRequest) -> list[WorkSummary]:
    """The campaigns that have work for the token's person, and what they ask."""
    judge = person(request)
    return [work_summary(campaign, judge) for campaign in campaigns_of(judge)]


@router.post(
    "/campaigns/{campaign_id}/next", auth=JUDGES, response=Next, summary="Fetch a comparison"
)
def get_next(request: HttpRequest, campaign_id: Id) -> Next:
    """The comparison that the person holds, or the next one, leased for 15 minutes. Asked again
    it is the same one with a longer lease. Which answers are checked nobody is told."""
    judge = person(request)
    machine = _machine(judge)
    if machine is not None:
        return _next_of_machine(campaign_id, machine)
    campaign = _open(judge, campaign_id)
    found = next_comparison(campaign, judge)
    result = onboarding_result(campaign, judge) if found is None else None
    return Next(
        comparison=comparison_sheet(found) if found else None,
        choices=work_summary(campaign, judge)["asked"]["choices"],
        complete=found is None and is_complete(campaign),
        guidelines=guidelines_of(campaign),
        onboarding=Onboarding(
            right=result.right, asked=result.asked, needed=result.needed, passed=result.passed
        )
        if result
        else None,
    )


@router.post("/campaigns/{campaign_id}/answers", auth=JUDGES, response=Answered, summary="Answer")
def give_answer(request: HttpRequest, campaign_id: Id, body: AnswerInput) -> Answered:
    """Answer a comparison under its lease. Sent twice it is stored once. 409: it has passed to
    somebody else, or was answered otherwise before; nothing is stored then."""
    judge = person(request)
    machine = _machine(judge)
    try:
        comparison_id = id_of(body.comparison)
    except ValueError:
        raise ApiError(422, "That is no comparison's id.", field="comparison") from None
    if machine is not None:
        return _answered_by_machine(campaign_id, machine, comparison_id, body)
    campaign = get_object_or_404(campaigns_known_to(judge), pk=campaign_id)
    if body.confidence is not None:
        raise ApiError(422, "Only a machine tells its confidence.", field="confidence")
    form = _form(campaign, body)
    comparison = get_object_or_404(campaign.comparisons, pk=comparison_id)
    choice, _strength = form.cleaned_data["choice"]
    details = in_time(form.details(), comparison)
    outcome = answer(comparison, judge, choice=choice, lease=body.lease, details=details)
    _check(outcome)
    stored = Judgement.objects.select_related("edit", "comparison__gold").get(lease=body.lease)
    return Answered(
        outcome=outcome.value, answer=answer_summary(stored), explained=_explained(stored)
    )


@router.post(
    "/campaigns/{campaign_id}/undo", auth=JUDGES, response=Undone, summary="Take back an answer"
)
def take_back(request: HttpRequest, campaign_id: Id, body: UndoInput) -> Undone:
    """Take back the person's last answer, and hold its comparison again."""
    judge = person(request)
    campaign = _open(judge, campaign_id)
    undone = undo(campaign, judge, judgement_id=body.answer)
    if undone is None:
        raise ApiError(409, "That answer cannot be taken back any more.", field="answer")
    comparison = Comparison.objects.select_related("campaign__design__pool").get(
        pk=undone.comparison_id
    )
    return Undone(comparison=comparison_sheet(comparison, undone=undone))


@router.get(
    "/campaigns/{campaign_id}/answers",
    auth=Bearer(Scope.READ, admin=False),
    response=Page[AnswerSummary],
    summary="List answers",
)
def list_answers(
    request: HttpRequest, response: HttpResponse, campaign_id: Id, page: Paged
) -> Page[AnswerSummary]:
    """What the token's person has answered there and stands, the last first."""
    judge = person(request)
    campaign = get_object_or_404(campaigns_known_to(judge), pk=campaign_id)
    rows = answers_of(campaign, judge).select_related("edit")
    return page_of(request, response, rows, page, answer_summary)


@router.post(
    "/campaigns/{campaign_id}/onboarding",
    auth=JUDGES,
    response={204: None},
    summary="Try the onboarding again",
)
def onboarding_again(request: HttpRequest, campaign_id: Id) -> Status[None]:
    """Begin a further attempt at the onboarding, after one that was not enough."""
    judge = person(request)
    campaign = _open(judge, campaign_id)
    if not try_again(campaign, judge):
        raise ApiError(409, "There is no attempt that is over and was not enough.")
    return Status(204, None)


def _open(judge: User, campaign_id: int) -> Campaign:
    """The campaign, where it has work for the person at present."""
    found = campaigns_of(judge).filter(pk=campaign_id).first()
    if found is None:
        known = get_object_or_404(campaigns_known_to(judge), pk=campaign_id)
        state = state_of(known)
        said = f"“{known}” is {state if state == 'paused' else 'closed'} to you now."
        raise ApiError(409, f"{said} Your answers are kept.", code="not_open")
    return found


def _form(campaign: Campaign, body: AnswerInput) -> AnswerForm:
    """The request as the comparison page's form, and checked as that."""
    unknown = sorted(set(body.criteria) - set(campaign.criteria))
    if unknown:
        raise ApiError(422, f"“{unknown[0]}” is no criterion here.", field="criteria")
    choice: str = body.choice
    if body.strength is not None:
        choice = f"{choice}:{body.strength}"
    data = body.model_dump(exclude={"comparison", "lease", "criteria", "strength", "confidence"})
    data |= {criterion_field(name): side for name, side in body.criteria.items()}
    names = {criterion_field(name): "criteria" for name in campaign.criteria}
    form = AnswerForm(campaign, data | {"choice": choice, "token": str(body.lease)})
    return valid(form, names | {"token": "lease"})  # nosec B105  # a field of the request


def _check(outcome: Outcome) -> None:
    if outcome is Outcome.PASSED_ON:
        raise ApiError(409, PASSED_ON, code="passed_on", field="lease")
    if outcome is Outcome.DIFFERED:
        raise ApiError(409, DIFFERED, code="differed", field="choice")


def _explained(judgement: Judgement) -> Explained | None:
    """What the page tells after an answer of the onboarding."""
    comparison = judgement.comparison
    if comparison.kind != Comparison.Kind.ONBOARDING or comparison.gold is None:
        return None
    return Explained(
        right=is_right(judgement),
        better="left" if judgement.first_on_left else "right",
        explanation=comparison.gold.explanation,
    )


def _machine(judge: User) -> Machine | None:
    return Machine.objects.select_related("user").filter(user=judge).first()


def _campaign_of(machine: Machine, campaign_id: int) -> Campaign:
    """Pausing and closing are for people: a machine is asked as long as there is a campaign."""
    campaigns = Campaign.objects.filter(archived_at__isnull=True)
    return get_object_or_404(campaigns, pk=campaign_id, assignments__machine=machine)


def _next_of_machine(campaign_id: int, machine: Machine) -> Next:
    campaign = _campaign_of(machine, campaign_id)
    try:
        task = machine_next(campaign, machine)
    except MachineRefused as problem:
        raise ApiError(409, str(problem)) from problem
    sheet = None
    if task is not None:
        sheet = ComparisonSheet(
            id=word_of(task.comparison.pk),
            lease=task.lease,
            leased_until=task.comparison.leased_until,
            messages=[dict(turn) for turn in task.question.messages],
            left=task.question.left,
            right=task.question.right,
            earlier={},
        )
    shown = task.guideline if task else None
    return Next(
        comparison=sheet,
        choices=[*task.question.choices, "skip"] if task else [],
        complete=False,
        guidelines=Guidelines(id=shown.pk, number=shown.number, text=shown.text) if shown else None,
        onboarding=None,
    )


def _answered_by_machine(
    campaign_id: int, machine: Machine, comparison_id: int, body: AnswerInput
) -> Answered:
    campaign = get_object_or_404(Campaign, pk=campaign_id, assignments__machine=machine)
    shown = campaign.guidelines.filter(pk=body.guideline).first() if body.guideline else None
    try:
        outcome = machine_answer(
            campaign,
            machine,
            comparison_id=comparison_id,
            lease=body.lease,
            choice=body.choice,
            confidence=body.confidence,
            reason=body.reason,
            seconds=body.seconds,
            guideline=shown.number if shown else None,
        )
    except MachineRefused as problem:
        raise ApiError(422, str(problem)) from problem
    _check(outcome)
    return Answered(outcome=outcome.value, answer=None, explained=None)
