"""Each line says in which request or job; none holds a secret or what somebody wants it to hold."""

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client, override_settings

from annotate.models import Campaign
from pairselect import settings as own_settings
from pairselect.accounts.invitations import invite
from pairselect.accounts.models import Invitation
from pairselect.api.tokens import make_token
from pairselect.env import Server
from pairselect.jobs.actions import enqueue_job, run_job
from pairselect.jobs.registry import _kinds, job_kind
from pairselect.trail.context import working
from pairselect.trail.logs import Circumstances, json_formatter, line_formatter
from tests.conftest import People

Logged = Callable[[], str]


@pytest.fixture
def log() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """All that the product's loggers write, as JSON."""
    yield from _listening(json_formatter(), lambda text: [json.loads(x) for x in text.splitlines()])


@pytest.fixture
def lines() -> Iterator[Logged]:
    yield from _listening(line_formatter(), str)


def _listening(formatter: logging.Formatter, read: Callable[[str], Any]) -> Iterator[Any]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(Circumstances())
    names = ("pairselect", "annotate", "django", "axes", "")
    before = {name: logging.getLogger(name).level for name in names}
    root = logging.getLogger()
    root.addHandler(handler)
    for name in names:
        own = name in ("pairselect", "annotate")
        logging.getLogger(name).setLevel(logging.DEBUG if own else logging.INFO)
    try:
        yield lambda: read(stream.getvalue())
    finally:
        root.removeHandler(handler)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def of_requests(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if one["logger"] == "pairselect.observing"]


def test_one_line_for_a_request_with_its_ids(log: Any, campaign: Campaign, people: People) -> None:
    address = f"/campaigns/{campaign.pk}/gold/?secret=in-the-query"
    response = people.client(people.admin).get(address)
    (line,) = of_requests(log())
    assert (line["method"], line["route"], line["status"]) == ("GET", "annotate:campaign_gold", 200)
    assert line["ms"] > 0
    assert line["person_id"] == people.admin.pk
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert "in-the-query" not in json.dumps(log())


def test_whoever_is_refused_has_a_line_too(log: Any, people: People) -> None:
    Client().get("/people/")
    people.client(people.anna).get("/people/")
    Client().get("/nowhere/with-a-secret-in-it/")
    Client().get("/api/v1/pools")
    found = [(one["route"], one["status"], one["person_id"]) for one in of_requests(log())]
    assert found == [
        ("accounts:people", 302, None),
        ("accounts:people", 403, people.anna.pk),
        ("unknown", found[2][1], None),
        ("api:list_pools", 401, None),
    ]
    assert "with-a-secret-in-it" not in json.dumps(log())


def test_a_program_is_its_person(log: Any, people: People) -> None:
    _, secret = make_token(people.admin, name="t", scopes=["read"])
    Client().get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    (line,) = of_requests(log())
    assert (line["route"], line["person_id"]) == ("api:get_me", people.admin.pk)


