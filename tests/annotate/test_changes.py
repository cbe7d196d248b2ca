"""What changed between two versions: exact, readable, and quick on long texts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.changes import Change, changes

texts = st.text(alphabet="ab \n.é", max_size=60)


def without(kind: str, found: list[Change]) -> str:
    return "".join(change.text for change in found if change.kind != kind)


@given(texts, texts)
def test_both_versions_can_be_read_from_it(before: str, after: str) -> None:
    found = changes(before, after)
    assert without("added", found) == before
    assert without("removed", found) == after
    assert all(change.text for change in found)


def test_equal_texts_have_not_changed() -> None:
    assert {change.kind for change in changes("a\nb\n", "a\nb\n")} == {"same"}
    assert changes("", "") == []


def test_a_word_that_changed_is_shown_alone() -> None:
    found = changes(
        "Be kind.\nPrefer the shorter answer.\n", "Be kind.\nPrefer the truer answer.\n"
    )
    assert [change for change in found if change.kind != "same"] == [
        Change("removed", "shorter"),
        Change("added", "truer"),
    ]


def test_another_sentence_is_shown_whole() -> None:
    found = changes("Shorter is better.\n", "Mind who will read it, and why!\n")
    assert found == [
        Change("removed", "Shorter is better.\n"),
        Change("added", "Mind who will read it, and why!\n"),
    ]


def test_a_line_in_a_long_text_is_found_alone() -> None:
    lines = [f"Rule {i}.\n\n" for i in range(400)]
    after = [*lines[:200], "A new one.\n\n", *lines[200:]]
    found = [change for change in changes("".join(lines), "".join(after)) if change.kind != "same"]
    assert [(change.kind, change.text.strip()) for change in found] == [("added", "A new one.")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n" * 50_000, "\n" * 50_001 + "x\n" + "\n" * 1_000),
        ("a " * 4_000, "a " * 4_400 + "b"),
        ("x y\n" * 20_000, "y x\n" * 20_000),
        ("a" * 100_000, "b" * 100_000),
    ],
)
def test_long_texts_take_no_time(before: str, after: str) -> None:
    start = time.process_time()  # of this process alone, on a machine that may be busy
    found = changes(before, after)
    assert time.process_time() - start < 2  # comparing all with all would take minutes
    assert without("removed", found) == after
