"""The page that shows what an export would hold, makes it, and lists what was made."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotate.models import Campaign, Comparison, Export, Flag
from pairselect.jobs.models import Job
from tests.annotate.exported import export
from tests.annotate.exporting.test_selection import A, B, decide
from tests.annotate.exporting.test_selection import labelled as labelled_alike
from tests.conftest import People, give, make_campaign, run_queued_jobs

pytestmark = pytest.mark.page

HTMX = {"HX-Request": "true"}
USUAL = {"format": "trl", "file_type": "jsonl", "one_row": "label", "test_share": "0", "seed": "0"}


@pytest.fixture
def labelled(people: People) -> Campaign:
    campaign = make_campaign(people.anna, prompts=8)
    for choice in ("left", "right", "tie", "both_bad", "left", "right", "right", "skip"):
        give(campaign, people.anna, choice)
    return campaign


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def address(campaign: Campaign) -> str:
    return f"/campaigns/{campaign.pk}/exports/"


def test_it_makes_an_export_with_all_that_was_asked(labelled: Campaign, admin: Client) -> None:
    asked = USUAL | {
        "format": "openrlhf", "file_type": "parquet", "max_per_prompt": "2", "leave_flagged": "on",
        "test_share": "40", "seed": "3", "extras": ["ties", "judgements"], "min_agreement": "50",
    }  # fmt: skip
    response = admin.post(address(labelled), asked)
    assert response.headers["Location"] == address(labelled)
    made = Export.objects.get()
    assert (made.format, made.created_by) == ("openrlhf", labelled_by(admin))
    assert made.options == {
        "one_row": "label", "rounds": False, "machines": False, "min_agreement": 0.5,
        "min_posterior": None, "max_per_prompt": 2, "leave_flagged": True, "test_share": 0.4,
        "seed": 3, "file_type": "parquet", "extras": ["ties", "judgements"],
    }  # fmt: skip
    run_queued_jobs()
    page = admin.get(address(labelled)).content.decode()
    for name in ("train.parquet", "test.parquet", "ties.parquet", "judgements.parquet"):
        assert f'href="/exports/{made.pk}/files/{name}/" download' in page
    assert f'href="/exports/{made.pk}/report/"' in page
    assert "both_bad.parquet" not in page


def labelled_by(client: Client) -> object:
    from django.contrib.auth import get_user

    return get_user(client)  # type: ignore[arg-type]


def test_the_preview_counts_without_making_anything(labelled: Campaign, admin: Client) -> None:
    Flag.objects.create(
        comparison=labelled.comparisons.filter(kind="label").earliest("position"),
        annotator=labelled.annotators.get(),
        kind="other",
    )
    asked = USUAL | {"leave_flagged": "on", "preview": "1"}
    whole = admin.post(address(labelled), asked).content.decode()
    part = admin.post(address(labelled), asked, headers=HTMX).content.decode()
    assert "<html" in whole
    assert "<html" not in part
    assert part.strip().startswith('<section class="card" id="preview"')
    for page in (whole, part):
        assert "<dt>Rows</dt><dd>4</dd>" in page
        assert "<dt>the pair has an open flag</dt><dd>1</dd>" in page
        assert page.count('class="example"') == 3
    assert Export.objects.count() == Job.objects.filter(kind="export_dataset").count() == 0


def test_an_attackers_text_is_shown_escaped(labelled: Campaign, admin: Client) -> None:
    labelled.design.pool.completions.filter(index=0).update(text="<script>alert(1)</script>")
    page = admin.get(address(labelled)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_nothing_to_export_is_said_and_the_button_is_off(
    people: People, campaign: Campaign, admin: Client
) -> None:
    page = admin.get(address(campaign)).content.decode()
    assert "No comparison of “campaign” has been decided yet" in page
    assert '<button class="button primary" disabled>' in page
    give(campaign, people.anna, "left")
    page = admin.get(address(campaign)).content.decode()
    assert '<button class="button primary">' in page
    asked = USUAL | {"format": "kto", "preview": "1"}
    page = admin.post(address(campaign), asked, headers=HTMX).content.decode()
    assert "has been called bad on both sides" in page
    assert '<button class="button primary" disabled>' in page


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"format": "../etc"}, "Select a valid choice"),
        ({"min_agreement": "101"}, "less than or equal to 100"),
        ({"max_per_prompt": "0"}, "greater than or equal to 1"),
        ({"format": "sft", "min_posterior": "60"}, "The format sft has no chosen and rejected"),
        ({"test_share": "x"}, "Enter a number"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(
    labelled: Campaign, admin: Client, wrong: dict[str, str], said: str
) -> None:
    page = admin.post(address(labelled), USUAL | wrong).content.decode()
    assert said in page
    assert "Nothing was exported." in page
    part = admin.post(address(labelled), USUAL | wrong | {"preview": "1"}, headers=HTMX)
    assert said in part.content.decode()
    assert Export.objects.count() == 0


def test_rounds_and_machines_are_offered_where_there_are_any(
    people: People, labelled: Campaign, admin: Client
) -> None:
    page = admin.get(address(labelled)).content.decode()
    assert 'name="rounds"' not in page
    assert 'name="machines"' not in page
    label = labelled.comparisons.earliest("pk")
    Comparison.objects.create(
        campaign=labelled, kind="machine", pair=label.pair, position=0, reserved_for=people.ben
    )
    assert 'name="machines"' in admin.get(address(labelled)).content.decode()


def test_the_report_is_a_page(labelled: Campaign, admin: Client) -> None:
    made = export(labelled, test_share=0.4, seed=1, max_per_prompt=1)
    page = admin.get(f"/exports/{made.pk}/report/").content.decode()
    assert "5 rows in the format trl" in page
    assert "the left text is the better one" in page
    assert "over the prompt" in page
    assert "<dt>Further files</dt><dd>ties, both bad, edits, all judgements, raw</dd>" in page
    assert "<dt>Prompts for testing</dt><dd>40 %</dd>" in page
    assert "Least agreement on a pair" not in page  # nobody asked for one
    for one in made.files:
        assert f'href="/exports/{made.pk}/files/{one["name"]}/" download' in page


def test_a_page_with_three_exports_costs_what_it_costs_with_one(
    labelled: Campaign, admin: Client
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            admin.get(address(labelled))
        return len(found)

    export(labelled)
    one = queries()
    export(labelled, "axolotl")
    export(labelled, "kto")
    assert queries() == one


def test_it_says_which_decisions_are_in_no_row(people: People, admin: Client) -> None:
    campaign = labelled_alike([people.anna, people.ben], [A, B])
    decide(campaign, people.admin, B)
    page = admin.get(address(campaign)).content.decode()
    assert "1 decision of an adjudicator is in none of these rows" in page
    page = admin.get(address(campaign), USUAL | {"one_row": "majority"}).content.decode()
    asked = USUAL | {"one_row": "majority", "preview": "1"}
    page = admin.post(address(campaign), asked, headers=HTMX).content.decode()
    assert "of an adjudicator is in none" not in page
