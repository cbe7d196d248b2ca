"""What the field's files look like, which columns are recognised, and the rows that come out."""

import io
import json
from typing import Any

import pyarrow as pa
import pytest

from pairselect.pools.reading import (
    Columns,
    CompletionRow,
    Limits,
    PoolRow,
    Preview,
    PromptRow,
    preview,
    read_rows,
    roles,
)
from pairselect.pools.reading.build import builder
from pairselect.pools.reading.rows import BadRow
from tests.pools.reading.hostile import parquet

LIMITS = Limits(expanded_bytes=10_000_000, rows=1000, characters=1000)
HI = {"role": "user", "content": "Hi"}
HELLO = {"role": "assistant", "content": "Hello"}
BYE = {"role": "user", "content": "Bye"}
SYSTEM = {"role": "system", "content": "Be brief."}
FROM_HI = {"from": "human", "value": "Hi"}
FROM_HELLO = {"from": "gpt", "value": "Hello"}


def read(*rows: dict[str, Any], columns: Columns | None = None) -> tuple[list[Any], list[str]]:
    """Rows and problems of a file with the mapping that it suggests itself."""
    file = io.BytesIO(b"\n".join(json.dumps(row).encode() for row in rows))
    seen = preview(file, LIMITS)
    assert columns or seen.mapping, seen.problem
    problems: list[str] = []
    got = read_rows(
        file,
        columns or seen.mapping,  # type: ignore[arg-type]
        LIMITS,
        on_problem=lambda problem: problems.append(problem.message),
    )
    return list(got), problems


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "Hi"}, PromptRow([HI])),
        ({"Prompt": "Hi", "ID": 7}, PromptRow([HI], "7")),
        ({"question": "Hi", "answer": "x", "uid": "u"}, PromptRow([HI], "u")),
        ({"query": "Hi", "id": 7.0}, PromptRow([HI], "7")),
        ({"text": "Hi", "metadata": {"a": [1]}}, PromptRow([HI], "", {"a": [1]})),
        ({"prompt": [SYSTEM, HI]}, PromptRow([SYSTEM, HI])),
        ({"prompt": json.dumps([HI])}, PromptRow([HI])),
        ({"prompt": "Hi", "system_prompt": "Be brief."}, PromptRow([SYSTEM, HI])),
        ({"messages": [HI, HELLO, BYE]}, PromptRow([HI, HELLO, BYE])),
        ({"messages": [HI, HELLO]}, PromptRow([HI])),
        ({"messages": [HI, HELLO, BYE, HELLO]}, PromptRow([HI, HELLO, BYE])),
        ({"messages": [SYSTEM | {"role": "developer"}, HI]}, PromptRow([SYSTEM, HI])),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
            PromptRow([HI]),
        ),
        ({"conversations": [FROM_HI, FROM_HELLO]}, PromptRow([HI])),
        ({"conversations": [FROM_HI], "system": "Be brief."}, PromptRow([SYSTEM, HI])),
        (
            {"instruction": "Add.", "input": "1, 2", "output": "3"},
            PromptRow([{"role": "user", "content": "Add.\n\n1, 2"}]),
        ),
        ({"instruction": "Hi", "input": "", "output": "3"}, PromptRow([HI])),
        ({"prompt": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye\n\nAssistant:"},
         PromptRow([HI, HELLO, BYE])),
    ],
)  # fmt: skip
def test_a_prompt_is_read_from_the_forms_of_the_field(
    row: dict[str, Any], expected: PromptRow
) -> None:
    assert read(row) == ([expected], [])


def test_conversations_are_read_from_parquet_as_from_json() -> None:
    file = io.BytesIO(parquet(pa.table({"messages": [[SYSTEM, HI, HELLO]], "id": [4]})))
    mapping = preview(file, LIMITS).mapping
    assert mapping == Columns("prompts", prompt="messages", id="id")
    rows = list(read_rows(file, mapping, LIMITS, on_problem=print))
    assert rows == [PromptRow([SYSTEM, HI], "4")]


