"""What so many answers say of a machine, worked out by hand; people's figures lack them."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotate.adjudication import disputed
from annotate.beliefs import beliefs_of
from annotate.leasing import next_comparison
from annotate.machines.answering import Task
from annotate.machines.measures import report_on
from annotate.machines.verdicts import Orders, verdicts
from annotate.measures import Share, people_of
from annotate.models import Campaign, Judgement
from annotate.overview import onboarding_of, skips_by_reason
from annotate.pacing import pace_and_cost
from annotate.queries import (
    answers_of,
    campaigns,
    counts_by_choice,
    current_labels,
    is_complete,
    pace_of,
)
from annotate.rounds import create_next_round, usable_labels
from annotate.summaries import campaign_detail
from pairselect.designs.models import KnownLabel
from tests.annotate.giving import prefer
from tests.annotate.machining import always_left, answer_all, by_api, for_first, for_second
from tests.conftest import People, give, make_campaign

pytestmark = pytest.mark.django_db


def by_place(*answers: str) -> Any:
    """Choose by the pair's place in the queue: first, second, left, tie, bad or skip."""

    def choose(task: Task) -> str:
        wanted = answers[task.comparison.position]
        if wanted == "first":
            return for_first(task)
        return for_second(task) if wanted == "second" else wanted

    return choose


@pytest.mark.parametrize(
    ("shown", "verdict", "consistent", "kept"),
    [
        (("left", "right"), "first", True, False),
        (("right", "left"), "second", True, False),
        (("left", "left"), "tie", False, True),
        (("right", "right"), "tie", False, True),
        (("tie", "tie"), "tie", True, False),
        (("both_bad", "both_bad"), "both_bad", True, False),
        (("left", "tie"), "tie", False, False),
        (("both_bad", "right"), "tie", False, False),
        (("tie", "both_bad"), "tie", False, False),
    ],
)
def test_a_verdict_is_what_both_orders_say(
    shown: tuple[str, str], verdict: str, consistent: bool, kept: bool
) -> None:
    orders = Orders(*shown, None)
    assert orders.verdict == verdict
    assert (orders.is_consistent, orders.kept_the_side) == (consistent, kept)


def test_verdicts_by_machine_and_pair(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=5)
    answer_all(by_api(campaign), by_place("first", "second", "left", "both_bad", "skip"))
    answer_all(by_api(campaign, "other", pairs=1), for_second)
    half = by_api(campaign, "half")
    answer_all(half, for_first)
    Judgement.objects.filter(annotator=half.machine.user, first_on_left=False).delete()
    pairs = list(campaign.design.pairs.order_by("position").values_list("pk", flat=True))
    assert verdicts(campaign) == {
        "machine:own": dict(zip(pairs, ["first", "second", "tie", "both_bad"], strict=False)),
        "machine:other": {pairs[0]: "second"},
    }


def test_the_measures_of_a_machine(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, labels_per_pair=2, prompts=8)
    for person in (people.anna, people.ben):
        for first in (True, True, True, True, True):
            prefer(campaign, person, first=first)
    give(campaign, people.anna, "tie")  # one each on the sixth pair: nobody wins it
    prefer(campaign, people.ben, first=True)
    said = ("first", "second", "left", "first", "tie", "first", "both_bad", "skip")
    assignment = by_api(campaign)
    answer_all(assignment, by_place(*said), seconds=2.0)
    (one,) = report_on(campaign).measures
    assert (one.name, one.answers, one.skips, one.pairs) == ("machine:own", 14, 2, 7)
    assert one.seconds == 2.0
    assert one.left == Share(6, 10)  # the four that follow the text, and left twice
    assert one.consistent == Share(6, 7)
    assert one.kept_side == Share(1, 7)
    assert one.agreement == Share(2, 3)  # pairs 1, 2 and 4 have two winners


def test_a_machine_that_always_says_left_is_seen_to_lean(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=12)
    answer_all(by_api(campaign), always_left)
    (one,) = report_on(campaign).measures
    assert (one.left, one.kept_side, one.consistent) == (Share(24, 24), Share(12, 12), Share(0, 12))
    assert one.left.lean == "more"
    assert set(verdicts(campaign)["machine:own"].values()) == {"tie"}


def test_the_surest_disagreements_come_first(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=4)
    for first in (True, True, False, True):
        prefer(campaign, people.anna, first=first)
    answer_all(by_api(campaign, pairs=1), for_second, confidence=0.6)
    answer_all(by_api(campaign, "other", pairs=2), for_second, confidence=0.9)
    answer_all(by_api(campaign, "fine", pairs=2), for_first)
    report = report_on(campaign)
    found = [(one.name, one.comparison.position, one.people) for one in report.disagreements]
    assert found == [
        ("machine:other", 0, "first"),
        ("machine:other", 1, "first"),
        ("machine:own", 0, "first"),
    ]
    assert report.disagreements[0].percent == pytest.approx(90)
    assert report.disagreements[0].share == Share(1, 1)
    short = report_on(campaign, most=1)
    assert (len(short.disagreements), short.disagreement_count) == (1, 3)


