"""Files in, by command: all of it or nothing."""

import gzip
import json
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from pairselect.pools.imports import storing
from pairselect.pools.imports.staging import same_file_imported
from pairselect.pools.models import (
    Completion,
    FeatureSet,
    Pool,
    Prompt,
    PromptSet,
    Score,
    ScoreSet,
    Upload,
)
from tests.conftest import run_queued_jobs
from tests.pools.support import BAD, GOOD, import_file, lines, texts

pytestmark = pytest.mark.django_db

ROW = {"prompt": "Q", "completions": ["a", "b"]}


def stored_files() -> list[str]:
    root = Path(default_storage.path(""))
    return [str(path) for path in root.rglob("*") if path.is_file()] if root.exists() else []


@pytest.fixture(autouse=True)
def empty_folder() -> None:
    for path in stored_files():
        Path(path).unlink()


def queued(tmp_path: Path, content: bytes, *options: str, command: str = "import_prompts") -> None:
    import_file(command, tmp_path / "p.jsonl", content, "--name", "mine", "--enqueue", *options)


# Prompts


def test_command_imports(tmp_path: Path) -> None:
    import_file("import_prompts", tmp_path / "a.jsonl", GOOD, "--name", "mine")
    prompt_set = PromptSet.objects.get()
    assert prompt_set.upload is not None
    assert (prompt_set.prompt_count, prompt_set.upload.file_name) == (2, "a.jsonl")
    assert (prompt_set.upload.row_count, prompt_set.upload.duplicate_count) == (2, 0)
    assert texts(prompt_set.prompts.all()) == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"id,question\n7,one\n8,two\n", "a.csv"),
        (json.dumps([{"id": 7, "question": "one"}, {"id": 8, "question": "two"}]).encode(), "a"),
        (
            gzip.compress(
                lines({"id": 7, "question": "one"}, {"id": 8, "question": "two"}), mtime=0
            ),
            "a.gz",
        ),
    ],
)
def test_other_formats_give_the_same_rows(tmp_path: Path, content: bytes, name: str) -> None:
    import_file("import_prompts", tmp_path / name, content, "--name", "mine")
    rows = Prompt.objects.values_list("position", "external_id", "messages", "metadata")
    assert list(rows) == [
        (0, "7", [{"role": "user", "content": "one"}], {}),
        (1, "8", [{"role": "user", "content": "two"}], {}),
    ]


def test_what_is_stored_by_sql_reads_as_the_models_have_it(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": 'ß "x" %s'}, {"role": "user", "content": "日\n本"}]
    row = {"id": "i", "messages": messages, "metadata": {"n": [1, 2.5, None, True]}}
    import_file("import_prompts", tmp_path / "a", lines(row), "--name", "mine")
    prompt = Prompt.objects.get()
    assert (prompt.external_id, prompt.messages) == ("i", messages)
    assert prompt.metadata == {"n": [1, 2.5, None, True]}
    assert Prompt.objects.filter(metadata__n__0=1, messages__1__role="user").count() == 1


def test_command_takes_nothing_of_a_bad_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        import_file("import_prompts", tmp_path / "a.jsonl", BAD, "--name", "mine")
    assert str(caught.value) == (
        "Nothing was imported: 1 of 2 rows cannot be used. Row 2: The prompt is empty."
    )
    assert (PromptSet.objects.count(), Prompt.objects.count(), Upload.objects.count()) == (0, 0, 0)
    assert stored_files() == []


def test_the_terminal_names_the_first_bad_rows_and_counts_the_rest(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        import_file("import_prompts", tmp_path / "a", GOOD + b'{"prompt": 3}\n' * 250, "--name=m")
    assert "250 of 252 rows cannot be used." in str(caught.value)
    assert str(caught.value).count("Row ") == 5
    assert str(caught.value).endswith("And 245 more.")


def test_command_says_which_file_cannot_be_read(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.jsonl", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(CommandError, match=why):
            call_command("import_prompts", str(path), "--name", "mine")


def test_a_name_that_is_taken_keeps_what_has_it(tmp_path: Path) -> None:
    import_file("import_prompts", tmp_path / "a.jsonl", GOOD, "--name", "mine")
    with pytest.raises(CommandError, match="There is a prompt set named “mine”"):
        import_file("import_prompts", tmp_path / "a.jsonl", GOOD, "--name", "mine")
    assert Prompt.objects.count() == 2
    assert Upload.objects.count() == 1


@pytest.mark.parametrize("name", ["", "   ", "n" * 101, "a\nb", "a\x00b"])
def test_a_name_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match="1 to 100 printable characters"):
        import_file("import_prompts", tmp_path / "a.jsonl", GOOD, "--name", name)
    assert PromptSet.objects.count() == 0


def test_enqueue_leaves_the_work_to_a_worker(tmp_path: Path) -> None:
    queued(tmp_path, GOOD)
    assert Prompt.objects.count() == 0
    run_queued_jobs()
    assert Prompt.objects.count() == 2


# Which column is what


def test_a_column_can_be_named(tmp_path: Path) -> None:
    content = b"frage,text\neins,zwei\n"
    options = ("--name", "mine", "--column", "prompt=frage", "--column", "id=text")
    import_file("import_prompts", tmp_path / "a.csv", content, *options)
    prompt = Prompt.objects.get()
    assert (str(prompt), prompt.external_id) == ("eins", "zwei")


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("prompt", "--column takes ROLE=COLUMN, such as prompt=question; not “prompt”."),
        ("colour=text", 'There is no role "colour".'),
        ("prompt=", "Choose the column of: Prompt."),
        ("prompt=none", 'has no column "none"'),
    ],
)
def test_a_column_that_makes_no_sense_is_refused(
    tmp_path: Path, column: str, sentence: str
) -> None:
    with pytest.raises(CommandError) as caught:
        import_file(
            "import_prompts", tmp_path / "a.csv", b"text\nx\n", "--name=m", "--column", column
        )
    assert sentence in str(caught.value)
    assert Upload.objects.count() == 0