@pytest.mark.parametrize(
    ("row", "completions"),
    [
        ({"completions": ["a", ""]}, [CompletionRow("a"), CompletionRow("")]),
        (
            {"responses": [{"text": "a", "model": "m", "score": 1}, {"response": "b"}]},
            [CompletionRow("a", "m", 1.0), CompletionRow("b")],
        ),
        (
            {"completions": ["a", "b"], "scores": [0.5, None], "models": ["m", "n"]},
            [CompletionRow("a", "m", 0.5), CompletionRow("b", "n")],
        ),
        ({"answers": '["a", "b"]', "model": "m"},
         [CompletionRow("a", "m"), CompletionRow("b", "m")]),
        ({"response_a": "a", "response_b": "b"}, [CompletionRow("a"), CompletionRow("b")]),
        ({"completions": [[HELLO], {"role": "assistant", "content": "b"}]},
         [CompletionRow("Hello"), CompletionRow("b")]),
    ],
)  # fmt: skip
def test_a_pool_is_read_from_the_forms_of_the_field(
    row: dict[str, Any], completions: list[CompletionRow]
) -> None:
    assert read({"prompt": "Hi"} | row) == ([PoolRow(PromptRow([HI]), completions)], [])


BETTER_WORSE = [CompletionRow("Hello", score=1.0), CompletionRow("Go away", score=0.0)]
WORSE = {"role": "assistant", "content": "Go away"}


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"}, [HI]),
        ({"prompt": [SYSTEM, HI], "chosen": [HELLO], "rejected": [WORSE]}, [SYSTEM, HI]),
        ({"chosen": [HI, HELLO], "rejected": [HI, WORSE]}, [HI]),
        ({"prompt": "Hi", "chosen": [HI, HELLO], "rejected": [HI, WORSE],
          "messages": [HI, HELLO]}, [HI]),
        ({"messages": [HI, HELLO], "chosen": [HI, HELLO], "rejected": [HI, WORSE]}, [HI]),
        ({"messages": [HI], "chosen": HELLO, "rejected": WORSE}, [HI]),
        ({"conversations": [FROM_HI], "chosen": FROM_HELLO,
          "rejected": {"from": "gpt", "value": "Go away"}}, [HI]),
        ({"prompt": "Hi", "system": "Be brief.", "chosen": [HI, HELLO], "rejected": [HI, WORSE]},
         [SYSTEM, HI]),
        ({"chosen": "\n\nHuman: Hi\n\nAssistant: Hello",
          "rejected": "\n\nHuman: Hi\n\nAssistant: Go away"}, [HI]),
        ({"prompt": "\n\nHuman: Hi\n\nAssistant:", "chosen": " Hello", "rejected": " Go away"},
         [HI]),
    ],
)  # fmt: skip
def test_preferences_become_two_completions_the_chosen_first(
    row: dict[str, Any], prompt: list[dict[str, str]]
) -> None:
    assert read(row) == ([PoolRow(PromptRow(prompt), BETTER_WORSE)], [])


