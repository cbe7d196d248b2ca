from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Avg, Count, Exists, OuterRef, Q, QuerySet

from annotate.models import Campaign, Comparison, Judgement


def campaigns() -> QuerySet[Campaign]:
    return Campaign.objects.select_related("design").annotate(
        total=Count("comparisons"),
        labelled=Count("comparisons", filter=Q(comparisons__labelled_at__isnull=False)),
    )


def campaigns_of(person: User) -> QuerySet[Campaign]:
    """The open campaigns that the person annotates: every page of theirs starts from here."""
    return Campaign.objects.filter(
        annotators=person, opened_at__isnull=False, closed_at__isnull=True
    )


def current_judgements() -> QuerySet[Judgement]:
    """Answers that stand: not undone."""
    return Judgement.objects.filter(withdrawn_at__isnull=True)


def held_by(campaign: Campaign, person: User) -> QuerySet[Comparison]:
    """Comparisons that the person has open."""
    return campaign.comparisons.filter(annotator=person, labelled_at__isnull=True)


def free_for(campaign: Campaign, person: User, now: datetime) -> QuerySet[Comparison]:
    """Unlabelled comparisons that nobody holds and that the person has not skipped."""
    answered = current_judgements().filter(comparison=OuterRef("pk"), annotator=person)
    return (
        campaign.comparisons.filter(labelled_at__isnull=True)
        .filter(Q(annotator__isnull=True) | Q(leased_until__lt=now))
        .exclude(Exists(answered))
        .order_by("position")
    )


@dataclass(frozen=True)
class Progress:
    answered: int  # labelled by anybody
    total: int
    mine: int


def progress_of(campaign: Campaign, person: User) -> Progress:
    labels = current_judgements().filter(comparison__campaign=campaign).exclude(choice="skip")
    return Progress(
        answered=campaign.comparisons.filter(labelled_at__isnull=False).count(),
        total=campaign.comparisons.count(),
        mine=labels.filter(annotator=person).count(),
    )


def last_judgement(campaign: Campaign, person: User) -> Judgement | None:
    mine = current_judgements().filter(comparison__campaign=campaign, annotator=person)
    return mine.select_related("comparison").order_by("-pk").first()


def counts_by_choice(campaign: Campaign) -> dict[str, int]:
    rows = current_judgements().filter(comparison__campaign=campaign)
    counts = dict(rows.values_list("choice").annotate(Count("pk")))
    return {choice: counts.get(choice, 0) for choice in Judgement.Choice.values}


def labels_by_annotator(campaign: Campaign) -> list[tuple[str, int, float]]:
    """Name, labels and mean seconds a label of each person, most labels first."""
    rows = current_judgements().filter(comparison__campaign=campaign).exclude(choice="skip")
    return list(
        rows.values_list("annotator__username")
        .annotate(labels=Count("pk"), seconds=Avg("seconds"))
        .order_by("-labels")
    )
