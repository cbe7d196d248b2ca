"""Django's own site, for the operator: every table is there, opens, and can be searched."""

from itertools import count

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection, models
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from model_bakery import baker

from annotate.models import Campaign, Comparison, Edit, Judgement, Participation
from pairselect.accounts.invitations import invite
from pairselect.accounts.readonly import ManyRowsAdmin
from pairselect.trail.models import Entry, Seal
from tests.conftest import give, make_campaign

OURS = {"pairselect", "trail", "jobs", "accounts", "pools", "designs", "annotate", "api"}
REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
number = count()


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def make_rows() -> Campaign:
    """A row of every model: the path of a label as the product makes it, and what hangs on it."""
    i = next(number)
    person = baker.make(User, username=f"person{i}")
    person.groups.add(Group.objects.get(name="annotator"))
    campaign = make_campaign(person, prompts=1, name=f"campaign {i}")
    judgement = give(campaign, person, "left")
    pair = judgement.comparison.designed
    given = {
        "campaign": campaign,
        "comparison": judgement.comparison,
        "judgement": judgement,
        "annotator": person,
        "person": person,
        "user": person,
        "created_by": person,
        "design": campaign.design,
        "pool": campaign.design.pool,
        "prompt": pair.prompt,
        "completion": pair.first,
        "first": pair.first,
        "second": pair.second,
    }
    made = {Judgement, Comparison, User, Group, Campaign, Participation, type(pair)}
    made |= {type(given[name]) for name in ("design", "pool", "prompt", "completion")}
    made.add(type(campaign.design.pool.prompt_set))
    Participation.objects.get_or_create(campaign=campaign, annotator=person)
    for model in REGISTERED:
        if model in made:
            continue
        fields = {field.name: field for field in model._meta.get_fields()}
        known = {
            name: value
            for name, value in given.items()
            if isinstance(fields.get(name), models.ForeignKey)
            and isinstance(value, fields[name].related_model)
        }
        if "preference" in fields:
            known["preference"] = 0.5
        if "kind" in fields and model._meta.label == "jobs.Job":
            known |= {"kind": "open_campaign", "subject_id": campaign.pk}
        baker.make(model, **known)
    return campaign


def address(model: type[models.Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_model_of_ours_is_registered() -> None:
    ours = {model for model in apps.get_models() if model._meta.app_label in OURS}
    assert ours - set(REGISTERED) == set()


def test_what_the_product_makes_cannot_be_added_or_deleted(operator: Client) -> None:
    request = RequestFactory().get("/")
    request.user = User.objects.get(username="root")
    for model, site in admin.site._registry.items():
        assert not site.has_add_permission(request), model
        assert not site.has_delete_permission(request), model
        assert site.has_view_permission(request), model
        assert site.has_change_permission(request) is (model is User), model


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_an_operator_opens_its_list_and_a_row(model: type[models.Model], operator: Client) -> None:
    make_rows()
    site = admin.site._registry[model]
    assert site.list_filter or model in (Group, Seal)  # of which there is nothing to filter by
    listed = operator.get(address(model, "changelist"))
    assert listed.status_code == 200
    row = model._default_manager.first()
    assert row is not None
    assert operator.get(address(model, "change", row.pk)).status_code == 200
    for sought in ("x", "1", "“nothing” like it"):
        if site.search_fields:
            assert operator.get(address(model, "changelist"), {"q": sought}).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_a_list_takes_as_many_queries_for_three_rows_as_for_one(
    model: type[models.Model], operator: Client
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert operator.get(address(model, "changelist")).status_code == 200
        return len(captured)

    make_rows()
    operator.get(address(model, "changelist"))  # content types and the like are read once
    rows, one = model._default_manager.count(), queries()
    make_rows()
    make_rows()
    assert model._default_manager.count() > rows or model is Group
    assert queries() == one


def test_a_search_finds_a_label_by_its_annotator(operator: Client) -> None:
    campaign = make_rows()
    make_rows()
    found = Judgement.objects.get(comparison__campaign=campaign)
    page = operator.get(address(Judgement, "changelist"), {"q": found.annotator.username})
    assert list(page.context["cl"].queryset) == [found]


def test_large_tables_are_counted_to_a_bound(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairselect.accounts.readonly.MOST_COUNTED", 2)
    large = {
        model for model, site in admin.site._registry.items() if isinstance(site, ManyRowsAdmin)
    }
    assert {Judgement, Comparison, Edit} <= large
    for _ in range(3):
        make_rows()
    assert Judgement.objects.count() == 3
    page = operator.get(address(Judgement, "changelist"))
    assert page.context["cl"].result_count == 2


def test_nobody_else_is_let_in(people: object, db: None) -> None:
    client = Client()
    client.force_login(User.objects.get(username="ada"))  # an admin of the product, no operator
    assert client.get("/admin/").status_code == 302
    assert client.get(address(Judgement, "changelist")).status_code == 302


def test_an_operator_changes_who_is_one_and_nothing_else(operator: Client) -> None:
    person = User.objects.create_user("maria", password="secret-enough")
    person.groups.add(Group.objects.get(name="admin"))
    values = {"username": "eve", "is_active": "", "groups": [], "password": "x", "is_staff": "on"}
    assert operator.post(address(User, "change", person.pk), values).status_code == 302
    person.refresh_from_db()
    assert (person.is_staff, person.is_superuser) == (True, False)
    assert (person.username, person.is_active, person.groups.count()) == ("maria", True, 1)
    assert person.check_password("secret-enough")
    assert operator.get(f"/admin/auth/user/{person.pk}/password/").status_code != 200
    entry = Entry.objects.get(action="person.operator_changed")
    assert (entry.person_name, entry.subject_name) == ("root", "maria")
    assert entry.details == {"is_staff": {"before": False, "after": True}}


def test_links_of_whoever_is_no_admin_any_more_are_good_for_nothing(operator: Client) -> None:
    person = User.objects.create_superuser("maria")
    invitation, _secret = invite(created_by=person)
    assert operator.post(address(User, "change", person.pk), {"is_staff": "on"}).status_code == 302
    invitation.refresh_from_db()
    assert invitation.state == invitation.State.REVOKED
