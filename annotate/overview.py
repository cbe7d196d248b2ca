"""What an admin is shown of a campaign besides its labels. Reads alone."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count, F, FloatField, Q, QuerySet
from django.db.models.functions import Cast, NullIf
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.edits import model_names
from annotate.masking import mask_identity
from annotate.models import Campaign, Comparison, Flag, Gold, Guideline, Judgement, Participation
from annotate.queries import current_labels
from pairselect.pools.models import Completion

Kind = Comparison.Kind
MOST_SEARCHED = 2_000  # completions that one page looks through


def warnings(campaign: Campaign) -> list[str]:
    """What the campaign asks for and cannot have as it stands, each with what to do."""
    found = []
    people = campaign.annotators.filter(is_active=True).count()
    if not people:
        found.append(_("Nobody compares here yet: choose annotators below."))
    elif people < campaign.labels_per_pair:
        found.append(
            ngettext(
                "Each pair is to get %(labels)d labels from as many people, but only %(people)d "
                "compares here: the rest stays open until you choose more annotators.",
                "Each pair is to get %(labels)d labels from as many people, but only %(people)d "
                "compare here: the rest stays open until you choose more annotators.",
                people,
            )
            % {"labels": campaign.labels_per_pair, "people": people}
        )
    uses = set(
        campaign.gold.filter(retired_at__isnull=True).order_by().values_list("use").distinct()
    )
    if campaign.gold_share and (Gold.Use.CHECK,) not in uses:
        found.append(
            _("A share of the answers is meant for gold pairs, but there are none: add some.")
        )
    if not campaign.gold_share and (Gold.Use.CHECK,) in uses:
        found.append(
            _(
                "There are gold pairs, but no share of the answers is meant for them: nobody "
                "gets them. Change what is asked."
            )
        )
    if campaign.passing_mark is not None and (Gold.Use.ONBOARDING,) not in uses:
        found.append(
            _(
                "An onboarding is asked for, but it has no gold pairs, so everybody begins "
                "without one: add some."
            )
        )
    undecidable = adjudication_warning(campaign)
    return [*found, undecidable] if undecidable else found


def adjudication_warning(campaign: Campaign) -> str:
    """What keeps disagreements from being decided; empty: nothing does."""
    if campaign.adjudicate == Campaign.Adjudicate.NEVER:
        return ""
    if campaign.labels_per_pair == 1:
        return _(
            "Disagreements are to be decided, but each pair gets a single label, with which "
            "nothing can disagree."
        )
    if not campaign.adjudicators.filter(is_active=True).exists():
        return _("Disagreements wait for an adjudicator: choose who decides them.")
    return ""


@dataclass(frozen=True)
class Onboarded:
    """How far one annotator is with the onboarding, by their last attempt."""

    name: str
    attempt: int
    answered: int
    right: int
    asked: int
    passed_at: datetime | None

    @property
    def is_over(self) -> bool:
        return 0 < self.asked <= self.answered


def onboarding_of(campaign: Campaign) -> list[Onboarded]:
    """Everybody who compares there or has begun, in three queries."""
    names = dict(campaign.annotators.values_list("pk", "username"))
    begun = Participation.objects.filter(campaign=campaign).select_related("annotator")
    states = {state.annotator_id: state for state in begun}
    standing = Q(judgements__withdrawn_at__isnull=True)
    rows = (
        campaign.comparisons.filter(kind=Kind.ONBOARDING)
        .order_by()
        .values_list("reserved_for", "attempt")
        .annotate(
            asked=Count("pk", distinct=True),
            answered=Count("judgements", filter=standing),
            right=Count("judgements", filter=standing & right("judgements__")),
        )
    )
    counts = {(person, attempt): tuple(rest) for person, attempt, *rest in rows}
    asked_once = {person for person, _attempt in counts}  # not those who only read the guidelines
    names |= {pk: state.annotator.username for pk, state in states.items() if pk in asked_once}
    found = []
    for pk, name in sorted(names.items(), key=lambda item: item[1]):
        state = states.get(pk)
        attempt = state.attempt if state else 1
        asked, answered, correct = counts.get((pk, attempt), (0, 0, 0))
        passed_at = state.onboarded_at if state else None
        found.append(Onboarded(name, attempt, answered, correct, asked, passed_at))
    return found


def right(path: str = "", *, shown: str = "first_on_left") -> Q:
    """Of answers to gold: the better one, the pair's first, was chosen."""
    left, other = Q(**{f"{path}choice": "left"}), Q(**{f"{path}choice": "right"})
    return left & Q(**{f"{path}{shown}": True}) | other & Q(**{f"{path}{shown}": False})


