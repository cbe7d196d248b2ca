"""A person's settings: stored, apart from everybody else's, and felt on every page."""

import html
import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from annotate.keys import ACTIONS
from annotate.middleware import TimeZoneMiddleware
from annotate.models import Campaign, Preferences
from tests.conftest import People

ADDRESS = "/settings/"
USUAL = {f"key_{action.name}": action.key for action in ACTIONS}
LOOKS = {"theme": "system", "language": "", "scroll_together": "on"}
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def anna(people: People) -> Client:
    return people.client(people.anna)


def page(client: Client, address: str = ADDRESS, **headers: str) -> str:
    return client.get(address, headers=headers).content.decode()


def save(client: Client, **values: str) -> HttpResponse:
    return client.post(ADDRESS, LOOKS | USUAL | values)  # type: ignore[return-value]


def row(person: User) -> Preferences:
    return Preferences.objects.get(person=person)


def test_what_is_saved_is_shown_again(people: People, anna: Client) -> None:
    answer = save(anna, theme="dark", language="de", scroll_together="", key_tie="X")
    assert (answer.status_code, answer.headers["Location"]) == (302, ADDRESS)
    stored = row(people.anna)
    assert (stored.theme, stored.language, stored.scroll_together) == ("dark", "de", False)
    assert stored.keys == {"tie": "x"}
    text = page(anna)
    assert re.search(r'name="key_tie" value="x"', text)
    assert re.search(r'value="dark"[^>]* checked', text)
    assert re.search(r'value="de"[^>]* checked', text)
    assert not re.search(r'name="scroll_together"[^>]* checked', text)


def test_the_settings_of_two_people_stay_apart(people: People, anna: Client) -> None:
    ben = people.client(people.ben)
    save(anna, theme="dark", key_tie="x")
    save(ben, theme="light", key_tie="y", person=str(people.anna.pk), pk=str(people.anna.pk))
    assert (row(people.anna).theme, row(people.anna).keys) == ("dark", {"tie": "x"})
    assert (row(people.ben).theme, row(people.ben).keys) == ("light", {"tie": "y"})
    assert 'data-theme="dark"' in page(anna, "/work/")
    assert 'data-theme="light"' in page(ben, "/work/")
    assert "data-theme" not in page(people.client(people.stranger), "/work/")


def test_a_refused_key_is_told_and_nothing_is_saved(people: People, anna: Client) -> None:
    answer = save(anna, theme="dark", key_tie="s", key_undo=" ", key_help="")
    text = html.unescape(answer.content.decode())
    assert answer.status_code == 200
    assert "Nothing is saved yet." in text
    assert "“s” is the key of “Tie: equally good” already. Choose another." in text
    assert "The browser needs the space bar itself. Choose another key." in text
    assert "Choose a key for it." in text
    assert text.count('aria-invalid="true"') == 3
    assert not Preferences.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"theme": "pink"},
        {"theme": ""},
        {"language": "xx"},
        {"language": "../../etc"},
        {"key_delete_all": "x"},
        {"key_tie": EVIL},
        {"key_tie": "\x00"},
    ],
)
def test_values_that_the_page_does_not_offer_are_refused(
    people: People, anna: Client, values: dict[str, str]
) -> None:
    answer = save(anna, **values)
    assert "Nothing is saved yet." in answer.content.decode()
    assert EVIL not in answer.content.decode()
    assert not Preferences.objects.exists()


def test_the_usual_keys_come_back_alone(people: People, anna: Client) -> None:
    save(anna, theme="dark", key_tie="x")
    assert anna.post(ADDRESS, {"usual_keys": "1"}).status_code == 302
    assert (row(people.anna).theme, row(people.anna).keys) == ("dark", {})


def test_saving_twice_stores_one_row(people: People, anna: Client) -> None:
    save(anna, key_tie="x")
    save(anna, key_tie="x")
    assert Preferences.objects.count() == 1


def test_who_is_not_logged_in_is_sent_to_log_in(people: People) -> None:
    for answer in (Client().get(ADDRESS), save(Client(), theme="dark")):
        assert (answer.status_code, answer.headers["Location"]) == (302, "/login/?next=/settings/")
    assert not Preferences.objects.exists()


def test_an_admin_has_settings_too(people: People) -> None:
    assert save(people.client(people.admin), theme="dark").status_code == 302
    assert row(people.admin).theme == "dark"


def test_it_refuses_other_methods(people: People, anna: Client) -> None:
    assert anna.put(ADDRESS).status_code == 405
    assert anna.delete(ADDRESS).status_code == 405
    assert anna.get("/language/").status_code == 405
    assert anna.post("/jsi18n/").status_code == 405


def test_it_refuses_a_form_from_another_site(people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.anna)
    assert save(client, theme="dark").status_code == 403
    assert not Preferences.objects.exists()


@pytest.mark.parametrize("key", [EVIL, '"><script>alert(1)</script>', "</script>", "'"])
def test_a_tampered_row_reaches_no_page(
    people: People, anna: Client, campaign: Campaign, key: str
) -> None:
    Preferences.objects.create(
        person=people.anna, keys={"tie": key, EVIL: "x"}, theme=EVIL[:10], language=EVIL[:10]
    )
    for address in (ADDRESS, f"/work/{campaign.pk}/", "/work/"):
        answer = anna.get(address)
        assert answer.status_code == 200
        assert "<img src" not in answer.content.decode()
        assert "alert(1)" not in answer.content.decode()
        assert "data-theme" not in answer.content.decode()


