from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotate.models import Campaign, Comparison, Judgement
from pairselect.accounts.roles import ANNOTATOR


def campaigns() -> QuerySet[Campaign]:
    return Campaign.objects.select_related("design").annotate(
        total=Count("comparisons"),
        labelled=Count("comparisons", filter=Q(comparisons__labelled_at__isnull=False)),
    )


def annotators() -> QuerySet[User]:
    """Who may be asked to compare."""
    return User.objects.filter(is_active=True, groups__name=ANNOTATOR).order_by("username")


def campaigns_of(person: User) -> QuerySet[Campaign]:
    """The open campaigns that the person annotates: every page of theirs starts from here."""
    return Campaign.objects.filter(
        annotators=person, opened_at__isnull=False, closed_at__isnull=True
    )


def campaigns_known_to(person: User) -> QuerySet[Campaign]:
    """Those that the person annotates or has annotated: an answer in their hands still counts
    when the campaign is closed, or they are taken off it, while they think."""
    mine = Comparison.objects.filter(campaign=OuterRef("pk"), annotator=person)
    return Campaign.objects.filter(
        Q(annotators=person) | Exists(mine), opened_at__isnull=False
    ).distinct()


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


def progress_of(campaigns: Iterable[Campaign], person: User) -> dict[int, Progress]:
    """How far each campaign is, by its id, in two queries however many there are."""
    ids = [campaign.pk for campaign in campaigns]
    counts = (
        Comparison.objects.filter(campaign__in=ids)
        .order_by()
        .values_list("campaign")
        .annotate(total=Count("pk"), answered=Count("labelled_at"))
    )
    labels = current_judgements().filter(comparison__campaign__in=ids, annotator=person)
    mine = dict(
        labels.exclude(choice="skip")
        .order_by()
        .values_list("comparison__campaign")
        .annotate(Count("pk"))
    )
    found = {pk: Progress(answered, total, mine.get(pk, 0)) for pk, total, answered in counts}
    return {pk: found.get(pk, Progress(0, 0, 0)) for pk in ids}


def last_judgement(campaign: Campaign, person: User) -> Judgement | None:
    mine = current_judgements().filter(comparison__campaign=campaign, annotator=person)
    return mine.select_related("comparison").order_by("-pk").first()


def counts_by_choice(campaign: Campaign) -> dict[str, int]:
    rows = current_judgements().filter(comparison__campaign=campaign)
    counts = dict(rows.values_list("choice").annotate(Count("pk")))
    return {choice: counts.get(choice, 0) for choice in Judgement.Choice.values}


def labels_by_annotator(campaign: Campaign) -> list[tuple[str, int, float]]:
    """Name, labels and median seconds a label of each person, most labels first."""
    rows = current_judgements().filter(comparison__campaign=campaign).exclude(choice="skip")
    seconds: dict[str, list[float]] = {}
    for name, spent in rows.values_list("annotator__username", "seconds").iterator():
        seconds.setdefault(name, []).append(spent)
    table = [(name, len(spent), median(spent)) for name, spent in seconds.items()]
    return sorted(table, key=lambda row: (-row[1], row[0]))