def gold_with_answers(campaign: Campaign) -> QuerySet[Gold]:
    """Those in use first; each with ``answers`` that stand, skips aside, and ``percent`` right."""
    path = "comparisons__judgements__"
    standing = Q(**{f"{path}withdrawn_at__isnull": True}) & ~Q(**{f"{path}choice": "skip"})
    return campaign.gold.annotate(
        answers=Count("comparisons__judgements", filter=standing),
        right=Count("comparisons__judgements", filter=standing & right(path)),
        percent=Cast(100.0 * F("right"), FloatField()) / NullIf(F("answers"), 0),
    ).order_by(F("retired_at").asc(nulls_first=True), "-pk")


def versions(campaign: Campaign) -> QuerySet[Guideline]:
    """The guidelines, the last first, each with ``labels``: those given under it that stand."""
    standing = Q(judgements__withdrawn_at__isnull=True, judgements__comparison__kind=Kind.LABEL)
    labels = Count("judgements", filter=standing & ~Q(judgements__choice="skip"))
    return (
        campaign.guidelines.select_related("created_by").annotate(labels=labels).order_by("-number")
    )


def labels_without_guidelines(campaign: Campaign) -> int:
    """Those given before there were any, or by a page that did not say which it showed."""
    labels = current_labels(campaign).exclude(choice=Judgement.Choice.SKIP)
    return labels.filter(guideline__isnull=True).count()


def open_flags(campaign: Campaign) -> QuerySet[Flag]:
    # Not by the index of the campaign's comparisons, of which there are far more than of flags.
    found = Flag.objects.alias(of=F("comparison__campaign") + 0)
    return found.filter(of=campaign.pk, resolved_at__isnull=True)


def flags_of(campaign: Campaign) -> QuerySet[Flag]:
    """With the texts that they are about."""
    comparison = ("campaign", "original", "gold", "pair__prompt", "pair__first", "pair__second")
    return Flag.objects.filter(comparison__campaign=campaign).select_related(
        "annotator", *(f"comparison__{name}" for name in comparison)
    )


def skips_by_reason(campaign: Campaign) -> list[tuple[str, int]]:
    """The reasons in words, the most frequent first."""
    skips = current_labels(campaign).filter(choice=Judgement.Choice.SKIP).order_by()
    words = dict(Judgement.SkipReason.choices)
    counts = [
        (str(words.get(name, _("No reason given"))), number)
        for name, number in skips.values_list("skip_reason").annotate(Count("pk"))
    ]
    return sorted(counts, key=lambda row: (-row[1], row[0]))


@dataclass(frozen=True)
class Leaks:
    """Completions that say which model wrote them, among those that were searched."""

    found: int
    searched: int
    total: int

    @property
    def sentence(self) -> str:
        numbers = {
            "found": intcomma(self.found),
            "searched": intcomma(self.searched),
            "total": intcomma(self.total),
        }
        if self.searched < self.total:
            text = ngettext(
                "%(found)s of the first %(searched)s of its %(total)s completions says which "
                "model wrote it.",
                "%(found)s of the first %(searched)s of its %(total)s completions say which "
                "model wrote them.",
                self.found,
            )
        else:
            text = ngettext(
                "%(found)s of its %(total)s completions says which model wrote it.",
                "%(found)s of its %(total)s completions say which model wrote them.",
                self.found,
            )
        return text % numbers


def leaks_of(campaign: Campaign) -> Leaks:
    """Search the campaign's completions, at most `MOST_SEARCHED` of them."""
    pairs = campaign.design.pairs.order_by()
    texts = (
        Completion.objects.filter(
            Q(pk__in=pairs.values("first")) | Q(pk__in=pairs.values("second"))
        )
        .order_by("pk")
        .values_list("text", flat=True)
    )
    names = model_names(campaign.design.pool)
    searched = list(texts[:MOST_SEARCHED])
    return Leaks(
        found=sum(mask_identity(text, names)[1] > 0 for text in searched),
        searched=len(searched),
        total=texts.count() if len(searched) == MOST_SEARCHED else len(searched),
    )
