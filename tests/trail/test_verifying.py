"""Whoever alters the trail past product and triggers is found."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from pairselect.trail.actions import LATELY, record, seal
from pairselect.trail.models import Entry, Seal, link
from pairselect.trail.verifying import verify


def sql(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def chain(db: None) -> list[int]:
    for place in range(6):
        record("archived", None, place=place)
    seal()
    assert verify().is_whole
    return list(Entry.objects.order_by("pk").values_list("pk", flat=True))


def test_a_chain_that_nobody_touched_is_whole(chain: list[int]) -> None:
    found = verify()
    assert (found.entries, found.problems) == (6, [])
    assert found.end == f"6:{Seal.objects.get(number=6).digest}"
    assert verify(expected=found.end).is_whole


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("person_name", "somebody else"),
        ("person_id", 7),
        ("action", "restored"),
        ("details", '{"place": 99}'),
        ("at", "2001-01-01 00:00:00"),
        ("request_id", "another"),
        ("job_id", 3),
        ("subject_name", "another"),
        ("via", "api"),
    ],
)
def test_an_altered_entry_is_found(chain: list[int], column: str, value: object) -> None:
    sql(f"UPDATE trail_entry SET {column} = %s WHERE id = %s", value, chain[2])
    assert verify().problems == [f"Entry {chain[2]}, or the order before it, was altered (link 3)."]


def test_a_missing_entry_is_found(chain: list[int]) -> None:
    sql("DELETE FROM trail_entry WHERE id = %s", chain[3])
    assert verify().problems == [f"Entry {chain[3]} is missing (link 4)."]


def test_an_entry_taken_out_with_its_link_is_found(chain: list[int]) -> None:
    sql("DELETE FROM trail_entry WHERE id = %s", chain[3])
    sql("DELETE FROM trail_seal WHERE entry_id = %s", chain[3])
    assert verify().problems == ["Links 4 to 4 are missing."]


def test_what_was_altered_after_a_gap_is_named_too(chain: list[int]) -> None:
    sql("DELETE FROM trail_entry WHERE id = %s", chain[1])
    sql("DELETE FROM trail_seal WHERE entry_id = %s", chain[1])
    sql("UPDATE trail_entry SET person_name = 'x' WHERE id = %s", chain[4])
    assert verify().problems == [
        "Links 2 to 2 are missing.",
        f"Entry {chain[4]}, or the order before it, was altered (link 5).",
    ]


def test_two_entries_that_changed_places_are_found(chain: list[int]) -> None:
    one, other = Seal.objects.get(number=2), Seal.objects.get(number=3)
    sql("DELETE FROM trail_seal WHERE number IN (2, 3)")
    for number, entry_id, digest in (
        (2, other.entry_id, one.digest),
        (3, one.entry_id, other.digest),
    ):
        Seal(number=number, entry_id=entry_id, digest=digest).save()
    assert len(verify().problems) == 2


def test_an_end_that_was_cut_off_is_found_by_the_noted_one(chain: list[int]) -> None:
    noted = verify().end
    sql("DELETE FROM trail_entry WHERE id >= %s", chain[4])
    sql("DELETE FROM trail_seal WHERE number >= 5")
    assert verify().is_whole  # of itself it cannot know
    assert verify(expected=noted).problems == [
        f"The chain ends at link 4, before the noted {noted}."
    ]


def test_a_chain_made_anew_is_found_by_the_noted_end(chain: list[int]) -> None:
    noted = verify().end
    sql("UPDATE trail_entry SET person_name = 'x' WHERE id = %s", chain[0])
    sql("DELETE FROM trail_seal")
    digest = ""
    for number, entry in enumerate(Entry.objects.order_by("pk"), start=1):
        digest = link(digest, entry)
        Seal(number=number, entry_id=entry.pk, digest=digest).save()
    record("restored", None)
    assert verify().is_whole
    assert verify(expected=noted).problems == ["Link 6 is another than the one that was noted."]


def test_what_a_killed_process_left_is_sealed_by_the_next(db: None) -> None:
    record("archived", None)  # within the test's transaction: nothing is sealed yet
    record("restored", None)
    assert Seal.objects.count() == 0
    seal()
    assert Seal.objects.count() == 2


def test_what_was_left_long_ago_is_sealed_when_all_is_verified(db: None) -> None:
    record("archived", None)
    first = Entry.objects.get()
    Entry(pk=first.pk + LATELY + 5, action="restored", via="web").save()
    seal()
    assert not Seal.objects.filter(entry_id=first.pk).exists()
    assert verify().entries == 2
    assert Seal.objects.filter(entry_id=first.pk).exists()


def test_the_command_says_so(chain: list[int]) -> None:
    out = io.StringIO()
    call_command("verify_trail", stdout=out)
    assert "is whole: 6 entries" in out.getvalue()
    sql("UPDATE trail_entry SET person_name = 'x' WHERE id = %s", chain[2])
    with pytest.raises(CommandError, match=f"not whole.\nEntry {chain[2]}"):
        call_command("verify_trail")
