"""Who guesses passwords is stopped, by name and address and by address alone."""

import html
from datetime import timedelta
from io import StringIO

import orjson
import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from pairselect.accounts.locks import locks
from pairselect.trail.models import Entry
from tests.accounts.knocking import is_in, knock
from tests.conftest import People

LIMIT = settings.AXES_FAILURE_LIMIT
MANY = settings.ADDRESS_FAILURE_LIMIT
OPERATORS = "/login/?next=%2Fadmin%2F"
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


def fail(username: str, times: int = LIMIT, **extra: str) -> list[int]:
    return [knock(username, "wrong", **extra).status_code for _ in range(times)]


def test_the_limits_are_what_the_documents_say() -> None:
    assert (5, 50, timedelta(minutes=15)) == (LIMIT, MANY, settings.AXES_COOLOFF_TIME)


@pytest.mark.parametrize("username", ["anna", "nobody-of-that-name"])
def test_a_name_is_locked_whether_it_exists_or_not(people: People, username: str) -> None:
    assert fail(username) == [200] * (LIMIT - 1) + [429]
    answer = knock(username)
    assert answer.status_code == 429
    said = html.unescape(answer.content.decode())
    assert "Too many logins have failed. Try again in 15 minutes, or ask an admin." in said
    assert username not in said
    assert answer.headers["Retry-After"] == "900"
    assert "no-store" in answer.headers["Cache-Control"]


def test_failures_say_the_same_of_a_name_that_exists_and_of_one_that_does_not(
    people: People,
) -> None:
    people.ben.is_active = False
    people.ben.save()
    one, other, closed = (
        html.unescape(knock(name, "wrong").content.decode()).replace(name, "")
        for name in ("anna", "nina", "ben")
    )
    csrf = 'name="csrfmiddlewaretoken"'
    strip = [line for line in one.splitlines() if csrf not in line]
    for page in (other, closed):
        assert [line for line in page.splitlines() if csrf not in line] == strip


def test_the_right_password_does_not_open_a_lock_and_others_come_in(people: People) -> None:
    fail("anna")
    assert not is_in(knock("anna"))
    assert is_in(knock("ben"))  # at the same address
    assert is_in(knock("anna", **ELSEWHERE))  # whoever guesses locks out nobody elsewhere


def test_a_lock_ends_by_itself_and_trying_meanwhile_does_not_prolong_it(people: People) -> None:
    fail("anna")
    (before,) = locks()
    fail("anna", 3)
    assert locks() == [before]
    ended = timezone.now() - settings.AXES_COOLOFF_TIME - timedelta(seconds=1)
    AccessAttempt.objects.update(attempt_time=ended)
    assert locks() == []
    assert is_in(knock("anna"))


def test_whoever_logs_in_starts_anew(people: People) -> None:
    fail("anna", LIMIT - 1)
    assert is_in(knock("anna"))
    fail("anna", LIMIT - 1)
    assert is_in(knock("anna"))


def test_an_address_that_tries_many_names_is_locked_whole(people: People) -> None:
    """Also where its owner has an account, and logs in between the guesses."""
    for number in range(MANY):
        assert knock(f"name{number}", "wrong").status_code == (429 if number == MANY - 1 else 200)
        if number % 10 == 5:
            assert is_in(knock("ben"))
    assert not is_in(knock("anna"))
    assert is_in(knock("anna", **ELSEWHERE))
    assert [(lock.username, lock.address, lock.failures) for lock in locks()] == [
        ("", "127.0.0.1", MANY)
    ]


def test_another_browser_is_the_same_guesser(people: People) -> None:
    for number in range(LIMIT):
        answer = knock("anna", "wrong", HTTP_USER_AGENT=f"browser {number}")
    assert answer.status_code == 429


def test_the_addresses_of_one_ipv6_network_are_one_guesser(people: People) -> None:
    for number in range(LIMIT):
        answer = knock("anna", "wrong", REMOTE_ADDR=f"2001:db8:1:2::{number}")
    assert answer.status_code == 429
    assert is_in(knock("anna", REMOTE_ADDR="2001:db8:1:3::1"))


