"""The data files: prompts, completions, and what is known of each pair."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from scipy.special import expit

from benchmarks.proof.pools import Question
from pairselect.core.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Source:
    """A file's prompts, and the answer to each pair of their completions.

    Attributes
    ----------
    pairs : (m, 3) integers
        Question, first completion, second completion, the first below the second; every pair.
    preferred : (m,) array
        1 where the first is better, 0 the second, ½ neither.
    score : (questions, K) array
        What a perfect score of the completions would be; higher is better.
    at_hand : by name, (questions, K) arrays
        Scores that can be had without anybody's judgement.
    """

    questions: tuple[Question, ...]
    pairs: IntArray
    preferred: FloatArray
    score: FloatArray
    at_hand: Mapping[str, FloatArray]


def human_preferences(file: Path, most: int = 0) -> Source:
    """Fine-grained RLHF: four answers to a question on passages, all six pairs compared by people.

    The score is the number of the three others that a completion beats, ties counting ½. At hand
    are the share of its words that stand in the passages, and the F1 of its words with those of a
    reference answer. The first `most` questions, or all.
    """
    rows = read_lines(file)[: most or None]
    questions = tuple(
        Question(_with_passages(row["question"], row["passages"]), tuple(row["completions"]))
        for row in rows
    )
    answers = {1: 1.0, 2: 0.0, 0: 0.5}
    size = len(questions[0].completions)
    pairs = _every_pair(len(rows), size)
    preferred = np.array([answers[one] for row in rows for one in row["preference"]])
    score = np.zeros((len(rows), size))
    np.add.at(score, (pairs[:, 0], pairs[:, 1]), preferred)
    np.add.at(score, (pairs[:, 0], pairs[:, 2]), 1 - preferred)
    passages = [words_of(question.prompt) for question in questions]
    gold = [words_of(row["gold"]) for row in rows]
    at_hand = {
        "passages": _each(questions, lambda q, text: overlap(words_of(text), passages[q])[0]),
        "reference": _each(questions, lambda q, text: overlap(words_of(text), gold[q])[1]),
    }
    return Source(questions, pairs, preferred, score, at_hand)


def correctness(file: Path, most: int = 0) -> Source:
    """GSM8K: four solutions of a problem, each correct or not; equal ones are a tie.

    The first `most` problems, or all. At hand is how many of the others have the same last number.
    """
    questions, score = _scored(file, most, "correct")
    pairs = _every_pair(*score.shape)
    first, second = score[pairs[:, 0], pairs[:, 1]], score[pairs[:, 0], pairs[:, 2]]
    last = [[last_number(text) for text in question.completions] for question in questions]
    votes = np.array([[row.count(one) - 1.0 for one in row] for row in last])
    return Source(questions, pairs, (1 + first - second) / 2, score, {"votes": votes})


def rewarded(file: Path, most: int = 0) -> Source:
    """Completions with a known reward: Bradley–Terry labels of all pairs, drawn once.

    Rows as `benchmarks.proof.sentiment` writes them; the first `most` prompts, or all.
    """
    questions, score = _scored(file, most, "reward")
    pairs = _every_pair(*score.shape)
    logit = score[pairs[:, 0], pairs[:, 1]] - score[pairs[:, 0], pairs[:, 2]]
    draws = np.random.default_rng([6, len(questions)]).random(len(pairs))
    return Source(questions, pairs, (draws < expit(logit)).astype(np.float64), score, {})


def words_of(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def overlap(words: Counter[str], others: Counter[str]) -> tuple[float, float]:
    """The share of words that are among the others, each as often as there, and the F1 of both."""
    shared, one, two = (words & others).total(), words.total(), others.total()
    return shared / max(one, 1), 2 * shared / max(one + two, 1)


def last_number(text: str) -> str:
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)
    return found[-1].replace(",", "").removesuffix(".0") if found else text


def _scored(file: Path, most: int, name: str) -> tuple[tuple[Question, ...], FloatArray]:
    """Prompts whose completions are objects with a text and a number of that name."""
    rows = read_lines(file)[: most or None]
    questions = tuple(
        Question(row["prompt"], tuple(one["text"] for one in row["completions"])) for row in rows
    )
    score = np.array([[float(one[name]) for one in row["completions"]] for row in rows])
    return questions, score


def _every_pair(questions: int, size: int) -> IntArray:
    """(m, 3): question, first completion, second completion."""
    table = list(combinations(range(size), 2))
    return np.array([(q, a, b) for q in range(questions) for a, b in table], dtype=np.int64)


def _each(questions: Sequence[Question], score: Callable[[int, str], float]) -> FloatArray:
    return np.array([[score(q, t) for t in one.completions] for q, one in enumerate(questions)])


def read_lines(file: Path) -> list[dict[str, Any]]:
    """JSON Lines, gzip or plain; split on "\\n" alone, as texts hold other line separators."""
    data = file.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return [orjson.loads(line) for line in data.split(b"\n") if line.strip()]


def _with_passages(question: str, passages: list[list[str]]) -> str:
    """As the annotators saw it: the passages, each with its title, then the question."""
    parts = [f"{title}\n{' '.join(sentences)}" for title, *sentences in passages]
    return "\n\n".join([*parts, f"Question: {question}"])
