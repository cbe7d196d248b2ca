"""The text that a person's edit stands for: as they meant it, with nothing of the page in it."""

import re
from difflib import SequenceMatcher

from django.db.models import BigIntegerField

from annotate.masking import MARK, mask_identity
from annotate.models import Campaign, Judgement
from annotate.prepared import Placeholder, Prepared
from pairselect.pools.models import Pool

_TOKENS = re.compile(rf"{MARK}|\w+|\s+|[^\w\s]")


def model_names(pool: Pool) -> tuple[str, ...]:
    """The names that are masked in the pool's completions."""
    names = {pool.model, *pool.variants.values_list("model", flat=True)}
    return tuple(sorted(name for name in names if name))


def names_masked(campaign: Campaign) -> tuple[str, ...]:
    """Those of the campaign's pool."""
    rows = _names(design=campaign.design_id)
    return tuple(sorted({name for row in rows for name in row if name}))


_names = Prepared(
    lambda: (
        Pool.objects.filter(designs=Placeholder("design", BigIntegerField()))
        .order_by()
        .values_list("model", "variants__model")
    )
)


def edited_text(judgement: Judgement, names: tuple[str, ...]) -> str | None:
    """What the person made of one of the two texts. None: nothing, or nothing that can be used.

    A form sends its lines with carriage returns, and a masked text is edited with the mask in it:
    both are undone. An edit that is empty or changes nothing is none, and so is one with a mask
    in a place that no name of the text belongs to.
    """
    edit = getattr(judgement, "edit", None)
    if edit is None:
        return None
    pair = judgement.comparison.designed
    base = (pair.first if edit.of_first else pair.second).text
    text = edit.text if "\r\n" in base else edit.text.replace("\r\n", "\n")
    if MARK in text:
        text = unmask(text, base, names)
    return text if text and text.strip() and text != base else None


def unmask(edit: str, base: str, names: tuple[str, ...]) -> str | None:
    """The edit of a masked text with the names of the text as it was written.

    Each mask that was left where it was gets the name that it hides. A mask elsewhere gets the
    text's only name; where it has several, there is no telling which: None.
    """
    masked, count = mask_identity(base, names)
    if not count or MARK in base:
        return None
    hidden = _hidden(masked, base)
    before, after = _TOKENS.findall(masked), _TOKENS.findall(edit)
    number = dict(zip((i for i, token in enumerate(before) if token == MARK), hidden, strict=True))
    only = hidden[0] if len(set(hidden)) == 1 else None
    found: dict[int, str | None] = {i: only for i, token in enumerate(after) if token == MARK}
    for block in SequenceMatcher(None, before, after).get_matching_blocks():
        for i in range(block.size):
            if block.b + i in found:
                found[block.b + i] = number[block.a + i]
    if None in found.values():
        return None
    return "".join(found.get(i) or token for i, token in enumerate(after))


def _hidden(masked: str, base: str) -> list[str]:
    """What stands in the text where the masked one has its masks, in order."""
    first, *rest = masked.split(MARK)
    names, at = [], len(first)
    for place, piece in enumerate(rest, start=1):
        last = place == len(rest)
        end = len(base) - len(piece) if last else base.index(piece, at + 1)
        names.append(base[at:end])
        at = end + len(piece)
    return names
