"""Links that let one person in, once: made, opened, used, taken back, by page and by command."""

import html
import re
import threading
from datetime import timedelta
from io import StringIO

import orjson
import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from annotate.models import Campaign
from pairselect.accounts.actions import join_with_password, set_active
from pairselect.accounts.invitations import InvitationGone, invite
from pairselect.accounts.models import Invitation
from pairselect.accounts.roles import role_of
from pairselect.trail.models import Entry
from tests.accounts.knocking import is_in, knock
from tests.conftest import People, make_campaign

NEW = {"username": "maria", "password1": "good-1-good-2", "password2": "good-1-good-2"}
LINK = r'id="link" value="http://testserver/join/#([^"]+)"'


def open_link(secret: str, client: Client | None = None) -> tuple[Client, str]:
    """What the page of the link does with what stands behind #; the browser and what it says."""
    client = client or Client()
    answer = client.post("/join/", {"code": secret}, follow=True)
    return client, html.unescape(answer.content.decode())


def made_by_page(people: People, **data: object) -> str:
    asked = {"role": "annotator", "days": 7} | data
    page = people.client(people.admin).post("/people/invite/", asked).content.decode()
    found = re.search(LINK, html.unescape(page))
    assert found, page
    return found[1]


def test_an_invited_annotator_lands_on_the_work_page(people: People, campaign: Campaign) -> None:
    secret = made_by_page(people, campaigns=[campaign.pk], note="Maria of Leeds")
    client, page = open_link(secret)
    assert "You are invited to compare texts." in page
    answer = client.post("/join/account/", NEW, follow=True)
    assert answer.redirect_chain[-1][0] == "/work/"
    assert campaign.name in answer.content.decode()
    maria = User.objects.get(username="maria")
    assert (role_of(maria), maria.is_staff, maria.is_superuser) == ("annotator", False, False)
    assert list(campaign.annotators.filter(pk=maria.pk)) == [maria]
    assert not campaign.adjudicators.exists()
    told = Entry.objects.filter(action="campaign.people_changed").first()
    assert told is not None
    assert told.person_name == "maria"
    assert told.details == {
        "annotators": {"before": ["anna", "ben"], "after": ["anna", "ben", "maria"]}
    }
    assert is_in(knock("maria", "good-1-good-2"))
    page = people.client(people.admin).get("/people/").content.decode()
    assert "used by maria" in page
    assert "Maria of Leeds" in page


def test_an_invited_adjudicator_decides_and_does_not_compare(
    people: People, campaign: Campaign
) -> None:
    client, _page = open_link(made_by_page(people, role="adjudicator", campaigns=[campaign.pk]))
    client.post("/join/account/", NEW)
    maria = User.objects.get(username="maria")
    assert role_of(maria) == "annotator"
    assert list(campaign.adjudicators.all()) == [maria]
    assert not campaign.annotators.filter(pk=maria.pk).exists()
    page = html.unescape(people.client(people.admin).get("/people/").content.decode())
    assert re.search(rf"decides in\s*<a [^>]*>{campaign.name}</a>", page)


def test_an_invited_admin_is_one(people: People) -> None:
    client, _page = open_link(made_by_page(people, role="admin"))
    client.post("/join/account/", NEW)
    assert role_of(User.objects.get(username="maria")) == "admin"
    assert client.get("/pools/").status_code == 200


def test_a_campaign_that_closed_meanwhile_is_left_out(people: People, campaign: Campaign) -> None:
    _invitation, secret = invite(campaigns=[campaign])
    Campaign.objects.update(closed_at=timezone.now())
    client, _page = open_link(secret)
    assert client.post("/join/account/", NEW).status_code == 302
    assert not campaign.annotators.filter(username="maria").exists()


def test_the_secret_is_shown_once_and_kept_nowhere(people: People) -> None:
    admin = people.client(people.admin)
    secret = made_by_page(people)
    assert not re.search(LINK, admin.get("/people/").content.decode())
    client, _page = open_link(secret)
    client.get("/join/account/")
    kept = [str(row) for row in Invitation.objects.values_list()]
    kept += [str(session.get_decoded()) for session in Session.objects.all()]
    kept += [str(row) for row in Entry.objects.values_list()]
    assert len(Invitation.objects.get().digest) == 64
    for part in secret.split("."):
        assert not [row for row in kept if part in row]


def gone(how: str, invitation: Invitation, people: People) -> str:
    """Make the link good for nothing; what is said then."""
    now = timezone.now()
    if how == "used":
        Invitation.objects.update(used_at=now)
        return "This link has been used. Ask an admin for another."
    if how == "expired":
        Invitation.objects.update(expires_at=now)
        return "This link has expired. Ask an admin for another."
    if how == "revoked":
        people.client(people.admin).post(f"/people/invite/{invitation.pk}/revoke/")
    elif how == "its maker is out":
        set_active(people.admin, active=False)
    else:
        other = User.objects.create_superuser("root")
        people.client(other).post(f"/people/{people.admin.pk}/role/", {"role": "annotator"})
    return "This link was taken back. Ask an admin for another."


