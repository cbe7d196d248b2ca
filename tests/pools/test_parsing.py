import io
import json

import pytest

from pairselect.pools.parsing import FileProblem, read_pool, read_prompts


def lines(*rows: object) -> io.BytesIO:
    return io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())


def test_both_forms_of_a_prompt_are_read() -> None:
    conversation = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
    rows = list(
        read_prompts(
            lines(
                {"prompt": "Why?", "id": 7, "metadata": {"kind": "question"}},
                {"messages": conversation},
            )
        )
    )
    assert rows[0].messages == [{"role": "user", "content": "Why?"}]
    assert (rows[0].external_id, rows[0].metadata) == ("7", {"kind": "question"})
    assert rows[1].messages == conversation


def test_a_line_separator_inside_a_text_does_not_end_the_line() -> None:
    file = io.BytesIO('{"prompt": "one\u2028still one"}\n'.encode())
    assert [row.messages[0]["content"] for row in read_prompts(file)] == ["one\u2028still one"]


def test_byte_order_mark_windows_newlines_and_blank_lines_are_fine() -> None:
    file = io.BytesIO(b'\xef\xbb\xbf{"prompt": "a"}\r\n\r\n{"prompt": "b"}\r\n')
    assert len(list(read_prompts(file))) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{}", 'either "prompt" or "messages"'),
        (b'{"prompt": "a", "messages": []}', 'either "prompt" or "messages"'),
        (b'{"prompt": "  "}', "the prompt is empty"),
        (b'{"prompt": 3}', "the prompt is not a text"),
        (b'{"prompt": "a\\u0000b"}', "NUL"),
        (b'{"messages": []}', "not a list of messages"),
        (b'{"messages": [{"role": "robot", "content": "a"}]}', 'needs a "role"'),
        (b'{"messages": [{"role": "user"}]}', "message 1 is not a text"),
        (b'{"messages": [{"role": "assistant", "content": "a"}]}', "nothing to answer"),
        (
            b'{"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]}',
            "can only be the first",
        ),
        (b'{"prompt": "a", "id": "b\\u0000"}', "NUL"),
        (b'{"prompt": "a", "metadata": {"k": ["b\\u0000"]}}', "NUL"),
        (b'{"prompt": "a", "id": [1]}', '"id" is neither'),
        (b'{"prompt": "a", "metadata": 3}', '"metadata" is not an object'),
        (b'{"prompt": "' + b"a" * 200_001 + b'"}', "200,001 characters"),
        (b'{"prompt": "' + b"a" * 10_000_001 + b'"}', "longer than 10,000,000 bytes"),
        (b'{"prompt": ' + b"[" * 2000 + b"]" * 2000 + b"}", "not"),
    ],
)
def test_a_bad_line_is_named_with_its_number(line: bytes, said: str) -> None:
    file = io.BytesIO(b'{"prompt": "good"}\n' + line + b'\n{"prompt": "good"}\n')
    with pytest.raises(FileProblem) as caught:
        list(read_prompts(file))
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith("Line 2: ")
    assert said in caught.value.problems[0]


def test_every_bad_line_is_named_up_to_a_hundred() -> None:
    with pytest.raises(FileProblem) as caught:
        list(read_prompts(io.BytesIO(b"nonsense\n" * 250)))
    assert len(caught.value.problems) == 100
    assert "and 150 more" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    with pytest.raises(FileProblem, match="The file is empty"):
        list(read_prompts(io.BytesIO(content)))


def test_a_ready_pool_is_read_in_both_forms() -> None:
    rows = list(read_pool(lines({"prompt": "Q", "completions": ["a", {"text": "b", "score": 1}]})))
    assert [(c.text, c.score) for c in rows[0].completions] == [("a", None), ("b", 1.0)]


@pytest.mark.parametrize(
    ("completions", "said"),
    [
        (None, "not a list"),
        ([], "not a list"),
        ([3], "completion 1 is neither"),
        ([{"text": 3}], "completion 1 is not a text"),
        (["a", {"text": "b", "score": "high"}], "score of completion 2"),
        (["a", {"text": "b", "score": True}], "score of completion 2"),
        ([{"text": "b", "model": 3}], "model of completion 1"),
    ],
)
def test_a_bad_completion_is_named(completions: object, said: str) -> None:
    with pytest.raises(FileProblem, match=said):
        list(read_pool(lines({"prompt": "Q", "completions": completions})))
