"""What every page owes: a way out of errors, what runs by name, and the same cost for more rows."""

import html
import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import Http404, HttpRequest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.views.defaults import page_not_found

from annotate.models import Campaign, Export
from pairselect.jobs.models import Job
from pairselect.jobs.queries import with_subjects
from pairselect.pools.models import FeatureSet, Pool, PromptSet
from tests.conftest import People, give, make_campaign, run_queued_jobs

pytestmark = pytest.mark.page

HTMX = {"HX-Request": "true"}
GENTLE = "This is not, or no longer, open to you. Your stored answers are kept."
ADDRESSES = (
    "/",
    "/prompts/",
    "/pools/",
    "/pools/new/",
    "/pools/import/",
    "/designs/",
    "/designs/new/",
    "/campaigns/",
    "/campaigns/new/",
    "/people/",
    "/people/me/password/",
)
LISTS = ("/", "/prompts/", "/pools/", "/designs/", "/campaigns/", "/people/")


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def text(client: Client, address: str, **headers: str) -> str:
    return html.unescape(client.get(address, headers=headers).content.decode())


def ended(kind: str, subject_id: int, **facts: str) -> Job:
    facts = {"status": "done"} | facts
    return Job.objects.create(kind=kind, subject_id=subject_id, finished_at=timezone.now(), **facts)


# Errors


def test_a_mistyped_address_leads_home(people: People) -> None:
    for client, way in (
        (people.client(people.admin), 'href="/">Home'),
        (people.client(people.anna), 'href="/work/">Work'),
        (Client(), 'href="/login/">Log in'),
    ):
        response = client.get("/nowhere/")
        page = response.content.decode()
        assert response.status_code == 404
        assert "There is nothing at this address" in page
        assert way in page
        assert "Resolver404" not in page


@pytest.mark.parametrize("how", ["closed", "removed"])
def test_who_is_out_of_a_campaign_is_told_gently(
    people: People, campaign: Campaign, how: str
) -> None:
    give(campaign, people.anna, "left")
    if how == "closed":
        Campaign.objects.update(closed_at=timezone.now())
    else:
        campaign.annotators.remove(people.anna)
    response = people.client(people.anna).get(f"/work/{campaign.pk}/", follow=True)
    page = response.content.decode()
    assert "matches the given query" not in page
    assert 'href="/work/"' in page
    assert "answers are kept" in page


def test_somebody_elses_campaign_does_not_say_whether_it_is_there(
    people: People, campaign: Campaign
) -> None:
    client = people.client(people.stranger)
    there, nowhere = client.get(f"/work/{campaign.pk}/"), client.get("/work/99999/")
    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert GENTLE in there.content.decode()
    assert GENTLE in nowhere.content.decode()
    assert campaign.name not in there.content.decode()


def test_an_admin_is_not_shown_djangos_sentence(admin: Client) -> None:
    page = text(admin, "/pools/99999/")
    assert "There is nothing at this address" in page
    assert "matches the given query" not in page


def test_a_human_sentence_is_shown_escaped(admin: Client, campaign: Campaign) -> None:
    export = Export.objects.create(campaign=campaign, format="trl", completed_at=timezone.now())
    assert "The file is gone from the data folder: export again." in text(
        admin, f"/exports/{export.pk}/"
    )
    request: HttpRequest = RequestFactory().get("/")
    page = page_not_found(request, Http404("No <b>file</b> here.")).content.decode()
    assert "No &lt;b&gt;file&lt;/b&gt; here." in page


def test_403_says_why_and_leads_to_work(people: People) -> None:
    response = people.client(people.anna).get("/pools/")
    assert response.status_code == 403
    assert "This page is for admins." in response.content.decode()
    assert 'href="/work/">Work' in response.content.decode()


def test_a_form_that_was_too_old_says_so(people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.admin)
    response = client.post("/people/", {"username": "x", "role": "annotator"})
    assert response.status_code == 403
    assert "This form was too old" in response.content.decode()


def test_500_stands_alone(db: None) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = render_to_string("500.html")
    assert len(queries) == 0
    assert re.findall(r'(?:href|src)="([^"]+)"', page) == ["/static/css/app.css", "/", "/"]