def test_the_operators_site_has_no_door_of_its_own(people: People) -> None:
    assert Client().get("/admin/login/?next=/admin/").headers["Location"] == OPERATORS
    assert Client().post("/admin/login/", {"username": "x", "password": "y"}).status_code == 405
    assert people.client(people.admin).get("/admin/login/").status_code == 403


def test_an_admin_sees_locks_and_lifts_one(people: People) -> None:
    admin = people.client(people.admin)
    assert "Locked out" not in admin.get("/people/").content.decode()
    fail("anna")
    fail("<b>ben</b>")
    page = admin.get("/people/").content.decode()
    assert "Locked out" in page
    assert "&lt;b&gt;ben&lt;/b&gt;" in page
    data = {"username": "anna", "address": "127.0.0.1"}
    said = admin.post("/people/locks/lift/", data, follow=True).content.decode()
    assert "The lock is lifted." in said
    assert is_in(knock("anna"))
    assert [lock.username for lock in locks()] == ["<b>ben</b>"]
    said = admin.post("/people/locks/lift/", data, follow=True).content.decode()
    assert "There is no such lock any more." in said
    assert admin.post("/people/locks/lift/").status_code == 302
    assert [lock.username for lock in locks()] == ["<b>ben</b>"]  # nothing named, nothing lifted


def test_locks_are_told_and_lifted_by_command(people: People) -> None:
    out = StringIO()
    call_command("login_locks", stdout=out)
    assert out.getvalue() == "No login is locked.\n"
    fail("anna")
    out = StringIO()
    call_command("login_locks", "--json", stdout=out)
    (lock,) = orjson.loads(out.getvalue())["locks"]
    assert (lock["username"], lock["address"], lock["failures"]) == ("anna", "127.0.0.1", LIMIT)
    call_command("login_locks", "--lift-name", "anna", stdout=StringIO())
    assert is_in(knock("anna"))
    with pytest.raises(CommandError, match="nothing to lift"):
        call_command("login_locks", "--lift-address", "203.0.113.1")


def test_a_lock_is_recorded_once_and_so_is_who_lifts_it(people: People) -> None:
    fail("anna", LIMIT + 3)
    (entry,) = Entry.objects.filter(action="person.locked_out")
    assert "“anna”" in entry.sentence
    assert entry.details == {"username": "anna", "address": "127.0.0.1"}
    admin = people.client(people.admin)
    admin.post("/people/locks/lift/", {"username": "anna", "address": "127.0.0.1"})
    (entry,) = Entry.objects.filter(action="person.lock_lifted")
    assert entry.person_id == people.admin.pk


def test_what_is_typed_for_a_name_is_recorded_only_if_it_is_one(people: People) -> None:
    fail("correct-horse-battery", LIMIT)
    (entry,) = Entry.objects.filter(action="person.locked_out")
    assert entry.details == {"username": "(no account)", "address": "127.0.0.1"}


def test_no_password_is_kept_with_the_failures(people: People) -> None:
    knock("anna", "my-other-password")
    (attempt,) = AccessAttempt.objects.all()
    kept = f"{attempt.get_data} {attempt.post_data} {attempt.path_info}"
    assert "my-other-password" not in kept


def test_a_password_costs_the_same_whether_the_name_exists(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in hashes, which are all that takes long; docs/people.md has it in seconds."""
    from django.contrib.auth.hashers import MD5PasswordHasher

    calls = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        calls.append(1)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    people.ben.is_active = False
    people.ben.save()
    people.stranger.set_unusable_password()
    people.stranger.save()
    costs = {}
    for name in ("anna", "nobody", "ben", "sam"):
        calls.clear()
        knock(name, "wrong")
        costs[name] = len(calls)
    assert costs == dict.fromkeys(costs, 1)
