"""Phrases by which a completion tells which model wrote it: a list that the operator edits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from pairselect.pools.report.facts import SkippedLine

FILE = "identity_phrases.txt"
DEFAULT = """\
# Phrases by which a completion tells that a model wrote it, or which one: one a line.
# Case does not matter, whole words count, and * stands for anything within the sentence.
as an AI
as a language model
as a large language model
as an artificial intelligence
I am an AI
I'm an AI
I am a language model
I'm a language model
I am a large language model
I'm a large language model
AI language model
AI assistant * named
AI assistant * made by
AI * created by
AI * developed by
AI * trained by
I was created by
I was developed by
I was trained by
trained by OpenAI
trained by Google
trained by Hugging Face
made by Anthropic
developed by Alibaba
developed by DeepSeek
developed by Meta
my knowledge cutoff
my training data
I am ChatGPT
I'm ChatGPT
I am Claude
I'm Claude
I am Gemini
I am Llama
I am Qwen
I am SmolLM
named SmolLM
"""
MOST_PHRASES = 200
MOST_CHARACTERS = 200
MOST_BYTES = 2**20
FEWEST_LETTERS = 3
MOST_SKIPPED = 5  # lines of which it is said why
EXCERPT = 160
_SENTENCE = re.compile(r"(?<=[.!?])\s|\n")


@dataclass(frozen=True)
class _Part:
    text: str
    starts_word: bool
    ends_word: bool

    def find(self, sentence: str, start: int) -> int:
        """Where it stands from `start` on, or −1."""
        at = sentence.find(self.text, start)
        while at >= 0:
            end = at + len(self.text)
            before, after = sentence[max(at - 1, 0) : at], sentence[end : end + 1]
            if not (
                (self.starts_word and before.isalnum()) or (self.ends_word and after.isalnum())
            ):
                return at
            at = sentence.find(self.text, at + 1)
        return -1


@dataclass(frozen=True)
class Phrase:
    """One line of the list. Looking for it takes time in proportion to the text, whatever that is:
    the parts between the asterisks are sought one after the other, without a regular expression."""

    line: str
    parts: tuple[_Part, ...]

    @property
    def anchor(self) -> str:
        return max((part.text for part in self.parts), key=len)

    def find(self, sentence: str) -> int:
        """Where it begins in a folded sentence, or −1."""
        first = end = -1
        for part in self.parts:
            at = part.find(sentence, max(end, 0))
            if at < 0:
                return -1
            first, end = (at if first < 0 else first), at + len(part.text)
        return first


@dataclass(frozen=True)
class Phrases:
    """The list as read; `skipped` lines could not be used, and of the first it is known why."""

    phrases: tuple[Phrase, ...]
    skipped: int
    skipped_lines: tuple[SkippedLine, ...]

    def found_in(self, text: str) -> Iterator[tuple[Phrase, str]]:
        """Each phrase that the text holds, once, with an excerpt around it."""
        folded = fold(text)
        likely = [phrase for phrase in self.phrases if phrase.anchor in folded]
        if not likely:
            return
        sentences = [(one, fold(one)) for one in _SENTENCE.split(text)]
        for phrase in likely:
            for sentence, plain in sentences:
                at = phrase.find(plain)
                if at >= 0:
                    yield phrase, _excerpt(sentence, at)
                    break


def fold(text: str) -> str:
    """Without case, doubled blanks and typographic apostrophes."""
    return " ".join(text.casefold().replace("’", "'").split())


def read_phrases() -> Phrases:
    """The list in the data folder, which is written there on first use."""
    path = Path(settings.PAIRSELECT_DATA_DIR) / FILE
    try:
        with path.open("x", encoding="utf-8") as new:
            new.write(DEFAULT)
    except OSError:  # it is there, or the folder cannot be written to
        pass
    try:
        with path.open("rb") as file:
            listed = file.read(MOST_BYTES).decode("utf-8-sig", errors="replace")
    except OSError:
        listed = DEFAULT
    return parse_phrases(listed)


def parse_phrases(listed: str) -> Phrases:
    """Phrases from the lines of the list; lines that are too long or say too little are skipped."""
    phrases: dict[str, Phrase] = {}
    skipped = 0
    skipped_lines: list[SkippedLine] = []
    for number, line in enumerate(listed.split("\n"), start=1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        phrase: Phrase | str = f"comes after {MOST_PHRASES} phrases, the limit"
        if len(phrases) < MOST_PHRASES:
            phrase = _parse(line)
        if isinstance(phrase, str):
            skipped += 1
            if len(skipped_lines) < MOST_SKIPPED:
                skipped_lines.append(SkippedLine(line=number, why=phrase))
        else:
            phrases.setdefault(fold(line), phrase)
    return Phrases(tuple(phrases.values()), skipped, tuple(skipped_lines))


def _parse(line: str) -> Phrase | str:
    """The phrase, or why the line is none."""
    if len(line) > MOST_CHARACTERS:
        return f"has {len(line):,} characters, of at most {MOST_CHARACTERS}"
    if "\ufffd" in line:
        return "is not UTF-8"
    pieces = line.split("*")
    parts = []
    for number, piece in enumerate(pieces):
        text = fold(piece)
        if not text:
            continue
        # An asterisk that touches the letters lets the word go on.
        starts = number == 0 or piece[0].isspace()
        ends = number == len(pieces) - 1 or piece[-1].isspace()
        parts.append(_Part(text, starts and text[0].isalnum(), ends and text[-1].isalnum()))
    if max((sum(map(str.isalnum, part.text)) for part in parts), default=0) < FEWEST_LETTERS:
        return f"has no {FEWEST_LETTERS} letters or digits between asterisks"
    return Phrase(line, tuple(parts))


def _excerpt(sentence: str, at: int) -> str:
    """Of a long sentence about what stands around the place, which is one of the folded text."""
    sentence = " ".join(sentence.split())
    if len(sentence) <= EXCERPT:
        return sentence
    start = max(min(at - EXCERPT // 3, len(sentence) - EXCERPT), 0)
    cut = sentence[start : start + EXCERPT]
    return ("…" if start else "") + cut + ("…" if start + EXCERPT < len(sentence) else "")
