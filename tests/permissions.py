"""Who may do what: every address × every method × everybody; and rows and people to try it with.

`tests/test_permissions.py` tries each cell. An address that is not in the tables fails a test.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from annotate.machines.actions import assign, create_machine
from annotate.models import Campaign, Comparison, Flag, Gold
from pairselect.accounts.invitations import invite
from pairselect.api.tokens import make_token
from pairselect.designs.models import Plan
from pairselect.jobs.models import Job
from pairselect.pools.models import Upload
from tests.annotate.exported import export
from tests.conftest import People, give, make_campaign

# What each kind of address answers to each of `COLUMNS`, by the methods that it takes.
COLUMNS = ("nobody", "inactive", "outsider", "annotator", "adjudicator", "admin", "operator")
OPEN = "open"
ANYONE = "any person"
ADMIN = "admin"
MEMBER = "annotator of the campaign"
ADJUDICATOR = "adjudicator of the campaign"
EITHER = "annotator or adjudicator of the campaign"
OWNER = "whose it is, and admins"
OPERATOR = "operator; others who are logged in are told that it is not for them"
OFF = "nobody, unless it is switched on"
CELLS = {  # login: led to the login page. Spending the budget does not make one an annotator.
    OPEN:        ("in",    "in",    "in",  "in",  "in",  "in",  "in"),
    ANYONE:      ("login", "login", "in",  "in",  "in",  "in",  "in"),
    ADMIN:       ("login", "login", "403", "403", "403", "in",  "in"),
    MEMBER:      ("login", "login", "404", "in",  "404", "404", "404"),
    ADJUDICATOR: ("login", "login", "404", "404", "in",  "404", "404"),
    EITHER:      ("login", "login", "404", "in",  "in",  "404", "404"),
    OWNER:       ("login", "login", "404", "in",  "404", "in",  "in"),
    OPERATOR:    ("in",    "in",    "403", "403", "403", "403", "in"),
    OFF:         ("404",   "404",   "404", "404", "404", "404", "404"),
}  # fmt: skip

TABLE = {
    "login": OPEN,
    "oidc": OFF,
    "oidc_callback": OFF,
    "join": OPEN,
    "join_account": OPEN,
    "operators_login": OPERATOR,
    "logout": ANYONE,
    "annotate:catalogue": OPEN,
    "annotate:set_language": OPEN,
    "history": ADMIN,
    "csp_reports": OPEN,
    "home": ANYONE,
    "home_projects": ADMIN,
    "rename": ADMIN,
    "archive": ADMIN,
    "restore": ADMIN,
    "delete": ADMIN,
    "annotate:preferences": ANYONE,
    "annotate:work": ANYONE,
    "annotate:compare": MEMBER,
    "annotate:answer": MEMBER,
    "annotate:undo": MEMBER,
    "annotate:upcoming": MEMBER,
    "annotate:revise": MEMBER,
    "annotate:flag": MEMBER,
    "annotate:history": MEMBER,
    "annotate:read_guidelines": EITHER,
    "annotate:onboarding_again": MEMBER,
    "annotate:adjudicate": ADJUDICATOR,
    "annotate:adjudicate_upcoming": ADJUDICATOR,
    "annotate:adjudicate_undo": ADJUDICATOR,
    "annotate:adjudicate_history": ADJUDICATOR,
    "pools:prompt_sets": ADMIN,
    "pools:prompt_set": ADMIN,
    "pools:prompt_set_upload_new": ADMIN,
    "pools:prompt_set_upload": ADMIN,
    "pools:prompt_set_upload_problems": ADMIN,
    "pools:prompt_set_upload_discard": ADMIN,
    "pools:pools": ADMIN,
    "pools:pool_new": ADMIN,
    "pools:pool_import": ADMIN,
    "pools:pool": ADMIN,
    "pools:pool_latest": ADMIN,
    "pools:pool_scores": ADMIN,
    "pools:pool_report": ADMIN,
    "designs:designs": ADMIN,
    "designs:design_new": ADMIN,
    "designs:design": ADMIN,
    "designs:design_again": ADMIN,
    "designs:budget": ADMIN,
    "designs:plan": ADMIN,
    "annotate:campaigns": ADMIN,
    "annotate:campaign_new": ADMIN,
    "annotate:campaign": ADMIN,
    "annotate:campaign_annotators": ADMIN,
    "annotate:campaign_asked": ADMIN,
    "annotate:campaign_guidelines": ADMIN,
    "annotate:campaign_gold": ADMIN,
    "annotate:campaign_gold_file": ADMIN,
    "annotate:gold_retire": ADMIN,
    "annotate:campaign_flags": ADMIN,
    "annotate:campaign_flags_resolved": ADMIN,
    "annotate:flag_resolve": ADMIN,
    "annotate:campaign_quality": ADMIN,
    "annotate:campaign_assess": ADMIN,
    "annotate:campaign_machines": ADMIN,
    "annotate:machine_ask": ADMIN,
    "annotate:machine_remove": ADMIN,
    "annotate:campaign_disagreements": ADMIN,
    "annotate:campaign_pause": ADMIN,
    "annotate:campaign_price": ADMIN,
    "annotate:campaign_close": ADMIN,
    "annotate:campaign_reopen": ADMIN,
    "annotate:campaign_next_round": ADMIN,
    "annotate:campaign_next_round_plan": ADMIN,
    "annotate:campaign_exports": ADMIN,
    "annotate:export": ADMIN,
    "annotate:export_report": ADMIN,
    "annotate:export_file": ADMIN,
    "accounts:people": ADMIN,
    "accounts:new_link": ADMIN,
    "accounts:new_invitation": ADMIN,
    "accounts:revoke_invitation": ADMIN,
    "accounts:lift_lock": ADMIN,
    "accounts:role": ADMIN,
    "accounts:deactivate": ADMIN,
    "accounts:reactivate": ADMIN,
    "accounts:own_password": ANYONE,
    "tokens:tokens": ANYONE,
    "tokens:revoke": OWNER,
    "tokens:reference": ANYONE,
    "jobs:progress": ADMIN,
    "jobs:cancel": ADMIN,
    "jobs:retry": ADMIN,
}
POST_ONLY = {
    "rename",
    "archive",
    "restore",
    "logout",
    "annotate:set_language",
    "pools:pool_report",
    "pools:prompt_set_upload_discard",
    "annotate:answer",
    "annotate:undo",
    "annotate:upcoming",
    "annotate:flag",
    "annotate:read_guidelines",
    "annotate:onboarding_again",
    "annotate:adjudicate_upcoming",
    "annotate:adjudicate_undo",
    "annotate:campaign_pause",
    "annotate:campaign_price",
    "annotate:campaign_annotators",
    "annotate:campaign_asked",
    "annotate:campaign_gold_file",
    "annotate:gold_retire",
    "annotate:flag_resolve",
    "annotate:campaign_assess",
    "annotate:machine_ask",
    "annotate:machine_remove",
    "annotate:campaign_close",
    "annotate:campaign_reopen",
    "accounts:new_link",
    "accounts:new_invitation",
    "accounts:revoke_invitation",
    "accounts:lift_lock",
    "accounts:role",
    "accounts:deactivate",
    "accounts:reactivate",
    "tokens:revoke",
    "jobs:cancel",
    "jobs:retry",
    "csp_reports",
}

FORMS = {  # shown by GET, sent by POST
    "login",
    "join",
    "join_account",
    "delete",
    "annotate:preferences",
    "annotate:campaign_new",
    "annotate:campaign_guidelines",
    "annotate:campaign_gold",
    "annotate:campaign_machines",
    "annotate:campaign_disagreements",
    "annotate:campaign_next_round",
    "annotate:campaign_next_round_plan",
    "annotate:campaign_exports",
    "pools:prompt_set_upload_new",
    "pools:prompt_set_upload",
    "pools:pool_import",
    "pools:pool_new",
    "pools:pool_scores",
    "designs:design_new",
    "designs:design_again",
    "accounts:people",
    "accounts:own_password",
    "tokens:tokens",
}
WITH_HEAD = {"login", "accounts:own_password"} | {
    f"annotate:{name}" for name in ("export", "export_report", "export_file")
}
# These lead to the login page themselves, to say there that nothing was stored: the method first.
METHOD_FIRST = {f"annotate:{name}" for name in ("answer", "undo", "flag", "adjudicate_undo")}
# The words of the scripts, which are nobody's; and files that a download goes on with, by its tag.
KEPT = {"annotate:catalogue", "annotate:export", "annotate:export_file"}
BY_BROWSERS = {"csp_reports"}  # by themselves, so without a form's token; nothing is stored
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SENT = {"choice": "left", "on": "1", "role": "annotator", "language": "en"}


def methods_of(name: str) -> set[str]:
    """Those that the address takes; all others are answered with 405."""
    if name in POST_ONLY:
        return {"POST"}
    found = {"GET"}
    if name in FORMS:
        found.add("POST")
    if name in WITH_HEAD:
        found.add("HEAD")
    return found


def names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace not in ("admin", "api"):  # for staff; tests/api has its table
                space = f"{pattern.namespace}:" if pattern.namespace else ""
                yield from names(pattern.url_patterns, prefix + space)
        else:
            yield f"{prefix}{pattern.name}"


@dataclass
class House:
    """Rows of every kind, each somebody's; addresses that lead to them; and who knocks."""

    campaign: Campaign
    other: Campaign  # the outsider's
    users: dict[str, User]  # by column
    addresses: dict[str, str]  # by name, of the campaign's rows

    def ask(self, column: str, method: str, name: str) -> HttpResponse:
        if method == "POST" and name in BY_BROWSERS:
            kind = "application/csp-report"
            return self.client(column).post(self.addresses[name], b"{}", content_type=kind)
        return self.send(column, method, self.addresses[name], SENT if method == "POST" else {})

    def send(
        self, column: str, method: str, address: str, data: dict[str, object] | None = None
    ) -> HttpResponse:
        client = self.client(column)
        response: HttpResponse = getattr(client, method.lower())(address, data or {})
        if response.streaming:
            response.getvalue()  # type: ignore[attr-defined]  # read to its end, so closed
        return response

    def client(self, column: str) -> Client:
        """The browser of the one who knocks, with nothing but the login."""
        client = self._clients[column]
        client.cookies.clear()
        if column in self._sessions:
            client.cookies["sessionid"] = self._sessions[column]
        return client

    def __post_init__(self) -> None:
        self._sessions = {}
        self._clients = {column: Client() for column in COLUMNS}
        for column, user in self.users.items():
            self._clients[column].force_login(user)
            self._sessions[column] = self._clients[column].cookies["sessionid"].value
        User.objects.filter(pk=self.users["inactive"].pk).update(is_active=False)


