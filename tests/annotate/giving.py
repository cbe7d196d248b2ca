"""Answers in full, and comparisons that check, given the way the product gives them."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.utils import timezone

from annotate.answering import Details, Outcome, answer
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Gold, Judgement
from tests.conftest import give


def answer_next(campaign: Campaign, person: User, choice: str, **details: Any) -> Judgement:
    return give(campaign, person, choice, Details(**details))


def prefer(campaign: Campaign, person: User, *, first: bool) -> Judgement:
    """Say of the person's next comparison that its first text is better, or its second."""
    comparison = next_comparison(campaign, person)
    assert comparison is not None
    return give(campaign, person, "left" if first == comparison.first_on_left else "right")


def revise(judgement: Judgement, choice: str, **details: Any) -> Judgement:
    """Another answer of the same person in its place."""
    outcome = answer(
        judgement.comparison,
        judgement.annotator,
        choice=Judgement.Choice(choice),
        lease=uuid4(),
        details=Details(**details),
        replaces=judgement.pk,
    )
    assert outcome is Outcome.STORED
    return Judgement.objects.get(replaces=judgement)


def repeat(judgement: Judgement) -> Comparison:
    """The pair is the next that the person gets, with the sides swapped."""
    original = judgement.comparison
    return Comparison.objects.create(
        campaign=original.campaign,
        kind=Comparison.Kind.REPEAT,
        original=original,
        pair=original.pair,
        position=original.position,
        reserved_for=judgement.annotator,
    )


def gold_for(campaign: Campaign, person: User, *, onboarding: bool = False) -> Comparison:
    """A pair whose better text is known, and its first, is the next that the person gets."""
    use, kind = Gold.Use.CHECK, Comparison.Kind.GOLD
    if onboarding:
        use, kind = Gold.Use.ONBOARDING, Comparison.Kind.ONBOARDING
    messages = [{"role": "user", "content": "2 + 2?"}]
    gold = Gold.objects.create(campaign=campaign, use=use, messages=messages, better="4", worse="5")
    return Comparison.objects.create(
        campaign=campaign, kind=kind, gold=gold, position=gold.pk, reserved_for=person
    )


def onboard(campaign: Campaign, person: User, choice: str) -> Judgement:
    """An answer of the onboarding, the right one on the left."""
    comparison = gold_for(campaign, person, onboarding=True)
    comparison.annotator, comparison.labelled_at = person, timezone.now()
    comparison.save()
    return Judgement.objects.create(
        comparison=comparison,
        annotator=person,
        choice=choice,
        first_on_left=True,
        lease=uuid4(),
        seconds=1.0,
    )
