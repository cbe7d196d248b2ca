"""What a session outlives and what it does not, and where a login leads."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from pairselect.api.tokens import make_token
from tests.accounts.knocking import PASSWORD, is_in, knock
from tests.conftest import People


def key(client: Client) -> str:
    return str(client.cookies["sessionid"].value)


def test_a_login_gives_a_new_key_and_the_old_one_is_nobodys(people: People) -> None:
    """An attacker who has planted a session of their own in a browser gains nothing."""
    attacker = Client()
    attacker.post("/join/", {"code": "x"})
    session = attacker.session  # stored, with a key that the attacker knows
    session["planted"] = True
    session.save()
    planted = session.session_key
    victim = Client()
    victim.cookies["sessionid"] = planted
    assert is_in(knock("anna", client=victim))
    assert key(victim) != planted
    assert not Session.objects.filter(session_key=planted).exists()
    attacker.cookies["sessionid"] = planted
    assert attacker.get("/work/").status_code == 302


def test_a_key_that_was_made_up_is_not_taken(people: People) -> None:
    victim = Client()
    victim.cookies["sessionid"] = "a" * 32
    assert is_in(knock("anna", client=victim))
    assert key(victim) != "a" * 32


def test_whoever_logs_in_after_another_gets_nothing_of_theirs(people: People) -> None:
    client = people.client(people.anna)
    session = client.session
    session["of anna"] = "secret"
    session.save()
    before = key(client)
    client.post("/logout/")
    assert not Session.objects.filter(session_key=before).exists()
    assert is_in(knock("ben", client=client))
    assert "of anna" not in client.session


def test_a_deactivated_person_is_out_at_once_by_session_and_by_token(people: People) -> None:
    anna = people.client(people.anna)
    _token, secret = make_token(people.anna, name="t", scopes=["read"])
    headers = {"authorization": f"Bearer {secret}"}
    assert anna.get("/work/").status_code == 200
    assert Client().get("/api/v1/work", headers=headers).status_code == 200
    people.client(people.admin).post(f"/people/{people.anna.pk}/deactivate/")
    assert anna.get("/work/").status_code == 302
    assert Client().get("/api/v1/work", headers=headers).status_code == 401
    assert not is_in(knock("anna"))


def test_a_changed_password_ends_the_other_sessions(people: People) -> None:
    here, elsewhere = people.client(people.anna), people.client(people.anna)
    new = "quite-another-1"
    before = key(here)
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    here.post("/people/me/password/", data)
    assert key(here) != before
    assert (here.get("/work/").status_code, elsewhere.get("/work/").status_code) == (200, 302)


@pytest.mark.parametrize(
    "page",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "http:///evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "\x00//evil.example",
        " //evil.example",
        "https://testserver@evil.example/",
        "http://testserver.evil.example/",
    ],
)
def test_a_login_leads_to_no_other_site(people: People, page: str) -> None:
    data = {"username": "anna", "password": PASSWORD, "next": page}
    assert Client().post(f"/login/?next={page}", data).headers["Location"] == "/"
    inside = people.client(people.anna)
    assert inside.get("/login/", {"next": page}).headers["Location"] == "/"
    assert "evil" not in Client().get("/login/", {"next": page}).content.decode().split("<form")[1]


def test_a_login_leads_to_the_page_that_was_asked_for(people: People) -> None:
    data = {"username": "anna", "password": PASSWORD, "next": "/settings/?a=1"}
    assert Client().post("/login/", data).headers["Location"] == "/settings/?a=1"


def test_a_lost_login_in_mid_page_leads_to_no_other_site(people: People) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/work/"}
    answer = Client().get("/work/", headers=headers)
    assert answer.headers["HX-Redirect"] == "/login/?next=%2F"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(people: People) -> None:
    client = Client()
    knock("anna", client=client)
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_a_stranger_learns_no_names(people: People) -> None:
    """Of the pages without a login none says who is here."""
    for address in ("/login/", "/join/", "/join/account/", "/login/with/", "/admin/login/"):
        page = Client().get(address, follow=True).content.decode()
        assert [
            name for name in User.objects.values_list("username", flat=True) if name in page
        ] == []