def test_500_is_what_a_bug_answers(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("pairselect.views.is_admin", broken)
    client = Client(raise_request_exception=False)
    client.force_login(people.admin)
    response = client.get("/")
    assert response.status_code == 500
    assert "Something broke" in response.content.decode()


# What runs, by name


def jobs_of_every_kind(campaign: Campaign, **facts: str) -> dict[str, Job]:
    pool = campaign.design.pool
    features = FeatureSet.objects.create(pool=pool, model="m", kind="mean_middle")
    export = Export.objects.create(campaign=campaign, format="trl")
    subjects = {
        "import_prompts": pool.prompt_set_id,
        "import_pool": pool.pk,
        "generate_pool": pool.pk,
        "extract_features": features.pk,
        "solve_design": campaign.design_id,
        "open_campaign": campaign.pk,
        "export_dataset": export.pk,
    }
    return {kind: ended(kind, pk, **facts) for kind, pk in subjects.items()}


def test_every_kind_of_job_says_what_it_works_on(people: People, admin: Client) -> None:
    jobs = jobs_of_every_kind(make_campaign(name="A <b>"))
    assert {job.subject_name for job in jobs.values()} == {"A <b>"}
    assert jobs["generate_pool"].label == "Generating completions of “A <b>”"
    for job in jobs.values():
        assert admin.get(job.subject_url).status_code == 200
    page = admin.get("/").content.decode()
    assert "Extracting features of “A &lt;b&gt;”" in page
    assert f'href="{jobs["solve_design"].subject_url}"' in page


def test_a_job_whose_subject_is_gone_keeps_its_title(admin: Client) -> None:
    job = ended("generate_pool", 99999, status="failed")
    assert (job.subject_name, job.subject_url, job.label) == ("", "", "Generating completions")
    assert "Generating completions</td>" in text(admin, "/")


def test_subjects_are_read_in_one_query_for_each_kind(people: People) -> None:
    campaigns = [make_campaign(name=f"c{i}") for i in range(3)]
    for one in campaigns:
        ended("open_campaign", one.pk)
    with CaptureQueriesContext(connection) as queries:
        names = [job.subject_name for job in with_subjects(Job.objects.order_by("pk"))]
    assert (names, len(queries)) == (["c0", "c1", "c2"], 2)


def test_a_job_that_runs_is_named_on_home_and_when_it_is_cancelled(
    people: People, campaign: Campaign, admin: Client
) -> None:
    job = Job.objects.create(
        kind="generate_pool", subject_id=campaign.design.pool_id, status="running", total=10, done=4
    )
    assert "Generating completions of “campaign”: 4 of 10" in text(admin, "/")
    page = html.unescape(admin.post(f"/jobs/{job.pk}/cancel/", follow=True).content.decode())
    assert "Generating completions of “campaign”: stops at its next step" in page


# Progress


def test_only_a_page_that_waited_is_fetched_anew(
    people: People, campaign: Campaign, admin: Client
) -> None:
    jobs = jobs_of_every_kind(campaign)
    refreshed = {
        kind
        for kind, job in jobs.items()
        if "HX-Refresh" in admin.get(f"/jobs/{job.pk}/progress/", headers=HTMX).headers
    }
    assert refreshed == set(jobs) - {"export_dataset"}


TRL = {"format": "trl", "one_row": "label", "file_type": "jsonl"}


def test_an_exports_row_ends_as_a_download(
    people: People, campaign: Campaign, admin: Client
) -> None:
    give(campaign, people.anna, "left")
    admin.post(f"/campaigns/{campaign.pk}/exports/", TRL)
    export, job = Export.objects.get(), Job.objects.get()
    address = f"/jobs/{job.pk}/progress/"
    assert f'hx-get="{address}"' in text(admin, f"/campaigns/{campaign.pk}/exports/")
    run_queued_jobs()
    response = admin.get(address, headers=HTMX)
    part = response.content.decode()
    assert part.count(f'id="job-{job.pk}"') == 1
    assert f'href="/exports/{export.pk}/" download' in part
    assert "every 2s" not in part
    assert "HX-Refresh" not in response.headers
    rows = admin.get(f"/exports/{export.pk}/files/train.jsonl/")
    assert b"".join(rows).count(b"\n") == 1  # type: ignore[arg-type]


def test_a_failed_export_can_be_tried_again_in_its_row(
    people: People, campaign: Campaign, admin: Client
) -> None:
    admin.post(f"/campaigns/{campaign.pk}/exports/", TRL)
    run_queued_jobs()
    part = text(admin, f"/jobs/{Job.objects.get().pk}/progress/", **HTMX)
    assert "has been decided yet" in part
    assert "Try again" in part
    assert "Download" not in part


# Imports that failed


def test_the_bad_rows_of_an_error_are_listed_and_escaped(people: People, admin: Client) -> None:
    error = "Nothing. " + " ".join(f"Row {i}: <b>bad</b>." for i in range(1, 6)) + " And 50 more."
    job = ended("import_prompts", 1, status="failed", error=error)
    assert job.error_parts == ["Nothing.", *(f"Row {i}: <b>bad</b>." for i in range(1, 6)),
                               "And 50 more."]  # fmt: skip
    page = admin.get(f"/jobs/{job.pk}/progress/").content.decode()
    assert page.count("<li>") == 6
    assert "<b>" not in page


def test_an_import_that_failed_for_another_reason_can_be_tried_again(admin: Client) -> None:
    job = ended("import_prompts", 1, status="failed", error="The disk is full. Make room.")
    page = text(admin, f"/jobs/{job.pk}/progress/")
    assert "Try again" in page
    assert "Upload the mended file" not in page


# The campaign's forms


def said(client: Client, address: str, data: dict[str, object]) -> str:
    return html.unescape(client.post(address, data, follow=True).content.decode())


def test_saving_the_annotators_says_so(people: People, campaign: Campaign, admin: Client) -> None:
    address = f"/campaigns/{campaign.pk}/annotators/"
    page = said(admin, address, {"annotators": [people.ben.pk, people.stranger.pk]})
    assert "Saved. Who compares here: ben, sam." in page
    assert list(campaign.annotators.order_by("pk")) == [people.ben, people.stranger]
    assert "Who compares here: nobody." in said(admin, address, {})


def test_who_is_no_annotator_any_more_is_refused_in_words(
    people: People, campaign: Campaign, admin: Client
) -> None:
    User.objects.filter(pk=people.ben.pk).update(is_active=False)
    for value in (people.ben.pk, "x"):
        page = said(admin, f"/campaigns/{campaign.pk}/annotators/", {"annotators": [value]})
        assert "One of these people is not an annotator any more. Nothing was saved." in page
    assert campaign.annotators.count() == 2


def test_guidelines_are_edited_while_the_campaign_is_open(
    people: People, campaign: Campaign, admin: Client
) -> None:
    address = f"/campaigns/{campaign.pk}/guidelines/"
    page = said(admin, address, {"guidelines": "Be **strict** <script>x</script>"})
    assert "The guidelines are saved." in page
    assert "<strong>strict</strong>" in page
    overview = admin.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert "<strong>strict</strong>" in overview
    assert "<script>x" not in overview
    assert "<strong>strict</strong>" in text(people.client(people.anna), f"/work/{campaign.pk}/")


def test_guidelines_that_are_too_long_are_not_lost(campaign: Campaign, admin: Client) -> None:
    page = said(admin, f"/campaigns/{campaign.pk}/guidelines/", {"guidelines": "x" * 20_001})
    assert "The guidelines were not saved." in page
    assert "x" * 20_001 in page
    assert campaign.guidelines.count() == 0


# Every page, with and without rows, and what it costs


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_empty_installation_renders(admin: Client, address: str) -> None:
    assert admin.get(address).status_code == 200


def detail_addresses(campaign: Campaign) -> Iterator[str]:
    pool = campaign.design.pool
    yield f"/prompts/{pool.prompt_set_id}/"
    yield f"/pools/{pool.pk}/"
    yield f"/designs/{campaign.design_id}/"
    yield f"/campaigns/{campaign.pk}/"
    yield f"/campaigns/{campaign.pk}/guidelines/"
    yield f"/campaigns/{campaign.pk}/gold/"
    yield f"/campaigns/{campaign.pk}/flags/"


@pytest.mark.parametrize("status", ["queued", "running", "done", "failed", "cancelled"])
def test_every_page_renders_with_rows(people: People, admin: Client, status: str) -> None:
    campaign = make_campaign(people.anna)
    give(campaign, people.anna, "left")
    jobs_of_every_kind(campaign, status=status)
    for address in (*ADDRESSES, *detail_addresses(campaign)):
        assert admin.get(address).status_code == 200, address


def test_what_is_only_begun_renders(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna)
    PromptSet.objects.update(imported_at=None)
    Pool.objects.update(completed_at=None)
    type(campaign.design).objects.update(solved_at=None)
    Campaign.objects.update(opened_at=None)
    jobs_of_every_kind(campaign, status="failed", error="Line 1: bad.")
    for address in (*LISTS, *detail_addresses(campaign)):
        assert admin.get(address).status_code == 200, address


def queries_of(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def fill(people: People, number: int) -> Campaign:
    campaign = make_campaign(people.anna, people.ben, name=f"c{number}")
    jobs_of_every_kind(campaign, status="failed")
    User.objects.create_user(f"person{number}")
    return campaign


@pytest.mark.parametrize("address", LISTS)
def test_a_list_costs_the_same_with_three_rows(people: People, admin: Client, address: str) -> None:
    fill(people, 0)
    # Home shows the last eight jobs: the same kinds both times, or it would not be comparable.
    Job.objects.exclude(kind__in=["solve_design", "export_dataset"]).delete()
    one = queries_of(admin, address)
    fill(people, 1)
    fill(people, 2)
    Job.objects.exclude(kind__in=["solve_design", "export_dataset"]).delete()
    assert queries_of(admin, address) == one
