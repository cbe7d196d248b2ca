"""Which labels become rows: filters, decisions on pairs, caps, machines, rounds and the split."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from annotate.actions import create_campaign, open_campaign
from annotate.beliefs import beliefs_of
from annotate.exporting import selection
from annotate.exporting.options import OneRow, OptionRefused, Options
from annotate.exporting.preview import preview
from annotate.exporting.selection import is_test, select
from annotate.models import Campaign, Comparison, Flag, Judgement
from pairselect.designs.models import Design, SelectedPair
from tests.annotate.exported import export, file_of, rows_of
from tests.annotate.giving import answer_next, prefer
from tests.conftest import NoProgress, People, give, make_campaign

A, B, TIE, BAD = "first", "second", "tie", "both_bad"


@pytest.fixture
def three(people: People) -> list[User]:
    return [people.anna, people.ben, people.stranger]


def labelled(people: list[User], answers: list[str], *, prompts: int = 1, **asked: Any) -> Campaign:
    """Each person gives one of these answers on every pair."""
    campaign = make_campaign(*people, prompts=prompts, labels_per_pair=len(people), **asked)
    for person, said in zip(people, answers, strict=True):
        for _ in range(prompts):
            if said in (A, B):
                prefer(campaign, person, first=said == A)
            else:
                give(campaign, person, said)
    return campaign


def decide(
    campaign: Campaign,
    person: User,
    said: str,
    kind: str = "adjudication",
    *,
    slot: int = 0,
    **details: Any,
) -> Judgement:
    """An answer of another kind on the campaign's first pair, the first text on the left.

    In the slot 1, a machine's second order, it is on the right.
    """
    sides = ("left", "right") if slot == 0 else ("right", "left")
    label = campaign.comparisons.filter(kind="label").order_by("position").first()
    assert label is not None
    comparison = Comparison.objects.create(
        campaign=campaign,
        kind=kind,
        pair=label.pair,
        position=label.position,
        slot=slot,
        annotator=person,
        reserved_for=person if kind == "machine" else None,
        labelled_at=timezone.now(),
    )
    return Judgement.objects.create(
        comparison=comparison,
        annotator=person,
        choice=dict(zip((A, B), sides, strict=True)).get(said, said),
        first_on_left=slot == 0,
        lease=uuid4(),
        seconds=1.0,
        **details,
    )


def chosen(campaign: Campaign, **options: Any) -> list[str]:
    """Which of the pair's two each row prefers."""
    found = []
    for row in rows_of(campaign, **options):
        pair = campaign.design.pairs.get(position=row["metadata"]["design_position"])
        found.append(A if row["chosen"][0]["content"] == pair.first.text else B)
    return found


@pytest.mark.parametrize(
    ("answers", "per_label", "per_pair"),
    [
        ([A, A, B], [A, A, B], [A]),
        ([B, B, B], [B, B, B], [B]),
        ([A, B, TIE], [A, B], []),  # nothing that more than half of them say
        ([TIE, TIE, A], [A], []),
        ([BAD, BAD, B], [B], []),
    ],
)
def test_a_pair_is_what_more_than_half_of_its_labels_say(
    three: list[User], answers: list[str], per_label: list[str], per_pair: list[str]
) -> None:
    campaign = labelled(three, answers)
    assert sorted(chosen(campaign)) == sorted(per_label)
    assert chosen(campaign, one_row=OneRow.MAJORITY) == per_pair


def test_a_pair_that_most_call_a_tie_or_both_bad_has_no_likelier_side(
    three: list[User], people: People
) -> None:
    campaign = labelled(three, [TIE, BAD, A])
    assert chosen(campaign, one_row=OneRow.POSTERIOR) == []
    assert select(campaign, Options(one_row=OneRow.POSTERIOR)).removed == [("undecided", 1)]
    decide(campaign, people.admin, A)
    assert chosen(campaign, one_row=OneRow.POSTERIOR) == [A]


def test_ties_of_most_labels_go_to_their_own_file_not_to_the_rows(three: list[User]) -> None:
    campaign = labelled(three, [TIE, TIE, A])
    found = select(campaign, Options(one_row=OneRow.MAJORITY))
    assert (len(found.rows), len(found.ties), len(found.both_bad)) == (0, 1, 0)
    by_label = select(campaign, Options())
    assert (len(by_label.rows), len(by_label.ties)) == (1, 2)