def test_scores_of_preferences_are_taken_where_they_are() -> None:
    row = {
        "prompt": "Hi",
        "chosen": "a",
        "rejected": "b",
        "score_chosen": 8.5,
        "score_rejected": "3",
    }
    [pool], _ = read(row)
    assert [each.score for each in pool.completions] == [8.5, 3.0]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"messages": []}, "not a list of messages"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "Message 1 of the prompt needs a role"),
        ({"messages": [{"role": "user"}]}, "Message 1 of the prompt is missing"),
        ({"messages": [HELLO]}, "nothing to answer"),
        ({"messages": [HI, SYSTEM]}, "can only be the first"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "not text"),
        ({"prompt": [SYSTEM, HI], "system": "Other."}, "two system prompts"),
        ({"prompt": "[{'role': 'user', 'content': 'a'}]"}, "json.dumps"),
        ({"prompt": "a", "id": True}, "identifier"),
        ({"prompt": "a", "id": "b" * 201}, "201 characters"),
        ({"prompt": "a", "metadata": {"k": "b" * 1000}}, "limit is 1,000"),
        ({"prompt": "a", "completions": [3]}, "Completion 1 is not a text"),
        (
            {"prompt": "a", "completions": ["b"] * 1001},
            "The prompt has 1,001 completions; keep at most 1,000.",
        ),
        ({"prompt": "a", "completions": [{"text": "b", "score": "high"}]}, "not a finite number"),
        ({"prompt": "a", "completions": [{"text": "b", "score": True}]}, "not a finite number"),
        ({"prompt": "a", "completions": ["b"], "scores": ["nan"]}, "not a finite number"),
        ({"prompt": "a", "completions": ["b"], "scores": [1, 2]}, "1 completions and 2 scores"),
        ({"prompt": "a", "completions": ["b"], "models": ["m" * 301]}, "301 characters"),
        ({"prompt": [HI, HELLO], "completions": ["b"]}, "nothing to answer"),
        ({"chosen": [HI, HELLO], "rejected": [BYE, HELLO]}, "no prompt in common"),
        ({"prompt": "Hi", "chosen": [HI, HELLO, BYE, HELLO], "rejected": "b"}, "not one message"),
        ({"prompt": "a", "chosen": "b", "rejected": None}, "rejected completion is missing"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(row: dict[str, Any], said: str) -> None:
    rows, [problem] = read(row)
    assert rows == []
    assert said in problem


def test_lists_that_are_no_completions_leave_a_file_of_prompts() -> None:
    squad = {"question": "Hi", "answers": {"text": ["a"], "answer_start": [1]}}
    assert read(squad) == ([PromptRow([HI])], [])


def test_a_file_without_a_known_name_is_shown_and_can_be_mapped() -> None:
    file = io.BytesIO(json.dumps({"ask": "Hi", "n": 1, "long": "x" * 900}).encode())
    seen = preview(file, LIMITS)
    assert seen.mapping is None
    assert '"ask", "n", "long"' in seen.problem
    assert seen.rows == [{"ask": "Hi", "n": "1", "long": "x" * 500}]
    chosen = Columns("prompts", prompt="ask")
    assert list(read_rows(file, chosen, LIMITS, on_problem=print)) == [PromptRow([HI])]


def test_a_preview_goes_through_json_and_the_database() -> None:
    file = io.BytesIO(b'{"prompt": "a\\u0000b"}\n' * 30)
    seen = preview(file, LIMITS)
    assert len(seen.rows) == 20
    packed = json.dumps(seen.as_dict())
    assert "\\u0000" not in packed
    assert Preview.from_dict(json.loads(packed)) == seen


@pytest.mark.parametrize(
    "columns",
    [
        Columns("prompts", prompt="p", input="i", id="x"),
        Columns("pool", prompt="p", texts=("a", "b")),
        Columns("preferences", chosen="c", rejected="r"),
    ],
)
def test_a_mapping_goes_through_json(columns: Columns) -> None:
    assert Columns.from_dict(json.loads(json.dumps(columns.as_dict()))) == columns


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "must be an object"),
        ({}, "kind of the file is missing"),
        ({"kind": "songs"}, "kind of a file is one of"),
        ({"kind": "prompts"}, "column of: Prompt"),
        ({"kind": "prompts", "prompt": 3}, "must be a name"),
        ({"kind": "prompts", "prompt": "a", "id": "a"}, "chosen twice"),
        ({"kind": "prompts", "prompt": "a", "chosen": "b"}, "no column for"),
        ({"kind": "prompts", "prompt": "a", "song": "b"}, "no role"),
        ({"kind": "pool", "prompt": "a"}, "either one column"),
        ({"kind": "pool", "prompt": "a", "texts": "bc"}, "list of column names"),
        ({"kind": "preferences", "chosen": "a", "rejected": "b", "input": "c"}, "below a prompt"),
    ],
)
def test_nonsense_is_no_mapping(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Columns.from_dict(value)


def test_each_role_of_a_form_is_a_field_of_the_mapping() -> None:
    for kind in ("prompts", "pool", "preferences"):
        for role in roles(kind):
            assert role.name in Columns.__dataclass_fields__
            assert role.label
            assert role.help.endswith(".")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (Columns("prompts", prompt="p", metadata="plain"), "The metadata is not JSON (unexpected"),
        (Columns("prompts", prompt="p", metadata="huge"), "The metadata cannot be read. A number"),
        (Columns("pool", prompt="p", completions="open"), "The column of completions is not JSON"),
    ],
)
def test_a_cell_that_is_not_json_is_named(columns: Columns, said: str) -> None:
    record = {"p": "a", "plain": "math", "huge": '{"k": 1e999}', "open": "[b]"}
    with pytest.raises(BadRow) as caught:
        builder(columns, 1000)(record)
    assert str(caught.value).startswith(said)
