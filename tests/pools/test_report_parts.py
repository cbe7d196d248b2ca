"""What the report is made of, without a pool: normal forms, phrases, words, bars."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairselect.pools.report.charts import HEIGHT, WIDTH, draw_lengths
from pairselect.pools.report.facts import Histogram
from pairselect.pools.report.geometry import _sample
from pairselect.pools.report.identity import DEFAULT, FILE, parse_phrases, read_phrases
from pairselect.pools.report.numbers import MOST_BARS, histogram
from pairselect.pools.report.texts import normalised
from pairselect.pools.words import percent


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("The answer.", " the  ANSWER\n"),
        ("“Yes” — it is", "yes: it is!"),
        ("ﬁne", "FINE"),
        ("Straße", "STRASSE"),
    ],
)
def test_texts_that_differ_in_form_alone_are_the_same(one: str, two: str) -> None:
    assert normalised(one) == normalised(two)


@pytest.mark.parametrize(
    ("one", "two"), [("-5", "5"), ("1.5", "15"), ("x = 1", "x < 1"), ("1,5", "1.5"), ("a b", "ab")]
)
def test_texts_that_say_something_else_are_not(one: str, two: str) -> None:
    assert normalised(one) != normalised(two)


def found(listed: str, text: str) -> list[str]:
    return [phrase.line for phrase, _ in parse_phrases(listed).found_in(text)]


@pytest.mark.parametrize(
    "text",
    [
        "I'm an AI.",
        "Well, I’M AN  AI, so",
        "i'm an ai",
        "Hello. I'm an AI!",
        "aim. I'm an AID; I'm an AI",
    ],
)
def test_a_phrase_is_found_in_any_form(text: str) -> None:
    assert found("I'm an AI", text) == ["I'm an AI"]


@pytest.mark.parametrize("text", ["I'm an AID worker", "aI'm an AI", "I'm\nan AI", "I'm. An AI"])
def test_a_phrase_is_whole_words_of_one_sentence(text: str) -> None:
    assert found("I'm an AI", text) == []


def test_an_asterisk_stands_for_anything_within_the_sentence() -> None:
    assert found("AI * made by", "An AI of 2.5 tons, made by Acme") == ["AI * made by"]
    assert found("AI * made by", "An AI. It was made by Acme") == []
    assert found("AI * made by", "made by an AI") == []
    assert found("Open* said", "OpenAI said no") == ["Open* said"]
    assert found("Open * said", "OpenAI said no") == []


def test_the_list_bears_bad_lines() -> None:
    listed = (
        "\ufeff# a note\n\nI am Bob  # the model\r\n*\n**a*\n???\n" + "x" * 500 + "\nI AM BOB\n"
    )
    phrases = parse_phrases(listed.removeprefix("\ufeff"))
    assert [one.line for one in phrases.phrases] == ["I am Bob"]
    assert phrases.skipped == 4
    assert [one["line"] for one in phrases.skipped_lines] == [4, 5, 6, 7]
    assert phrases.skipped_lines[3]["why"] == "has 500 characters, of at most 200"


def test_the_list_is_made_on_first_use_and_kept(tmp_path: Path, settings: Any) -> None:
    settings.PAIRSELECT_DATA_DIR = data_folder = tmp_path
    first = read_phrases()
    assert (data_folder / FILE).read_text() == DEFAULT
    assert len(first.phrases) > 20
    assert first.skipped == 0
    (data_folder / FILE).write_bytes(b"\xef\xbb\xbfI am Bob\nI am \xe9 there\n")
    second = read_phrases()
    assert [one.line for one in second.phrases] == ["I am Bob"]
    assert second.skipped == 1
    assert second.skipped_lines == ({"line": 2, "why": "is not UTF-8"},)


def test_hostile_text_takes_time_in_proportion_to_its_length() -> None:
    phrases = parse_phrases("ab * ab * ab * ab * ab * zz\nas an AI * made * by * for * of")
    for text in ("ab" * 200_000, "ab " * 200_000, "as an AI made " * 50_000, "." * 400_000):
        start = time.process_time()
        assert list(phrases.found_in(text + " zz")) == [] or "ab ab" in text
        assert time.process_time() - start < 5


def test_a_long_sentence_is_cut_around_the_phrase() -> None:
    text = "word " * 200 + "as an AI I cannot " + "more " * 200
    ((_, excerpt),) = parse_phrases("as an AI").found_in(text)
    assert "as an AI I cannot" in excerpt
    assert len(excerpt) < 170


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "none"), (0.0004, "under 0.1%"), (0.004, "0.4%"), (0.12, "12%"), (0.9996, "100%"),
     (0.998, "99.8%"), (1, "100%")],
)  # fmt: skip
def test_percentages(share: float, said: str) -> None:
    assert percent(share) == said


@pytest.mark.parametrize("most", [0, 1, 3, 24, 25, 128, 1000, 10**6])
def test_a_histogram_holds_everything_in_round_bars(most: int) -> None:
    lengths = np.linspace(0, most, 300).astype(np.int64)
    found = histogram(lengths, "tokens")
    assert sum(found["counts"]) == 300
    assert 1 <= len(found["counts"]) <= MOST_BARS + 1
    if found["width"] > 1:
        inside = lengths[lengths < found["width"]].size
        assert found["counts"][0] == inside
    assert found["open"] == (most >= found["width"] * len(found["counts"]))


def test_a_few_very_long_ones_share_the_last_bar() -> None:
    found = histogram(np.array([10] * 500 + [20] * 500 + [9000]), "tokens")
    assert found["open"]
    assert found["counts"][-1] == 501
    assert len(found["counts"]) == 21
    chart = draw_lengths(found)
    assert chart.rows[-1].label == "20 and more"
    assert chart.rows[3].label == "3"


def bars_inside(facts: Histogram) -> Iterator[bool]:
    chart = draw_lengths(facts)
    for bar in chart.bars:
        yield chart.left <= float(bar.x) <= float(bar.x) + float(bar.width) <= WIDTH
        yield 0 <= float(bar.y) <= float(bar.y) + float(bar.height) <= HEIGHT


@pytest.mark.parametrize("counts", [[7], [0, 3], [1] * 25])
def test_bars_stay_inside_the_picture(counts: list[int]) -> None:
    assert all(bars_inside(Histogram(unit="tokens", width=5, counts=counts, open=False)))


@pytest.mark.parametrize("seed", range(5))
def test_a_prompt_with_more_pairs_than_the_limit_is_left_out(seed: int) -> None:
    sizes = np.array([4, 100, 4, 4])  # 6 and 4,950 pairs
    rng = np.random.default_rng(seed)
    assert _sample(np.arange(4), sizes, 18, rng).tolist() == [0, 2, 3]
    assert _sample(np.arange(4), sizes, 17, rng).size == 2
    assert _sample(np.arange(4), sizes, 10_000, rng, rows=8).size == 2
    assert _sample(np.array([1]), sizes, 18, rng).size == 0
