"""Logging in by OpenID Connect, against a real server: who comes in, as whom, and who does not."""

import html
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from annotate.models import Campaign
from pairselect.accounts.actions import set_active
from pairselect.accounts.invitations import invite, revoke
from pairselect.accounts.models import Invitation
from pairselect.accounts.roles import role_of
from tests.accounts.conftest import Issuer
from tests.accounts.knocking import is_in, knock
from tests.conftest import People

NO_ACCOUNT = "There is no account for you here yet. Ask an admin for an invitation."


def said(client: Client, address: str = "/login/") -> str:
    return html.unescape(client.get(address).content.decode())


def test_without_a_server_there_is_no_such_door(people: People) -> None:
    assert "login/with" not in said(Client())
    for address in ("/login/with/", "/login/with/callback/?state=x&code=y"):
        assert Client().get(address).status_code == 404


def test_an_allowed_domain_lets_in_as_an_annotator_once_and_again(
    issuer: Issuer, people: People
) -> None:
    issuer.allow("example.org")
    who = issuer.knows("s1", email="Maria@Example.org", email_verified=True)
    assert '<a class="button" href="/login/with/">Log in with Example ID</a>' in said(Client())
    client = Client()
    assert issuer.visit(who, client=client).headers["Location"] == "/"
    maria = User.objects.get(username="Maria")
    assert (role_of(maria), maria.has_usable_password(), maria.email) == ("annotator", False, "")
    assert client.get("/work/").status_code == 200
    assert not is_in(knock("Maria", ""))
    issuer.visit(who)
    assert SocialAccount.objects.get().user == maria
    assert User.objects.filter(username__istartswith="maria").count() == 1
    assert not SocialToken.objects.exists()


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "eve@example.org"},  # nobody has verified it
        {"email": "eve@example.org", "email_verified": False},
        {"email": "eve@evil.example", "email_verified": True},
        {"email": "eve@example.org.evil.example", "email_verified": True},
        {"email": "example.org", "email_verified": True},
        {"email_verified": True},
    ],
)
def test_others_are_not_let_in(claims: dict[str, object], issuer: Issuer, people: People) -> None:
    issuer.allow("example.org")
    client = Client()
    before = User.objects.count()
    who = issuer.knows("stranger", **claims)
    assert issuer.visit(who, client=client).headers["Location"] == "/login/"
    assert NO_ACCOUNT in said(client)
    assert client.get("/work/").status_code == 302
    assert (User.objects.count(), SocialAccount.objects.count()) == (before, 0)


@pytest.mark.parametrize("verified", [True, False])
def test_nobody_gets_into_an_account_by_its_name_or_address(
    verified: bool, issuer: Issuer, people: People
) -> None:
    issuer.allow("example.org")
    User.objects.filter(username="ada").update(email="ada@example.org")
    who = issuer.knows(
        "s2", email="ada@example.org", email_verified=verified, preferred_username="ada"
    )
    client = Client()
    issuer.visit(who, client=client)
    assert not SocialAccount.objects.filter(user=people.admin).exists()
    assert client.get("/pools/").status_code == (403 if verified else 302)
    names = set(User.objects.filter(username__startswith="ada").values_list("username", flat=True))
    assert names == ({"ada", "ada-2"} if verified else {"ada"})


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("two words", "two-words"),
        ("machine:judge", "machine-judge"),
        ("<script>", "script"),
        ("\ufb01ona", "fiona"),
        ("", "s3"),
        ("***", "person"),
        ("x" * 200, "x" * 140),
    ],
)
def test_a_name_that_the_server_tells_is_made_one_that_can_be_stored(
    told: str, name: str, issuer: Issuer, people: People
) -> None:
    issuer.allow("example.org")
    who = issuer.knows("s3", email="s3@example.org", email_verified=True, preferred_username=told)
    issuer.visit(who)
    assert SocialAccount.objects.get().user.username == name


