"""The folder of an export: what is in it, that it is whole, and that the usual loader takes it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from django.core.management import CommandError, call_command

from annotate.exporting.checking import alternating, conversation
from annotate.exporting.columns import fits
from annotate.exporting.formats import FORMATS
from annotate.exporting.job import discard_export, export_dataset, export_folder
from annotate.exporting.options import Options
from annotate.exporting.report import share_of
from annotate.exporting.writing import WrongType, check_types
from annotate.guidelines import change_guidelines
from annotate.models import Campaign, Export, Judgement
from annotate.quality.answers import Kind, read_answers
from annotate.quality.confounds import confounds
from annotate.quality.reliance import consistency, gold_facts
from annotate.quality.texts import read_texts
from pairselect.core.intervals import wilson_interval
from pairselect.jobs.progress import JobError
from tests.annotate.exported import export, file_of, rows_of
from tests.annotate.giving import answer_next, gold_for, onboard, prefer, repeat, revise
from tests.conftest import NoProgress, People, give, make_campaign


@pytest.fixture
def full(people: People) -> Campaign:
    """Answers of every kind."""
    campaign = make_campaign(
        people.anna, prompts=12, edits=True, strengths=2, criteria=["Clear"], price="0.5",
        currency="EUR",
    )  # fmt: skip
    change_guidelines(campaign, "Be **kind**.\nBe true.")
    given = [
        answer_next(campaign, people.anna, choice, strength=strength, criteria={"Clear": "left"})
        for choice, strength in (("left", 1), ("right", 2), ("left", 2), ("right", 1))
    ]
    answer_next(campaign, people.anna, "left", strength=1, edit="Better still", edit_of="left")
    for choice in ("tie", "both_bad", "skip"):
        give(campaign, people.anna, choice)
    repeat(given[0])
    give(campaign, people.anna, "right")  # as before, with the sides swapped
    gold_for(campaign, people.anna)
    prefer(campaign, people.anna, first=True)  # the side is drawn
    onboard(campaign, people.anna, "left")
    revise(given[1], "left", strength=1)
    return campaign


def test_the_folder_has_rows_extras_card_report_and_sums(full: Campaign) -> None:
    made = export(full, test_share=0.4, seed=1)
    folder = export_folder(made)
    names = [one["name"] for one in made.files]
    assert names == [
        "train.jsonl", "test.jsonl", "ties.jsonl", "both_bad.jsonl", "edits.jsonl",
        "judgements.jsonl", "README.md", "acceptance.md", "report.json", "SHA256SUMS",
    ]  # fmt: skip
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert checked.stdout.count(": OK") == len(names) - 1
    by_name = {one["name"]: one for one in made.files}
    for name in names:
        assert (folder / name).stat().st_size == by_name[name]["bytes"]
    train, test = file_of(made, "train.jsonl"), file_of(made, "test.jsonl")
    assert (len(train), len(test)) == (
        by_name["train.jsonl"]["rows"],
        by_name["test.jsonl"]["rows"],
    )
    assert len(train) + len(test) == made.row_count == 5
    assert {row["metadata"]["prompt_id"] for row in train}.isdisjoint(
        row["metadata"]["prompt_id"] for row in test
    )
    for name, split in (("ties", "train"), ("both_bad", "train")):
        (row,) = file_of(made, f"{name}.jsonl")
        assert row["metadata"]["split"] == split
        assert row["first"] != row["second"]
    assert not list(folder.parent.glob("*.part"))


def test_all_judgements_are_there_raw_and_told_apart(full: Campaign, people: People) -> None:
    rows = file_of(export(full), "judgements.jsonl")
    assert len(rows) == Judgement.objects.count() == 12
    kinds = [row["kind"] for row in rows]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "label": 9, "repeat": 1, "gold": 1, "onboarding": 1,
    }  # fmt: skip
    assert people.anna.username not in json.dumps(rows)
    for row in rows:
        judgement = Judgement.objects.select_related("comparison").get(pk=row["judgement"])
        assert row["choice"] == judgement.choice
        assert row["first_on_left"] == judgement.first_on_left
        assert (row["withdrawn_at"] is None) == (judgement.withdrawn_at is None)
        if judgement.choice in ("left", "right"):
            assert (row["said"] == "first") == judgement.prefers_first
    (withdrawn,) = (row for row in rows if row["withdrawn_at"])
    assert [row["replaces"] for row in rows if row["replaces"]] == [withdrawn["judgement"]]
    (again,) = (row for row in rows if row["kind"] == "repeat")
    assert again["repeats"] == rows[0]["comparison"]
    assert [row["edit"] for row in rows if row["edit"]] == ["Better still"]


def test_the_report_counts_and_the_acceptance_says_it(full: Campaign) -> None:
    made = export(full, max_per_prompt=1, leave_flagged=True)
    report = made.report
    assert report["answers"] == {
        "labels": 7, "pairs": 7, "decided": 5, "ties": 1, "both_bad": 1,
        "left": 4, "adjudicated": 0, "machine": 0,
    }  # fmt: skip
    assert (report["consistency"]["count"], report["consistency"]["total"]) == (1, 1)
    assert (report["gold"]["count"], report["gold"]["total"]) == (1, 1)
    assert report["left"]["low"] < 0.8 < report["left"]["high"]
    assert report["removed"] == [
        {"filter": "flagged", "count": 0}, {"filter": "max_per_prompt", "count": 0},
    ]  # fmt: skip
    assert report["cost"] == [{"currency": "EUR", "total": 3.5, "per_row": 0.7}]
    assert report["campaigns"][0]["guidelines"][0]["text"] == "Be **kind**.\nBe true."
    assert report == json.loads((export_folder(made) / "report.json").read_text())
    words = (export_folder(made) / "acceptance.md").read_text()
    for said in ("| ties | 1 |", "| EUR | 3.50 | 0.7000 |", "> Be **kind**.\n> Be true.", "seed"):
        assert said in words


def test_parquet_holds_the_same_rows(full: Campaign) -> None:
    import pyarrow.parquet as pq

    for form in FORMATS:
        if FORMATS[form].needs_template:
            continue
        made = export(full, form, file_type="parquet", extras=("judgements",))
        table = pq.read_table(export_folder(made) / "train.parquet")
        assert table.to_pylist() == rows_of(full, form)
        raw = pq.read_table(export_folder(made) / "judgements.parquet").to_pylist()
        assert raw == file_of(export(full, form), "judgements.jsonl")


def test_every_row_has_the_announced_types(full: Campaign) -> None:
    from annotate.exporting.rows import RowMaker
    from annotate.exporting.selection import select

    for form in FORMATS:
        if FORMATS[form].needs_template:
            continue
        for options in ({}, {"min_agreement": 0.1}):
            asked = Options(format=form, **options)  # type: ignore[arg-type]
            maker = RowMaker(select(full, asked), asked)
            rows = [row for row, _ in maker.rows()]
            assert rows
            for row in rows:
                check_types(row, maker.columns())


def test_a_type_that_was_not_announced_is_a_fault() -> None:
    columns = {"a": str, "b": [{"n": int}]}
    check_types({"a": None, "b": [{"n": 1}]}, columns)
    for row in ({"a": 1, "b": []}, {"a": "", "b": None}, {"a": "", "b": [{"n": True}]}, {"a": ""}):
        with pytest.raises(WrongType):
            check_types(row, columns)
    assert not fits([{"n": 1, "more": 1}], columns["b"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file_type", ["jsonl", "parquet"])
def test_load_dataset_takes_the_folder_as_it_is(
    full: Campaign, tmp_path: Path, file_type: str
) -> None:
    import datasets

    made = export(full, test_share=0.4, seed=1, file_type=file_type)
    folder, cache = str(export_folder(made)), str(tmp_path)
    found = datasets.load_dataset(folder, cache_dir=cache)
    assert {name: part.num_rows for name, part in found.items()} == {
        "train": made.files[0]["rows"], "test": made.files[1]["rows"],
    }  # fmt: skip
    assert set(found["train"].column_names) == {"prompt", "chosen", "rejected", "metadata"}
    # A column of nulls alone has its type all the same.
    assert found["train"].features["metadata"]["chosen_score"].dtype == "float64"
    rows = [*found["train"], *found["test"]]
    key = lambda row: row["metadata"]["queue_position"]  # noqa: E731
    assert sorted(rows, key=key) == sorted(rows_of(full), key=key)
    for name, number in (("ties", 1), ("both_bad", 1), ("edits", 2), ("judgements", 12)):
        extra = datasets.load_dataset(folder, name, cache_dir=cache)
        assert sum(part.num_rows for part in extra.values()) == number


@pytest.mark.parametrize("seed", range(4))
def test_no_prompt_is_on_both_sides_of_any_file(full: Campaign, seed: int) -> None:
    made = export(full, test_share=0.5, seed=seed)
    sides: dict[str, set[str]] = {"train": set(), "test": set()}
    for one in made.files:
        name = one["name"].removesuffix(".jsonl")
        if one["rows"] is None or name == "judgements":
            continue
        assert one["rows"]
        in_test = name == "test" or name.endswith("_test")
        rows = file_of(made, one["name"])
        sides["test" if in_test else "train"] |= {row["metadata"]["prompt_id"] for row in rows}
    assert sides["train"].isdisjoint(sides["test"])
    edits = [one for one in made.files if one["name"].startswith("edits")]
    assert sum(one["rows"] for one in edits) == 2


def test_a_further_file_without_rows_is_not_made(people: People) -> None:
    """An edit that is what it was made from is none."""
    campaign = make_campaign(people.anna, prompts=2, edits=True)
    give(campaign, people.anna, "left")
    judgement = answer_next(campaign, people.anna, "left", edit="Better", edit_of="left")
    judgement.edit.text = judgement.comparison.left_text
    judgement.edit.save()
    made = export(campaign)
    assert not [one for one in made.files if one["name"].startswith("edits")]
    assert not (export_folder(made) / "edits.jsonl").exists()


def test_only_the_extras_that_were_asked_for_and_have_rows(people: People) -> None:
    campaign = make_campaign(people.anna)
    give(campaign, people.anna, "left")
    names = [one["name"] for one in export(campaign).files]
    assert "ties.jsonl" not in names
    assert "judgements.jsonl" in names
    names = [one["name"] for one in export(campaign, extras=()).files]
    assert "judgements.jsonl" not in names


def test_what_a_killed_worker_left_is_made_anew(full: Campaign) -> None:
    made = Export.objects.create(campaign=full, format="trl")
    folder = export_folder(made)
    for left_over in (folder, folder.with_suffix(".part")):
        left_over.mkdir(parents=True)
        (left_over / "train.jsonl").write_text("half a ro")
    export_dataset(made.pk, NoProgress())  # type: ignore[arg-type]
    made.refresh_from_db()
    assert len(file_of(made, "train.jsonl")) == 5
    assert not folder.with_suffix(".part").exists()
    before = (folder / "train.jsonl").stat().st_mtime_ns
    export_dataset(made.pk, NoProgress())  # type: ignore[arg-type]  # done is done
    assert (folder / "train.jsonl").stat().st_mtime_ns == before


def test_what_is_discarded_leaves_nothing_behind(full: Campaign) -> None:
    made = Export.objects.create(campaign=full, format="trl")
    folder = export_folder(made)
    for left_over in (folder, folder.with_suffix(".part")):
        left_over.mkdir(parents=True)
        (left_over / "train.jsonl").write_text("half a ro")
    discard_export(made)
    assert list(folder.parent.glob(f"{folder.name}*")) == []
    assert not Export.objects.exists()


def test_a_row_that_stays_keeps_its_files(full: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    made = export(full)

    def killed(self: Export) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Export, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        discard_export(made)
    assert Export.objects.filter(pk=made.pk).exists()
    assert len(file_of(made, "train.jsonl")) == 5


def test_a_failure_leaves_nothing_behind(full: Campaign) -> None:
    with pytest.raises(JobError, match="no prompt falls into the test part: choose another seed"):
        export(full, test_share=1e-9)
    folder = export_folder(Export(campaign=full)).parent
    assert list(folder.glob("*.part")) == []


def test_filters_that_leave_nothing_are_named_as_the_reason(full: Campaign) -> None:
    with pytest.raises(JobError, match="The filters leave nothing of “campaign”.*: loosen one.$"):
        export(full, min_posterior=1.0)


def test_prompts_that_a_trainer_would_skip_are_left_out_and_counted(full: Campaign) -> None:
    prompt = full.design.pool.prompt_set.prompts.get(position=0)
    prompt.messages = [
        {"role": "user", "content": "One"},
        {"role": "user", "content": "Two"},
    ]
    prompt.save()
    assert export(full).row_count == 5  # TRL leaves it to the chat template
    made = export(full, "llama-factory")
    assert made.row_count == 4
    assert made.report["left_out"] == [
        {"reason": "the turns of the prompt do not alternate between user and assistant",
         "count": 1},
    ]  # fmt: skip


USER = {"role": "user", "content": "x"}
SYSTEM = {"role": "system", "content": "x"}
SAID = {"role": "assistant", "content": "x"}


@pytest.mark.parametrize(
    ("messages", "is_conversation", "alternates"),
    [
        ([USER], True, True),
        ([SYSTEM, USER, SAID, USER], True, True),
        ([USER, USER], True, False),
        ([SAID, USER], True, False),
        ([USER, SYSTEM, USER], False, False),
        ([USER, SAID], False, False),
        ([], False, False),
        ([{"role": "tool", "content": "x"}, USER], False, False),
        ([{"role": "user", "content": None}], False, False),
        ([{"role": "user", "content": "x", "name": "y"}], False, False),
    ],
)
def test_what_is_a_conversation(
    messages: list[Any], is_conversation: bool, alternates: bool
) -> None:
    assert (conversation(messages) == "") == is_conversation
    assert (alternating(messages) == "") == alternates


def test_kto_has_texts_called_bad_alone_and_all_undesirable(full: Campaign) -> None:
    rows = rows_of(full, "kto")
    assert [row["label"] for row in rows] == [False, False]
    bad = full.comparisons.get(judgements__choice="both_bad")
    assert {row["completion"][0]["content"] for row in rows} == {bad.left_text, bad.right_text}
    assert {row["metadata"]["completion_shown"] for row in rows} == {"left", "right"}
    made = export(full, "kto")
    assert "Every row is undesirable" in (export_folder(made) / "README.md").read_text()


def test_a_name_is_no_markup_in_the_words(people: People) -> None:
    campaign = make_campaign(people.anna, name="a `b` | <c> # “d”: [e]\\")
    give(campaign, people.anna, "left")
    folder = export_folder(export(campaign))
    card, words = (folder / "README.md").read_text(), (folder / "acceptance.md").read_text()
    assert "\n# a \\`b\\` \\| \\<c\\> \\# “d”: \\[e\\]\\\\\n" in card
    assert "<c>" not in words


def test_the_cards_front_matter_is_yaml_whatever_the_name(people: People) -> None:
    name = '“a”: - "b" #c \\ {d} 😀'
    campaign = make_campaign(people.anna, name=name)
    give(campaign, people.anna, "left")
    text = (export_folder(export(campaign)) / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["pretty_name"] == name


def test_the_report_and_the_quality_page_say_the_same(people: People) -> None:
    """Ben is wrong on every gold pair and contradicts himself, the others never: three, not 18."""
    three = (people.anna, True), (people.ben, False), (people.stranger, True)
    campaign = make_campaign(*(person for person, _ in three), prompts=24)
    for person, is_right in three:
        for _ in range(6):
            repeat(prefer(campaign, person, first=True))
            prefer(campaign, person, first=is_right)
            gold_for(campaign, person)
            prefer(campaign, person, first=is_right)
    report = export(campaign).report
    for name, found in (
        ("gold", gold_facts(read_answers([campaign], Kind.GOLD))),
        (
            "consistency",
            consistency(
                read_answers([campaign], Kind.LABEL), read_answers([campaign], Kind.REPEAT)
            ),
        ),
    ):
        assert found is not None
        assert found["high"] - found["low"] > 0.7
        for part in ("count", "total", "low", "high"):
            assert report[name][part] == pytest.approx(found[part]), name


def test_leanings_are_those_of_the_quality_page_by_prompt(people: People) -> None:
    """All three labels of a prompt say the same, so they tell less than three would."""
    three = [people.anna, people.ben, people.stranger]
    campaign = make_campaign(*three, prompts=12, labels_per_pair=3)
    for completion in campaign.design.pool.completions.filter(index=0):
        completion.text += " and **more**"
        completion.save()
    for person in three:
        for place in range(12):
            given = prefer(campaign, person, first=place % 3 > 0)
            given.first_on_left = place % 4 > 0
            given.choice = "left" if given.first_on_left == (place % 3 > 0) else "right"
            given.save()
    report = export(campaign).report
    labels = read_answers([campaign], Kind.LABEL)
    page = confounds(labels, read_texts(np.unique(labels.pair_ids)))
    for name, found in (
        ("left", page["left"]),
        ("longer", page["longer_characters"]),
        ("markdown", page["formatted"]),
    ):
        assert found is not None
        for part in ("count", "total", "low", "high"):
            assert report[name][part] == pytest.approx(found[part]), (name, part)
        low, high = wilson_interval(report[name]["count"], report[name]["total"])
        assert report[name]["high"] - report[name]["low"] > 1.1 * (high - low)


def test_the_command_makes_the_same_folder(full: Campaign, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "folder"
    call_command(
        "export_dataset", full.name, "--output", str(out), "--format", "axolotl", "--parquet",
        "--test-share", "40", "--seed", "1", "--extras", "ties", "--json",
    )  # fmt: skip
    made = Export.objects.get()
    assert made.options["test_share"] == 0.4
    assert sorted(path.name for path in out.iterdir()) == sorted(one["name"] for one in made.files)
    assert (out / "train.parquet").exists()
    assert not (out / "judgements.parquet").exists()
    answer = json.loads(capsys.readouterr().out)
    assert answer["row_count"] == 5
    assert answer["files"] == made.files
    assert list(tmp_path.iterdir()) == [out]


def test_what_cannot_go_into_one_file_is_refused(full: Campaign, tmp_path: Path) -> None:
    out = str(tmp_path / "one.jsonl")
    for option, said in (
        (["--test-share", "10"], "makes two files: give --output a folder"),
        (["--extras", "ties"], "makes further files: give --output a folder"),
        (["--format", "sft", "--min-posterior", "50"], "--min-posterior: The format sft has no"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("export_dataset", full.name, "--output", out, *option)
    assert Export.objects.count() == 0


def test_the_interval_over_people_needs_three_of_them() -> None:
    """As the quality page has it: of two it would say next to nothing."""
    found = share_of({1: 90, 2: 94}, {1: 100, 2: 100})
    assert (found["low"], found["high"]) == pytest.approx(wilson_interval(184, 200))
    three = share_of({1: 90, 2: 94, 3: 60}, {1: 100, 2: 100, 3: 100})
    assert three["low"] < wilson_interval(244, 300)[0] - 0.1  # they differ
