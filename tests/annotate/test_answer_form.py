"""The answer's form: what a campaign asks is asked, and nothing else comes in."""

import uuid
from typing import Any

import pytest

from annotate.answering import Details
from annotate.forms.answers import (
    LONGEST,
    MOST_CHARACTERS,
    MOST_EDITED,
    AnswerForm,
    FlagForm,
    criterion_field,
)
from annotate.models import Campaign

TRUTH, TONE = criterion_field("Truth"), criterion_field("Tone")


def form_of(
    choice: str = "left", *, asked: dict[str, Any] | None = None, **sent: Any
) -> AnswerForm:
    campaign = Campaign(**{"name": "c"} | (asked or {}))
    return AnswerForm(campaign, {"choice": choice, "token": str(uuid.uuid4())} | sent)


def details_of(form: AnswerForm) -> Details:
    assert form.is_valid(), form.errors
    return form.details()


def refusal(form: AnswerForm) -> str:
    assert not form.is_valid()
    return form.first_error()


@pytest.mark.parametrize(
    ("field", "choice"), [("ties", "tie"), ("both_bad", "both_bad"), ("skips", "skip")]
)
def test_what_is_not_offered_cannot_be_answered(field: str, choice: str) -> None:
    sent = {"skip_reason": "other"}
    assert form_of(choice, asked={field: True}, **sent).is_valid()
    assert "not an answer here" in refusal(form_of(choice, asked={field: False}, **sent))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_side_has_the_campaigns_steps(steps: int) -> None:
    accepted = {
        choice: details_of(form).strength
        for number in (
            "",
            ":",
            ":0",
            ":1",
            ":2",
            ":3",
            ":4",
            ":-1",
            ":1.0",
            ":x",
            ":٢",
            ":01",
            ":1:1",
        )
        for side in ("left", "right")
        if (form := form_of(choice := f"{side}{number}", asked={"strengths": steps})).is_valid()
    }
    if steps == 1:
        expected: dict[str, int | None] = {
            "left": None,
            "right": None,
            "left:": None,
            "right:": None,
        }
    else:
        expected = {f"{side}:{n}": n for side in ("left", "right") for n in range(1, steps + 1)}
    assert accepted == expected


@pytest.mark.parametrize(
    "choice", ["tie:2", "best", "LEFT", "left ight", "", " ", "x" * 5000, "\0"]
)
def test_nonsense_is_not_an_answer(choice: str) -> None:
    assert not form_of(choice, asked={"strengths": 3}).is_valid()


def test_a_tie_has_no_strength() -> None:
    form = form_of("tie", asked={"strengths": 3})
    assert details_of(form).strength is None


@pytest.mark.parametrize("token", ["", "x", "\0", "1" * 40])
def test_without_a_lease_it_says_what_to_do(token: str) -> None:
    assert "Reload it and answer again" in refusal(form_of(token=token))


def test_a_skip_says_why_and_nothing_else() -> None:
    asked = {"edits": True, "criteria": ["Truth"], "criteria_required": True, "reason": "required"}
    assert refusal(form_of("skip", asked=asked)) == "Say why you skip it."
    assert not form_of("skip", asked=asked, skip_reason="because").is_valid()
    details = details_of(
        form_of(
            "skip",
            asked=asked,
            skip_reason="language",
            **{TRUTH: "left"},
            edit="x",
            edit_of="left",
        )
    )
    assert (details.skip_reason, details.criteria, details.edit) == ("language", {}, "")
    assert details_of(form_of("left", skip_reason="language")).skip_reason == ""


@pytest.mark.parametrize(
    ("reason", "at", "needed"),
    [
        ("off", [], ""),
        ("optional", [], ""),
        ("optional", ["tie"], ""),
        ("required", [], "left right tie both_bad"),
        ("required", ["tie", "both_bad"], "tie both_bad"),
        ("required", ["left"], "left"),
    ],
)
def test_a_reason_is_required_where_the_campaign_says(
    reason: str, at: list[str], needed: str
) -> None:
    asked = {"reason": reason, "reason_at": at}
    for choice in ("left", "right", "tie", "both_bad"):
        assert form_of(choice, asked=asked).is_valid() == (choice not in needed.split())
        assert form_of(choice, asked=asked, reason=" \r\n ").is_valid() == (
            choice not in needed.split()
        )
        assert form_of(choice, asked=asked, reason="So.").is_valid()


def test_line_ends_are_those_of_the_page() -> None:
    form = form_of(asked={"edits": True}, reason="a\r\nb\rc\n", edit="x\r\n\r\ny\n", edit_of="left")
    details = details_of(form)
    assert (details.reason, details.edit) == ("a\nb\nc", "x\n\ny\n")


