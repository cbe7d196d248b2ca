"""What the next round would bring, predicted beside its form."""

import html
import re

import pytest
from django.test import Client

from annotate.actions import create_campaign, open_campaign
from annotate.models import Campaign
from pairselect.designs.models import Design, Plan
from pairselect.designs.planning import planned_design
from pairselect.designs.words import verdict
from tests.conftest import NoProgress, People, give, make_pool, run_queued_jobs
from tests.designs.conftest import design, give_features

pytestmark = pytest.mark.django_db
FORM = {"budget": 8, "strategy": "trace_gap", "name": "second"}


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


@pytest.fixture
def unlabelled(people: People) -> Campaign:
    give_features(make_pool(prompts=10, completions=5))
    campaign = create_campaign(design(), name="first", annotators=[people.anna], seed=0)
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    return campaign


@pytest.fixture
def labelled(unlabelled: Campaign, people: People) -> Campaign:
    for choice in ["left"] * 5 + ["right"] * 3 + ["tie"] * 2 + ["both_bad", "skip"]:
        give(unlabelled, people.anna, choice)
    return unlabelled


def words(page: bytes) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.decode())).split())


def test_it_predicts_with_the_labels_so_far(labelled: Campaign, admin: Client) -> None:
    address = f"/campaigns/{labelled.pk}/next-round/prediction/"
    form = admin.get(f"/campaigns/{labelled.pk}/next-round/").content.decode()
    assert f'formaction="{address}"' in form
    response = admin.post(address, FORM | {"predict": "1"})
    plan = Plan.objects.get()
    assert response.headers["Location"] == f"{address}?plan={plan.pk}#plan"
    assert len(plan.asked["labels"]) == 10  # neither both-bad nor the skip
    assert Design.objects.count() == 1
    run_queued_jobs()
    plan.refresh_from_db()
    page = admin.get(f"{address}?plan={plan.pk}").content
    assert verdict(planned_design(plan)) in words(page)
    assert "Beside the 10 labels that you have" in words(page)
    assert f'action="/campaigns/{labelled.pk}/next-round/"' in page.decode()
    assert b'value="second"' in page
    # The design of those labels brings what was predicted.
    admin.post(f"/campaigns/{labelled.pk}/next-round/", FORM)
    run_queued_jobs()
    saved = Design.objects.get(name="second")
    assert saved.objective == plan.results["objective"]
    assert saved.diagnostics == planned_design(plan).diagnostics


def test_a_further_label_needs_a_new_plan(
    labelled: Campaign,
    people: People,
    admin: Client,
) -> None:
    address = f"/campaigns/{labelled.pk}/next-round/prediction/"
    for _ in range(2):
        admin.post(address, FORM | {"predict": "1"})
    assert Plan.objects.count() == 1
    give(labelled, people.anna, "left")
    admin.post(address, FORM | {"predict": "1"})
    assert Plan.objects.count() == 2


def test_without_a_label_there_is_nothing_to_predict(unlabelled: Campaign, admin: Client) -> None:
    address = f"/campaigns/{unlabelled.pk}/next-round/prediction/"
    response = admin.post(address, FORM | {"predict": "1"})
    assert "No label to start from" in words(response.content)
    assert Plan.objects.count() == 0