@pytest.mark.parametrize("one_row", [OneRow.MAJORITY, OneRow.POSTERIOR])
def test_an_adjudicator_has_the_last_word_on_a_pair(
    three: list[User], people: People, one_row: str
) -> None:
    campaign = labelled(three, [A, A, B])
    decide(campaign, people.admin, B)
    assert chosen(campaign, one_row=one_row) == [B]
    (row,) = rows_of(campaign, one_row=one_row)
    assert row["metadata"]["decided_by"] == "adjudicator"
    assert row["metadata"]["adjudicated"] is True
    assert row["metadata"]["posterior"] == 1.0  # that the chosen one is better
    assert sorted(chosen(campaign)) == [A, A, B]  # the labels are what they were


def test_the_posterior_decides_where_labels_are_split(people: People) -> None:
    """Anna and Ben differ on the last pair; Ben has been at odds with everybody before."""
    three = [people.anna, people.ben, people.stranger]
    campaign = make_campaign(*three, prompts=30, labels_per_pair=3)
    for _ in range(29):
        prefer(campaign, people.anna, first=True)
        prefer(campaign, people.ben, first=False)
        prefer(campaign, people.stranger, first=True)
    prefer(campaign, people.anna, first=False)
    prefer(campaign, people.ben, first=True)
    assert len(chosen(campaign, one_row=OneRow.MAJORITY)) == 29
    rows = rows_of(campaign, one_row=OneRow.POSTERIOR)
    assert chosen(campaign, one_row=OneRow.POSTERIOR) == [A] * 29 + [B]
    assert 0.5 < rows[-1]["metadata"]["posterior"] <= 1


def test_agreement_filters_pairs_with_all_their_labels(three: list[User]) -> None:
    campaign = labelled(three, [A, A, B])
    assert len(rows_of(campaign, min_agreement=2 / 3)) == 3
    assert rows_of(campaign, min_agreement=0.7) == []
    found = select(campaign, Options(min_agreement=0.7))
    assert found.removed == [("min_agreement", 3)]
    (row, *_) = rows_of(campaign, min_agreement=0.5)
    assert row["metadata"]["agreement"] == pytest.approx(2 / 3)
    assert row["metadata"]["labels"] == 3


@pytest.mark.parametrize("one_row", [OneRow.MAJORITY, OneRow.POSTERIOR])
def test_what_an_adjudicator_settled_is_not_left_out_for_little_agreement(
    three: list[User], people: People, one_row: str
) -> None:
    campaign = labelled(three, [A, B, TIE], prompts=2)
    decide(campaign, people.admin, A)
    asked = {"one_row": one_row, "min_agreement": 0.5}
    assert chosen(campaign, **asked) == [A]
    assert rows_of(campaign, min_agreement=0.5) == []  # labels are no decisions


@pytest.mark.parametrize("one_row", [OneRow.MAJORITY, OneRow.POSTERIOR])
def test_a_tied_pair_comes_with_an_answer_that_says_so(
    three: list[User], people: People, one_row: str
) -> None:
    campaign = labelled(three, [A, TIE, TIE])
    given = Judgement.objects.order_by("comparison__slot")
    asked = Options(one_row=one_row)
    assert select(campaign, asked).ties.ids.tolist() == [given[1].pk]
    last = decide(campaign, people.admin, BAD, reason="neither is true")
    found = select(campaign, asked)
    assert (found.ties.ids.tolist(), found.both_bad.ids.tolist()) == ([], [last.pk])


@pytest.mark.parametrize("one_row", [OneRow.MAJORITY, OneRow.POSTERIOR])
def test_an_adjudication_goes_before_labels_that_say_the_same(
    three: list[User], people: People, one_row: str
) -> None:
    campaign = labelled(three, [TIE, TIE, B], prompts=2)
    last = decide(campaign, people.admin, TIE)
    other = Judgement.objects.filter(comparison__position=1).order_by("comparison__slot")[0]
    assert select(campaign, Options(one_row=one_row)).ties.ids.tolist() == [last.pk, other.pk]


