"""Gold pairs before the work begins: each answer is explained, and enough must be right."""

from dataclasses import dataclass
from math import ceil

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotate.models import Campaign, Comparison, Gold, Judgement, Participation
from annotate.queries import current_judgements, gold_in_use

Kind = Comparison.Kind


@dataclass(frozen=True)
class OnboardingResult:
    right: int
    asked: int
    passing_mark: float

    @property
    def needed(self) -> int:
        return needed(self.asked, self.passing_mark)

    @property
    def passed(self) -> bool:
        return self.right >= self.needed


@dataclass(frozen=True)
class Practice:
    """Where the person is in the onboarding: before the place-th (1-based) of so many."""

    place: int
    total: int
    mark: int


def needed(asked: int, passing_mark: float) -> int:
    """How many must be right: the mark's share, rounded up but for rounding errors."""
    return ceil(passing_mark * asked - 1e-9)


def participation(campaign: Campaign, person: User) -> Participation:
    return Participation.objects.get_or_create(campaign=campaign, annotator=person)[0]


def onboarding_left(campaign: Campaign, person: User) -> QuerySet[Comparison] | None:
    """What the person has still to answer before the work begins. None: they may begin."""
    if campaign.passing_mark is None:
        return None
    state = participation(campaign, person)
    if state.onboarded_at is not None:
        return None
    rows = _attempt(campaign, person, state.attempt)
    if not rows.exists() and not _begin(campaign, person, state.attempt):
        return None
    left = rows.filter(labelled_at__isnull=True)
    if not left.exists() and _result(campaign, person, state.attempt).passed:
        mine = Participation.objects.filter(pk=state.pk, onboarded_at__isnull=True)
        mine.update(onboarded_at=timezone.now())
        return None
    return left


def practice_of(campaign: Campaign, person: User) -> Practice | None:
    left = onboarding_left(campaign, person)
    if left is None or campaign.passing_mark is None:
        return None
    total = _attempt(campaign, person, participation(campaign, person).attempt).count()
    place = total - left.count() + 1
    return Practice(place=place, total=total, mark=needed(total, campaign.passing_mark))


def onboarding_result(campaign: Campaign, person: User) -> OnboardingResult | None:
    """How the person's present attempt went, once all of it is answered."""
    left = onboarding_left(campaign, person)
    if left is None or left.exists():
        return None
    return _result(campaign, person, participation(campaign, person).attempt)


def practised(campaign: Campaign, person: User) -> list[Judgement]:
    """The answers of the person's present attempt, in the order that they were asked in."""
    rows = _attempt(campaign, person, participation(campaign, person).attempt)
    given = current_judgements().filter(comparison__in=rows, annotator=person)
    return list(given.select_related("comparison").order_by("comparison__position"))


def conclude_onboarding(campaign: Campaign, person: User) -> None:
    """Let the person begin, when the last answer was given and enough were right.

    A mark that was lowered since lets them begin when they come back.
    """
    onboarding_left(campaign, person)


def try_again(campaign: Campaign, person: User) -> bool:
    """Begin a further attempt. False when the present one is not over, or was enough."""
    with transaction.atomic():
        rows = Participation.objects.select_for_update()
        state = rows.filter(campaign=campaign, annotator=person).first()
        if state is None or onboarding_result(campaign, person) is None:
            return False
        state.attempt += 1
        state.save(update_fields=["attempt"])
    return True


def is_right(judgement: Judgement) -> bool:
    """Whether the answer to gold names the better side."""
    return judgement.choice in ("left", "right") and judgement.prefers_first


def _begin(campaign: Campaign, person: User, attempt: int) -> bool:
    """Lay down what the attempt asks, all of it or nothing. False when there is nothing to ask."""
    with transaction.atomic():
        pairs = list(gold_in_use(campaign, Gold.Use.ONBOARDING).values_list("pk", flat=True))
        for place, pk in enumerate(pairs):
            Comparison.objects.get_or_create(
                gold_id=pk,
                reserved_for=person,
                attempt=attempt,
                defaults={"campaign": campaign, "kind": Kind.ONBOARDING, "position": place},
            )
    return bool(pairs)


def _attempt(campaign: Campaign, person: User, attempt: int) -> QuerySet[Comparison]:
    rows = campaign.comparisons.filter(kind=Kind.ONBOARDING, reserved_for=person, attempt=attempt)
    return rows.order_by("position")


def _result(campaign: Campaign, person: User, attempt: int) -> OnboardingResult:
    rows = _attempt(campaign, person, attempt)
    answers = list(current_judgements().filter(comparison__in=rows, annotator=person))
    assert campaign.passing_mark is not None
    return OnboardingResult(
        right=sum(map(is_right, answers)), asked=rows.count(), passing_mark=campaign.passing_mark
    )