def test_the_report_takes_as_many_queries_for_three_machines(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=4)
    prefer(campaign, people.anna, first=True)
    answer_all(by_api(campaign), for_second)
    with CaptureQueriesContext(connection) as one:
        report_on(campaign)
    for name in ("b", "c"):
        answer_all(by_api(campaign, name), for_second)
    with CaptureQueriesContext(connection) as three:
        assert len(report_on(campaign).measures) == 3
    assert len(one) == len(three) == 5


# people's figures


@pytest.fixture
def judged(people: People) -> Campaign:
    """A machine has said of every pair what nobody of the people does."""
    campaign = make_campaign(people.anna, people.ben, prompts=6)
    answer_all(by_api(campaign), for_second, seconds=1000.0, confidence=0.99)
    return campaign


def test_no_figure_of_people_counts_a_machine(judged: Campaign, people: People) -> None:
    assert Judgement.objects.count() == 12  # or there is nothing to leave out
    assert not current_labels(judged).exists()
    assert not usable_labels(judged).exists()
    assert not is_complete(judged)
    assert sum(counts_by_choice(judged).values()) == 0
    assert people_of(judged) == []
    assert people_of(judged).left == Share()
    assert [(one.total, one.labelled) for one in campaigns()] == [(6, 0)]
    assert (pace_of(judged, people.anna).left, pace_of(judged, people.anna).done) == (6, 0)
    assert skips_by_reason(judged) == []
    assert [one.name for one in onboarding_of(judged)] == ["anna", "ben"]
    prefer(judged, people.anna, first=True)
    (anna,) = people_of(judged)
    assert (anna.name, anna.labels, anna.left.total) == ("anna", 1, 1)
    assert answers_of(judged, people.anna).count() == 1


def figures(campaign: Campaign) -> dict[str, Any]:
    """All that the campaign's pages and the API say of people's work."""
    (row,) = campaigns()
    beliefs = beliefs_of([campaign])
    return {
        "campaign": campaign_detail(row),
        "pace": pace_and_cost(campaign),
        "people": list(people_of(campaign)),
        "choices": counts_by_choice(campaign),
        "skips": skips_by_reason(campaign),
        "disputed": list(disputed(campaign, adjudicate="any")),
        "beliefs": [beliefs.pair_ids.tolist(), beliefs.probability.tolist()],
        "complete": is_complete(campaign),
    }


def test_answers_of_machines_change_no_figure(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, labels_per_pair=2, prompts=6, price=1)
    for person, first in ((people.anna, True), (people.ben, False), (people.anna, True)):
        prefer(campaign, person, first=first)
    before = figures(campaign)
    assert before["beliefs"][0]
    assert before["disputed"]
    answer_all(by_api(campaign), for_second, seconds=1000.0, confidence=0.99)
    answer_all(by_api(campaign, "b"), lambda task: "skip")
    assert Judgement.objects.count() == 3 + 24
    assert figures(campaign) == before
    with_machines = beliefs_of([campaign], machines=True)
    assert len(with_machines.pair_ids) == 6  # where they are asked for, they are there


def test_people_get_every_pair_all_the_same(judged: Campaign, people: People) -> None:
    for _number in range(6):
        comparison = next_comparison(judged, people.anna)
        assert comparison is not None
        assert comparison.kind == "label"
        give(judged, people.anna, "left")
    assert next_comparison(judged, people.anna) is None
    assert is_complete(judged)


def test_the_next_round_knows_peoples_labels_alone(judged: Campaign, people: People) -> None:
    prefer(judged, people.anna, first=True)
    create_next_round(
        judged,
        pool=judged.design.pool,
        name="second",
        budget=2,
        strategy="trace_gap",
        feature_kind="mean_middle",
    )
    assert [one.preference for one in KnownLabel.objects.all()] == [1.0]


def test_an_export_has_no_machines_answer_unless_asked(
    judged: Campaign, people: People, tmp_path: Any
) -> None:
    prefer(judged, people.anna, first=True)
    call_command("export_dataset", judged.name, "--output", str(tmp_path / "out.jsonl"))
    text = "".join(path.read_text() for path in tmp_path.rglob("*.jsonl"))
    rows = [line for line in text.splitlines() if '"chosen"' in line]
    assert len(rows) == 1
    assert "machine:" not in text
