"""What a trainer is given: decided pairs, the right way round, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotate.answering import undo
from annotate.exporting.job import export_folder
from annotate.exporting.provenance import pseudonym
from annotate.guidelines import change_guidelines
from annotate.leasing import next_comparison
from annotate.masking import MARK, mask_identity
from annotate.models import Campaign, Export, Judgement
from annotate.queries import current_guideline, last_judgement
from tests.annotate.exported import rows_of
from tests.annotate.giving import answer_next, gold_for, onboard, repeat, revise
from tests.conftest import People, give, make_campaign


@pytest.fixture
def labelled(people: People) -> Campaign:
    campaign = make_campaign(people.anna, prompts=8)
    for choice in ("left", "right", "tie", "both_bad", "left", "right", "right", "skip"):
        give(campaign, people.anna, choice)
    return campaign


@pytest.fixture
def edited(people: People) -> Campaign:
    """Asks for edits; nothing is answered yet."""
    return make_campaign(
        people.anna, prompts=8, edits=True, strengths=3, criteria=["Clear", "True"]
    )


def test_only_decided_pairs_are_rows(labelled: Campaign) -> None:
    places = [row["metadata"]["queue_position"] for row in rows_of(labelled)]
    assert places == [0, 1, 4, 5, 6]


def test_checks_are_no_rows(labelled: Campaign, people: People) -> None:
    before = rows_of(labelled)
    first = Judgement.objects.filter(choice="left").first()
    assert first is not None
    repeat(first)
    answer_next(labelled, people.anna, "left", edit="Repeated", edit_of="left")
    gold_for(labelled, people.anna)
    answer_next(labelled, people.anna, "left", edit="Golden", edit_of="left")
    onboard(labelled, people.anna, "left")
    kinds = Judgement.objects.filter(withdrawn_at=None).values_list("comparison__kind", flat=True)
    assert {*kinds} == {"label", "repeat", "gold", "onboarding"}
    assert rows_of(labelled) == before
    assert rows_of(labelled, "edits") == rows_of(labelled, "sft") == []


def test_chosen_is_what_was_on_the_side_that_was_chosen(people: People) -> None:
    """Of so many pairs some have their first completion on the left, some on the right."""
    campaign = make_campaign(people.anna, prompts=40)
    for place in range(40):
        give(campaign, people.anna, ("left", "right")[place % 2])
    sides = set()
    for row in rows_of(campaign):
        comparison = campaign.comparisons.get(position=row["metadata"]["queue_position"])
        on_left = row["chosen"][0]["content"] == comparison.left_text
        assert on_left == (row["metadata"]["chosen_shown"] == "left")
        assert row["rejected"][0]["content"] == (
            comparison.right_text if on_left else comparison.left_text
        )
        assert row["prompt"] == comparison.messages
        sides.add(comparison.first_on_left)
    assert sides == {True, False}


def test_log_probabilities_follow_their_completions(labelled: Campaign) -> None:
    for row in rows_of(labelled):
        metadata = row["metadata"]
        pair = labelled.design.pairs.get(position=metadata["design_position"])
        first_won = row["chosen"][0]["content"] == pair.first.text
        expected = (-10.0, -20.0) if first_won else (-20.0, -10.0)
        assert (metadata["chosen_log_prob"], metadata["rejected_log_prob"]) == expected


def test_an_undone_answer_is_no_row(labelled: Campaign, people: People) -> None:
    for _ in ("the skip", "the last decided one"):
        last = last_judgement(labelled, people.anna)
        assert last is not None
        assert undo(labelled, people.anna, judgement_id=last.pk)
    assert len(rows_of(labelled)) == 4


def test_people_are_pseudonyms(labelled: Campaign, people: People) -> None:
    text = json.dumps(rows_of(labelled))
    assert people.anna.username not in text
    assert pseudonym(labelled, people.anna.username) in text
    other = make_campaign(people.anna, name="other")
    assert pseudonym(other, "anna") != pseudonym(labelled, "anna")


def test_every_row_has_the_same_columns_and_types(edited: Campaign, people: People) -> None:
    change_guidelines(edited, "Be kind.")
    prompt = edited.design.pool.prompt_set.prompts.get(position=0)
    prompt.metadata = {"only": {"here": [1]}}
    prompt.save()
    in_full = {
        "strength": 2,
        "criteria": {"Clear": "left"},
        "reason": "Shorter.",
        "active_seconds": 3.0,
        "guideline": current_guideline(edited),
    }
    for choice in ("left", "right", "left"):
        answer_next(edited, people.anna, choice, edit=f"Edit {choice}", edit_of=choice, **in_full)
    give(edited, people.anna, "left")  # with nothing else
    answer_next(edited, people.anna, "tie", edit="Of a tie", edit_of="left")
    for form, count in (("trl", 4), ("edits", 8), ("sft", 4)):
        rows = rows_of(edited, form)
        assert len(rows) == count
        assert len({tuple(row["metadata"]) for row in rows}) == 1
        types: dict[str, set[type]] = {}
        for row in rows:
            for key, value in row["metadata"].items():
                types.setdefault(key, set()).add(type(value))
        assert [key for key, found in types.items() if len(found - {type(None)}) > 1] == []


@pytest.mark.parametrize(
    ("steps", "strength", "words"),
    [
        (2, 1, "better"),
        (2, 2, "much better"),
        (3, 1, "slightly better"),
        (3, 2, "better"),
        (3, 3, "much better"),
    ],
)
def test_strength_in_words_and_as_a_number(
    campaign: Campaign, people: People, steps: int, strength: int, words: str
) -> None:
    campaign.strengths = steps
    campaign.save()
    answer_next(campaign, people.anna, "right", strength=strength)
    (row,) = rows_of(campaign)
    assert (row["metadata"]["strength"], row["metadata"]["margin"]) == (words, strength)


def test_words_of_strength_are_those_of_the_page() -> None:
    from django.utils.translation import override

    from annotate.bar import DEGREES
    from annotate.exporting.provenance import STRENGTHS

    with override("en"):
        for steps, words in STRENGTHS.items():
            assert [*words] == [*map(str, DEGREES[steps])]


def test_with_one_step_there_is_no_strength(labelled: Campaign) -> None:
    for row in rows_of(labelled):
        assert row["metadata"]["strength"] is None
        assert row["metadata"]["margin"] is None


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("left", {"Clear": "chosen", "True": "rejected", "Kind": "same"}),
        ("right", {"Clear": "rejected", "True": "chosen", "Kind": "same"}),
    ],
)
def test_criteria_are_of_chosen_and_rejected(
    campaign: Campaign, people: People, choice: str, expected: dict[str, str]
) -> None:
    shown = {"Clear": "left", "True": "right", "Kind": "same"}
    for _ in range(3):  # whichever side the pair's first text is on
        answer_next(campaign, people.anna, choice, criteria=shown)
    rows = rows_of(campaign)
    assert [json.loads(row["metadata"]["criteria"]) for row in rows] == [expected] * 3
    assert len({row["metadata"]["chosen_model"] for row in rows}) == 1


def test_a_row_says_under_which_guidelines_how_long_and_why(
    campaign: Campaign, people: People
) -> None:
    change_guidelines(campaign, "Be kind.")
    under = current_guideline(campaign)
    answer_next(
        campaign,
        people.anna,
        "left",
        reason="It “answers”.",
        seconds=30.12345,
        active_seconds=12.5,
        guideline=under,
    )
    change_guidelines(campaign, "Be kind and true.")
    answer_next(campaign, people.anna, "left", guideline=current_guideline(campaign))
    answer_next(campaign, people.anna, "left", seconds=7.0)
    one, two, three = (row["metadata"] for row in rows_of(campaign))
    assert (one["guideline_version"], two["guideline_version"]) == (1, 2)
    assert three["guideline_version"] == 0
    assert (one["reason"], two["reason"]) == ("It “answers”.", "")
    assert (one["seconds"], one["active_seconds"]) == (30.123, 12.5)
    assert (three["seconds"], three["active_seconds"]) == (7.0, 7.0)  # where none were counted


def test_each_label_of_a_pair_is_a_row(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=2, labels_per_pair=2)
    for person in (people.anna, people.ben):
        for _ in range(2):
            give(campaign, person, "left")
    found = [row["metadata"] for row in rows_of(campaign)]
    places = [(one["queue_position"], one["slot"]) for one in found]
    assert places == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {one["labels_per_pair"] for one in found} == {2}
    assert len({(one["queue_position"], one["annotator"]) for one in found}) == 4


def test_the_queue_and_the_design_have_their_own_order(campaign: Campaign, people: People) -> None:
    comparisons = list(campaign.comparisons.order_by("position"))
    for comparison, place in zip(comparisons, (2, 0, 1), strict=True):
        comparison.position = place
        comparison.save()
    for _ in range(3):
        give(campaign, people.anna, "left")
    rows = [row["metadata"] for row in rows_of(campaign)]
    assert [one["queue_position"] for one in rows] == [0, 1, 2]
    expected = [one.designed.position for one in campaign.comparisons.order_by("position")]
    assert [one["design_position"] for one in rows] == expected
    assert expected != [0, 1, 2]


def test_labels_with_an_edit_are_marked_and_keep_their_text(
    edited: Campaign, people: People
) -> None:
    answer_next(edited, people.anna, "left", edit="Better still", edit_of="left")
    given = answer_next(edited, people.anna, "left")
    revise(given, "right", edit="Of the other one", edit_of="right")
    give(edited, people.anna, "left")
    rows = rows_of(edited)
    assert [row["metadata"]["edited"] for row in rows] == [True, True, False]
    texts = {*edited.design.pool.completions.values_list("text", flat=True)}
    assert {row[side][0]["content"] for row in rows for side in ("chosen", "rejected")} <= texts


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("choice", "answer", "over"),
    [
        ("won", "won", ["base", "other"]),
        ("tie", "tied", ["base", "other"]),
        ("both_bad", "both bad", ["base"]),
    ],
)
def test_an_edit_is_better_than_its_base_and_what_the_base_beat_or_equalled(
    edited: Campaign, people: People, side: str, choice: str, answer: str, over: list[str]
) -> None:
    said = side if choice == "won" else choice
    given = answer_next(
        edited, people.anna, said, edit="The edit", edit_of=side, criteria={"Clear": side}
    )
    texts = {"left": given.comparison.left_text, "right": given.comparison.right_text}
    other = "right" if side == "left" else "left"
    expected = {"base": texts[side], "other": texts[other]}
    rows = rows_of(edited, "edits")
    assert [row["chosen"][0]["content"] for row in rows] == ["The edit"] * len(over)
    assert [row["rejected"][0]["content"] for row in rows] == [expected[one] for one in over]
    about = [row["metadata"] for row in rows]
    assert [one["rejected_is"] for one in about] == over
    assert [one["is_inferred"] for one in about] == [one == "other" for one in over]
    for one in about:
        assert (one["base_answer"], one["base_shown"]) == (answer, side)
        assert json.loads(one["criteria"]) == {"Clear": "base"}
        first = expected["base"] == given.comparison.designed.first.text
        log_probs = (-10.0, -20.0) if first else (-20.0, -10.0)
        assert (one["base_log_prob"], one["other_log_prob"]) == log_probs
    (row,) = rows_of(edited, "sft")
    assert row["completion"] == [{"role": "assistant", "content": "The edit"}]
    assert row["prompt"] == given.comparison.messages
    assert set(row) == {"prompt", "completion", "metadata"}


def test_an_edit_of_the_worse_one_says_nothing_about_the_other(
    edited: Campaign, people: People
) -> None:
    answer_next(edited, people.anna, "left", edit="The edit", edit_of="right")
    (row,) = rows_of(edited, "edits")
    assert row["metadata"]["base_answer"] == "lost"
    assert row["metadata"]["rejected_is"] == "base"


def test_an_edit_that_is_the_other_text_is_not_put_over_itself(
    edited: Campaign, people: People
) -> None:
    comparison = next_comparison(edited, people.anna)
    assert comparison is not None
    answer_next(edited, people.anna, "left", edit=comparison.right_text, edit_of="left")
    (row,) = rows_of(edited, "edits")
    assert row["metadata"]["rejected_is"] == "base"


@pytest.mark.parametrize("edit", ["", " \n", "as it was"])
def test_an_edit_that_changes_nothing_is_none(edited: Campaign, people: People, edit: str) -> None:
    comparison = next_comparison(edited, people.anna)
    assert comparison is not None
    if edit.strip():
        edit = comparison.left_text
    answer_next(edited, people.anna, "left", edit=edit, edit_of="left")
    assert rows_of(edited, "edits") == rows_of(edited, "sft") == []
    assert [row["metadata"]["edited"] for row in rows_of(edited)] == [False]


def test_an_edit_taken_back_is_no_row(edited: Campaign, people: People) -> None:
    given = answer_next(edited, people.anna, "left", edit="First thought", edit_of="left")
    revise(given, "left", edit="Second thought", edit_of="left")
    (row,) = rows_of(edited, "sft")
    assert row["completion"][0]["content"] == "Second thought"


def test_masks_never_reach_a_file(edited: Campaign, people: People) -> None:
    edited.mask_identities = True
    edited.save()
    text = "I am ChatGPT, made by OpenAI. Ask away."
    comparison = next_comparison(edited, people.anna)
    assert comparison is not None
    left, right = comparison.designed.first, comparison.designed.second
    if not comparison.first_on_left:
        left, right = right, left
    edited.design.pool.completions.filter(pk=left.pk).update(text=text)
    edited.design.pool.completions.filter(pk=right.pk).update(text=f"{text} Please!")
    shown, masks = mask_identity(text)
    assert masks == 2
    edit = shown.replace("Ask away.", "Ask me.")
    answer_next(edited, people.anna, "left", edit=edit, edit_of="left")
    (row,) = rows_of(edited)
    assert row["chosen"][0]["content"] == text
    assert row["rejected"][0]["content"] == f"{text} Please!"
    (row,) = rows_of(edited, "sft")
    assert row["completion"][0]["content"] == "I am ChatGPT, made by OpenAI. Ask me."
    assert MARK not in json.dumps(rows_of(edited, "edits"), ensure_ascii=False)


@pytest.mark.parametrize("form", ["trl", "edits", "sft"])
def test_queries_do_not_grow_with_rows(
    edited: Campaign,
    people: People,
    form: str,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for count in (1, 4):
        while len(rows_of(edited, "sft")) < count:
            answer_next(edited, people.anna, "left", edit="The edit", edit_of="left")
        with django_assert_max_num_queries(16):
            assert len(rows_of(edited, form)) >= count


def test_without_edits_that_is_said_and_no_file_left(
    labelled: Campaign, people: People, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    for form in ("edits", "sft"):
        with pytest.raises(CommandError, match="are not asked to edit.* choose the format trl.$"):
            call_command("export_dataset", "campaign", "--output", str(out), "--format", form)
    Campaign.objects.update(edits=True)
    with pytest.raises(CommandError, match="Nobody has edited a text of “campaign” yet"):
        call_command("export_dataset", "campaign", "--output", str(out), "--format", "sft")
    last = Judgement.objects.filter(choice="right").last()
    assert last is not None
    revise(last, "left", edit=" ", edit_of="left")  # no edit that counts
    with pytest.raises(CommandError, match="Nobody has edited a text of “campaign” yet"):
        call_command("export_dataset", "campaign", "--output", str(out), "--format", "sft")
    assert not out.exists()
    assert Export.objects.count() == 0
    folder = export_folder(Export(campaign=labelled)).parent
    assert list(folder.glob("*.part")) == []


def test_counts_by_choice_on_the_campaign_page(labelled: Campaign, people: People) -> None:
    assert Judgement.objects.count() == 8
    page = people.client(people.admin).get(f"/campaigns/{labelled.pk}/").content.decode()
    assert "7 of 8" in page


def test_rows_have_the_scores_that_the_design_saw(campaign: Campaign, people: People) -> None:
    from tests.designs.conftest import give_scores

    give(campaign, people.anna, "left")
    (row,) = rows_of(campaign)
    assert row["metadata"]["chosen_score"] is None
    seen = give_scores(campaign.design.pool, "seen")
    give_scores(campaign.design.pool, "later", seed=5)
    campaign.design.score_set = seen
    campaign.design.save()
    (row,) = rows_of(campaign)
    values = dict(seen.scores.values_list("completion__text", "value"))
    assert row["metadata"]["score"] == "seen"
    for side in ("chosen", "rejected"):
        assert row["metadata"][f"{side}_score"] == values[row[side][0]["content"]]