@pytest.mark.parametrize("gone", [0, 2])
def test_a_label_withdrawn_in_between_leaves_the_beliefs_of_others(
    people: People, monkeypatch: pytest.MonkeyPatch, gone: int
) -> None:
    """The answers are read twice; the second time one is missing, the first or the last."""
    campaign = make_campaign(people.anna, prompts=3)
    for first in (True, False, True):
        prefer(campaign, people.anna, first=first)
    before = rows_of(campaign, one_row=OneRow.POSTERIOR)

    def withdrawn(*args: Any, **kwargs: Any) -> Any:
        Judgement.objects.filter(comparison__position=gone).update(withdrawn_at=timezone.now())
        return beliefs_of(*args, **kwargs)

    monkeypatch.setattr(selection, "beliefs_of", withdrawn)
    rows = rows_of(campaign, one_row=OneRow.POSTERIOR)
    del before[gone]
    texts = [(row["chosen"], row["metadata"]["labels"]) for row in before]
    assert [(row["chosen"], row["metadata"]["labels"]) for row in rows] == texts
    Judgement.objects.update(withdrawn_at=None)
    rows = rows_of(campaign, one_row=OneRow.MAJORITY)
    found = [(row["metadata"]["labels"], row["metadata"]["posterior"]) for row in rows]
    assert found.pop(gone) == (0, None)  # nothing is known of it
    assert all(labels == 1 and 0.5 < posterior < 1 for labels, posterior in found)


def test_the_posterior_filter_is_about_the_chosen_text(three: list[User]) -> None:
    campaign = labelled(three, [A, A, B], prompts=6)
    rows = rows_of(campaign, min_posterior=0.5)
    assert len(rows) == 12  # the minority's labels are gone
    assert all(row["metadata"]["posterior"] >= 0.5 for row in rows)
    assert select(campaign, Options(min_posterior=0.5)).removed == [("min_posterior", 6)]


def test_a_prompt_has_no_more_rows_than_asked_the_first_of_the_queue(three: list[User]) -> None:
    campaign = labelled(three, [A, A, B], prompts=2)
    rows = rows_of(campaign, max_per_prompt=2)
    places = [(row["metadata"]["queue_position"], row["metadata"]["slot"]) for row in rows]
    assert places == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert select(campaign, Options(max_per_prompt=2)).removed == [("max_per_prompt", 2)]


@pytest.mark.parametrize(("most", "places"), [(1, [0, 1]), (3, [0, 0, 0, 1, 1, 1])])
def test_two_rows_of_one_answer_count_as_two(
    three: list[User], most: int, places: list[int]
) -> None:
    """KTO has both texts that were called bad."""
    campaign = labelled(three, [BAD, BAD, BAD], prompts=2)
    rows = rows_of(campaign, "kto", max_per_prompt=most)
    assert [row["metadata"]["queue_position"] for row in rows] == places
    made = export(campaign, "kto", max_per_prompt=most)
    assert made.report["removed"] == [{"filter": "max_per_prompt", "count": 12 - 2 * most}]
    shown = preview(campaign, Options(format="kto", max_per_prompt=most))
    assert (shown.train, shown.removed) == (2 * most, [("max_per_prompt", 12 - 2 * most)])


def test_edits_that_make_two_rows_are_capped_too(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=3, edits=True)
    for _ in range(3):
        answer_next(campaign, people.anna, "left", edit="Better still", edit_of="left")
    assert len(rows_of(campaign, "edits")) == 6
    rows = rows_of(campaign, "edits", max_per_prompt=1)
    assert [row["metadata"]["queue_position"] for row in rows] == [0, 1, 2]
    assert [row["metadata"]["rejected_is"] for row in rows] == ["base"] * 3
    made = export(campaign, "edits", max_per_prompt=1)
    assert len(file_of(made, "train.jsonl")) == 3
    assert made.report["removed"] == [{"filter": "max_per_prompt", "count": 3}]
    shown = preview(campaign, Options(format="edits", max_per_prompt=1))
    assert (shown.train, shown.removed) == (3, [("max_per_prompt", 3)])


