"""Campaigns, comparisons, answers and exports as the API and ``--json`` tell of them."""

from datetime import date, datetime
from typing import Any

from typing_extensions import TypedDict

from annotate.forms.answers import choices_of
from annotate.measures import PersonMeasures, Share
from annotate.models import Assessment, Campaign, Comparison, Export
from annotate.pacing import Cost, Estimate, Finish, PaceAndCost, pace_and_cost
from annotate.quality.assess import newer_labels
from annotate.quality.words import trust
from annotate.queries import current_guideline
from pairselect.pools.summaries import Reference


class Guidelines(TypedDict):
    id: int
    number: int  # 1-based version
    text: str  # Markdown


class Asked(TypedDict):
    """What annotators are asked."""

    choices: list[str]
    strengths: int  # steps of a side: 1 is left or right
    criteria: list[str]  # left, same or right for each
    criteria_required: bool
    reason: str  # off, optional or required
    reason_at: list[str]  # the choices at which it is required; none: at all
    edits: bool  # whether the better one may be edited
    flags: bool


class CampaignSummary(TypedDict):
    id: int
    name: str
    design: Reference
    state: str  # opening, open, paused, closed or archived
    labels: int  # comparisons that have one
    wanted: int  # comparisons that are to get one
    labels_per_pair: int
    annotators: list[str]
    adjudicate: str  # never, split or any: which pairs an adjudicator decides
    adjudicators: list[str]
    price: float | None  # of a label, or of an active hour, as priced_by says
    priced_by: str
    currency: str
    asked: Asked
    repeat_share: float
    gold_share: float
    passing_mark: float | None
    seed: int
    created_at: datetime
    opened_at: datetime | None
    paused_at: datetime | None
    closed_at: datetime | None
    archived_at: datetime | None


class Interval(TypedDict):
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float


class ShareSummary(TypedDict):
    """So many of so many, with the 95% interval of the share behind it; from 0 to 1."""

    count: float
    total: int
    share: float | None  # None: of none
    low: float | None
    high: float | None


class FinishSummary(TypedDict):
    """When the last label is expected; the range holds it with 80%."""

    expected: date
    earliest: date
    latest: date | None  # None: days differ too much to tell
    labels_a_day: float


class PaceSummary(TypedDict):
    today: int
    week: int  # labels of the seven days before
    seconds: Interval | None  # active ones a label, their mean
    hours: float  # active ones of all answers
    hours_left: Interval | None
    at_work: int  # people at this moment
    finish: FinishSummary | None
    counted_at: datetime | None  # of a large campaign, whose figures are of then; None: of now


class CostSummary(TypedDict):
    currency: str
    so_far: float
    total: float | None
    low: float | None
    high: float | None
    per_decided: float | None  # for each label that says which is better


class CampaignDetail(CampaignSummary):
    answers: dict[str, int]  # labels by choice
    guidelines: Guidelines | None
    pace: PaceSummary
    cost: CostSummary | None  # None: it has no price
    trust: str  # the last assessment in a sentence; empty: there is none


class PersonSummary(TypedDict):
    """How one person answers."""

    name: str
    labels: int
    hours: float  # active ones
    seconds: float | None  # active ones a label, their median
    agree: ShareSummary  # of labels on pairs that others labelled too
    consistent: ShareSummary  # of repeats, answered as before
    gold: ShareSummary  # right ones
    left: ShareSummary  # of decided answers
    longer: ShareSummary  # of decided answers, the longer text
    skips: int
    undone: int
    revised: int
    flags: int


class AssessmentSummary(TypedDict):
    """How far the labels can be trusted, as they stood when it was made."""

    id: int
    together: bool  # with the rounds before
    labels: int | None
    newer_labels: int  # that came since
    trust: str  # in a sentence
    results: dict[str, Any]  # agreement, people, confounds, learning curve, …
    created_at: datetime
    completed_at: datetime | None


class ExportSummary(TypedDict):
    id: int
    campaign: Reference
    format: str
    options: dict[str, Any]
    files: list[dict[str, Any]]  # name, rows, bytes and sha256 of each
    row_count: int | None
    sha256: str
    report: dict[str, Any]  # the acceptance report
    created_at: datetime
    completed_at: datetime | None


def campaign_reference(campaign: Campaign) -> Reference:
    return Reference(id=campaign.pk, name=campaign.name)


def state_of(campaign: Campaign) -> str:
    if campaign.archived_at is not None:
        return "archived"
    if campaign.opened_at is None:
        return "opening"
    if campaign.closed_at is not None:
        return "closed"
    return "paused" if campaign.paused_at is not None else "open"


def asked_of(campaign: Campaign) -> Asked:
    return Asked(
        choices=[str(choice) for choice in choices_of(campaign)],
        strengths=campaign.strengths,
        criteria=campaign.criteria,
        criteria_required=campaign.criteria_required,
        reason=campaign.reason,
        reason_at=campaign.reason_at,
        edits=campaign.edits,
        flags=campaign.flags,
    )