def test_an_invited_person_comes_in_with_role_and_campaign(
    issuer: Issuer, people: People, campaign: Campaign
) -> None:
    _invitation, secret = invite(role="adjudicator", campaigns=[campaign])
    who = issuer.knows("s4", email="maria@elsewhere.example")
    client = Client()
    client.post("/join/", {"code": secret})
    assert "Go on with Example ID" in said(client, "/join/account/")
    assert issuer.visit(who, client=client).headers["Location"] == "/"
    maria = User.objects.get(username="maria")
    assert (role_of(maria), list(campaign.adjudicators.all())) == ("annotator", [maria])
    other = Client()
    other.post("/join/", {"code": secret})
    issuer.visit(issuer.knows("s5", email="ben@elsewhere.example"), client=other)
    assert NO_ACCOUNT in said(other)  # the link is used


def test_a_link_for_somebody_who_is_here_gives_another_way_in(
    issuer: Issuer, people: People
) -> None:
    _invitation, secret = invite(person=people.anna)
    client = Client()
    client.post("/join/", {"code": secret})
    issuer.visit("s6", client=client)
    assert SocialAccount.objects.get().user == people.anna
    client = Client()
    assert issuer.visit("s6", client=client, page="/settings/").headers["Location"] == "/settings/"
    assert client.get("/work/").wsgi_request.user == people.anna
    _invitation, secret = invite(person=people.ben)  # opened by somebody who is anna already
    client = Client()
    client.post("/join/", {"code": secret})
    issuer.visit("s6", client=client)
    assert "With Example ID you already have another account here." in said(client)
    assert SocialAccount.objects.get().user == people.anna


def test_a_link_that_is_good_no_more_keeps_nobody_out(issuer: Issuer, people: People) -> None:
    """Opened in this browser, and taken back or used elsewhere since."""
    issuer.allow("example.org")
    who = issuer.knows("s11", email="s11@example.org", email_verified=True)
    issuer.visit(who)
    invitation, secret = invite()
    client = Client()
    client.post("/join/", {"code": secret})
    revoke(Invitation.objects.filter(pk=invitation.pk))
    issuer.visit(who, client=client)
    if "taken back" in said(client):  # once, and then as ever
        issuer.visit(who, client=client)
    assert client.get("/work/").status_code == 200


def test_who_leaves_a_link_for_the_login_page_is_not_taken_for_its_person(
    issuer: Issuer, people: People
) -> None:
    """Else whoever sends somebody a link of their own has them work in their account for good."""
    issuer.allow("example.org")
    who = issuer.knows("s12", email="victim@example.org", email_verified=True)
    _invitation, secret = invite(person=people.stranger)
    client = Client()
    client.post("/join/", {"code": secret})
    client.get("/login/")
    issuer.visit(who, client=client)
    assert SocialAccount.objects.get().user.username == "victim"


def test_who_fails_to_log_in_there_still_has_the_invitation(issuer: Issuer, people: People) -> None:
    _invitation, secret = invite()
    client = Client()
    client.post("/join/", {"code": secret})
    client.get("/login/with/")
    answer = client.get("/login/with/callback/?error=access_denied")
    assert answer.headers["Location"] == "/join/account/"
    assert "did not confirm who you are" in said(client, "/join/account/")
    issuer.visit(issuer.knows("s13", email="new@elsewhere.example"), client=client)
    assert SocialAccount.objects.get().user.username == "new"


def test_whoever_is_deactivated_stays_out(issuer: Issuer, people: People) -> None:
    _invitation, secret = invite(person=people.anna)
    client = Client()
    client.post("/join/", {"code": secret})
    issuer.visit("s7", client=client)
    set_active(people.anna, active=False)
    assert client.get("/work/").status_code == 302
    assert issuer.visit("s7", client=client).headers["Location"] == "/login/"
    assert "This account is closed." in said(client)


def test_a_login_rotates_the_session_and_leads_to_no_other_site(
    issuer: Issuer, people: People
) -> None:
    issuer.allow("example.org")
    who = issuer.knows("s8", email="s8@example.org", email_verified=True)
    client = Client()
    client.get("/login/with/")
    before = client.cookies["sessionid"].value
    answer = issuer.visit(who, client=client, page="https://evil.example/")
    assert answer.headers["Location"] == "/"
    assert client.cookies["sessionid"].value != before


