"""Answers, undo and revision: one label a comparison, whatever happens."""

import uuid
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from annotate.answering import Details, Outcome, answer, flag, undo
from annotate.edits import edited_text
from annotate.leasing import next_comparison
from annotate.masking import MARK
from annotate.models import Campaign, Comparison, Edit, Flag, Judgement
from annotate.queries import current_labels, last_judgement, pace_of
from annotate.sheets import sheet_of
from pairselect.pools.models import Completion
from tests.annotate.giving import gold_for, repeat, revise
from tests.conftest import People, give, make_campaign

Choice = Judgement.Choice


def take_back(campaign: Campaign, user: User) -> bool:
    """Undo as the page does: the last answer, by name."""
    last = last_judgement(campaign, user)
    return last is not None and undo(campaign, user, judgement_id=last.pk) is not None


def take(campaign: Campaign, user: object) -> Comparison:
    comparison = next_comparison(campaign, user)  # type: ignore[arg-type]
    assert comparison is not None
    assert comparison.lease is not None
    return comparison


def lease_of(comparison: Comparison) -> uuid.UUID:
    assert comparison.lease is not None
    return comparison.lease


def test_a_reload_shows_the_same_pair(campaign: Campaign, people: People) -> None:
    first, again = take(campaign, people.anna), take(campaign, people.anna)
    assert (first.pk, first.lease) == (again.pk, again.lease)


def test_two_people_never_hold_the_same_pair(campaign: Campaign, people: People) -> None:
    assert take(campaign, people.anna).position == 0
    assert take(campaign, people.ben).position == 1


def test_the_queue_is_the_designs(campaign: Campaign, people: People) -> None:
    seen = []
    while comparison := next_comparison(campaign, people.anna):
        seen.append(comparison.designed.position)
        give(campaign, people.anna, "left")
    assert seen == [0, 1, 2]


def test_a_double_submit_stores_one_label(campaign: Campaign, people: People) -> None:
    comparison = take(campaign, people.anna)
    lease = lease_of(comparison)
    first = answer(comparison, people.anna, choice=Choice.LEFT, lease=lease)
    second = answer(comparison, people.anna, choice=Choice.LEFT, lease=lease)
    other = answer(comparison, people.anna, choice=Choice.RIGHT, lease=lease)
    assert (first, second, other) == (Outcome.STORED, Outcome.REPEATED, Outcome.DIFFERED)
    assert [j.choice for j in Judgement.objects.all()] == ["left"]


def test_an_answer_without_the_lease_is_not_stored(campaign: Campaign, people: People) -> None:
    comparison = take(campaign, people.anna)
    for person, lease in ((people.anna, uuid.uuid4()), (people.ben, lease_of(comparison))):
        outcome = answer(comparison, person, choice=Choice.LEFT, lease=lease)
        assert outcome is Outcome.PASSED_ON
    assert Judgement.objects.count() == 0


def test_a_lapsed_lease_goes_to_the_next_person(campaign: Campaign, people: People) -> None:
    held = take(campaign, people.anna)
    Comparison.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    taken = take(campaign, people.ben)
    assert taken.pk == held.pk
    late = answer(held, people.anna, choice=Choice.LEFT, lease=lease_of(held))
    assert late is Outcome.PASSED_ON
    assert Judgement.objects.count() == 0


def test_a_late_answer_counts_while_nobody_else_has_the_pair(
    campaign: Campaign, people: People
) -> None:
    held = take(campaign, people.anna)
    Comparison.objects.update(leased_until=timezone.now() - timedelta(hours=9))
    stored = answer(held, people.anna, choice=Choice.LEFT, lease=lease_of(held))
    assert stored is Outcome.STORED


def test_a_skipped_pair_goes_to_somebody_else(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "skip")
    assert take(campaign, people.anna).position == 1
    assert take(campaign, people.ben).position == 0
    assert current_labels(campaign).exclude(choice="skip").count() == 0


def test_a_pair_that_all_have_skipped_is_left(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=1)
    give(campaign, people.anna, "skip")
    assert next_comparison(campaign, people.anna) is None


def test_undo_brings_the_last_one_back(campaign: Campaign, people: People) -> None:
    first = take(campaign, people.anna)
    give(campaign, people.anna, "left")
    second = take(campaign, people.anna)
    assert take_back(campaign, people.anna)
    back = take(campaign, people.anna)
    assert (back.pk, back.lease == first.lease) == (first.pk, False)
    stale = answer(first, people.anna, choice=Choice.LEFT, lease=lease_of(first))
    assert stale is Outcome.PASSED_ON  # the double click from before the undo
    give(campaign, people.anna, "right")
    assert take(campaign, people.anna).pk == second.pk
    assert [(j.choice, j.withdrawn_at is None) for j in Judgement.objects.all()] == [
        ("left", False),
        ("right", True),
    ]