def guidelines_of(campaign: Campaign) -> Guidelines | None:
    present = current_guideline(campaign)
    if present is None:
        return None
    return Guidelines(id=present.pk, number=present.number, text=present.text)


def campaign_summary(campaign: Campaign) -> CampaignSummary:
    """Of a row of `queries.campaigns`, which has counted its comparisons, or of any other."""
    rows = campaign.comparisons.filter(kind=Comparison.Kind.LABEL)
    wanted: int | None = getattr(campaign, "total", None)
    labels: int | None = getattr(campaign, "labelled", None)
    if wanted is None or labels is None:
        wanted, labels = rows.count(), rows.filter(labelled_at__isnull=False).count()
    return CampaignSummary(
        id=campaign.pk,
        name=campaign.name,
        design=Reference(id=campaign.design_id, name=campaign.design.name),
        state=state_of(campaign),
        labels=labels,
        wanted=wanted,
        labels_per_pair=campaign.labels_per_pair,
        annotators=sorted(person.username for person in campaign.annotators.all()),
        adjudicate=campaign.adjudicate,
        adjudicators=sorted(person.username for person in campaign.adjudicators.all()),
        price=None if campaign.price is None else float(campaign.price),
        priced_by=campaign.priced_by,
        currency=campaign.currency,
        asked=asked_of(campaign),
        repeat_share=campaign.repeat_share,
        gold_share=campaign.gold_share,
        passing_mark=campaign.passing_mark,
        seed=campaign.seed,
        created_at=campaign.created_at,
        opened_at=campaign.opened_at,
        paused_at=campaign.paused_at,
        closed_at=campaign.closed_at,
        archived_at=campaign.archived_at,
    )


def campaign_detail(campaign: Campaign) -> CampaignDetail:
    found = pace_and_cost(campaign)
    assessment = campaign.assessments.filter(completed_at__isnull=False).first()
    return CampaignDetail(
        **campaign_summary(campaign),
        answers=found.choices,
        guidelines=guidelines_of(campaign),
        pace=pace_summary(found),
        cost=_cost(found.cost, campaign.currency) if found.cost else None,
        trust=str(trust(assessment.results)) if assessment else "",
    )


def pace_summary(found: PaceAndCost) -> PaceSummary:
    return PaceSummary(
        today=found.today,
        week=found.week,
        seconds=_interval(found.seconds),
        hours=found.hours,
        hours_left=_interval(found.hours_left),
        at_work=found.at_work,
        finish=_finish(found.finish) if found.finish else None,
        counted_at=found.counted_at,
    )


def person_summary(found: PersonMeasures) -> PersonSummary:
    return PersonSummary(
        name=found.name,
        labels=found.labels,
        hours=found.hours,
        seconds=found.seconds,
        agree=_share(found.agree),
        consistent=_share(found.consistent),
        gold=_share(found.gold),
        left=_share(found.left),
        longer=_share(found.longer),
        skips=found.skips,
        undone=found.undone,
        revised=found.revised,
        flags=found.flags,
    )


def assessment_summary(assessment: Assessment) -> AssessmentSummary:
    is_done = assessment.completed_at is not None
    return AssessmentSummary(
        id=assessment.pk,
        together=bool(assessment.results.get("together")),
        labels=assessment.label_count,
        newer_labels=newer_labels(assessment) if is_done else 0,
        trust=str(trust(assessment.results)) if is_done else "",
        results=assessment.results if is_done else {},
        created_at=assessment.created_at,
        completed_at=assessment.completed_at,
    )


def _interval(found: Estimate | None) -> Interval | None:
    return Interval(value=found.value, low=found.low, high=found.high) if found else None


def _share(found: Share) -> ShareSummary:
    percents = (found.percent, found.low, found.high)
    share, low, high = (None if one is None else one / 100 for one in percents)
    return ShareSummary(count=found.count, total=found.total, share=share, low=low, high=high)


def _finish(found: Finish) -> FinishSummary:
    return FinishSummary(
        expected=found.expected,
        earliest=found.earliest,
        latest=found.latest,
        labels_a_day=found.a_day,
    )


def _cost(found: Cost, currency: str) -> CostSummary:
    amounts = (found.total, found.low, found.high, found.per_decided)
    total, low, high, each = (None if one is None else float(one) for one in amounts)
    return CostSummary(
        currency=currency,
        so_far=float(found.so_far),
        total=total,
        low=low,
        high=high,
        per_decided=each,
    )


def export_summary(export: Export) -> ExportSummary:
    return ExportSummary(
        id=export.pk,
        campaign=campaign_reference(export.campaign),
        format=export.format,
        options=export.options,
        files=export.files,
        row_count=export.row_count,
        sha256=export.sha256,
        report=export.report,
        created_at=export.created_at,
        completed_at=export.completed_at,
    )