@pytest.mark.parametrize("extra", ["process=connect", "process=redirect", "scope=admin"])
def test_what_allauth_reads_from_addresses_is_not_read(
    extra: str, issuer: Issuer, people: People
) -> None:
    issuer.allow("example.org")
    who = issuer.knows("s9", email="s9@example.org", email_verified=True)
    inside = people.client(people.admin)
    begun = inside.get(f"/login/with/?{extra}&next=/people/")
    asked = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert set(asked["scope"][0].split()) == {"email", "profile", "openid"}
    assert asked["code_challenge_method"] == ["S256"]
    issuer.visit(who, client=inside)
    assert not SocialAccount.objects.filter(user=people.admin).exists()


@pytest.mark.parametrize(
    "query",
    ["", "?state=forged&code=x", "?error=access_denied", "?state=forged&error=server_error"],
)
def test_a_forged_way_back_is_refused_in_words(query: str, issuer: Issuer, people: People) -> None:
    client = Client()
    client.get("/login/with/")
    answer = client.get(f"/login/with/callback/{query}")
    assert answer.headers["Location"] == "/login/"
    assert "Example ID did not confirm who you are. Try again." in said(client)


def test_the_way_back_belongs_to_the_browser_that_set_out(issuer: Issuer, people: People) -> None:
    """Nobody is logged in as an attacker by a link."""
    import requests

    issuer.allow("example.org")
    who = issuer.knows("s10", email="s10@example.org", email_verified=True)
    begun = Client().get("/login/with/").headers["Location"]
    answer = requests.post(begun, data={"sub": who}, allow_redirects=False, timeout=10)
    victim = Client()
    victim.get("/login/with/")
    back = answer.headers["Location"].removeprefix("http://testserver")
    assert victim.get(back).headers["Location"] == "/login/"
    assert victim.get("/work/").status_code == 302


def test_a_code_that_the_server_does_not_know_is_refused(
    issuer: Issuer, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client()
    begun = client.get("/login/with/").headers["Location"]
    state = parse_qs(urlsplit(begun).query)["state"][0]
    answer = client.get("/login/with/callback/", {"state": state, "code": "made-up"})
    assert answer.headers["Location"] == "/login/"
    assert "did not confirm" in said(client)
    assert "OpenID Connect: unknown, OAuth2Error" in caplog.messages  # for whoever sets it up


def test_a_server_that_is_silent_is_told_of(issuer: Issuer, people: People) -> None:
    apps = issuer.settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    apps[0]["settings"]["server_url"] = "http://127.0.0.1:1"
    client = Client()
    assert client.get("/login/with/").headers["Location"] == "/login/"
    assert "Example ID does not answer." in said(client)


def test_another_server_with_the_same_subjects_knows_other_people(
    issuer: Issuer, people: People
) -> None:
    from pairselect.accounts.provider import IssuerProvider

    def uid(issuer: str) -> str:
        return IssuerProvider.extract_uid(None, {"id_token": {"iss": issuer, "sub": "1"}})

    assert uid("https://a.example") != uid("https://b.example")


def test_passwords_can_be_switched_off(issuer: Issuer, people: People, settings: Settings) -> None:
    settings.PASSWORD_LOGIN = False
    page = said(Client())
    assert 'type="password"' not in page
    assert "Log in with Example ID" in page
    answer = knock("anna")
    assert not is_in(answer)
    assert "Passwords are switched off on this server." in html.unescape(answer.content.decode())
    admin = people.client(people.admin)
    assert admin.get("/people/me/password/").status_code == 404
    page = said(admin, "/people/")
    assert "Login link" in page
    assert "New account" not in page
    assert "Change your password" not in page
    _invitation, secret = invite()
    client = Client()
    client.post("/join/", {"code": secret})
    assert 'type="password"' not in said(client, "/join/account/")
    new = {"username": "maria", "password1": "good-1-good-2", "password2": "good-1-good-2"}
    client.post("/join/account/", new)
    assert not User.objects.filter(username="maria").exists()
    issuer.visit(issuer.knows("s11", email="maria@a.example"), client=client)
    assert User.objects.filter(username="maria").exists()


def test_no_page_of_allauths_own_is_reachable(issuer: Issuer, people: People) -> None:
    for address in ("/accounts/", "/accounts/login/", "/accounts/signup/", "/oidc/oidc/login/",
                    "/accounts/3rdparty/", "/signup/", "/.well-known/change-password"):  # fmt: skip
        assert Client().get(address).status_code in (302, 404)
        assert people.client(people.admin).get(address).status_code == 404
