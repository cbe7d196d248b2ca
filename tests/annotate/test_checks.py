"""Sides, silent repeats and gold: drawn from the seed, unseen, and never labels."""

from itertools import pairwise

import pytest
from django.contrib.auth.models import User

from annotate.answering import undo
from annotate.checks import REPEAT_AFTER
from annotate.draws import draw
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Gold, Judgement
from annotate.queries import current_labels, is_complete, last_judgement, pace_of
from tests.annotate.exported import rows_of
from tests.annotate.giving import revise
from tests.conftest import People, give, make_campaign

Kind = Comparison.Kind


def add_gold(campaign: Campaign, number: int, use: Gold.Use = Gold.Use.CHECK) -> None:
    for i in range(number):
        Gold.objects.create(
            campaign=campaign,
            use=use,
            messages=[{"role": "user", "content": f"{i} + 1?"}],
            better=f"{i + 1}",
            worse="no",
        )


def work_through(campaign: Campaign, person: User, most: int = 1000) -> list[Judgement]:
    given: list[Judgement] = []
    while len(given) < most and next_comparison(campaign, person):
        given.append(give(campaign, person, "left"))
    return given


def kinds_of(given: list[Judgement]) -> list[str]:
    return [judgement.comparison.kind for judgement in given]


def test_draws_are_uniform_and_the_same_again() -> None:
    numbers = [draw(7, "side", i) for i in range(4000)]
    assert numbers == [draw(7, "side", i) for i in range(4000)]
    assert all(0 <= number < 1 for number in numbers)
    for tenth in range(10):
        share = sum(tenth / 10 <= number < (tenth + 1) / 10 for number in numbers) / 4000
        assert abs(share - 0.1) < 0.02  # four standard deviations
    assert draw(7, "side", 1) != draw(8, "side", 1) != draw(8, "check", 1)


def test_sides_are_each_persons_own_and_about_half(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=100, labels_per_pair=2)
    sides = {}
    for person in (people.anna, people.ben):
        given = work_through(campaign, person)
        assert all(one.first_on_left == one.comparison.first_on_left for one in given)
        sides[person] = {one.comparison.pair_id: one.first_on_left for one in given}
        assert len(sides[person]) == 100
        assert 30 < sum(sides[person].values()) < 70
    both = sum(sides[people.anna][pair] == sides[people.ben][pair] for pair in sides[people.anna])
    assert 30 < both < 70  # neither the same nor the opposite


def test_the_side_stays_when_the_pair_comes_back(campaign: Campaign, people: People) -> None:
    shown = next_comparison(campaign, people.anna)
    assert shown is not None
    give(campaign, people.anna, "skip")
    last = last_judgement(campaign, people.anna)
    assert last is not None
    assert undo(campaign, people.anna, judgement_id=last.pk)
    back = next_comparison(campaign, people.anna)
    assert back is not None
    assert (back.pk, back.first_on_left) == (shown.pk, shown.first_on_left)


@pytest.fixture
def checked(people: People) -> Campaign:
    """Of 100 pairs; a fifth repeats and a fifth gold."""
    campaign = make_campaign(people.anna, prompts=100, repeat_share=0.2, gold_share=0.2)
    add_gold(campaign, 100)
    return campaign


def test_checks_are_about_their_share(checked: Campaign, people: People) -> None:
    kinds = kinds_of(work_through(checked, people.anna))
    assert kinds.count(Kind.LABEL) == 100
    assert abs(kinds.count(Kind.REPEAT) / len(kinds) - 0.2) < 0.13
    assert abs(kinds.count(Kind.GOLD) / len(kinds) - 0.2) < 0.13


def test_a_repeat_is_an_earlier_pair_with_the_sides_swapped(
    checked: Campaign, people: People
) -> None:
    given = work_through(checked, people.anna)
    place = {judgement.comparison_id: i for i, judgement in enumerate(given)}
    repeats = [one for one in given if one.comparison.kind == Kind.REPEAT]
    originals = [one.comparison.original_id for one in repeats]
    assert len(originals) == len(set(originals)) > 10  # each pair at most once
    for judgement in repeats:
        original = judgement.comparison.original
        assert original is not None
        assert original.kind == Kind.LABEL
        assert judgement.comparison.pair_id == original.pair_id
        assert judgement.first_on_left != original.first_on_left
    between = [place[one.comparison_id] - place[one.comparison.original_id] - 1 for one in repeats]
    assert min(between) >= REPEAT_AFTER


def test_the_first_repeat_comes_after_twelve_others(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=30, repeat_share=0.5)
    campaign.repeat_share = 1.0  # as often as it can be
    campaign.save()
    kinds = kinds_of(work_through(campaign, people.anna))
    assert kinds.index(Kind.REPEAT) == REPEAT_AFTER + 1 == 13