def test_undo_goes_back_as_far_as_one_likes(campaign: Campaign, people: People) -> None:
    for _ in range(3):
        give(campaign, people.anna, "tie")
    for position in (2, 1, 0):
        assert take_back(campaign, people.anna)
        assert take(campaign, people.anna).position == position
    assert not take_back(campaign, people.anna)
    assert current_labels(campaign).exclude(choice="skip").count() == 0


def test_an_undo_sent_twice_takes_back_one(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "left")
    give(campaign, people.anna, "left")
    last = last_judgement(campaign, people.anna)
    assert last is not None
    assert undo(campaign, people.anna, judgement_id=last.pk)
    assert not undo(campaign, people.anna, judgement_id=last.pk)
    assert Judgement.objects.filter(withdrawn_at=None).count() == 1


def test_a_pair_left_open_overnight_is_timed_anew(campaign: Campaign, people: People) -> None:
    take(campaign, people.anna)
    yesterday = timezone.now() - timedelta(hours=14)
    Comparison.objects.update(shown_at=yesterday, leased_until=yesterday + timedelta(minutes=30))
    give(campaign, people.anna, "left")
    assert Judgement.objects.get().seconds < 60


def test_undo_leaves_other_peoples_answers(campaign: Campaign, people: People) -> None:
    give(campaign, people.ben, "left")
    assert not take_back(campaign, people.anna)


def test_a_skip_is_undone_unless_somebody_has_the_pair(campaign: Campaign, people: People) -> None:
    give(campaign, people.anna, "skip")
    assert take_back(campaign, people.anna)
    assert take(campaign, people.anna).position == 0
    give(campaign, people.anna, "skip")
    assert take(campaign, people.ben).position == 0
    assert not take_back(campaign, people.anna)


def test_another_strength_of_the_same_side_is_another_answer(people: People) -> None:
    campaign = make_campaign(people.anna, strengths=3)
    comparison = take(campaign, people.anna)
    outcomes = [
        answer(
            comparison,
            people.anna,
            choice=Choice.LEFT,
            lease=lease_of(comparison),
            details=Details(strength=strength),
        )
        for strength in (1, 1, 3)
    ]
    assert outcomes == [Outcome.STORED, Outcome.REPEATED, Outcome.DIFFERED]
    assert Judgement.objects.get().strength == 1


def test_the_lease_of_an_answer_is_no_token_for_another(campaign: Campaign, people: People) -> None:
    given = give(campaign, people.anna, "left")
    following = take(campaign, people.anna)
    outcome = answer(following, people.anna, choice=Choice.LEFT, lease=given.lease)
    assert outcome is Outcome.PASSED_ON
    bens = give(campaign, people.ben, "left")
    outcome = answer(
        given.comparison, people.anna, choice=Choice.TIE, lease=bens.lease, replaces=given.pk
    )
    assert outcome is Outcome.PASSED_ON
    assert Judgement.objects.filter(withdrawn_at=None).count() == 2


def test_a_revision_keeps_the_earlier_answer(campaign: Campaign, people: People) -> None:
    earlier = give(campaign, people.anna, "left", Details(reason="Shorter."))
    later = revise(earlier, "right", reason="On second thoughts.")
    earlier.refresh_from_db()
    assert (earlier.choice, earlier.reason) == ("left", "Shorter.")
    assert earlier.withdrawn_at is not None
    assert (later.choice, later.replaces, later.withdrawn_at) == ("right", earlier, None)
    assert [label.pk for label in current_labels(campaign)] == [later.pk]
    assert pace_of(campaign, people.anna).done == 1


def test_a_revision_sent_twice_is_stored_once(campaign: Campaign, people: People) -> None:
    earlier = give(campaign, people.anna, "left")
    lease = uuid.uuid4()
    outcomes = [
        answer(
            earlier.comparison,
            people.anna,
            choice=Choice.TIE,
            lease=token,
            replaces=earlier.pk,
        )
        for token in (lease, lease, uuid.uuid4())  # the last one: from another tab
    ]
    assert outcomes == [Outcome.STORED, Outcome.REPEATED, Outcome.PASSED_ON]
    assert Judgement.objects.filter(replaces=earlier).count() == 1


def test_nobody_revises_the_answer_of_another(campaign: Campaign, people: People) -> None:
    annas, bens = give(campaign, people.anna, "left"), give(campaign, people.ben, "left")
    for comparison in (annas.comparison, bens.comparison):
        outcome = answer(
            comparison, people.ben, choice=Choice.RIGHT, lease=uuid.uuid4(), replaces=annas.pk
        )
        assert outcome is Outcome.PASSED_ON
    assert set(Judgement.objects.values_list("choice", "withdrawn_at")) == {("left", None)}