def one_more(name: str, role: str = "annotator", **facts: bool) -> User:
    user = User.objects.create_user(name, password="secret-enough", **facts)
    user.groups.add(Group.objects.get(name=role))
    return user


@pytest.fixture
def house(people: People) -> House:
    users = {
        "inactive": one_more("ina", "admin"),
        "outsider": people.stranger,
        "annotator": people.anna,
        "adjudicator": one_more("vera"),
        "admin": people.admin,
        "operator": one_more("olga", "admin", is_staff=True, is_superuser=True),
    }
    campaign = make_campaign(people.anna, people.ben, adjudicate="any", labels_per_pair=2)
    other = make_campaign(people.stranger, name="other")
    campaign.adjudicators.add(users["adjudicator"])
    given = give(campaign, people.anna, "left").comparison
    return House(campaign, other, users, addresses_in(campaign, people, given))


def addresses_in(campaign: Campaign, people: People, mine: Comparison) -> dict[str, str]:
    job = Job.objects.create(kind="import_prompts", subject_id=1, status=Job.Status.FAILED)
    pool = campaign.design.pool
    settings = {"settings": {"after_id": None}, "entry": {}, "page": ""}
    plan = Plan.objects.create(pool=pool, asked=settings)
    upload = Upload.objects.create(name="u", file_name="u.jsonl", sha256="0" * 64, problem_count=1)
    upload.problems.save("1.csv", ContentFile(b"row,problem\r\n1,empty\r\n"))
    made = export(campaign)
    gold = Gold.objects.create(campaign=campaign, use="check", messages=[], better="b", worse="w")
    flag = Flag.objects.create(comparison=mine, annotator=people.anna, kind="other")
    assignment = assign(campaign, create_machine("judge"))
    token, _secret = make_token(people.anna, name="t", scopes=["read"])
    arguments: dict[str, list[int | str]] = {
        **{name: ["pool", pool.pk] for name in ("rename", "archive", "restore", "delete")},
        **{f"annotate:{one}": [campaign.pk, mine.pk] for one in ("answer", "revise", "flag")},
        "pools:prompt_set": [pool.prompt_set_id],
        "designs:plan": [plan.pk],
        "annotate:export_file": [made.pk, "train.jsonl"],
        "annotate:gold_retire": [campaign.pk, gold.pk],
        "annotate:flag_resolve": [campaign.pk, flag.pk],
        "annotate:machine_ask": [campaign.pk, assignment.pk],
        "annotate:machine_remove": [campaign.pk, assignment.pk],
        "tokens:revoke": [token.pk],
        "accounts:revoke_invitation": [invite()[0].pk],
    }
    of_one = {
        "pools:prompt_set_upload": upload.pk,
        "pools:pool_": pool.pk,
        "designs:design": campaign.design_id,
        "annotate:export": made.pk,
        "annotate:campaign_": campaign.pk,
        "accounts:": people.stranger.pk,
        "jobs:": job.pk,
    }
    without = {"pools:pool_new", "pools:pool_import", "pools:prompt_set_upload_new",
               "designs:designs", "designs:design_new", "annotate:campaign_new",
               "accounts:people", "accounts:own_password", "accounts:new_invitation",
               "accounts:lift_lock"}  # fmt: skip
    of_work = ["compare", "undo", "upcoming", "history", "read_guidelines", "onboarding_again"]
    of_work += [f"adjudicate{more}" for more in ("", "_upcoming", "_undo", "_history")]
    arguments |= {f"annotate:{name}": [campaign.pk] for name in of_work}
    arguments |= {"pools:pool": [pool.pk], "annotate:campaign": [campaign.pk]}
    for name in TABLE.keys() - arguments.keys() - without:
        for start, pk in of_one.items():
            if name.startswith(start):
                arguments[name] = [pk]
    return {name: reverse(name, args=arguments.get(name, [])) for name in TABLE}


def outcome(response: HttpResponse) -> str:
    """A word of `CELLS`, or the status."""
    if response.status_code == 302 and response.headers["Location"].startswith("/login/?next="):
        return "login"
    return "in" if response.status_code in (200, 204, 302) else str(response.status_code)


def expected(name: str, column: str, method: str) -> str:
    cell = CELLS[TABLE[name]][COLUMNS.index(column)]
    if method in methods_of(name) or (cell == "login" and name not in METHOD_FIRST):
        return cell
    return "405"
