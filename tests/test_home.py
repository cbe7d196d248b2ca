"""Home: what waits, what runs, where each project stands, and what comes next."""

import html
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotate.answering import Outcome, answer
from annotate.leasing import next_comparison
from annotate.models import Campaign, Comparison, Export, Flag, Gold, Judgement
from pairselect.designs.models import Plan
from pairselect.jobs import registry
from pairselect.jobs.models import Job
from pairselect.pools.models import Pool, PromptSet, Upload
from pairselect.projects import Project, projects
from pairselect.waiting import Waiting, waiting
from tests.annotate.giving import revise
from tests.conftest import People, give, make_campaign, make_design, make_pool


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def home(admin: Client) -> str:
    return html.unescape(admin.get("/").content.decode())


def by_words() -> dict[str, Waiting]:
    return {one.words: one for one in waiting()}


def states(project: Project) -> list[str]:
    return [step.state for step in project.steps]


def finish(campaign: Campaign) -> None:
    """Every label, by the campaign's people in turn."""
    while campaign.comparisons.filter(kind="label", labelled_at=None).exists():
        for person in campaign.annotators.all():
            give(campaign, person, "left")


def export_of(campaign: Campaign, **facts: object) -> Export:
    return Export.objects.create(
        campaign=campaign, format="trl", row_count=3, completed_at=timezone.now(), **facts
    )


# What waits


def test_nothing_waits_in_an_empty_installation(people: People, admin: Client) -> None:
    assert waiting() == []
    page = home(admin)
    assert 'class="first-steps"' in page
    assert page.count("button primary") == 1
    assert 'href="/prompts/uploads/new/">Upload prompts' in page
    assert 'href="/pools/import/">Import a ready pool' in page
    assert 'href="/people/">Give your annotators accounts' in page


def staged(people: People) -> None:
    facts = {"file_name": "f.jsonl", "sha256": "0" * 64}
    Upload.objects.create(name="staged", preview={"columns": []}, **facts)
    Upload.objects.create(name="decided", preview={"columns": []}, columns={"kind": "x"}, **facts)
    Upload.objects.create(name="not looked at yet", **facts)
    looked_at = Upload.objects.create(name="again", preview={"columns": []}, **facts)
    Job.objects.create(kind="inspect_upload", subject_id=looked_at.pk, status=Job.Status.RUNNING)


def without_pool(people: People) -> None:
    PromptSet.objects.create(name="bare", imported_at=timezone.now())
    PromptSet.objects.create(name="not imported")
    PromptSet.objects.create(name="away", imported_at=timezone.now(), archived_at=timezone.now())


def without_design(people: People) -> None:
    make_pool(name="bare")
    Pool.objects.filter(pk=make_pool(name="begun").pk).update(completed_at=None)
    Pool.objects.filter(pk=make_pool(name="away").pk).update(archived_at=timezone.now())
    make_design(make_pool(name="chosen"))


def without_campaign(people: People) -> None:
    make_design(make_pool(name="bare"))
    unsolved = make_design(make_pool(name="unsolved"))
    type(unsolved).objects.filter(pk=unsolved.pk).update(solved_at=None)
    make_campaign(people.anna, name="opened")


def without_annotators(people: People) -> None:
    make_campaign(name="bare")
    make_campaign(people.anna, name="worked on")
    closed = make_campaign(name="closed")
    Campaign.objects.filter(pk=closed.pk).update(closed_at=timezone.now())
    left = make_campaign(people.ben, name="done")
    finish(left)
    left.annotators.clear()


def without_gold(people: People) -> None:
    make_campaign(people.anna, name="bare", gold_share=0.1)
    make_campaign(people.anna, name="asks for none")
    has = make_campaign(people.anna, name="has some", gold_share=0.1)
    Gold.objects.create(campaign=has, use="check", messages=[], better="b", worse="w")
    learns = make_campaign(people.anna, name="learns", passing_mark=0.8)
    Gold.objects.create(campaign=learns, use="onboarding", messages=[], better="b", worse="w")


def complete(people: People) -> None:
    finish(make_campaign(people.anna, name="bare"))
    make_campaign(people.anna, name="under way")
    done = make_campaign(people.anna, name="exported")
    finish(done)
    export_of(done)


