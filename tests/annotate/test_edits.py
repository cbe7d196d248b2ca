"""An edit as the person meant it: the page's mask and the form's line ends undone."""

import pytest

from annotate.edits import edited_text, model_names, unmask
from annotate.masking import MARK, mask_identity
from annotate.models import Campaign
from tests.annotate.giving import answer_next
from tests.conftest import People

BASE = "I am Qwen, made by Alibaba Cloud. I was trained by Alibaba Cloud. How can I help?"
MASKED = mask_identity(BASE)[0]


def test_the_example_is_masked_in_three_places() -> None:
    assert f"I am {MARK}, made by {MARK}. I was trained by {MARK}. How can I help?" == MASKED


def test_each_mask_gets_the_name_that_it_hides() -> None:
    assert unmask(MASKED, BASE, ()) == BASE


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (f"I'm {MARK}, and I help.", "I'm Qwen, and I help."),
        (f"Well, I was trained by {MARK}. Ask.", "Well, I was trained by Alibaba Cloud. Ask."),
        (
            f"Hi! I am {MARK}, made by {MARK}. How can I help you today?",
            "Hi! I am Qwen, made by Alibaba Cloud. How can I help you today?",
        ),
        ("Nothing of it is left.", "Nothing of it is left."),
    ],
)
def test_masks_that_stayed_get_their_own_names(edit: str, expected: str) -> None:
    assert unmask(edit, BASE, ()) == expected


def test_a_mask_that_no_name_belongs_to_cannot_be_undone() -> None:
    assert unmask(f"{MASKED} Ask {MARK} {MARK}!", BASE, ()) is None


def test_a_mask_that_was_moved_gets_the_only_name() -> None:
    base = "I am Qwen. I can help."
    assert unmask(f"Yes! Ask {MARK} and {MARK}.", base, ()) == "Yes! Ask Qwen and Qwen."


def test_a_text_with_the_mark_in_it_cannot_be_told_from_a_masked_one() -> None:
    assert unmask(f"{MARK} am I", f"I am Qwen {MARK}", ()) is None
    assert unmask(f"{MARK} am I", "No name here", ()) is None


def test_the_pools_own_models_are_names(campaign: Campaign, people: People) -> None:
    names = model_names(campaign.design.pool)
    assert names == ("a-model-that-nobody-sees",)
    campaign.design.pool.completions.update(text="Made with a-model-that-nobody-sees, see?")
    edit = f"Made with {MARK}. See?"
    given = answer_next(campaign, people.anna, "left", edit=edit, edit_of="left")
    assert edited_text(given, names) == "Made with a-model-that-nobody-sees. See?"


@pytest.mark.parametrize(
    ("base", "sent", "expected"),
    [
        ("one\ntwo", "one\r\ntwo\r\nthree", "one\ntwo\nthree"),
        ("one\ntwo", "one\r\ntwo", None),  # the form's line ends are no edit
        ("one\r\ntwo", "one\r\ntwo\r\nthree", "one\r\ntwo\r\nthree"),  # the text's own
        (BASE, MASKED, None),  # nor is the mask
        (BASE, "   \r\n", None),
        (BASE, f"{MASKED} Ask {MARK} {MARK}!", None),
    ],
)
def test_what_an_edit_comes_to(
    campaign: Campaign, people: People, base: str, sent: str, expected: str | None
) -> None:
    campaign.design.pool.completions.update(text=base)
    given = answer_next(campaign, people.anna, "right", edit=sent, edit_of="right")
    assert edited_text(given, ()) == expected


def test_many_masks_take_no_time_to_speak_of() -> None:
    base = "I am Qwen. " * 2_000
    masked, count = mask_identity(base)
    assert count == 2_000
    assert unmask(masked + "Ask.", base, ()) == base + "Ask."
