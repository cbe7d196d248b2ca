from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from statistics import median

from django.contrib.auth.models import User
from django.db.models import BigIntegerField, Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from annotate.models import Campaign, Comparison, Gold, Guideline, Judgement
from annotate.prepared import CAMPAIGN, NOW, PERSON, Placeholder, Prepared
from pairselect.accounts.roles import ANNOTATOR, ROLES
from pairselect.designs.models import SelectedPair

Kind = Comparison.Kind
PASSED_ON_BY_SKIP = (Kind.LABEL, Kind.ADJUDICATION)  # a skipped check is done with
PACE_OVER = 50  # the last answers, whose median is a person's pace
COUNTED = 1000  # labels that are left, one by one


def campaigns() -> QuerySet[Campaign]:
    """Each with the ``total`` of labels that are wanted, and how many are ``labelled``."""
    wanted = Comparison.objects.filter(campaign=OuterRef("pk"), kind=Kind.LABEL)
    return Campaign.objects.select_related("design").annotate(
        total=_number_of(wanted), labelled=_number_of(wanted.filter(labelled_at__isnull=False))
    )


def _number_of(rows: QuerySet[Comparison]) -> Coalesce:
    """Counted by itself: joined, the campaign's columns would be grouped by with each row."""
    counted = rows.order_by().values("campaign").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


def annotators() -> QuerySet[User]:
    """Who may be asked to compare."""
    return User.objects.filter(is_active=True, groups__name=ANNOTATOR).order_by("username")


def people_with_a_role() -> QuerySet[User]:
    """Who may adjudicate: active annotators and admins."""
    role = Q(groups__name__in=ROLES) | Q(is_superuser=True)
    return User.objects.filter(role, is_active=True).distinct().order_by("username")


def campaigns_of(person: User, *, adjudicating: bool = False) -> QuerySet[Campaign]:
    """The campaigns with work for the person at present: every page of theirs starts from here.

    With ``adjudicating`` those whose disagreements they decide, here and in all that follows.
    """
    return open_to(person, adjudicating=adjudicating).filter(paused_at__isnull=True)


def open_to(person: User, *, adjudicating: bool = False) -> QuerySet[Campaign]:
    """Those, and the ones that are paused."""
    mine = Q(adjudicators=person) if adjudicating else Q(annotators=person)
    return Campaign.objects.filter(
        mine, opened_at__isnull=False, closed_at__isnull=True, archived_at__isnull=True
    )


@cache
def _open_to(adjudicating: bool) -> Prepared[tuple[int]]:
    theirs = campaigns_of(PERSON, adjudicating=adjudicating).filter(pk=CAMPAIGN).order_by()
    return Prepared(lambda: theirs.values_list("pk")[:1])


def has_work_for(person: User, campaign: Campaign, *, adjudicating: bool = False) -> bool:
    """Whether the campaign is one of `campaigns_of` the person at this moment."""
    return bool(_open_to(adjudicating)(person=person.pk, campaign=campaign.pk))


def campaigns_known_to(person: User, *, adjudicating: bool = False) -> QuerySet[Campaign]:
    """Those that the person annotates or has annotated: an answer in their hands still counts
    when the campaign is closed or paused, or they are taken off it, while they think."""
    held = Comparison.objects.filter(_queue(adjudicating), campaign=OuterRef("pk"))
    mine = Q(adjudicators=person) if adjudicating else Q(annotators=person)
    return Campaign.objects.filter(
        mine | Exists(held.filter(annotator=person)), opened_at__isnull=False
    ).distinct()


def _queue(adjudicating: bool, path: str = "") -> Q:
    """Comparisons of the adjudicators' queue, or of the annotators'."""
    own = Q(**{f"{path}kind": Kind.ADJUDICATION})
    return own if adjudicating else ~own


def current_judgements() -> QuerySet[Judgement]:
    """Answers that stand: neither undone nor revised. Those to checks are among them."""
    return Judgement.objects.filter(withdrawn_at__isnull=True)


