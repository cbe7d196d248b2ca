"""Characters that act on a page without being seen, made visible; stacks of marks kept low."""

import re
import unicodedata
from collections.abc import Callable

from annotate.masking import MARK

# Markers of one text. A text of nothing but hidden characters must not become a page of elements.
MOST_MARKERS = 500
_PLAIN_MARKER = "▯"
# Marks on one base character. Vietnamese has two; Hebrew with cantillation and Tibetan have five.
_MOST_DIACRITICS = 3
_MOST_MARKS = 6
_NAMED = 3  # characters that one marker names


def _ranges(chosen: Callable[[str], bool], stop: int = 0x20000) -> str:
    """The body of a regular expression's class: the characters below ``stop`` that are chosen."""
    points = [point for point in range(stop) if chosen(chr(point))]
    pieces: list[list[int]] = []
    for point in points:
        if pieces and pieces[-1][1] == point - 1:
            pieces[-1][1] = point
        else:
            pieces.append([point, point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in pieces)


_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, less tab and newline
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    f"{_SELECTORS}\U000e0000-\U000e00ff"
)
_EMOJI = "#*0-9\xa9\xae\u203c\u2049\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_JOINING = (  # scripts that shape letters by zero-width joiners and non-joiners
    "\u0600-\u08ff\u0900-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
_BREAKING = "\u0e00-\u109f\u1780-\u17ff\u1950-\u19ff"  # scripts without spaces between words
_RTL = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"

# What belongs to honest writing: these are kept where the writing needs them.
_KEPT = "|".join(
    (
        f"(?<=[{_EMOJI}])[\ufe0e\ufe0f]",
        f"(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])",
        "(?<=[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
        "[\ufe00-\ufe02\U000e0100-\U000e01ef]",
        "(?<=[\u1820-\u18aa])[\u180b-\u180d\u180f\u180e]",
        f"(?<=[{_JOINING}])[\u200c\u200d]",
        f"(?<=[{_BREAKING}])\u200b(?=[{_BREAKING}])",
        f"(?<=[{_RTL}])[\u200e\u200f\u061c]|[\u200e\u200f\u061c](?=[{_RTL}])",
        "(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f",
    )
)
_DIACRITICS = (
    "\u0300-\u034e\u0350-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_hidden = re.compile(f"[{_HIDDEN}]")
_marks = _ranges(lambda c: unicodedata.category(c) in ("Mn", "Me") and not _hidden.match(c))
_pattern = re.compile(
    f"(?P<tag><[^>]*>)|(?P<kept>{_KEPT})|(?P<hidden>[{_HIDDEN}]+)"
    f"|(?P<masked>(?<!▮){MARK}(?!▮))"
    f"|(?P<low>[{_DIACRITICS}]{{{_MOST_DIACRITICS}}})(?P<stack>[{_marks}]+)"
    f"|(?P<deep>[{_marks}]{{{_MOST_MARKS}}})(?P<pile>[{_marks}]+)"
)


def _label(run: str) -> str:
    """What a marker says: "U+202E", "U+200B ×12", "U+200B U+200D … ×40"."""
    kinds = list(dict.fromkeys(run))
    names = " ".join(f"U+{ord(c):04X}" for c in kinds[:_NAMED])
    more = " …" if len(kinds) > _NAMED else ""
    times = f" ×{len(run)}" if len(run) > 1 and len(run) != len(kinds[:_NAMED]) else ""
    return names + more + times


def show_invisible(html: str) -> str:
    """``html`` with a ``span.invisible`` in place of each run of characters that hide.

    Those are bidirectional overrides and isolates, zero-width characters outside emoji and the
    scripts that need them, controls, fillers, tags, stray variation selectors, and all beyond a
    few combining marks on one letter. In a tag's attributes they are dropped. A masked name
    becomes ``span.masked``. ``html`` is sanitised HTML or escaped text: a ``<`` begins a tag.
    """
    left = MOST_MARKERS

    def show(match: re.Match[str]) -> str:
        nonlocal left
        kind = match.lastgroup
        if kind == "tag":
            return _hidden.sub("", match[0])
        if kind == "kept":
            return match[0]
        if kind == "masked":
            return f'<span class="masked">{MARK}</span>'
        kept = match["low"] or match["deep"] or ""
        left -= 1
        if left < 0:
            return kept + _PLAIN_MARKER
        return f'{kept}<span class="invisible">{_label(match[0][len(kept) :])}</span>'

    return _pattern.sub(show, html)