@pytest.mark.parametrize("key", ["<", '"', "&", "'"])
def test_a_key_that_is_markup_is_escaped(
    people: People, anna: Client, campaign: Campaign, key: str
) -> None:
    assert save(anna, key_tie=key).status_code == 302
    assert row(people.anna).keys == {"tie": key}
    assert f'name="key_tie" value="{html.escape(key)}"' in page(anna)
    desk = page(anna, f"/work/{campaign.pk}/")
    assert f'="{key}"' not in desk
    assert f">{key}</kbd>" not in desk or key == "'"
    assert html.escape(key) in desk


# Theme and language on every page


def test_a_theme_costs_no_query(
    people: People, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Preferences.objects.create(person=people.anna, theme="dark")
    for person in (people.anna, people.ben):  # with a row and without one
        client = people.client(person)
        with django_assert_num_queries(3):  # the session, the person, their groups
            client.get(ADDRESS)
    with django_assert_num_queries(0):
        Client().get("/login/")


def test_the_theme_is_the_systems_until_chosen(people: People, anna: Client) -> None:
    assert "data-theme" not in page(anna)
    assert 'content="light dark"' in page(anna)
    save(anna, theme="light")
    assert '<html lang="en" data-theme="light">' in page(anna)
    assert 'name="color-scheme" content="light"' in page(anna)
    assert "data-theme" not in page(Client(), "/login/")


def test_a_choice_on_one_machine_holds_on_another(people: People, anna: Client) -> None:
    elsewhere = people.client(people.anna)
    save(anna, theme="dark")
    assert 'data-theme="dark"' in page(elsewhere, "/work/")


def test_the_persons_language_wins_over_the_browsers(people: People, anna: Client) -> None:
    german = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
    assert '<html lang="de"' in page(anna, **german)
    save(anna, language="en")
    answer = anna.get(ADDRESS, headers=german)
    assert '<html lang="en"' in answer.content.decode()
    assert answer.headers["Content-Language"] == "en"
    save(anna, language="de")
    answer = anna.get(ADDRESS, headers={"accept-language": "en"})
    assert '<html lang="de"' in answer.content.decode()
    assert answer.headers["Content-Language"] == "de"
    assert '<html lang="de"' in page(people.client(people.ben), **german)
    assert '<html lang="en"' in page(people.client(people.ben))


def test_a_language_that_is_not_here_is_english(people: People, anna: Client) -> None:
    assert '<html lang="en"' in page(anna, **{"accept-language": "fr,ja;q=0.5"})


def test_a_page_leaves_the_thread_as_it_was(anna: Client) -> None:
    with translation.override("en"):
        before = timezone.get_current_timezone_name()
        anna.cookies["tz"] = "Asia/Tokyo"
        page(anna, **{"accept-language": "de"})
        assert timezone.get_current_timezone_name() == before
    save(anna, language="de")
    assert translation.get_language() == "en"


def test_the_login_page_switches_its_language(people: People) -> None:
    client = Client()
    assert '<html lang="de"' in page(client, "/login/", **{"accept-language": "de"})
    text = page(client, "/login/?next=/work/%3Fa%3D1")
    assert '<html lang="en"' in text
    target = re.search(r'name="next" value="(/login[^"]*)"', text)
    assert target
    there = html.unescape(target.group(1))
    answer = client.post("/language/", {"language": "de", "next": there})
    assert (answer.status_code, answer.headers["Location"]) == (302, there)
    text = page(client, there)
    assert '<html lang="de"' in text
    assert re.search(r'value="de" lang="de" aria-current="true"', text)
    client.post("/login/", {"username": "anna", "password": "secret-enough"})
    assert '<html lang="de"' in page(client)  # it holds after the login, until there is a choice
    save(client, language="")
    assert '<html lang="en"' in page(client)


def test_the_language_switch_leads_to_no_other_site() -> None:
    answer = Client().post("/language/", {"language": "de", "next": "https://example.org/"})
    assert answer.headers["Location"] == "/"


def test_the_scripts_words_are_small_and_in_the_persons_language(anna: Client) -> None:
    answer = anna.get("/jsi18n/?de", headers={"accept-language": "de"})
    text = answer.content.decode()
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "max-age=3600" in answer.headers["Cache-Control"]
    assert "private" in answer.headers["Cache-Control"]
    assert "Cookie" in answer.headers["Vary"]
    assert '"DECIMAL_SEPARATOR": ","' in text
    assert "Remove selected" not in text  # Django's own admin scripts are not in it
    assert Client().get("/jsi18n/?en").status_code == 200
    assert '"DECIMAL_SEPARATOR": "."' in Client().get("/jsi18n/?en").content.decode()


# The time zone


@pytest.mark.parametrize(
    ("cookie", "local"),
    [
        ("Pacific/Auckland", "Sunday 12:30"),
        ("America/New_York", "Saturday 18:30"),
        ("Asia/Calcutta", "Sunday 05:00"),  # an old name that browsers still use
        ("", "Saturday 23:30"),
        ("Nowhere/Land", "Saturday 23:30"),
        ("../../etc/passwd", "Saturday 23:30"),
        ("/etc/localtime", "Saturday 23:30"),
        ("x" * 4000, "Saturday 23:30"),
        ("<script>", "Saturday 23:30"),
    ],
)
def test_times_are_the_persons_own(cookie: str, local: str) -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(timezone.localtime(late).strftime("%A %H:%M"))

    request = RequestFactory().get("/")
    request.COOKIES["tz"] = cookie
    assert TimeZoneMiddleware(view)(request).content.decode() == local


def test_a_bad_zone_breaks_no_page(anna: Client) -> None:
    for value in ("Nowhere/Land", "../../etc/passwd", "%00", "a" * 500):
        anna.cookies["tz"] = value
        assert anna.get(ADDRESS).status_code == 200