def current_labels(campaign: Campaign | None = None) -> QuerySet[Judgement]:
    """The answers that stand and that were asked for: no repeats, no gold, no onboarding."""
    found = current_judgements().filter(comparison__kind=Kind.LABEL)
    return found if campaign is None else found.filter(comparison__campaign=campaign)


def answers_of(
    campaign: Campaign, person: User, *, adjudicating: bool = False
) -> QuerySet[Judgement]:
    """All that the person has answered there and that stands, after the onboarding."""
    return (
        current_judgements()
        .filter(_queue(adjudicating, "comparison__"))
        .filter(annotator=person, comparison__campaign=campaign)
        .exclude(comparison__kind=Kind.ONBOARDING)
    )


def comparisons_of(campaign: Campaign, person: User) -> QuerySet[Comparison]:
    """Those that the person may answer, revise or flag: theirs to answer, or answered by them."""
    answered = Judgement.objects.filter(comparison=OuterRef("pk"), annotator=person)
    return campaign.comparisons.filter(Q(annotator=person) | Exists(answered))


def held_by(
    campaign: Campaign, person: User, *, adjudicating: bool = False
) -> QuerySet[Comparison]:
    """Comparisons that the person has open: the one in view first, then those fetched ahead."""
    rows = Comparison.objects.filter(_queue(adjudicating), campaign=campaign)
    return rows.filter(annotator=person, labelled_at__isnull=True).order_by(
        F("shown_at").desc(nulls_last=True), "claimed_at", "pk"
    )


def free_for(
    campaign: Campaign,
    person: User,
    now: datetime,
    *,
    once: bool,
    adjudicating: bool = False,
) -> QuerySet[Comparison]:
    """Unlabelled comparisons that nobody holds, of pairs that are new to the person. ``once``:
    each pair gets a single label, so that none of them has one of the person's."""
    kind = Kind.ADJUDICATION if adjudicating else Kind.LABEL
    everything = Comparison.objects.filter(campaign=campaign)
    skipped = answers_of(campaign, person, adjudicating=adjudicating).filter(
        comparison__kind=kind, choice=Judgement.Choice.SKIP
    )
    free = everything.filter(kind=kind, labelled_at__isnull=True).exclude(
        pair__in=skipped.values("comparison__pair")  # looked up once, not for each row
    )
    if adjudicating or not once:
        labelled = everything.filter(kind=Kind.LABEL, annotator=person)
        free = free.exclude(Exists(labelled.filter(pair=OuterRef("pair"))))
    return free.filter(Q(annotator__isnull=True) | Q(leased_until__lt=now)).order_by(
        "position", "slot"
    )


def gold_in_use(campaign: Campaign, use: Gold.Use) -> QuerySet[Gold]:
    return Gold.objects.filter(campaign=campaign, use=use, retired_at__isnull=True)


def current_guideline(campaign: Campaign) -> Guideline | None:
    return campaign.guidelines.order_by("-number").first()


_current_guideline = Prepared(
    lambda: Guideline.objects.filter(campaign=CAMPAIGN).order_by("-number").values_list("pk")[:1]
)


def current_guideline_id(campaign: Campaign) -> int | None:
    found = _current_guideline.first(campaign=campaign.pk)
    return found[0] if found else None


_version = Prepared(
    lambda: Guideline.objects.filter(
        campaign=CAMPAIGN, pk=Placeholder("version", BigIntegerField())
    ).defer("text")
)


def version_of(campaign: Campaign, pk: int) -> Guideline | None:
    """The version of that id, if it is one of the campaign's. Without its text."""
    return _version.first(campaign=campaign.pk, version=pk)


def is_complete(campaign: Campaign) -> bool:
    """Whether every label that is wanted is there."""
    return not campaign.comparisons.filter(kind=Kind.LABEL, labelled_at__isnull=True).exists()


