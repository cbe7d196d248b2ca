"""The admin's page of machines: adding, asking more, what is shown."""

import pytest
from django.test import override_settings

from annotate.machines.actions import asked
from annotate.models import Assignment, Campaign, Judgement, Machine
from pairselect.jobs.models import Job
from tests.annotate.giving import prefer
from tests.annotate.machining import LAB, answer_all, by_api, for_second, on_server
from tests.conftest import People, make_campaign
from tests.test_conventions import loaded_after

pytestmark = [pytest.mark.django_db, pytest.mark.page]


def address(campaign: Campaign) -> str:
    return f"/campaigns/{campaign.pk}/machines/"


def fields(**changes: str) -> dict[str, str]:
    return {"name": "judge", "model": "lab:big", "instructions": "", "pairs": ""} | changes


@override_settings(PAIRSELECT_SERVERS=LAB)
def test_a_machine_is_added_and_asked(campaign: Campaign, people: People) -> None:
    client = people.client(people.admin)
    data = fields(instructions="Mind\r\nthe units.", pairs="2", labelled_only="on")
    response = client.post(address(campaign), data)
    assert (response.status_code, response.headers["Location"]) == (302, address(campaign))
    assignment = Assignment.objects.get()
    assert (assignment.machine.user.username, assignment.machine.model) == (
        "machine:judge",
        "lab:big",
    )
    assert assignment.machine.instructions == "Mind\nthe units."
    assert (assignment.pairs, assignment.labelled_only) == (2, True)
    assert assignment.created_by == assignment.machine.created_by == people.admin
    assert assignment.campaign == campaign
    job = Job.objects.get()
    assert (job.kind, job.subject_id, job.created_by) == (
        "judge_campaign",
        assignment.pk,
        people.admin,
    )
    assert job.label == "Asking a machine about the pairs of “campaign”"
    page = client.get(address(campaign)).content.decode()
    assert "<h2>judge</h2>" in page
    assert "the first 2 pairs" in page
    client.post(address(campaign), data)  # sent twice
    assert (Assignment.objects.count(), Job.objects.count()) == (1, 1)


def test_a_judge_of_the_teams_own_gets_no_job(campaign: Campaign, people: People) -> None:
    people.client(people.admin).post(address(campaign), fields(model=""))
    assert Assignment.objects.get().machine.model == ""
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "a b"}, "letters, digits"),
        ({"model": "http://10.0.0.1/v1"}, "on none of the operator"),
        ({"model": "other:m"}, "on none of the operator"),
        ({"pairs": "0"}, "greater than or equal to 1"),
        ({"pairs": "many"}, "whole number"),
    ],
)
@override_settings(PAIRSELECT_SERVERS=LAB)
def test_what_cannot_be_is_refused(
    campaign: Campaign, people: People, changes: dict[str, str], said: str
) -> None:
    response = people.client(people.admin).post(address(campaign), fields(**changes))
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not Machine.objects.exists()
    assert not Job.objects.exists()


@override_settings(PAIRSELECT_SERVERS=LAB, PAIRSELECT_MODELS=("lab:big", "embedded:smollm2-135m"))
def test_the_models_of_servers_are_offered(campaign: Campaign, people: People) -> None:
    page = people.client(people.admin).get(address(campaign)).content.decode()
    assert '<option value="lab:big">' in page
    assert '<option value="embedded:smollm2-135m">' not in page


@override_settings(PAIRSELECT_SERVERS=LAB)
def test_a_machine_can_judge_in_another_campaign(campaign: Campaign, people: People) -> None:
    machine = on_server(campaign).machine
    other = make_campaign(people.anna, name="other")
    client = people.client(people.admin)
    assert "Add one of another campaign" not in client.get(address(campaign)).content.decode()
    assert "judge (lab:m)" in client.get(address(other)).content.decode()
    for _ in range(2):  # sent twice
        response = client.post(address(other), {"machine": str(machine.pk), "pairs": "2"})
        assert response.status_code == 302
    assignment = Assignment.objects.get(campaign=other)
    assert (assignment.machine, assignment.pairs) == (machine, 2)
    assert (Machine.objects.count(), Job.objects.count()) == (1, 1)
    response = client.post(address(other), {"machine": "999"})
    assert response.status_code == 200
    assert Assignment.objects.count() == 2


