"""What a person has given is counted by indices, and what is left by the queue's beginning."""

import pytest
from django.db.models import Q
from django.utils import timezone

from annotate import queries
from annotate.answering import undo
from annotate.leasing import next_comparisons
from annotate.models import Campaign, Comparison, Judgement
from annotate.queries import Given, answers_of, given_by, pace_of
from tests.annotate.giving import gold_for, repeat
from tests.conftest import People, give, make_campaign

Kind = Comparison.Kind


def counted_one_by_one(campaign: Campaign, people: People) -> Given:
    """From the answers themselves."""
    rows = answers_of(campaign, people.anna)
    label, skipped = Q(comparison__kind=Kind.LABEL), Q(choice=Judgement.Choice.SKIP)
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return Given(
        answers=rows.count(),
        decided=rows.exclude(skipped).count(),
        today=rows.exclude(skipped).filter(created_at__gte=midnight).count(),
        labels=rows.filter(label).count(),
        passed_on=rows.filter(label, skipped, comparison__labelled_at=None).count(),
    )


def test_given_counts_what_stands(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=12)
    first = give(campaign, people.anna, "left")
    assert given_by(campaign, people.anna) == counted_one_by_one(campaign, people)
    repeat(first)
    seen = []
    for choice in ("skip", "tie", "skip", "right"):  # the first of them is of the repeat
        given = give(campaign, people.anna, choice)
        seen.append(given.comparison.kind)
        assert given_by(campaign, people.anna) == counted_one_by_one(campaign, people)
    gold_for(campaign, people.anna)
    assert give(campaign, people.anna, "skip").comparison.kind == Kind.GOLD
    assert given_by(campaign, people.anna) == counted_one_by_one(campaign, people)
    assert seen == [Kind.REPEAT, Kind.LABEL, Kind.LABEL, Kind.LABEL]
    assert give(campaign, people.ben, "left").comparison.kind == Kind.LABEL  # what anna skipped
    assert given_by(campaign, people.anna) == counted_one_by_one(campaign, people)
    assert given_by(campaign, people.anna).passed_on == 0
    last = give(campaign, people.anna, "left")
    assert undo(campaign, people.anna, judgement_id=last.pk)
    assert given_by(campaign, people.anna) == counted_one_by_one(campaign, people)
    elsewhere = make_campaign(people.anna, name="elsewhere")
    give(elsewhere, people.anna, "skip")
    assert given_by(campaign, people.anna) == counted_one_by_one(campaign, people)


@pytest.mark.parametrize("choice", ["left", "skip"])
def test_one_more_is_what_the_database_says_afterwards(people: People, choice: str) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=12)
    before = given_by(campaign, people.anna)
    stored = give(campaign, people.anna, choice)
    assert before.and_one(stored.comparison, choice) == given_by(campaign, people.anna)


@pytest.mark.parametrize("k", [1, 3])
def test_what_is_left_is_the_same_counted_from_the_beginning_alone(
    people: People, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=40, labels_per_pair=k)
    for choice in ("left", "skip", "tie"):
        give(campaign, people.anna, choice)
    next_comparisons(campaign, people.ben)
    exact = pace_of(campaign, people.anna).left
    monkeypatch.setattr(queries, "COUNTED", 12)
    assert pace_of(campaign, people.anna).left == exact == 37