@pytest.mark.parametrize(
    ("fill", "words", "page"),
    [
        (staged, "Files to import", "/prompts/uploads/"),
        (without_pool, "Prompts without completions", "/prompts/"),
        (without_design, "Pools without a design", "/pools/"),
        (without_campaign, "Designs without a campaign", "/designs/"),
        (without_annotators, "Campaigns without annotators", "/campaigns/"),
        (without_gold, "Campaigns that lack gold pairs", "/campaigns/"),
        (complete, "Complete, not exported", "/campaigns/"),
    ],
)
def test_a_row_waits_and_the_others_do_not(
    people: People, fill: Callable[[People], None], words: str, page: str
) -> None:
    fill(people)
    found = by_words()[words]
    assert found.total == 1
    (item,) = found.items
    assert item.name == ("staged" if fill is staged else "bare")
    assert item.url.startswith(page)


def test_a_label_after_the_export_waits_for_the_next(people: People) -> None:
    campaign = make_campaign(people.anna)
    finish(campaign)
    export_of(campaign)
    assert "Complete, not exported" not in by_words()
    judgement = Judgement.objects.filter(comparison__campaign=campaign).first()
    assert judgement is not None
    Comparison.objects.filter(pk=judgement.comparison_id).update(labelled_at=timezone.now())
    assert by_words()["Complete, not exported"].items[0].name == "campaign"


def revised(campaign: Campaign, people: People) -> None:
    revise(Judgement.objects.filter(comparison__campaign=campaign)[0], "right")


def decided(campaign: Campaign, people: People) -> None:
    pair = campaign.design.pairs.first()
    Comparison.objects.create(campaign=campaign, kind="adjudication", pair=pair, position=0)
    campaign.adjudicators.add(people.ben)
    comparison = next_comparison(campaign, people.ben, adjudicating=True)
    assert comparison is not None
    assert comparison.lease is not None
    choice = Judgement.Choice.LEFT
    assert answer(comparison, people.ben, choice=choice, lease=comparison.lease) is Outcome.STORED


def decided_again(campaign: Campaign, people: People) -> None:
    decision = Judgement.objects.get(comparison__kind="adjudication")
    revise(decision, "right")


def ended_undecided(campaign: Campaign, people: People) -> None:
    pair = campaign.design.pairs.first()
    Comparison.objects.create(
        campaign=campaign, kind="adjudication", pair=pair, position=0, labelled_at=timezone.now()
    )


def asked_of_a_machine(campaign: Campaign, people: People) -> None:
    Comparison.objects.create(
        campaign=campaign, kind="machine", pair=campaign.design.pairs.first(), position=0,
        reserved_for=people.ben, annotator=people.ben, labelled_at=timezone.now(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "change", "is_due"),
    [
        (None, revised, True),
        (None, decided, True),
        (decided, decided_again, True),
        (None, ended_undecided, False),
        (None, asked_of_a_machine, False),
    ],
)
def test_what_an_export_was_made_from_has_changed(
    people: People,
    before: Callable[[Campaign, People], None] | None,
    change: Callable[[Campaign, People], None],
    is_due: bool,
) -> None:
    campaign, other = (make_campaign(people.anna, name=name) for name in ("changed", "same"))
    for one in (campaign, other):
        finish(one)
    if before is not None:
        before(campaign, people)
    for one in (campaign, other):
        export_of(one)

    def due() -> tuple[list[str], list[str]]:
        waits = by_words().get("Complete, not exported")
        again = [one.name for one in projects() if one.steps[-1].words == "Export again"]
        return [item.name for item in waits.items] if waits else [], again

    assert due() == ([], [])
    change(campaign, people)
    assert due() == ((["changed"], ["changed"]) if is_due else ([], []))


def test_flags_are_counted_for_each_campaign(people: People) -> None:
    few, many = (make_campaign(people.anna, name=name) for name in ("few", "many"))
    for campaign, number in ((few, 1), (many, 3)):
        comparison = campaign.comparisons.first()
        for _ in range(number):
            Flag.objects.create(comparison=comparison, annotator=people.anna, kind="other")
    Flag.objects.filter(comparison__campaign=many).first().delete()  # type: ignore[union-attr]
    Flag.objects.create(
        comparison=many.comparisons.first(), annotator=people.anna, kind="other",
        resolved_at=timezone.now(),
    )  # fmt: skip
    found = by_words()["Open flags"]
    assert [(item.name, item.note) for item in found.items] == [("many", "2"), ("few", "1")]
    assert found.items[0].url == f"/campaigns/{many.pk}/flags/"