@override_settings(PAIRSELECT_SERVERS=LAB)
def test_it_is_asked_more(campaign: Campaign, people: People) -> None:
    assignment = on_server(campaign, pairs=1)
    client = people.client(people.admin)
    for _ in range(2):
        client.post(f"{address(campaign)}{assignment.pk}/", {"pairs": ""})
    assignment.refresh_from_db()
    assert assignment.pairs is None
    assert Job.objects.count() == 1
    client.post(f"{address(campaign)}{assignment.pk}/", {"pairs": "-1"})
    assert Job.objects.count() == 1


@override_settings(PAIRSELECT_SERVERS=LAB)
def test_more_is_not_taken_for_asked_while_it_is_at_work(
    campaign: Campaign, people: People
) -> None:
    assignment = on_server(campaign, pairs=1)
    Job.objects.create(kind="judge_campaign", subject_id=assignment.pk, status="running")
    client = people.client(people.admin)
    found = client.post(f"{address(campaign)}{assignment.pk}/", {"pairs": ""}, follow=True)
    assert "The machine is at work. Cancel that first." in found.content.decode()
    assignment.refresh_from_db()
    assert assignment.pairs == 1


def test_an_assignment_of_another_campaign_is_not_found(campaign: Campaign, people: People) -> None:
    other = make_campaign(people.anna, name="other")
    assignment = by_api(other)
    client = people.client(people.admin)
    for path in (f"{assignment.pk}/", f"{assignment.pk}/remove/"):
        assert client.post(address(campaign) + path, {"pairs": "1"}).status_code == 404
    assert Assignment.objects.get().pairs is None


def test_without_answers_it_is_taken_out(campaign: Campaign, people: People) -> None:
    assignment = by_api(campaign)
    client = people.client(people.admin)
    assert "Take out" in client.get(address(campaign)).content.decode()
    client.post(f"{address(campaign)}{assignment.pk}/remove/")
    assert not Assignment.objects.exists()


def test_with_answers_it_stays(campaign: Campaign, people: People) -> None:
    assignment = by_api(campaign)
    answer_all(assignment, for_second)
    client = people.client(people.admin)
    assert "Take out" not in client.get(address(campaign)).content.decode()
    response = client.post(f"{address(campaign)}{assignment.pk}/remove/", follow=True)
    assert "answers are kept" in response.content.decode()
    assert asked(assignment).count() == Judgement.objects.count() == 6


def test_the_page_says_how_far_it_can_be_trusted(campaign: Campaign, people: People) -> None:
    for _ in range(3):
        prefer(campaign, people.anna, first=True)
    pair = campaign.design.pairs.order_by("position")[0]
    pair.first.text = "<script>alert(1)</script> **bold**"
    pair.first.save()
    answer_all(by_api(campaign), for_second, confidence=0.875)
    page = people.client(people.admin).get(address(campaign)).content.decode()
    assert "On 3 pairs a machine says in both orders that the other text is better." in page
    assert "88 % sure" in page
    assert "Chosen by own" in page
    assert "<script>alert" not in page
    for figure in ("0 %", "[0–56 %] of 3", "100 %", "[44–100 %] of 3", "50 %", "[19–81 %] of 6"):
        assert figure in page


def test_the_web_process_has_no_client_of_servers(tmp_path: object) -> None:
    code = "import django\ndjango.setup()\nimport annotate.views.machines, annotate.tasks"
    modules = ["openai", "torch", "transformers"]
    found = loaded_after(
        "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'pairselect.settings'\n" + code,
        modules,
        tmp_path,  # type: ignore[arg-type]
    )
    assert found == "[]"