def test_an_edit_without_a_row_does_not_use_up_its_prompt(people: People) -> None:
    """It is what it was made from."""
    campaign = make_campaign(people.anna, people.ben, prompts=1, labels_per_pair=2, edits=True)
    same = answer_next(campaign, people.anna, "tie", edit="Better", edit_of="left")
    same.edit.text = same.comparison.left_text
    same.edit.save()
    answer_next(campaign, people.ben, "left", edit="Better still", edit_of="left")
    assert len(rows_of(campaign, "sft", max_per_prompt=1)) == 1


def test_flagged_pairs_can_be_left_out_until_resolved(three: list[User], people: People) -> None:
    campaign = labelled(three, [A, A, TIE], prompts=2)
    comparison = campaign.comparisons.order_by("position").first()
    assert comparison is not None
    flag = Flag.objects.create(comparison=comparison, annotator=people.anna, kind="other")
    assert len(rows_of(campaign)) == 4
    found = select(campaign, Options(leave_flagged=True))
    assert (len(found.rows), len(found.ties), found.removed) == (2, 1, [("flagged", 2)])
    flag.resolved_at = timezone.now()
    flag.save()
    assert len(rows_of(campaign, leave_flagged=True)) == 4


def test_machines_are_in_no_export_unless_asked_for_and_marked_there(
    three: list[User], people: People
) -> None:
    campaign = labelled(three, [A, A, A])
    robot = User.objects.create_user("robot")
    decide(campaign, robot, B, kind="machine")
    assert chosen(campaign) == [A, A, A]
    rows = rows_of(campaign, machines=True)
    assert [row["metadata"]["is_machine"] for row in rows] == [False, False, False, True]
    (pair,) = rows_of(campaign, one_row=OneRow.MAJORITY)
    assert pair["metadata"]["agreement"] == 1
    (pair,) = rows_of(campaign, one_row=OneRow.MAJORITY, machines=True)
    assert pair["metadata"]["agreement"] == pytest.approx(3 / 3.5)  # by one order, half a vote
    assert (pair["metadata"]["labels"], pair["metadata"]["machine_answers"]) == (3, 1)


def test_a_machine_that_was_asked_in_both_orders_has_one_vote(people: People) -> None:
    campaign = labelled([people.anna], [A])
    robot = User.objects.create_user("robot")
    for slot in (0, 1):
        decide(campaign, robot, B, kind="machine", slot=slot)
    assert chosen(campaign, one_row=OneRow.MAJORITY, machines=True) == []  # one against one
    other = User.objects.create_user("other robot")
    decide(campaign, other, B, kind="machine")
    decide(campaign, other, A, kind="machine", slot=1)  # half a vote either way
    assert chosen(campaign, one_row=OneRow.MAJORITY, machines=True) == []
    third = User.objects.create_user("third robot")
    for slot in (0, 1):
        decide(campaign, third, B, kind="machine", slot=slot)
    assert chosen(campaign, one_row=OneRow.MAJORITY, machines=True) == [B]


def test_margins_are_strengths_and_their_mean_over_a_pair(three: list[User]) -> None:
    campaign = make_campaign(*three, prompts=1, labels_per_pair=3, strengths=3)
    for person, first, strength in zip(three, (True, True, False), (3, 2, 1), strict=True):
        given = prefer(campaign, person, first=first)
        given.strength = strength
        given.save()
    assert [row["margin"] for row in rows_of(campaign, "trl-reward")] == [3.0, 2.0, 1.0]
    (row,) = rows_of(campaign, "trl-reward", one_row=OneRow.MAJORITY)
    assert row["margin"] == row["metadata"]["margin"] == pytest.approx((3 + 2 - 1) / 3)


def next_round(before: Campaign, people: list[User]) -> Campaign:
    """A campaign on other pairs of the same pool, designed after the first one."""
    old = before.design
    design = Design.objects.create(
        name="second", pool=old.pool, feature_kind=old.feature_kind, strategy="trace",
        budget=1, after=old, solved_at=timezone.now(),
    )  # fmt: skip
    for place, pair in enumerate(old.pairs.order_by("position")):
        third = old.pool.completions.get(prompt=pair.prompt, index=2)
        SelectedPair.objects.create(
            design=design, position=place, prompt=pair.prompt, first=pair.first, second=third,
            inclusion_probability=1, sensitivity=1, feature_distance=1, first_log_prob=-1,
            second_log_prob=-1,
        )  # fmt: skip
    campaign = create_campaign(design, name="later", annotators=people, mix_window=0)
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    return campaign


