"""The page of how far labels can be trusted, and asking for it."""

import re

import pytest
from django.utils import timezone

from annotate.models import Assessment, Campaign
from annotate.quality.assess import assess_labels, create_assessment
from pairselect.designs.models import SelectedPair
from pairselect.jobs.models import Job
from tests.annotate.saying import ask_machine, make_machine, pairs_of, say
from tests.conftest import NoProgress, People, make_campaign, make_pool, run_queued_jobs
from tests.designs.conftest import design, give_features

pytestmark = pytest.mark.page


def address(campaign: Campaign, rest: str = "") -> str:
    return f"/campaigns/{campaign.pk}/quality/{rest}"


def assess(campaign: Campaign) -> Assessment:
    assessment = create_assessment(campaign)
    assess_labels(assessment.pk, NoProgress())  # type: ignore[arg-type]
    assessment.refresh_from_db()
    return assessment


def page_of(people: People, campaign: Campaign) -> str:
    response = people.client(people.admin).get(address(campaign))
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.fixture
def learnt(people: People) -> Campaign:
    """60 designed and 60 random pairs with features, all with two labels."""
    from annotate.actions import create_campaign, open_campaign

    give_features(make_pool(prompts=30, completions=5))
    found = design("--random-share=50", "--max-per-prompt=6", budget=120)
    campaign = create_campaign(
        found, name="learnt", annotators=[people.anna, people.ben], seed=0, mix_window=0,
        labels_per_pair=2, repeat_share=0.0, gold_share=0.0, strengths=2,
    )  # fmt: skip
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    for place, pair in enumerate(pairs_of(campaign)):
        for person in (people.anna, people.ben):
            other = person == people.ben and place % 3 == 0
            first = (pair.first.index < pair.second.index) ^ (place % 5 == 0) ^ other
            say(
                campaign, person, pair, "first" if first else "second",
                left=place % 8 < 4, strength=1 + place % 2,
            )  # fmt: skip
    return campaign


def test_without_labels_it_says_what_comes_next(people: People) -> None:
    page = page_of(people, make_campaign(people.anna))
    assert "No labels yet" in page
    assert "Assess the labels" not in page


def test_with_labels_it_offers_to_assess_them(people: People) -> None:
    campaign = make_campaign(people.anna)
    say(campaign, people.anna, pairs_of(campaign)[0], "first")
    page = page_of(people, campaign)
    assert "There is 1 label." in page
    assert "Assess the labels" in page


def test_asking_queues_one_job_and_shows_it(people: People) -> None:
    campaign = make_campaign(people.anna)
    say(campaign, people.anna, pairs_of(campaign)[0], "first")
    client = people.client(people.admin)
    for _ in range(2):  # a double click
        assert client.post(address(campaign, "assess/")).status_code == 302
    assert Job.objects.filter(kind="assess_labels").count() == 1
    page = page_of(people, campaign)
    assert "Assessing the labels of “campaign”" in page
    assert "Assess the labels</button>" not in page
    run_queued_jobs()
    page = page_of(people, campaign)
    assert "Made from 1 label" in page
    assert "Assess again" in page
    assert Assessment.objects.get().created_by == people.admin


def test_one_that_failed_is_shown_beside_the_last_that_did_not(people: People) -> None:
    campaign = make_campaign(people.anna)
    say(campaign, people.anna, pairs_of(campaign)[0], "first")
    assess(campaign)
    failed = create_assessment(campaign)
    Job.objects.create(
        kind="assess_labels", subject_id=failed.pk, status=Job.Status.FAILED, error="The disk."
    )
    page = page_of(people, campaign)
    assert "The disk." in page
    assert "Made from 1 label" in page
    people.client(people.admin).post(address(campaign, "assess/"))
    run_queued_jobs()
    assert "The disk." not in page_of(people, campaign)


def test_newer_labels_are_announced(people: People) -> None:
    campaign = make_campaign(people.anna)
    one, two, three = pairs_of(campaign)
    say(campaign, people.anna, one, "first")
    assess(campaign)
    assert "newer" not in page_of(people, campaign)
    say(campaign, people.anna, two, "first")
    say(campaign, people.anna, three, "first")
    assert "2 are newer." in page_of(people, campaign)