@dataclass(frozen=True)
class Given:
    """How many answers of a person stand there, after the onboarding."""

    answers: int  # skips among them
    decided: int  # skips aside
    today: int  # of those
    labels: int  # skips among them, checks not
    passed_on: int  # labels skipped that nobody has given yet

    def and_one(self, comparison: Comparison, choice: str) -> "Given":
        """With a further answer, just stored."""
        is_label, skipped = comparison.kind == Kind.LABEL, choice == Judgement.Choice.SKIP
        return Given(
            answers=self.answers + 1,
            decided=self.decided + (not skipped),
            today=self.today + (not skipped),
            labels=self.labels + is_label,
            passed_on=self.passed_on + (is_label and skipped),
        )


def given_by(campaign: Campaign, person: User, *, adjudicating: bool = False) -> Given:
    """Counted in the comparisons, where an index alone tells it however many there are; only what
    was skipped is looked up, since that leaves a comparison to somebody else."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    done = _done(adjudicating).first(campaign=campaign.pk, person=person.pk, now=midnight)
    number, labels, today = done or (0, 0, 0)
    # Of all campaigns: asked for this one's, SQLite would go through its comparisons instead.
    kinds = {Kind.ADJUDICATION} if adjudicating else set(Kind) - {Kind.ADJUDICATION}
    skipped = [
        (kind, at)
        for of, kind, at in _skipped(person=person.pk)
        if of == campaign.pk and kind in kinds - {Kind.ONBOARDING}
    ]
    checks = [at for kind, at in skipped if kind not in PASSED_ON_BY_SKIP]
    passed_on = [at for kind, at in skipped if kind == Kind.LABEL]
    return Given(
        answers=number + len(skipped) - len(checks),
        decided=number - len(checks),
        today=today - sum(at is not None and at >= midnight for at in checks),
        labels=labels + len(passed_on),
        passed_on=passed_on.count(None),
    )


@cache
def _done(adjudicating: bool) -> Prepared[tuple[int, int, int]]:
    rows = Comparison.objects.filter(_queue(adjudicating)).exclude(kind=Kind.ONBOARDING).order_by()
    done = rows.filter(campaign=CAMPAIGN, annotator=PERSON, labelled_at__isnull=False)
    counts = {
        "number": Count("kind"),
        "labels": Count("kind", filter=Q(kind=Kind.LABEL)),
        "today": Count("kind", filter=Q(labelled_at__gte=NOW)),
    }
    return Prepared(lambda: done.values("annotator").annotate(**counts).values_list(*counts))


_skipped = Prepared[tuple[int, str, datetime | None]](
    lambda: (
        current_judgements()
        .filter(annotator=PERSON, choice=Judgement.Choice.SKIP)
        .order_by()
        .values_list("comparison__campaign", "comparison__kind", "comparison__labelled_at")
    )
)


@dataclass(frozen=True)
class Pace:
    done: int  # answers of the person, skips aside
    today: int
    seconds: float | None  # active ones an answer, the median of the last; none yet: None
    left: int  # about: what others will take of it, and how many checks come, is not known
    last: int | None  # the id of the answer that undo takes back


def pace_of(
    campaign: Campaign, person: User, *, adjudicating: bool = False, given: Given | None = None
) -> Pace:
    """How the person is getting on. Checks count as any other answer, and are not told apart:
    after each answer, of whatever kind, the numbers move alike."""
    given = given or given_by(campaign, person, adjudicating=adjudicating)
    last = _last(adjudicating)(campaign=campaign.pk, person=person.pk)
    spent = [
        seconds if active is None else active
        for _, choice, active, seconds in last
        if choice != Judgement.Choice.SKIP
    ]
    left = _disputes_left(campaign, person) if adjudicating else _answers_left(campaign, given)
    return Pace(
        done=given.decided,
        today=given.today,
        seconds=median(spent) if spent else None,
        left=left,
        last=last[0][0] if last else None,
    )


@cache
def _last(adjudicating: bool) -> Prepared[tuple[int, str, float | None, float]]:
    answers = answers_of(CAMPAIGN, PERSON, adjudicating=adjudicating).order_by("-pk")
    columns = ("pk", "choice", "active_seconds", "seconds")
    return Prepared(lambda: answers.values_list(*columns)[:PACE_OVER])


def _answers_left(campaign: Campaign, given: Given) -> int:
    left, has_gold = _labels_left(campaign, seen=given.labels, passed_on=given.passed_on)
    checks = campaign.repeat_share + (campaign.gold_share if has_gold else 0.0)
    expected = round((given.labels + left) * (1 + checks)) - given.answers
    return max(expected, 1) if left else 0


def _disputes_left(campaign: Campaign, person: User) -> int:
    free = free_for(campaign, person, timezone.now(), once=False, adjudicating=True)
    held = held_by(campaign, person, adjudicating=True)
    return Comparison.objects.filter(
        Q(pk__in=free.values("pk")) | Q(pk__in=held.values("pk"))
    ).count()


def _labels_left(campaign: Campaign, *, seen: int, passed_on: int) -> tuple[int, bool]:
    """How many labels there are still for a person to give, at most one a pair; and whether there
    is gold for checks.

    The page asks after each answer: only the queue's beginning is counted. What lies behind it is
    all to be had, since people go through it from the front.
    """
    counted = COUNTED + -(-passed_on // 10) * 10  # few different queries
    last, behind, has_gold = _extent(counted)(campaign=campaign.pk)[0]
    pairs = 0 if last is None else last + 1
    if behind is None:
        rows = campaign.comparisons.filter(kind=Kind.LABEL, labelled_at__isnull=True)
        there = rows.order_by().count()
    else:
        there = counted + campaign.labels_per_pair * (pairs - behind)
    return max(0, min(there - passed_on, pairs - seen)), has_gold


@lru_cache(maxsize=256)
def _extent(counted: int) -> Prepared[tuple[int | None, int | None, bool]]:
    """The last pair's place, the queue's place behind so many labels that are missing, and whether
    there is gold for checks."""
    pairs = SelectedPair.objects.filter(design=OuterRef("design")).order_by("-position")
    missing = Comparison.objects.filter(
        campaign=CAMPAIGN, kind=Kind.LABEL, labelled_at__isnull=True
    ).order_by("position", "slot")
    found = Campaign.objects.filter(pk=CAMPAIGN).order_by()
    return Prepared(
        lambda: found.values_list(
            Subquery(pairs.values("position")[:1]),
            Subquery(missing.values("position")[counted : counted + 1]),
            Exists(gold_in_use(CAMPAIGN, Gold.Use.CHECK)),
        )
    )


def last_judgement(
    campaign: Campaign, person: User, *, adjudicating: bool = False
) -> Judgement | None:
    """The answer that undo takes back. The onboarding's have been explained, so they stand."""
    given = answers_of(campaign, person, adjudicating=adjudicating)
    return given.select_related("comparison").order_by("-pk").first()


