"""Accounts: made, named, reset, given a role, closed; by page and by command."""

import html
import re
from collections.abc import Callable
from io import StringIO

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import QuerySet
from django.http import HttpResponse
from django.test import Client

from pairselect.accounts import views
from pairselect.accounts.actions import change_role, create_person, set_active
from pairselect.accounts.locks import lift
from pairselect.accounts.roles import role_of
from tests.accounts.knocking import is_in, knock
from tests.conftest import People

PASSWORD = r"password of (\S+) is (\S+) —"
LIGATURE = "\ufb01ona"  # NFKC makes it fiona


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def shown(client: Client) -> str:
    return html.unescape(client.get("/people/").content.decode())


def make(client: Client, username: str, role: str = "annotator") -> str:
    response = client.post("/people/", {"username": username, "role": role}, follow=True)
    return html.unescape(response.content.decode())


def test_a_new_account_shows_its_password_once(admin: Client) -> None:
    found = re.search(PASSWORD, make(admin, "maria", "admin"))
    assert found
    assert found.group(1) == "maria"
    assert is_in(knock("maria", found.group(2)))
    maria = User.objects.get(username="maria")
    assert (role_of(maria), maria.is_superuser, maria.is_staff) == ("admin", False, False)
    assert not re.search(PASSWORD, shown(admin))


@pytest.mark.parametrize(
    ("username", "sentence"),
    [
        ("anna", "There is an account named “anna”."),
        ("\uff41nna", "There is an account named “anna”."),  # a full-width a
        ("", "An account needs a name."),
        ("   ", "An account needs a name."),
        ("two words", "Enter a valid username."),
        ("x" * 151, "at most 150 characters"),
        ("\ufb00" * 100, "at most 150 characters"),  # a ligature that NFKC makes two letters
    ],
)
def test_a_bad_name_is_refused_in_words(admin: Client, username: str, sentence: str) -> None:
    before = User.objects.count()
    assert sentence in make(admin, username)
    with pytest.raises(CommandError, match=re.escape(sentence)):
        call_command("create_person", username)
    assert User.objects.count() == before