GONE = ["used", "expired", "revoked", "its maker is out", "its maker is no admin any more"]


@pytest.mark.parametrize("how", GONE)
@pytest.mark.parametrize("opened_before", [False, True])
def test_a_link_that_is_gone_lets_nobody_in(how: str, opened_before: bool, people: People) -> None:
    invitation, secret = invite(created_by=people.admin)
    client = Client()
    if opened_before:
        open_link(secret, client)
        sentence = gone(how, invitation, people)
        page = client.post("/join/account/", NEW, follow=True).content.decode()
    else:
        sentence = gone(how, invitation, people)
        _client, page = open_link(secret, client)
    assert sentence in html.unescape(page)
    assert not User.objects.filter(username="maria").exists()
    assert "/join/" in client.get("/join/account/").headers["Location"]


@pytest.mark.parametrize("forged", ["", "x", "x.y", "\0", "ü" * 90, "a" * 501])
def test_what_is_no_secret_is_refused_in_words(forged: str, people: People) -> None:
    _invitation, secret = invite()
    _client, page = open_link(forged)
    assert "errorlist" in page or "This is no invitation." in page
    body, signature = secret.rsplit(".", 1)
    _client, page = open_link(f"{body[:-1]}{'a' if body[-1] != 'a' else 'b'}.{signature}")
    assert "This is no invitation. Open the whole link, to its end." in page
    assert Client().get("/join/account/").headers["Location"] == "/join/"


def test_the_whole_link_may_be_pasted(people: People) -> None:
    _invitation, secret = invite()
    _client, page = open_link(f" https://label.example.org/join/#{secret} ")
    assert "You are invited to compare texts." in page


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"username": "Anna"}, "There is an account named “anna”."),
        ({"username": ""}, "An account needs a name."),
        ({"username": "machine:me"}, "Enter a valid username."),
        ({"password1": "maria", "password2": "maria"}, "too short"),
        ({"password1": "password1", "password2": "password1"}, "too common"),
        ({"password2": "another-1-one"}, "didn’t match"),
    ],
)
def test_a_bad_name_or_password_leaves_the_link_open(
    changed: dict[str, str], sentence: str, people: People
) -> None:
    before = User.objects.count()
    client, _page = open_link(invite()[1])
    page = html.unescape(client.post("/join/account/", NEW | changed).content.decode())
    assert sentence in page
    assert User.objects.count() == before
    assert client.post("/join/account/", NEW).status_code == 302


def test_whoever_is_logged_in_is_told_to_log_out_first(people: People) -> None:
    client, page = open_link(invite()[1], people.client(people.anna))
    assert "You are logged in as anna." in page
    assert client.post("/join/account/", NEW).headers["Location"] == "/"
    assert Invitation.objects.get().state == "open"


def test_a_lost_password_is_set_by_a_link(people: People) -> None:
    anna, admin = people.client(people.anna), people.client(people.admin)
    address = f"/people/{people.anna.pk}/link/"
    first, second = (
        re.findall(LINK, html.unescape(admin.post(address).content.decode()))[0] for _ in range(2)
    )
    assert is_in(knock("anna"))  # the old one holds until the link is used
    _client, page = open_link(first)
    assert "This link was taken back." in page  # by the second
    for _ in range(5):
        knock("anna", "wrong")
    client, page = open_link(second)
    assert "For the account anna." in page
    bad = {"new_password1": "anna", "new_password2": "anna"}
    assert "errorlist" in client.post("/join/account/", bad).content.decode()
    new = {"new_password1": "quite-another-1", "new_password2": "quite-another-1"}
    assert client.post("/join/account/", new).headers["Location"] == "/"
    assert client.get("/work/").status_code == 200
    assert anna.get("/work/").status_code == 302  # the other session has ended
    assert not is_in(knock("anna"))
    assert is_in(knock("anna", "quite-another-1"))  # the lock is lifted too
    _client, page = open_link(second)
    assert "This link has been used." in page


def test_a_link_of_somebody_who_is_deactivated_is_dead(people: People) -> None:
    _invitation, secret = invite(person=people.anna)
    set_active(people.anna, active=False)
    _client, page = open_link(secret)
    assert "This account is closed." in page
    set_active(people.anna, active=True)
    _client, page = open_link(secret)
    assert "This link was taken back." in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("names", [("maria", "berta"), ("maria", "maria")])
