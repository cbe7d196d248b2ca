"""Which key is for what: what may be a key, and what a row that was tampered with gives out."""

import pytest

from annotate.keys import ACTIONS, as_key, check_keys, keys_of, unusual
from annotate.models import Judgement, Preferences
from tests.conftest import People

USUAL = {action.name: action.key for action in ACTIONS}
# What every action does to what is stored. A new one needs its line, and none may destroy.
DOES = {
    "stores an answer, to be revised at any time": {
        *(f"answer_{place}" for place in range(1, 7)),
        "tie",
        "both_bad",
    },
    "takes an answer back and keeps it": {"undo"},
    "asks first": {"skip", "flag"},
    "opens, shows or moves only": {
        *("history", "reason", "criteria", "edit", "difference", "next_difference"),
        *("previous_difference", "raw", "together", "down", "up", "prompt", "guidelines", "help"),
    },
}


def given(**keys: object) -> dict[str, str]:
    return keys_of(Preferences(keys=keys))


def test_the_usual_keys_pass_their_own_check() -> None:
    assert check_keys(USUAL) == {}
    assert keys_of(Preferences()) == USUAL


def test_every_action_is_known_to_destroy_nothing() -> None:
    assert sorted(USUAL) == sorted(name for names in DOES.values() for name in names)


def test_undo_keeps_what_it_takes_back() -> None:
    assert Judgement._meta.get_field("withdrawn_at").null


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("x", "x"),
        ("X", "x"),
        ("7", "7"),
        (";", ";"),
        ("<", "<"),
        ('"', '"'),
        ("+", "+"),
        ("ы", "ы"),
        ("Ы", "ы"),
        ("λ", "λ"),
        ("Ä", "ä"),
        ("A\u0308", "ä"),  # composed
        ("א", "א"),
        ("あ", "あ"),
    ],
)
def test_one_printable_character_of_any_script_is_a_key(value: str, key: str) -> None:
    assert as_key(value) == key
    assert check_keys({"help": value}) == {}
    assert given(help=value)["help"] == key


@pytest.mark.parametrize(
    "value",
    [
        *("ab", "Enter", "\t", "\n", "\r", "\x1b", "\x00", "\x7f", "\ud800", "\u0308"),
        *("  ", "\u200b", "\u202e", "\ue000", "\u3164", "\u2800", "\ufeff", "İ", "ß" * 100_000),
        *("<img src=x onerror=alert(1)>", 7, ["x"], {"x": 1}, True),
    ],
)
def test_anything_else_is_refused_in_words(value: object) -> None:
    sentence = "A key is one character: a letter, a digit or a punctuation mark."
    assert check_keys({"tie": value}) == {"tie": sentence}
    assert given(tie=value) == USUAL


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("", "Choose a key for it."),
        (None, "Choose a key for it."),
        (" ", "The browser needs the space bar itself. Choose another key."),
        ("\u00a0", "The browser needs the space bar itself. Choose another key."),
    ],
)
def test_no_key_and_the_space_bar_have_sentences_of_their_own(value: object, sentence: str) -> None:
    assert check_keys({"tie": value}) == {"tie": sentence}
    assert given(tie=value) == USUAL


def test_two_actions_on_one_key_are_told_at_the_second() -> None:
    faults = check_keys(USUAL | {"undo": "S"})
    assert faults == {"undo": "“s” is the key of “Skip, with a reason” already. Choose another."}
    # An action that is left out keeps its usual key, which is taken then.
    assert list(check_keys({"tie": "u"})) == ["undo"]


def test_an_unknown_action_is_refused() -> None:
    assert list(check_keys(USUAL | {"delete_all": "x"})) == ["delete_all"]
    assert given(delete_all="x") == USUAL


def test_two_actions_may_swap_their_keys() -> None:
    swapped = USUAL | {"tie": "9", "both_bad": "0"}
    assert check_keys(swapped) == {}
    assert unusual(swapped) == {"tie": "9", "both_bad": "0"}
    assert given(**unusual(swapped)) == swapped


@pytest.mark.parametrize("stored", [None, [], "x", 3, {"tie": None}])
def test_whatever_the_row_holds_every_action_has_its_key(stored: object) -> None:
    assert keys_of(Preferences(keys=stored)) == USUAL


def test_a_stored_key_gives_way_where_it_would_double_another() -> None:
    assert given(tie="x", both_bad="X") == USUAL | {"tie": "x"}
    # “s” is usual for skip; and once “tie” is back at its usual “0”, “undo” cannot have that.
    assert given(tie="s", undo="0", help="x") == USUAL | {"help": "x"}
    for stored in ({"tie": "s", "skip": "0"}, {"tie": "s", "skip": "f", "flag": "u"}):
        keys = given(**stored)
        assert len(set(keys.values())) == len(ACTIONS)
        assert check_keys(keys) == {}


def test_only_what_is_not_usual_is_stored() -> None:
    assert unusual(USUAL | {"tie": "Ж", "skip": "S"}) == {"tie": "ж"}


def test_a_key_is_one_persons(people: People) -> None:
    Preferences.objects.create(person=people.anna, keys={"tie": "x"})
    from annotate.keys import preferences_of

    assert keys_of(preferences_of(people.anna))["tie"] == "x"
    assert keys_of(preferences_of(people.ben)) == USUAL
    assert not Preferences.objects.filter(person=people.ben).exists()