def test_a_disagreement_waits_while_nobody_may_decide_it(people: People) -> None:
    campaign = make_campaign(people.anna)
    pair = campaign.design.pairs.first()
    Comparison.objects.create(campaign=campaign, kind="adjudication", pair=pair, position=0)
    words = "Disagreements without adjudicator"
    assert [(item.name, item.note) for item in by_words()[words].items] == [("campaign", "1")]
    campaign.adjudicators.add(people.ben)
    assert words not in by_words()


def failed(kind: str, subject_id: int, **facts: object) -> Job:
    facts = {"status": "failed", "finished_at": timezone.now()} | facts
    return Job.objects.create(kind=kind, subject_id=subject_id, error="No.", **facts)


def test_a_failed_job_waits_until_something_came_of_it(people: People) -> None:
    pool, away, old = (make_pool(name=name) for name in ("pool", "away", "old"))
    failed("generate_pool", pool.pk)
    failed("generate_pool", away.pk)
    failed("generate_pool", old.pk, finished_at=timezone.now() - timedelta(days=15))
    failed("generate_pool", 99999)
    Pool.objects.filter(pk=away.pk).update(archived_at=timezone.now())
    found = by_words()["Failed"]
    assert [(item.name, item.url) for item in found.items] == [
        ("Generating completions of “pool”", f"/pools/{pool.pk}/")
    ]
    Job.objects.create(kind="generate_pool", subject_id=pool.pk, status=Job.Status.DONE)
    assert "Failed" not in by_words()


def test_a_failed_prediction_waits_for_nobody(people: People) -> None:
    """The form beside it said so, and nothing is missing where it is never asked for again."""
    plan = Plan.objects.create(pool=make_pool(), asked={"page": ""})
    failed("plan_design", plan.pk)
    assert "Failed" not in by_words()


@pytest.mark.parametrize("kind", sorted(registry._kinds))
def test_a_failed_job_of_any_kind_can_be_shown(db: None, kind: str) -> None:
    failed(kind, 1)
    assert waiting() == []  # what it worked on is not there


def test_three_are_named_and_the_others_counted(people: People, admin: Client) -> None:
    for i in range(5):
        make_pool(name=f"p{i}")
    found = by_words()["Pools without a design"]
    assert [item.name for item in found.items] == ["p4", "p3", "p2"]
    assert (found.total, found.more) == (5, 2)
    assert '<a class="muted" href="/pools/">2 more</a>' in home(admin)


# Where projects stand


def test_each_project_shows_how_far_it_is(people: People, admin: Client) -> None:
    PromptSet.objects.create(name="set", prompt_count=2000, imported_at=timezone.now())
    make_pool(name="pool")
    make_design(make_pool(name="design"))
    campaign = make_campaign(people.anna, name="campaign")
    give(campaign, people.anna, "left")
    found = {project.name: project for project in projects()}
    assert [project.name for project in projects()] == ["campaign", "design", "pool", "set"]
    assert states(found["set"]) == ["done", "next", "later", "later", "later"]
    assert states(found["pool"]) == ["done", "done", "next", "later", "later"]
    assert states(found["design"]) == ["done", "done", "done", "next", "later"]
    assert states(found["campaign"]) == ["done", "done", "done", "running", "later"]
    words = [step.words for step in found["campaign"].steps]
    assert words == ["3 prompts", "9 completions", "3 pairs", "1 of 3 labels", ""]
    assert found["set"].steps[0].words == "2,000 prompts"
    pool = found["pool"].next
    assert pool is not None
    pk = Pool.objects.get(name="pool").pk
    assert (pool.words, pool.url) == ("Choose pairs", f"/designs/new/?pool={pk}")
    page = home(admin)
    assert page.count("button primary") == 1
    assert "Open a campaign: design</a>" in page  # of the newest that has a next step