def test_of_two_who_use_a_link_at_once_one_gets_in(names: tuple[str, str]) -> None:
    """Two threads with connections of their own, on whatever database the tests run."""
    from django.contrib.auth.models import Group

    Group.objects.get_or_create(name="annotator")
    for attempt in range(5):
        invitation, _secret = invite()
        start, results = threading.Barrier(2), {}

        def take(place: int, name: str) -> None:
            person = User(username=f"{name}{attempt}", password="!")  # noqa: B023
            start.wait()  # noqa: B023
            try:
                join_with_password(invitation, person)  # noqa: B023
                results[place] = "in"  # noqa: B023
            except InvitationGone as problem:
                results[place] = str(problem)  # noqa: B023
            finally:
                connection.close()

        threads = [threading.Thread(target=take, args=one) for one in enumerate(names)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert sorted(results.values()) == [
            "This link has just been used. Ask an admin for another.",
            "in",
        ]
        (person,) = User.objects.filter(username__endswith=str(attempt))
        assert [group.name for group in person.groups.all()] == ["annotator"]
        invitation.refresh_from_db()
        assert invitation.used_by == person


def test_of_two_links_made_at_once_for_a_person_one_is_open(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has waited for the first at the person's row, and takes its link back."""
    from django.db.models import QuerySet

    true, waited = QuerySet.select_for_update, list[str]()

    def lock(rows: QuerySet[User], **options: bool) -> QuerySet[User]:
        if rows.model is User and not waited:
            waited.append("locked")
            invite(person=people.anna)
        return true(rows, **options)

    monkeypatch.setattr(QuerySet, "select_for_update", lock)
    last, _secret = invite(person=people.anna)
    assert waited
    assert list(Invitation.objects.filter(revoked_at=None)) == [last]


def test_a_name_that_is_taken_in_the_last_moment_leaves_the_link_open(people: People) -> None:
    from django.db import IntegrityError, transaction

    invitation, _secret = invite()
    with pytest.raises(IntegrityError), transaction.atomic():
        join_with_password(invitation, User(username="anna", password="!"))
    invitation.refresh_from_db()
    assert (invitation.state, invitation.used_by) == ("open", None)


def test_a_link_by_command(people: People, campaign: Campaign) -> None:
    out = StringIO()
    call_command("invite_person", "--json", "--campaign", campaign.name, stdout=out)
    told = orjson.loads(out.getvalue())
    assert told["campaigns"] == [campaign.name]
    assert told["link"].startswith("http://localhost:8000/join/#")
    client, _page = open_link(told["link"].rpartition("#")[2])
    client.post("/join/account/", NEW)
    assert campaign.annotators.filter(username="maria").exists()
    out = StringIO()
    call_command("reset_password", "maria", "--address", "https://l.example.org/", stdout=out)
    assert out.getvalue().startswith("https://l.example.org/join/#")
    client, page = open_link(out.getvalue().strip())
    assert "For the account maria." in page


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["invite_person", "--days", "0"], "good for 1 to 90 days"),
        (["invite_person", "--note", "x" * 101], "at most 100 characters"),
        (["invite_person", "--campaign", "none"], "none"),
        (["invite_person", "--address", "label"], "is no address"),
        (["reset_password", "nobody"], "There is no active account “nobody”."),
    ],
)
def test_a_command_refuses_in_words(words: list[str], sentence: str, people: People) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        call_command(*words)
    assert not Invitation.objects.exists()


def test_a_closed_campaign_is_refused_by_command(people: People, campaign: Campaign) -> None:
    Campaign.objects.update(closed_at=timezone.now())
    with pytest.raises(CommandError, match="is closed: nobody can begin there"):
        call_command("invite_person", "--campaign", campaign.name)


def test_links_are_listed_with_their_state_in_as_many_queries_for_three_as_for_one(
    people: People, django_assert_num_queries: object
) -> None:
    from django.test.utils import CaptureQueriesContext

    admin = people.client(people.admin)
    campaigns = [make_campaign(people.anna, name=f"c{n}") for n in range(3)]

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get("/people/").status_code == 200
        return len(captured)

    invite(campaigns=campaigns[:1])
    one = queries()
    invite(campaigns=campaigns, created_by=people.admin)
    invite(person=people.anna)
    Invitation.objects.filter(person=people.anna).update(used_by=people.anna)
    assert queries() == one


def test_it_expires_in_a_week_unless_told_otherwise(people: People) -> None:
    for days, secret in ((7, invite()), (3, invite(days=3))):
        left = secret[0].expires_at - timezone.now()
        assert timedelta(days=days) - timedelta(minutes=1) < left <= timedelta(days=days)


def test_who_made_and_used_a_link_is_recorded(people: People) -> None:
    client, _page = open_link(made_by_page(people))
    client.post("/join/account/", NEW)
    made, used = (Entry.objects.get(action=f"invitation.{what}") for what in ("made", "used"))
    assert (made.person_name, used.person_name) == ("ada", "maria")