def counts_by_choice(campaign: Campaign) -> dict[str, int]:
    counts = dict(current_labels(campaign).values_list("choice").annotate(Count("pk")))
    return {choice: counts.get(choice, 0) for choice in Judgement.Choice.values}


def last_changes(campaigns: Collection[int], *, since: datetime) -> dict[int, datetime]:
    """When what an export is made from last changed, by campaign, where that is after ``since``:
    a label or a decision was given, revised or taken back. Two queries, each by an index."""
    kinds = (Kind.LABEL, Kind.ADJUDICATION)
    given = Comparison.objects.filter(
        campaign__in=campaigns,
        kind__in=kinds,
        annotator__isnull=False,  # as the index has it; a dispute that ended undecided has none
        labelled_at__gt=since,
    )
    found = dict(given.order_by().values_list("campaign").annotate(Max("labelled_at")))
    # What a revision puts in a label's place leaves `labelled_at` alone, and withdraws the label.
    withdrawn = Judgement.objects.filter(
        annotator__in=User.objects.order_by().values("pk"),  # the index begins with it
        withdrawn_at__gt=since,
        comparison__campaign__in=campaigns,
        comparison__kind__in=kinds,
    ).exclude(choice=Judgement.Choice.SKIP)
    rows = withdrawn.order_by().values_list("comparison__campaign").annotate(Max("withdrawn_at"))
    for campaign, at in rows:
        found[campaign] = max(at, found.get(campaign, at))
    return found