def test_rounds_come_in_one_file_the_oldest_first(people: People) -> None:
    first = make_campaign(people.anna, prompts=2)
    later = next_round(first, [people.anna])
    for campaign in (first, later):
        for _ in range(2):
            prefer(campaign, people.anna, first=True)
    assert [row["metadata"]["campaign"] for row in rows_of(later)] == ["later"] * 2
    names = [row["metadata"]["campaign"] for row in rows_of(later, rounds=True)]
    assert names == ["campaign"] * 2 + ["later"] * 2
    assert [row["metadata"]["campaign"] for row in rows_of(first, rounds=True)] == ["campaign"] * 2


# Train and test


def sides(campaign: Campaign, **options: Any) -> dict[str, set[bool]]:
    """The sides that each prompt's rows are on, by its text."""
    found = select(campaign, Options(**options))
    texts = dict(campaign.design.pool.prompt_set.prompts.values_list("pk", "messages"))
    result: dict[str, set[bool]] = {}
    for prompt, in_test in zip(found.rows.prompts, found.rows.in_test, strict=True):
        result.setdefault(texts[int(prompt)][0]["content"], set()).add(bool(in_test))
    return result


def test_a_prompt_is_never_on_both_sides(three: list[User]) -> None:
    campaign = labelled(three, [A, B, A], prompts=12)
    found = sides(campaign, test_share=0.5)
    assert len(found) == 12
    assert all(len(one) == 1 for one in found.values())
    assert {side for one in found.values() for side in one} == {True, False}


def test_equal_texts_of_different_prompts_are_on_one_side(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=30)
    for i, prompt in enumerate(campaign.design.pool.prompt_set.prompts.all()):
        blank, word = (" ", "Question") if i % 2 else ("  \n", "question")
        prompt.messages = [{"role": "user", "content": f"{word}{blank}{i // 6}?"}]
        prompt.save()
    for _ in range(30):
        prefer(campaign, people.anna, first=True)
    found = select(campaign, Options(test_share=0.4))
    by_text: dict[int, set[bool]] = {}
    places = dict(campaign.design.pool.prompt_set.prompts.values_list("pk", "position"))
    for prompt, in_test in zip(found.rows.prompts, found.rows.in_test, strict=True):
        by_text.setdefault(places[int(prompt)] // 6, set()).add(bool(in_test))
    assert len(by_text) == 5
    assert all(len(one) == 1 for one in by_text.values())
    assert {side for one in by_text.values() for side in one} == {True, False}


def test_a_prompt_stays_on_its_side_when_labels_and_filters_change(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=20)
    for _ in range(10):
        prefer(campaign, people.anna, first=True)
    before = sides(campaign, test_share=0.3, seed=4)
    for _ in range(10):
        prefer(campaign, people.anna, first=True)
    after = sides(campaign, test_share=0.3, seed=4)
    assert len(after) == 20
    assert {text: after[text] for text in before} == before
    assert sides(campaign, test_share=0.3, seed=5) != after


def test_the_share_is_kept_on_average() -> None:
    drawn = [is_test([{"role": "user", "content": f"q{i}"}], 0.1, 0) for i in range(5000)]
    assert 430 < sum(drawn) < 570  # 500 ± 3.3 standard deviations


@pytest.mark.parametrize("form", ["edits", "sft", "kto"])
def test_options_that_make_no_sense_with_a_format_are_refused(form: str) -> None:
    with pytest.raises(OptionRefused, match="one row for each label"):
        Options(format=form, one_row=OneRow.MAJORITY).check()
    with pytest.raises(OptionRefused, match="leave it empty"):
        Options(format=form, min_posterior=0.6).check()


def test_options_are_stored_and_read_back() -> None:
    asked = Options(format="axolotl", min_agreement=0.5, extras=("ties",), test_share=0.1, seed=3)
    assert Options.from_json("axolotl", asked.to_json()) == asked
    assert Options.from_json("trl", {}).extras == ()  # one of earlier times