def test_a_revision_to_skip_gives_the_pair_to_somebody_else(
    campaign: Campaign, people: People
) -> None:
    earlier = give(campaign, people.anna, "left")
    revise(earlier, "skip", skip_reason="language")
    assert not current_labels(campaign).exclude(choice="skip").exists()
    assert take(campaign, people.ben).pk == earlier.comparison_id
    assert take(campaign, people.anna).pk != earlier.comparison_id


def test_undo_of_a_revision_asks_anew(campaign: Campaign, people: People) -> None:
    earlier = give(campaign, people.anna, "left")
    revise(earlier, "right")
    assert take_back(campaign, people.anna)
    assert take(campaign, people.anna).pk == earlier.comparison_id
    assert not current_labels(campaign).exists()


def test_a_repeat_is_revised_as_any_other_answer(campaign: Campaign, people: People) -> None:
    original = give(campaign, people.anna, "left")
    repeat(original)
    again = give(campaign, people.anna, "left")
    assert again.comparison.kind == Comparison.Kind.REPEAT
    later = revise(again, "right")
    assert later.comparison == again.comparison
    assert [label.pk for label in current_labels(campaign)] == [original.pk]


def test_a_skipped_check_does_not_come_back(campaign: Campaign, people: People) -> None:
    repeat(give(campaign, people.anna, "left"))
    gold_for(campaign, people.anna)
    kinds = [give(campaign, people.anna, "skip").comparison.kind for _ in range(2)]
    assert sorted(kinds) == ["gold", "repeat"]
    rest = []
    while comparison := next_comparison(campaign, people.anna):
        rest.append(comparison.kind)
        give(campaign, people.anna, "left")
    assert rest == ["label", "label"]


def test_active_seconds_are_at_most_the_seconds(campaign: Campaign, people: People) -> None:
    within = give(campaign, people.anna, "left", Details(seconds=30.0, active_seconds=20.0))
    above = give(campaign, people.anna, "left", Details(seconds=30.0, active_seconds=90.0))
    alone = give(campaign, people.anna, "left", Details(active_seconds=5000.0))
    assert (within.active_seconds, above.active_seconds) == (20.0, 30.0)
    assert alone.active_seconds == alone.seconds < 60


def test_an_edit_is_of_the_text_that_was_on_its_side(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=12, edits=True)
    for place in range(12):
        comparison = take(campaign, people.anna)
        side = ("left", "right")[place % 2]
        shown = comparison.left_text if side == "left" else comparison.right_text
        given = give(campaign, people.anna, side, Details(edit=f"{shown}!", edit_of=side))
        pair = comparison.designed
        assert given.edit.text == (pair.first if given.edit.of_first else pair.second).text + "!"
    assert set(Edit.objects.values_list("of_first", flat=True)) == {True, False}


def test_an_edit_that_changes_nothing_is_none(people: People) -> None:
    campaign = make_campaign(people.anna, edits=True)
    Completion.objects.update(text="One.\r\nTwo.")
    as_shown = give(campaign, people.anna, "left", Details(edit="One.\nTwo.", edit_of="left"))
    changed = give(campaign, people.anna, "left", Details(edit="One.\n\nTwo.", edit_of="left"))
    assert [edit.judgement for edit in Edit.objects.all()] == [changed]
    assert as_shown.choice == "left"


def test_a_masked_text_sent_back_as_it_was_shown_is_no_edit(people: People) -> None:
    campaign = make_campaign(people.anna, edits=True, mask_identities=True)
    Completion.objects.update(text="I am ChatGPT. I can help.")
    shown = sheet_of(take(campaign, people.anna)).sources["left"]
    assert MARK in shown
    give(campaign, people.anna, "left", Details(edit=shown, edit_of="left"))
    assert not Edit.objects.exists()
    given = give(campaign, people.anna, "left", Details(edit=f"{shown} Ask!", edit_of="left"))
    assert edited_text(given, ()) == "I am ChatGPT. I can help. Ask!"


def test_a_flag_sent_twice_is_one(campaign: Campaign, people: People) -> None:
    comparison = take(campaign, people.anna)
    first = flag(comparison, people.anna, kind=Flag.Kind.BROKEN, note="cut off")
    again = flag(comparison, people.anna, kind=Flag.Kind.BROKEN, note="cut off")
    bens = flag(comparison, people.ben, kind=Flag.Kind.BROKEN, note="cut off")
    assert first == again != bens