def test_nobody_gets_the_repeat_of_a_skipped_pair(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=40, repeat_share=0.5)
    for _ in range(15):
        give(campaign, people.anna, "skip")
    kinds = kinds_of(work_through(campaign, people.anna, most=10))
    assert kinds == [Kind.LABEL] * 10


def test_gold_is_asked_once_and_no_more_when_retired(checked: Campaign, people: People) -> None:
    retired = list(checked.gold.values_list("pk", flat=True))[::2]
    checked.gold.filter(pk__in=retired).update(retired_at="2026-01-01T00:00Z")
    asked = [one.comparison.gold_id for one in work_through(checked, people.anna)]
    gold = [pk for pk in asked if pk is not None]
    assert len(gold) == len(set(gold)) > 10
    assert not set(gold) & set(retired)


def test_the_better_text_of_gold_is_on_either_side(checked: Campaign, people: People) -> None:
    given = work_through(checked, people.anna)
    sides = [one.first_on_left for one in given if one.comparison.kind == Kind.GOLD]
    assert 0.1 < sum(sides) / len(sides) < 0.9


def test_checks_are_no_labels(checked: Campaign, people: People) -> None:
    given = work_through(checked, people.anna)
    assert set(kinds_of(given)) == {Kind.LABEL, Kind.REPEAT, Kind.GOLD}
    assert {label.comparison.kind for label in current_labels(checked)} == {Kind.LABEL}
    assert len(rows_of(checked)) == 100
    assert is_complete(checked)
    assert pace_of(checked, people.anna).done == len(given)


def test_the_pace_moves_alike_after_a_check_and_after_a_label(
    checked: Campaign, people: People
) -> None:
    paces = [pace_of(checked, people.anna)]
    kinds = []
    for _ in range(100):
        kinds.append(give(checked, people.anna, "left").comparison.kind)
        paces.append(pace_of(checked, people.anna))
    assert set(kinds) == {Kind.LABEL, Kind.REPEAT, Kind.GOLD}
    steps = {(new.done - old.done, new.left - old.left) for old, new in pairwise(paces)}
    assert steps == {(1, -1)}


def test_the_pace_moves_alike_after_a_skip_of_either(people: People) -> None:
    campaign = make_campaign(
        people.anna, people.ben, prompts=150, repeat_share=0.2, gold_share=0.2, labels_per_pair=1
    )
    add_gold(campaign, 100)
    for _ in range(20):
        give(campaign, people.ben, "left")
    lefts, kinds = [pace_of(campaign, people.anna).left], []
    for _ in range(40):
        kinds.append(give(campaign, people.anna, "skip").comparison.kind)
        lefts.append(pace_of(campaign, people.anna).left)
    assert len(set(kinds)) == 2
    assert {old - new for old, new in pairwise(lefts)} == {1}


def test_the_pace_ends_at_nothing_left(checked: Campaign, people: People) -> None:
    while next_comparison(checked, people.anna):
        if current_labels(checked).count() < 100:
            assert pace_of(checked, people.anna).left >= 1
        give(checked, people.anna, "left")
    assert pace_of(checked, people.anna).left == 0


def test_undo_and_redo_make_no_further_checks(checked: Campaign, people: People) -> None:
    work_through(checked, people.anna, most=60)
    next_comparison(checked, people.anna)
    made = checked.comparisons.exclude(kind=Kind.LABEL).count()
    for back in (1, 5, 12):
        for _ in range(back):
            last = last_judgement(checked, people.anna)
            assert last is not None
            assert undo(checked, people.anna, judgement_id=last.pk)
            next_comparison(checked, people.anna)
        work_through(checked, people.anna, most=back)
        next_comparison(checked, people.anna)
        assert checked.comparisons.exclude(kind=Kind.LABEL).count() == made


def test_a_reload_makes_no_further_checks(checked: Campaign, people: People) -> None:
    for _ in range(40):
        seen = {getattr(next_comparison(checked, people.anna), "pk", None) for _ in range(3)}
        made = checked.comparisons.exclude(kind=Kind.LABEL).count()
        assert len(seen) == 1
        answered = checked.comparisons.exclude(kind=Kind.LABEL).exclude(labelled_at=None).count()
        assert made - answered <= 1
        give(checked, people.anna, "left")


def test_checks_are_the_same_for_the_same_seed(people: People) -> None:
    kinds = []
    for name in ("one", "two"):
        campaign = make_campaign(people.anna, prompts=60, name=name, repeat_share=0.3)
        kinds.append(kinds_of(work_through(campaign, people.anna)))
    assert kinds[0] == kinds[1]
    assert Kind.REPEAT in kinds[0]


def test_a_revised_answer_to_a_check_stays_a_check(checked: Campaign, people: People) -> None:
    given = work_through(checked, people.anna, most=60)
    check = next(one for one in given if one.comparison.kind == Kind.GOLD)
    before = current_labels(checked).count()
    revise(check, "right")
    assert current_labels(checked).count() == before
    assert not Judgement.objects.filter(pk=check.pk, withdrawn_at=None).exists()
