"""Answers to given pairs, stored as they stand: for what is made of many of them."""

from uuid import uuid4

from django.contrib.auth.models import User
from django.utils import timezone

from annotate.models import Assignment, Campaign, Comparison, Gold, Judgement, Machine
from pairselect.designs.models import SelectedPair

Kind = Comparison.Kind


def pairs_of(campaign: Campaign) -> list[SelectedPair]:
    return list(campaign.design.pairs.order_by("position"))


def say(
    campaign: Campaign,
    person: User,
    pair: SelectedPair,
    answer: str,
    *,
    left: bool = True,
    strength: int | None = None,
) -> Judgement:
    """Answer the pair: first, second, or a choice that names no side. ``left``: the first was."""
    comparison = campaign.comparisons.filter(
        kind=Kind.LABEL, pair=pair, labelled_at__isnull=True
    ).first()
    assert comparison is not None, "all labels of the pair are there"
    return _store(comparison, person, answer, left, strength)


def say_again(judgement: Judgement, answer: str) -> Judgement:
    """Answer the silent repeat of the pair."""
    original = judgement.comparison
    comparison = Comparison(
        campaign=original.campaign,
        kind=Kind.REPEAT,
        original=original,
        pair=original.pair,
        position=original.position,
        reserved_for=judgement.annotator,
    )
    return _store(comparison, judgement.annotator, answer, not judgement.first_on_left)


def say_of_gold(campaign: Campaign, person: User, answer: str, *, left: bool = True) -> Judgement:
    gold = Gold.objects.create(
        campaign=campaign, use=Gold.Use.CHECK, messages=[], better="4", worse=str(uuid4())
    )
    comparison = Comparison(
        campaign=campaign, kind=Kind.GOLD, gold=gold, position=gold.pk, reserved_for=person
    )
    return _store(comparison, person, answer, left)


def decide(campaign: Campaign, person: User, pair: SelectedPair, answer: str) -> Judgement:
    """As the adjudicator of the pair."""
    comparison = Comparison(
        campaign=campaign, kind=Kind.ADJUDICATION, pair=pair, position=pair.position
    )
    return _store(comparison, person, answer, True)


def make_machine(campaign: Campaign, name: str = "judge") -> User:
    user = User.objects.create_user(name)
    machine = Machine.objects.create(user=user)
    Assignment.objects.create(campaign=campaign, machine=machine)
    return user


def ask_machine(
    campaign: Campaign, machine: User, pair: SelectedPair, *answers: str
) -> list[Judgement]:
    """Its answers with the first on the left, and then with the sides swapped."""
    found = []
    for slot, answer in enumerate(answers):
        comparison = Comparison(
            campaign=campaign,
            kind=Kind.MACHINE,
            pair=pair,
            position=pair.position,
            slot=slot,
            reserved_for=machine,
        )
        found.append(_store(comparison, machine, answer, slot == 0))
    return found


def _store(
    comparison: Comparison, person: User, answer: str, left: bool, strength: int | None = None
) -> Judgement:
    comparison.annotator, comparison.labelled_at = person, timezone.now()
    comparison.first_on_left = left
    comparison.save()
    choice = answer
    if answer in ("first", "second"):
        choice = "left" if (answer == "first") == left else "right"
    return Judgement.objects.create(
        comparison=comparison,
        annotator=person,
        choice=choice,
        strength=strength,
        first_on_left=left,
        lease=uuid4(),
        seconds=2.0,
    )