def test_earlier_rounds_can_be_taken_together(people: People) -> None:
    campaign = make_campaign(people.anna, name="then")
    assert "with the earlier rounds" not in page_of(people, campaign)
    first = make_campaign(people.anna, name="first")
    campaign.design.after = first.design
    campaign.design.save()
    for one in (first, campaign):
        say(one, people.anna, pairs_of(one)[0], "first")
    assert "with the earlier rounds" in page_of(people, campaign)
    people.client(people.admin).post(address(campaign, "assess/"), {"together": "1"})
    run_queued_jobs()
    page = page_of(people, campaign)
    assert "Made from 2 labels" in page
    assert "2 rounds together" in page


def test_it_shows_all_that_was_found(people: People, learnt: Campaign) -> None:
    machine = make_machine(learnt)
    for pair in pairs_of(learnt)[:5]:
        ask_machine(learnt, machine, pair, "first", "second")
    facts = assess(learnt).results
    page = page_of(people, learnt)
    alpha = facts["agreement"]["alpha"]["value"]
    assert f"<dd>{alpha:.2f}</dd>" in page
    assert "α with strengths" in page
    for title in ("People", "What else decides", "Do the features see it?", "Machines"):
        assert f">{title}</h2>" in page
    assert facts["learning"]["judged_by_control"]
    assert "Held-out accuracy" in page
    assert page.count("<svg") >= 2 + 2 * 2 + 5  # two charts, two people, position and so on
    assert page.count('<g class="designed">') == 1
    assert "judge" in page
    assert "<script>" not in page
    assert "style=" not in page


def test_the_numbers_of_a_chart_are_those_of_its_table(people: People, learnt: Campaign) -> None:
    facts = assess(learnt).results["learning"]
    page = page_of(people, learnt)
    for one in facts["everything"]:
        value = round(100 * one["accuracy"]["value"])
        assert f'<th scope="row" class="num">{one["labels"]}</th>' in page
        assert f"{value}% (" in page
    dots = sum(len(facts[name]) for name in ("everything", "designed", "control"))
    assert page.split("learned-desc")[2].split("</svg>")[0].count('class="whisker"') == dots


def test_control_labels_are_those_of_random_pairs(learnt: Campaign) -> None:
    facts = assess(learnt).results["learning"]
    random = SelectedPair.objects.filter(design=learnt.design, is_random=True).count()
    assert facts["held_out"] == 2 * random
    assert facts["dimension"] == learnt.design.reduction["dimension"]


def test_it_reads_german(people: People, learnt: Campaign) -> None:
    assess(learnt)
    client = people.client(people.admin)
    client.post("/language/", {"language": "de"})
    assert client.get(address(learnt)).status_code == 200


def test_its_queries_do_not_grow_with_labels(people: People) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for number in (1, 3):
        campaign = make_campaign(people.anna, name=f"c{number}")
        for pair in pairs_of(campaign)[:number]:
            say(campaign, people.anna, pair, "first")
        assess(campaign)
        client = people.client(people.admin)
        client.get(address(campaign))
        with CaptureQueriesContext(connection) as queries:
            client.get(address(campaign))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14


def test_assess_takes_a_post_of_an_admin_alone(people: People, campaign: Campaign) -> None:
    assert people.client(people.admin).get(address(campaign, "assess/")).status_code == 405
    assert people.client(people.admin).post(address(campaign)).status_code == 405
    for person in (people.anna, people.stranger):
        assert people.client(person).get(address(campaign)).status_code == 403
        assert people.client(person).post(address(campaign, "assess/")).status_code == 403
    assert not Assessment.objects.exists()
    assert people.client(people.admin).get("/campaigns/999/quality/").status_code == 404


def test_an_assessment_is_of_its_own_campaign(people: People) -> None:
    one, other = make_campaign(people.anna), make_campaign(people.anna, name="other")
    say(other, people.anna, pairs_of(other)[0], "first")
    assess(other)
    Assessment.objects.update(completed_at=timezone.now())
    assert "No labels yet" in page_of(people, one)


def test_a_language_with_decimal_commas_draws_the_same_charts(
    people: People, learnt: Campaign
) -> None:
    def drawn(language: str) -> list[str]:
        client = people.client(people.admin)
        page = client.get(address(learnt), headers={"Accept-Language": language})
        return re.findall(r' (?:d|cx|cy|x|y|points)="[^"]*"', page.content.decode())

    assess(learnt)
    english = drawn("en")
    assert len(english) > 50
    assert drawn("de") == english