def test_a_second_click_on_a_new_account_is_refused_in_words(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faster(username: str, *, role: str) -> tuple[User, str]:
        create_person(username, role=role)
        return create_person(username, role=role)

    monkeypatch.setattr(views, "create_person", faster)
    assert "There is an account named “maria”." in make(admin, "maria")
    assert User.objects.filter(username="maria").count() == 1


def test_a_name_is_stored_as_it_is_normalised(people: People) -> None:
    out = StringIO()
    call_command("create_person", LIGATURE, stdout=out)
    assert out.getvalue().startswith("fiona (annotator), password ")
    with pytest.raises(CommandError, match="There is an account named “fiona”"):
        call_command("create_person", LIGATURE)
    assert User.objects.filter(username="fiona").count() == 1


def test_a_nameless_role_makes_no_account(admin: Client) -> None:
    make(admin, "maria", "owner")
    assert not User.objects.filter(username="maria").exists()


def test_who_is_deactivated_is_out_until_reactivated(people: People, admin: Client) -> None:
    anna = people.client(people.anna)
    admin.post(f"/people/{people.anna.pk}/deactivate/")
    assert anna.get("/work/").status_code == 302
    assert not is_in(knock("anna", "secret-enough"))
    assert "Deactivated" in shown(admin)
    admin.post(f"/people/{people.anna.pk}/reactivate/")
    assert is_in(knock("anna", "secret-enough"))
    assert "Deactivated" not in shown(admin)


def test_a_role_is_changed_both_ways(people: People, admin: Client) -> None:
    anna = people.client(people.anna)
    address = f"/people/{people.anna.pk}/role/"
    assert anna.get("/pools/").status_code == 403
    admin.post(address, {"role": "admin"})
    assert anna.get("/pools/").status_code == 200
    admin.post(address, {"role": "annotator"})
    assert anna.get("/pools/").status_code == 403
    assert "That is not a role" in admin.post(address, {"role": "x"}, follow=True).content.decode()
    assert [group.name for group in people.anna.groups.all()] == ["annotator"]


@pytest.mark.parametrize("what", ["link", "role", "deactivate", "reactivate"])
def test_neither_oneself_nor_a_superuser_is_touched(
    people: People, admin: Client, what: str
) -> None:
    root = User.objects.create_superuser("root", password="secret-enough")
    for person in (people.admin, root):
        response = admin.post(f"/people/{person.pk}/{what}/", {"role": "annotator"})
        assert response.status_code == 404
        person.refresh_from_db()
        assert (person.is_active, role_of(person)) == (True, "admin")
        assert person.check_password("secret-enough")


def waits_for(monkeypatch: pytest.MonkeyPatch, other: Callable[[], None]) -> list[str]:
    """Whoever locks people next has waited for another, who did that meanwhile."""
    true, done = QuerySet.select_for_update, list[str]()

    def lock(rows: QuerySet[User], **options: bool) -> QuerySet[User]:
        if rows.model is User and not done:
            done.append("locked")
            other()
        return true(rows, **options)

    monkeypatch.setattr(QuerySet, "select_for_update", lock)
    return done


def test_of_two_roles_given_at_once_one_stays(
    people: People, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = waits_for(monkeypatch, lambda: change_role(people.anna, "annotator"))
    admin.post(f"/people/{people.anna.pk}/role/", {"role": "admin"})
    assert waited
    assert [group.name for group in people.anna.groups.all()] == ["admin"]


@pytest.mark.parametrize("how", ["role", "deactivate"])
def test_of_two_admins_who_put_out_each_other_one_stays(
    people: People, admin: Client, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    other, _password = create_person("berta", role="admin")

    def faster() -> None:
        if how == "role":
            change_role(people.admin, "annotator", by=other)
        else:
            set_active(people.admin, active=False, by=other)

    waits_for(monkeypatch, faster)
    response = admin.post(f"/people/{other.pk}/{how}/", {"role": "annotator"})
    assert response.status_code == 403
    other.refresh_from_db()
    assert (other.is_active, role_of(other)) == (True, "admin")


def test_ones_own_password_is_changed_and_the_session_lives_on(people: People) -> None:
    here, elsewhere = people.client(people.anna), people.client(people.anna)
    assert "/people/me/password/" in here.get("/work/").content.decode()
    new = "quite-another-1"
    data = {"old_password": "secret-enough", "new_password1": new, "new_password2": new}
    response = here.post("/people/me/password/", data, follow=True)
    assert "Your password is changed." in response.content.decode()
    assert here.get("/work/").status_code == 200
    assert elsewhere.get("/work/").status_code == 302
    assert is_in(knock("anna", new))


@pytest.mark.parametrize(
    "data",
    [
        {"old_password": "wrong", "new_password1": "good-1-good", "new_password2": "good-1-good"},
        {"old_password": "secret-enough", "new_password1": "anna", "new_password2": "anna"},
        {"old_password": "secret-enough", "new_password1": "good-1-good", "new_password2": "x"},
    ],
)
def test_a_bad_change_of_password_changes_nothing(people: People, data: dict[str, str]) -> None:
    response = people.client(people.anna).post("/people/me/password/", data)
    assert "errorlist" in response.content.decode()
    assert is_in(knock("anna", "secret-enough"))


def test_guesses_at_the_old_password_are_logins_that_failed(people: People) -> None:
    """Somebody at a screen that another has left unlocked."""
    here, new = people.client(people.anna), "quite-another-1"

    def change(old: str) -> HttpResponse:
        data = {"old_password": old, "new_password1": new, "new_password2": new}
        answer: HttpResponse = here.post("/people/me/password/", data)
        return answer

    limit = settings.AXES_FAILURE_LIMIT
    assert [change(f"guess-{n}").status_code for n in range(limit)] == [200] * (limit - 1) + [429]
    answer = change("secret-enough")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    said = html.unescape(answer.content.decode())
    assert "Too many logins have failed. Try again in 15 minutes, or ask an admin." in said
    assert 'name="password"' not in said  # whoever is in sees no login form
    assert knock("anna").status_code == 429
    assert here.get("/work/").status_code == 200
    kept = str(list(AccessAttempt.objects.values()))
    assert not [one for one in (new, "guess-", "secret-enough") if one in kept]
    people.anna.refresh_from_db()
    assert people.anna.check_password("secret-enough")
    assert lift(username="anna")
    assert change("secret-enough").status_code == 302
    assert not AccessAttempt.objects.exists()
