"""What a person is asked to see how reliably they answer: silent repeats and gold pairs.

Whether the n-th answer of a person is a check, and which, is drawn from the campaign's seed, so a
reload changes nothing.
"""

from django.contrib.auth.models import User
from django.db.models import BigIntegerField, Exists, OuterRef

from annotate.draws import draw
from annotate.models import Campaign, Comparison, Gold, Judgement
from annotate.prepared import CAMPAIGN, PERSON, Placeholder, Prepared
from annotate.queries import answers_of, gold_in_use

REPEAT_AFTER = 12  # other answers, at least, before a pair comes back

Kind = Comparison.Kind


def first_on_left(comparison: Comparison, person: User) -> bool:
    """The side that the pair's first text is shown on, drawn for each comparison and person.

    A repeat shows them the other way round.
    """
    if comparison.original is not None:
        return not comparison.original.first_on_left
    which = (comparison.kind, comparison.position, comparison.slot, comparison.attempt)
    return draw(comparison.campaign.seed, "side", *which, person.pk) < 0.5


def check_due(campaign: Campaign, person: User, *, number: int) -> Comparison | None:
    """The check that the person's answer of this 0-based number is, made; mostly None."""
    luck = draw(campaign.seed, "check", person.pk, number)
    if luck < campaign.repeat_share:
        return _repeat(campaign, person, number)
    if luck < campaign.repeat_share + campaign.gold_share:
        return _gold(campaign, person, number)
    return None


def _repeat(campaign: Campaign, person: User, number: int) -> Comparison | None:
    """A pair that the person answered a while ago and that has not come back to them yet."""
    recent = _recent.first(campaign=campaign.pk, person=person.pk)
    if recent is None:
        return None
    candidates = _repeatable(campaign=campaign.pk, person=person.pk, recent=recent[0])
    if not candidates:
        return None
    place = int(draw(campaign.seed, "repeat", person.pk, number) * len(candidates))
    original, pair, position = candidates[place]
    made, _ = Comparison.objects.get_or_create(
        original_id=original,
        reserved_for=person,
        defaults={
            "campaign": campaign,
            "kind": Kind.REPEAT,
            "pair_id": pair,
            "position": position,
        },
    )
    return made


_recent = Prepared(
    lambda: (
        answers_of(CAMPAIGN, PERSON)
        .order_by("-pk")
        .values_list("pk")[REPEAT_AFTER : REPEAT_AFTER + 1]
    )
)
_repeatable = Prepared(
    lambda: (
        answers_of(CAMPAIGN, PERSON)
        .filter(comparison__kind=Kind.LABEL, pk__lte=Placeholder("recent", BigIntegerField()))
        .exclude(choice=Judgement.Choice.SKIP)
        .exclude(
            Exists(Comparison.objects.filter(original=OuterRef("comparison"), reserved_for=PERSON))
        )
        .order_by("pk")
        .values_list("comparison", "comparison__pair", "comparison__position")
    )
)


def _gold(campaign: Campaign, person: User, number: int) -> Comparison | None:
    """A gold pair that the person has not had."""
    had = Comparison.objects.filter(gold=OuterRef("pk"), reserved_for=person)
    candidates = list(
        gold_in_use(campaign, Gold.Use.CHECK).exclude(Exists(had)).values_list("pk", flat=True)
    )
    if not candidates:
        return None
    place = int(draw(campaign.seed, "gold", person.pk, number) * len(candidates))
    made, _ = Comparison.objects.get_or_create(
        gold_id=candidates[place],
        reserved_for=person,
        attempt=0,
        defaults={"campaign": campaign, "kind": Kind.GOLD, "position": candidates[place]},
    )
    return made