def test_the_longest_texts_fit_with_a_forms_line_ends() -> None:
    assert form_of(reason="x" + "a\r\n" * (MOST_CHARACTERS // 2 - 1) + "x").is_valid()
    assert form_of(reason="x" * MOST_CHARACTERS).is_valid()
    assert "reason is too long" in refusal(form_of(reason="x" * (MOST_CHARACTERS + 1)))
    asked = {"edits": True}
    assert form_of(asked=asked, edit="x" * MOST_EDITED, edit_of="left").is_valid()
    long = form_of(asked=asked, edit="x" * (MOST_EDITED + 1), edit_of="left")
    assert "edit is too long" in refusal(long)


@pytest.mark.parametrize("field", ["reason", "edit", "skip_reason", "edit_of", TRUTH])
def test_nul_bytes_are_refused(field: str) -> None:
    form = form_of(asked={"edits": True, "criteria": ["Truth"]}, **{field: "a\0b"})
    assert not form.is_valid()
    assert form.first_error()


CRITERIA = {"criteria": ["Truth", "Tone"]}


def test_criteria_are_stored_by_name() -> None:
    details = details_of(form_of(asked=CRITERIA, **{TRUTH: "left", TONE: "same"}))
    assert details.criteria == {"Truth": "left", "Tone": "same"}
    assert details_of(form_of(asked=CRITERIA, **{TONE: "right"})).criteria == {"Tone": "right"}


@pytest.mark.parametrize("value", ["both", "LEFT", "1", "left,right", " left"])
def test_a_criterion_has_three_answers(value: str) -> None:
    assert not form_of(asked=CRITERIA, **{TRUTH: value}).is_valid()


def test_a_criterion_that_is_not_asked_is_not_stored() -> None:
    other = {criterion_field("Length"): "left", "criterion_0": "left"}
    assert details_of(form_of(asked=CRITERIA, **other)).criteria == {}


def test_a_criterion_that_changed_its_place_keeps_its_answer() -> None:
    swapped = {"criteria": ["Tone", "Truth"]}
    assert details_of(form_of(asked=swapped, **{TRUTH: "left"})).criteria == {"Truth": "left"}


def test_all_criteria_can_be_required() -> None:
    asked = CRITERIA | {"criteria_required": True}
    assert refusal(form_of(asked=asked, **{TRUTH: "left"})) == "Answer every criterion first."
    assert form_of(asked=asked, **{TRUTH: "left", TONE: "same"}).is_valid()


def test_an_edit_where_none_is_asked_for_is_refused() -> None:
    assert refusal(form_of(edit="x", edit_of="left")) == "This campaign takes no edits."
    assert details_of(form_of(edit="", edit_of="left")).edit == ""


@pytest.mark.parametrize(
    ("choice", "side", "problem"),
    [
        ("left", "left", ""),
        ("right", "right", ""),
        ("left", "right", "of the other side"),
        ("right", "left", "of the other side"),
        ("tie", "left", ""),
        ("both_bad", "right", ""),
        ("tie", "", "which of the two"),
        ("left", "same", "which of the two"),
        ("left", "", "which of the two"),
    ],
)
def test_an_edit_is_of_the_better_one(choice: str, side: str, problem: str) -> None:
    form = form_of(choice, asked={"edits": True}, edit=" x ", edit_of=side)
    if problem:
        assert problem in refusal(form)
    else:
        assert (details_of(form).edit, details_of(form).edit_of) == (" x ", side)


@pytest.mark.parametrize("edit", ["", " ", "\r\n\r\n", "\u00a0"])
def test_an_empty_edit_is_none(edit: str) -> None:
    form = form_of("left", asked={"edits": True}, edit=edit, edit_of="right")
    assert details_of(form).edit == ""


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("12.5", 12.5),
        ("0", 0.0),
        ("", None),
        ("nan", None),
        ("NaN", None),
        ("-nan", None),
        ("-1", None),
        ("-inf", None),
        ("x", None),
        ("1,5", None),
        ("\0", None),
        ("inf", LONGEST),
        ("1e300", LONGEST),
        ("9" * 5000, LONGEST),
    ],
)
def test_a_clock_that_went_wrong_loses_no_answer(sent: str, stored: float | None) -> None:
    details = details_of(form_of(seconds=sent, active_seconds=sent))
    assert (details.seconds, details.active_seconds) == (stored, stored)


@pytest.mark.parametrize("field", ["replaces", "guideline"])
@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9" * 30, "9" * 5000])
def test_numbers_that_name_nothing_are_refused(field: str, number: str) -> None:
    assert not form_of(**{field: number}).is_valid()


def test_a_flag_has_a_kind() -> None:
    assert FlagForm({"kind": "broken", "note": "cut off"}).is_valid()
    assert FlagForm({"note": "cut off"}).errors["kind"] == ["Say what is wrong with it."]
    for sent in ({"kind": "bad"}, {"kind": "other", "note": "x" * 2001}, {"kind": "other\0"}):
        assert not FlagForm(sent).is_valid()
