"""What a trainer is given: decided pairs, the right way round, and nothing else."""

import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotate.actions import undo
from annotate.exports import dpo_rows, export_path, pseudonym
from annotate.models import Campaign, Export, Judgement
from annotate.queries import last_judgement
from tests.conftest import People, give, make_campaign, run_queued_jobs


@pytest.fixture
def labelled(people: People) -> Campaign:
    campaign = make_campaign(people.anna, prompts=8)
    for choice in ("left", "right", "tie", "both_bad", "left", "right", "right"):
        give(campaign, people.anna, choice)
    give(campaign, people.anna, "skip")
    return campaign


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def test_only_decided_pairs_are_rows(labelled: Campaign) -> None:
    rows = list(dpo_rows(labelled, "trl"))
    assert [row["metadata"]["queue_position"] for row in rows] == [0, 1, 4, 5, 6]


def test_chosen_is_what_was_on_the_side_that_was_chosen(labelled: Campaign) -> None:
    sides = set()
    for row in dpo_rows(labelled, "trl"):
        comparison = labelled.comparisons.get(position=row["metadata"]["queue_position"])
        on_left = row["chosen"][0]["content"] == comparison.left.text
        assert on_left == (row["metadata"]["chosen_shown"] == "left")
        assert row["rejected"][0]["content"] == (
            comparison.right.text if on_left else comparison.left.text
        )
        assert row["prompt"] == comparison.pair.prompt.messages
        sides.add(comparison.first_on_left)
    assert sides == {True, False}


def test_log_probabilities_follow_their_completions(labelled: Campaign) -> None:
    for row in dpo_rows(labelled, "trl"):
        pair = labelled.design.pairs.get(position=row["metadata"]["queue_position"])
        first_won = row["chosen"][0]["content"] == pair.first.text
        expected = (-10.0, -20.0) if first_won else (-20.0, -10.0)
        metadata = row["metadata"]
        assert (metadata["chosen_log_prob"], metadata["rejected_log_prob"]) == expected


def test_an_undone_answer_is_no_row(labelled: Campaign, people: People) -> None:
    for _ in ("the skip", "the last decided one"):
        last = last_judgement(labelled, people.anna)
        assert last is not None
        assert undo(labelled, people.anna, judgement_id=last.pk)
    assert len(list(dpo_rows(labelled, "trl"))) == 4


def test_people_are_pseudonyms(labelled: Campaign, people: People) -> None:
    text = json.dumps(list(dpo_rows(labelled, "trl")))
    assert people.anna.username not in text
    assert pseudonym(labelled, people.anna.username) in text
    other = make_campaign(people.anna, name="other")
    assert pseudonym(other, "anna") != pseudonym(labelled, "anna")


def test_every_row_has_the_same_columns_and_types(labelled: Campaign) -> None:
    prompt = labelled.design.pool.prompt_set.prompts.get(position=0)
    prompt.metadata = {"only": {"here": [1]}}
    prompt.save()
    rows = list(dpo_rows(labelled, "trl"))
    shapes = {
        tuple(sorted((k, type(v)) for k, v in row["metadata"].items() if v is not None))
        for row in rows
    }
    keys = {tuple(row["metadata"]) for row in rows}
    assert len(keys) == 1
    assert len(shapes) == 1


def test_command_writes_the_file(labelled: Campaign, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    call_command("export_dataset", labelled.name, "--output", str(out))
    assert len(read(out)) == 5
    export = Export.objects.get()
    assert (export.row_count, export.sha256) == (
        5,
        hashlib.sha256(out.read_bytes()).hexdigest(),
    )
    assert list(tmp_path.iterdir()) == [out]


def test_nothing_decided_is_said_and_no_file_left(
    campaign: Campaign, people: People, tmp_path: Path
) -> None:
    give(campaign, people.anna, "tie")
    out = tmp_path / "out.jsonl"
    with pytest.raises(CommandError, match="No comparison of “campaign” has been decided"):
        call_command("export_dataset", campaign.name, "--output", str(out))
    assert not out.exists()
    assert Export.objects.count() == 0


def test_an_output_that_cannot_be_written_is_said(labelled: Campaign, tmp_path: Path) -> None:
    for target, said in ((tmp_path / "no" / "o", "no such folder"), (tmp_path, "is a folder")):
        with pytest.raises(CommandError, match=said):
            call_command("export_dataset", labelled.name, "--output", str(target))
    assert Export.objects.count() == 0


def test_export_by_page(labelled: Campaign, people: People) -> None:
    client = people.client(people.admin)
    client.post(f"/campaigns/{labelled.pk}/exports/", {"format": "trl"})
    export = Export.objects.get()
    assert client.get(f"/exports/{export.pk}/").status_code == 404  # not written yet
    run_queued_jobs()
    response = client.get(f"/exports/{export.pk}/")
    content = b"".join(response.streaming_content)
    assert content == export_path(export).read_bytes()
    assert response.headers["Content-Disposition"] == (
        f'attachment; filename="campaign-trl-{export.pk}.jsonl"'
    )
    assert f"/exports/{export.pk}/" in client.get(f"/campaigns/{labelled.pk}/").content.decode()


def test_an_unknown_format_makes_nothing(labelled: Campaign, people: People) -> None:
    client = people.client(people.admin)
    client.post(f"/campaigns/{labelled.pk}/exports/", {"format": "../etc"})
    assert Export.objects.count() == 0


def test_counts_by_choice_on_the_campaign_page(labelled: Campaign, people: People) -> None:
    assert Judgement.objects.count() == 8
    page = people.client(people.admin).get(f"/campaigns/{labelled.pk}/").content.decode()
    assert "7 of 8" in page


def test_rows_have_the_scores_that_the_design_saw(campaign: Campaign, people: People) -> None:
    from tests.designs.conftest import give_scores

    give(campaign, people.anna, "left")
    (row,) = dpo_rows(campaign, "trl")
    assert row["metadata"]["chosen_score"] is None
    seen = give_scores(campaign.design.pool, "seen")
    give_scores(campaign.design.pool, "later", seed=5)
    campaign.design.score_set = seen
    (row,) = dpo_rows(campaign, "trl")
    values = dict(seen.scores.values_list("completion__text", "value"))
    assert row["metadata"]["score"] == "seen"
    for side in ("chosen", "rejected"):
        assert row["metadata"][f"{side}_score"] == values[row[side][0]["content"]]