def test_what_is_not_recognised_asks_for_a_column(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match='"colour".*--column prompt=COLUMN'):
        import_file("import_prompts", tmp_path / "a.csv", b"colour\nx\n", "--name", "m")


def test_each_command_names_the_other(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is a ready pool: type import_pool .*p.jsonl --name"):
        import_file("import_prompts", tmp_path / "p.jsonl", lines(ROW), "--name", "m")
    with pytest.raises(CommandError, match="is a file of prompts: type import_prompts"):
        import_file("import_pool", tmp_path / "p.jsonl", GOOD, "--name", "m")
    assert PromptSet.objects.count() == 0


def test_the_prompts_of_a_pool_can_be_had_alone(tmp_path: Path) -> None:
    options = ("--name", "m", "--column", "prompt=prompt")
    import_file("import_prompts", tmp_path / "p.jsonl", lines(ROW), *options)
    assert (Prompt.objects.count(), Pool.objects.count()) == (1, 0)


# Ready pools


def test_import_pool_keeps_scores_and_models(tmp_path: Path) -> None:
    row = {"prompt": "Q", "completions": ["a", {"text": "b", "model": "m", "score": 0.5}]}
    options = ("--name", "ready", "--model", "lab", "--no-features")
    import_file("import_pool", tmp_path / "p.jsonl", lines(row), *options)
    pool = Pool.objects.get()
    assert (pool.source, pool.model, pool.completed_at is not None) == ("imported", "lab", True)
    rows = Completion.objects.order_by("index")
    assert [(one.text, one.model, one.variant) for one in rows] == [
        ("a", "", None),
        ("b", "m", None),
    ]
    assert list(Score.objects.values_list("completion__text", "value")) == [("b", 0.5)]
    # Half of the completions lack a score: no design can use them.
    assert ScoreSet.objects.get().completed_at is None


@pytest.mark.parametrize(("lacking", "usable"), [(1, True), (2, False)])
def test_scores_of_nearly_every_completion_can_be_used(
    tmp_path: Path, lacking: int, usable: bool
) -> None:
    rows = [{"prompt": f"Q{i}", "completions": ["a", "b"], "scores": [i, -1]} for i in range(12)]
    for row in rows[:lacking]:
        row["scores"] = [None, -1]
    options = ("--name", "ready", "--no-features")
    import_file("import_pool", tmp_path / "p.jsonl", lines(*rows), *options)
    assert (ScoreSet.objects.get().completed_at is not None) == usable


def test_scores_of_every_completion_are_a_complete_set(tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{i}", "completions": ["a", "b"], "scores": [i, -1]} for i in range(3)]
    import_file("import_pool", tmp_path / "p", lines(*rows), "--name", "ready", "--no-features")
    score_set = ScoreSet.objects.get()
    assert (score_set.name, score_set.source) == ("file", "file")
    assert score_set.completed_at is not None
    found = Score.objects.order_by("completion__prompt__position", "completion__index")
    assert list(found.values_list("value", flat=True)) == [0, -1, 1, -1, 2, -1]


def test_preferences_are_a_pool_of_two_with_scores(tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{i}", "chosen": "good", "rejected": "bad"} for i in range(2)]
    import_file("import_pool", tmp_path / "p", lines(*rows), "--name", "ready", "--no-features")
    found = Completion.objects.order_by("prompt__position", "index")
    assert list(found.values_list("text", "scores__value")) == [
        ("good", 1.0),
        ("bad", 0.0),
        ("good", 1.0),
        ("bad", 0.0),
    ]


def test_a_pool_without_scores_has_no_score_set(tmp_path: Path) -> None:
    import_file("import_pool", tmp_path / "p", lines(ROW), "--name", "ready", "--no-features")
    assert (ScoreSet.objects.count(), FeatureSet.objects.count()) == (0, 0)


@pytest.mark.parametrize("completions", [["only one"], ["same", "same"]])
def test_a_pool_with_nothing_to_compare_is_refused(tmp_path: Path, completions: list[str]) -> None:
    row = {"prompt": "Q", "completions": completions}
    with pytest.raises(CommandError, match="there is nothing to compare"):
        import_file("import_pool", tmp_path / "p.jsonl", lines(row), "--name", "ready")
    assert (PromptSet.objects.count(), Pool.objects.count()) == (0, 0)


def test_generation_does_not_take_the_name_of_an_import_on_its_way(tmp_path: Path) -> None:
    queued(tmp_path, lines(ROW), "--no-features", command="import_pool")
    import_file("import_prompts", tmp_path / "a.jsonl", GOOD, "--name", "prompts")
    with pytest.raises(CommandError, match="There is a pool named “mine”"):
        call_command("generate_pool", "prompts", "--name", "mine")
    run_queued_jobs()
    assert Pool.objects.get().completions.count() == 2


def test_an_import_does_not_take_the_name_of_a_generated_pool(tmp_path: Path) -> None:
    import_file("import_prompts", tmp_path / "a.jsonl", GOOD, "--name", "prompts")
    call_command("generate_pool", "prompts", "--name", "mine", "--enqueue")
    with pytest.raises(CommandError, match="There is a pool named “mine”"):
        queued(tmp_path, lines(ROW), command="import_pool")
    assert Pool.objects.get().source == "generated"
    assert PromptSet.objects.count() == 1


# Duplicates


def test_duplicates_are_counted_and_kept_unless_asked(tmp_path: Path) -> None:
    row = {"prompt": "one", "id": "again"}
    import_file("import_prompts", tmp_path / "a", GOOD + lines(row, row), "--name", "mine")
    upload = Upload.objects.get()
    assert (upload.row_count, upload.duplicate_count) == (4, 2)
    assert texts(Prompt.objects.all()) == ["one", "two", "one", "one"]


def test_merged_prompts_keep_the_first(tmp_path: Path) -> None:
    content = lines({"prompt": "one", "id": "first"}) + GOOD + lines({"prompt": "three"})
    options = ("--name", "mine", "--merge-duplicates")
    import_file("import_prompts", tmp_path / "a", content, *options)
    rows = Prompt.objects.values_list("position", "external_id")
    assert list(rows) == [(0, "first"), (1, ""), (2, "")]
    assert texts(Prompt.objects.all()) == ["one", "two", "three"]
    assert PromptSet.objects.get().prompt_count == 3


@pytest.mark.parametrize("batch", [1, 2, 5000])
def test_merged_pools_keep_every_completion_in_order(
    tmp_path: Path, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "ROWS", batch)
    rows = [
        {"prompt": "Q", "completions": ["a", "b"], "scores": [1, 2]},
        {"prompt": "R", "completions": ["x"], "scores": [3]},
        {"prompt": "Q", "completions": ["c"], "scores": [4]},
        {"prompt": "R", "completions": ["y", "z"], "scores": [5, 6]},
        {"prompt": "Q", "completions": ["d"], "scores": [7]},
    ]
    options = ("--name", "ready", "--no-features", "--merge-duplicates")
    import_file("import_pool", tmp_path / "p", lines(*rows), *options)
    found = Completion.objects.order_by("prompt__position", "index")
    assert list(found.values_list("prompt__position", "index", "text", "scores__value")) == [
        (0, 0, "a", 1),
        (0, 1, "b", 2),
        (0, 2, "c", 4),
        (0, 3, "d", 7),
        (1, 0, "x", 3),
        (1, 1, "y", 5),
        (1, 2, "z", 6),
    ]


def test_one_completion_a_row_is_a_pool_once_it_is_merged(tmp_path: Path) -> None:
    content = b"prompt,answer\nQ,a\nQ,b\n"
    options = ("--name", "ready", "--no-features", "--column", "texts=answer")
    with pytest.raises(CommandError, match="1 row repeats a prompt: import again and merge"):
        import_file("import_pool", tmp_path / "p.csv", content, *options)
    import_file("import_pool", tmp_path / "p.csv", content, *options, "--merge-duplicates")
    assert list(Completion.objects.values_list("prompt__position", "text")) == [(0, "a"), (0, "b")]


def test_merged_prompts_have_at_most_a_thousand_completions(tmp_path: Path) -> None:
    row = {"prompt": "Q", "completions": [str(number) for number in range(500)]}
    options = ("--name", "ready", "--no-features")
    content = lines(ROW | {"prompt": "R"}, row, row)
    more = content + lines(ROW)
    with pytest.raises(CommandError) as caught:
        import_file("import_pool", tmp_path / "p", more, *options, "--merge-duplicates")
    assert str(caught.value) == (
        "Nothing was imported. Merged, the prompt of row 2 has 1,002 completions; keep at most "
        "1,000 of each prompt, or do not merge."
    )
    import_file("import_pool", tmp_path / "p", content, *options, "--merge-duplicates")
    assert Completion.objects.count() == 1002


def test_the_same_file_is_known_again(tmp_path: Path) -> None:
    for name in ("first", "second"):
        import_file("import_prompts", tmp_path / "a", GOOD, "--name", name)
    first, second = Upload.objects.order_by("pk")
    assert first.sha256 == second.sha256
    assert [str(same_file_imported(one)) for one in (first, second)] == ["second", "first"]
    import_file("import_prompts", tmp_path / "a", GOOD + GOOD, "--name", "third")
    assert same_file_imported(Upload.objects.latest("pk")) is None