def test_an_error_in_a_view_names_the_route_not_the_path(
    log: Any, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("pairselect.views.projects", fail)
    client = people.client(people.admin)
    client.raise_request_exception = False
    assert client.get("/?of=somebody").status_code == 500
    (line,) = [one for one in log() if one["logger"] == "django.request"]
    assert line["message"] == "Internal Server Error: home"
    assert "on purpose" in line["exc_info"]
    assert line["request_id"] == of_requests(log())[0]["request_id"]
    assert "somebody" not in json.dumps(log())


@pytest.mark.parametrize(
    ("given", "address", "trusted", "kept"),
    [
        ("proxy-made.0123", "10.0.0.2", ["10.0.0.0/24"], True),
        ("proxy-made.0123", "10.0.0.2", [], False),
        ("proxy-made.0123", "192.0.2.7", ["10.0.0.0/24"], False),
        ("short", "10.0.0.2", ["10.0.0.0/24"], False),
        ("x" * 65, "10.0.0.2", ["10.0.0.0/24"], False),
        ("with blank in it", "10.0.0.2", ["10.0.0.0/24"], False),
        ("ünïcödé-id", "10.0.0.2", ["10.0.0.0/24"], False),
        ("proxy-made.0123", "", ["10.0.0.0/24"], False),
    ],
)
def test_whose_request_id_is_taken(
    db: None, given: str, address: str, trusted: list[str], kept: bool
) -> None:
    with override_settings(TRUSTED_PROXIES=trusted):
        response = Client(REMOTE_ADDR=address).get("/login/", headers={"X-Request-ID": given})
    found = response.headers["X-Request-ID"]
    assert (found == given) is kept
    assert len(found) >= 8


def test_two_requests_have_two_ids(db: None) -> None:
    found = {Client().get("/login/").headers["X-Request-ID"] for _ in range(5)}
    assert len(found) == 5


def test_lines_of_a_job_say_which(log: Any, campaign: Campaign, people: People) -> None:
    def say(subject_id: int, progress: Any) -> None:
        logging.getLogger("pairselect.pools").info("at work")
        progress.notice("look here")

    job_kind("talks", title="Talking", queue="cpu")(say)
    try:
        job = enqueue_job("talks", campaign.pk, created_by=people.admin)
        assert run_job(job.pk)
    finally:
        del _kinds["talks"]
    found = [one for one in log() if one["message"] == "at work" or "look here" in one["message"]]
    assert [(one["job_id"], one["person_id"]) for one in found] == [(job.pk, people.admin.pk)] * 2


def test_what_somebody_sent_cannot_look_like_a_line_of_ours(lines: Logged) -> None:
    forged = "x\n2026-11-22 00:00:00,000 INFO pairselect: all is well\r\n\x1b[2J"
    with working(3, "a kind", None):
        logging.getLogger("pairselect").warning("a name: %s", forged)
    written = lines()
    assert written.count("\n") == 1
    assert "\x1b" not in written
    assert "\r" not in written
    assert "[job=3]: a name: x\\x0a2026" in written


def test_nor_can_what_is_in_a_traceback(lines: Logged) -> None:
    forged = "x\n2026-11-22 00:00:00,000 INFO pairselect: all is well\r\x1b[2J\u2028"
    try:
        raise ValueError(forged)
    except ValueError:
        logging.getLogger("pairselect").exception("a job has failed", stack_info=True)
    first, *rest = lines().splitlines()
    assert first.endswith("ERROR pairselect: a job has failed")
    assert "  ValueError: x" in rest
    assert [one for one in rest if not one.startswith("  ")] == []
    assert not {"\x1b", "\r", "\u2028"} & set(lines())


def test_the_settings_take_both_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    for chosen in ("line", "json"):
        config = own_settings.LOGGING | {"disable_existing_loggers": False}
        config["handlers"]["stderr"]["formatter"] = chosen
        configurator = logging.config.DictConfigurator(config)  # type: ignore[attr-defined]
        made = configurator.configure_formatter(config["formatters"][chosen])
        assert isinstance(made, type(line_formatter() if chosen == "line" else json_formatter()))


SECRETS = {
    "password": "my-very-Secret-pa55word",
    "wrong": "another-Secret-pa55word",
    "server key": "sk-key-of-a-model-server",
    "session": "",
    "token": "",
    "invitation": "",
    "csrf": "",
}


def test_no_secret_is_in_the_log(log: Any, people: People, settings: Any) -> None:
    """Every way in, right and wrong, with everything logged that there is to log."""
    secrets = dict(SECRETS)
    settings.PAIRSELECT_SERVERS = {"lab": Server("http://127.0.0.1:9/v1", secrets["server key"])}
    person: User = people.anna
    person.set_password(secrets["password"])
    person.save()
    client = Client(enforce_csrf_checks=True)
    client.get("/login/")
    secrets["csrf"] = client.cookies["csrftoken"].value
    login = {"username": "anna", "csrfmiddlewaretoken": secrets["csrf"]}
    client.post("/login/", login | {"password": secrets["wrong"]})
    client.post("/login/", {"username": "anna", "password": secrets["password"]})  # no csrf token
    client.post("/login/", login | {"username": secrets["password"], "password": "x"})  # slipped
    inside = client.post("/login/", login | {"password": secrets["password"]})
    assert inside.status_code == 302
    secrets["session"] = client.cookies["sessionid"].value
    client.get("/work/")
    secrets["token"] = make_token(people.admin, name="t", scopes=["read"])[1]
    for sent in (secrets["token"], secrets["token"] + "x"):
        Client().get("/api/v1/pools", headers={"Authorization": f"Bearer {sent}"})
        Client().get(f"/api/v1/pools?token={sent}", headers={"Authorization": f"Token {sent}"})
    secrets["invitation"] = invite(role="annotator", created_by=people.admin)[1]
    stranger = Client()
    for sent in (secrets["invitation"], secrets["invitation"][:-1]):
        stranger.get(f"/join/?token={sent}")
        stranger.get(f"/join/{sent}/")
        assert stranger.post("/join/", {"code": sent}).status_code in (200, 302)
        passwords = dict.fromkeys(("password1", "password2"), secrets["wrong"])
        stranger.post("/join/account/", {"username": "anna"} | passwords)
    admin = people.client(people.admin)
    admin.post("/people/", {"username": "new", "role": "annotator"})
    admin.post("/people/me/password/", {"old_password": secrets["wrong"]})
    _fail_at_a_server(secrets["server key"])
    everything = json.dumps(log())
    assert len(of_requests(log())) > 15
    told = [json.dumps(one) for one in log()]
    found = [
        (name, line)
        for name, secret in secrets.items()
        for line in told
        if secret and secret in line
    ]
    assert found == []
    assert Invitation.objects.get().state == Invitation.State.OPEN  # it was found, and not used
    assert "POST join_account" in everything
    assert django_settings.SECRET_KEY not in everything


def _fail_at_a_server(key: str) -> None:
    """A call of a server that is not there, and its whole traceback."""
    import httpx

    try:
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}) as client:
            client.get("http://127.0.0.1:9/v1/models")
    except httpx.HTTPError:
        logging.getLogger("pairselect.pools").exception("the server does not answer")
    logging.getLogger("pairselect").warning("%r", Server("http://127.0.0.1:9/v1", key))