def test_the_last_two_steps(people: People) -> None:
    campaign = make_campaign(people.anna)

    def last_two() -> list[tuple[str, str]]:
        (project,) = projects()
        return [(step.state, step.words) for step in project.steps[3:]]

    Campaign.objects.update(paused_at=timezone.now())
    assert last_two() == [("paused", "paused, 0 of 3 labels"), ("later", "")]
    Campaign.objects.update(paused_at=None)
    give(campaign, people.anna, "left")
    Campaign.objects.update(closed_at=timezone.now())
    assert last_two() == [("done", "closed, 1 of 3 labels"), ("next", "Export")]
    Campaign.objects.update(closed_at=None)
    finish(campaign)
    assert last_two() == [("done", "3 of 3 labels"), ("next", "Export")]
    export = export_of(campaign)
    assert last_two()[1] == ("done", "3 rows, now")
    Export.objects.filter(pk=export.pk).update(created_at=timezone.now() - timedelta(hours=1))
    assert last_two()[1] == ("next", "Export again")


def test_what_is_being_made_or_failed_says_so(people: People) -> None:
    pool = make_pool()
    Pool.objects.update(completed_at=None)
    assert projects()[0].steps[1].state == "paused"
    job = Job.objects.create(
        kind="generate_pool", subject_id=pool.pk, status=Job.Status.RUNNING, done=4, total=9
    )
    step = projects()[0].steps[1]
    assert (step.state, step.words, step.done, step.total) == ("running", "running", 4, 9)
    Job.objects.filter(pk=job.pk).update(status=Job.Status.FAILED)
    assert projects()[0].steps[1].state == "failed"
    assert projects()[0].next is None


@pytest.mark.parametrize("what", ["campaign", "design", "pool", "prompt_set"])
def test_a_project_with_a_row_that_is_archived_is_left_out(people: People, what: str) -> None:
    campaign = make_campaign(people.anna)
    rows = {
        "campaign": campaign,
        "design": campaign.design,
        "pool": campaign.design.pool,
        "prompt_set": campaign.design.pool.prompt_set,
    }
    assert len(projects()) == 1
    type(rows[what])._default_manager.update(archived_at=timezone.now())
    assert projects() == []


# What runs


def test_projects_ask_again_while_labels_come_in(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna)
    polls = 'hx-get="/projects/"'
    assert polls not in home(admin)
    give(campaign, people.anna, "left")
    assert polls in home(admin)
    part = admin.get("/projects/", headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith("<section")
    assert polls in part
    assert "1 of 3 labels" in part
    Comparison.objects.filter(labelled_at__isnull=False).update(
        labelled_at=timezone.now() - timedelta(minutes=11)
    )
    assert polls not in admin.get("/projects/").content.decode()
    finish(campaign)
    assert polls not in admin.get("/projects/").content.decode()


def test_five_jobs_show_their_progress_and_the_others_are_counted(
    people: People, admin: Client
) -> None:
    for i in range(7):
        pool = make_pool(name=f"p{i}")
        status = Job.Status.RUNNING if i == 6 else Job.Status.QUEUED
        Job.objects.create(kind="generate_pool", subject_id=pool.pk, status=status)
    page = home(admin)
    assert page.count('hx-trigger="every 2s"') == 5
    assert "2 more jobs wait their turn." in page
    assert "Generating completions of “p6”" in page


# What it costs


def queries_of(admin: Client, address: str) -> int:
    admin.get(address)
    with CaptureQueriesContext(connection) as queries:
        assert admin.get(address).status_code == 200
    return len(queries)


def fill(people: People, name: str) -> None:
    """A project at each stage, and something of every sort that waits."""
    PromptSet.objects.create(name=f"set {name}", imported_at=timezone.now())
    make_pool(name=f"pool {name}")
    make_design(make_pool(name=f"design {name}"))
    campaign = make_campaign(people.anna, name=f"campaign {name}", gold_share=0.1)
    give(campaign, people.anna, "left")
    Flag.objects.create(
        comparison=campaign.comparisons.first(), annotator=people.anna, kind="other"
    )
    done = make_campaign(people.anna, name=f"done {name}")
    finish(done)
    exported = make_campaign(people.anna, name=f"exported {name}")
    finish(exported)
    export_of(exported)
    failed("solve_design", campaign.design_id)
    Job.objects.create(kind="generate_pool", subject_id=done.design.pool_id)


def test_it_costs_the_same_with_three_of_each(people: People, admin: Client) -> None:
    fill(people, "0")
    assert queries_of(admin, "/") == 30
    assert queries_of(admin, "/projects/") == 13
    fill(people, "1")
    fill(people, "2")
    assert queries_of(admin, "/") == 30
    assert queries_of(admin, "/projects/") == 13
