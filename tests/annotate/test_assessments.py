"""What a worker finds out of a campaign's labels, from rows to numbers."""

import json
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from annotate.models import Assessment, Campaign
from annotate.quality.assess import assess, assess_labels, create_assessment, newer_labels
from annotate.quality.facts import Facts
from annotate.quality.present import present
from annotate.quality.words import advice, learning_sentence, summary, trust
from pairselect.jobs.actions import run_job
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError
from pairselect.pools.models import Completion
from tests.annotate.saying import (
    ask_machine,
    decide,
    make_machine,
    pairs_of,
    say,
    say_again,
    say_of_gold,
)
from tests.conftest import NoProgress, People, make_campaign


def assessed(*campaigns: Campaign) -> Facts:
    facts = assess(campaigns[-1], campaigns, NoProgress())  # type: ignore[arg-type]
    json.dumps(facts, allow_nan=False)  # plain numbers, as every database takes them
    present(facts)
    return facts


def two_each(people: People, answers: list[tuple[str, str]], **asked: Any) -> Campaign:
    """Anna's and Ben's answers, a pair each."""
    campaign = make_campaign(
        people.anna, people.ben, prompts=len(answers), labels_per_pair=2, **asked
    )
    for place, (pair, said) in enumerate(zip(pairs_of(campaign), answers, strict=True)):
        for person, answer in zip((people.anna, people.ben), said, strict=True):
            say(campaign, person, pair, answer, left=place % 8 < 4)
    return campaign


def test_without_a_label_the_job_says_what_to_do(people: People) -> None:
    campaign = make_campaign(people.anna)
    say(campaign, people.anna, pairs_of(campaign)[0], "skip")
    with pytest.raises(JobError, match="label some pairs first"):
        assess(campaign, [campaign], NoProgress())  # type: ignore[arg-type]


def test_one_label_is_an_assessment_too(people: People) -> None:
    campaign = make_campaign(people.anna)
    say(campaign, people.anna, pairs_of(campaign)[0], "first")
    facts = assessed(campaign)
    assert (facts["labels"], facts["decided"], facts["pairs"]) == (1, 1, 1)
    assert facts["agreement"] == {"alpha": None, "percent": None, "pairs": 0, "labels": 0}
    assert (facts["consistent"], facts["gold"], facts["ordinal"]) == (None, None, None)
    assert facts["confounds"]["left"]["count"] == 1  # type: ignore[index]
    assert facts["confounds"]["adjusted"] is None
    assert facts["learning"] is None
    assert facts["people"][0]["agreement"] is None
    assert trust(facts) == "Nothing shows yet how far these labels can be trusted."
    assert "With one label a pair agreement cannot be measured" in advice(facts)[0]


def test_agreement_by_hand(people: People) -> None:
    """Of 10 pairs 6 the same; whichever text is stored first, half of all labels are for it."""
    one, two = "0100000010", "1110010000"
    word = {"0": "first", "1": "second"}
    answers = [(word[a], word[b]) for a, b in zip(one, two, strict=True)]
    facts = assessed(two_each(people, answers))
    by_chance = 2 * 10 * 10 / (20 * 19)  # of drawing two that differ
    assert facts["agreement"]["alpha"]["value"] == pytest.approx(1 - 0.4 / by_chance)  # type: ignore[index]
    assert facts["agreement"]["percent"]["value"] == pytest.approx(0.6)  # type: ignore[index]
    anna, ben = facts["people"]
    assert anna["agreement"]["value"] == ben["agreement"]["value"] == pytest.approx(0.6)  # type: ignore[index]
    assert anna["compared"] == 10
    assert "too few to tell" in advice(facts)[0]


def test_all_ties(people: People) -> None:
    facts = assessed(two_each(people, [("tie", "tie")] * 45))
    assert (facts["ties"], facts["decided"]) == (45 * 2, 0)
    assert facts["agreement"]["alpha"] is None
    assert facts["agreement"]["percent"]["value"] == 1.0  # type: ignore[index]
    assert facts["confounds"]["left"] is None
    assert facts["learning"] is None
    assert facts["beliefs"]["sure"]["0.6"] == 0
    assert "α is not defined" in summary(facts)


def test_all_both_bad(people: People) -> None:
    facts = assessed(two_each(people, [("both_bad", "both_bad")] * 3))
    assert facts["both_bad"] == 6
    assert facts["people"][0]["accuracy"] is None
    assert facts["beliefs"]["sure"]["0.5"] == 3


def test_people_who_agree_are_trusted(people: People) -> None:
    answers = [(side, side) for side in ("first", "second") * 15]
    facts = assessed(two_each(people, answers))
    assert trust(facts) == "People agree: single labels can be trusted."
    assert facts["beliefs"]["sure"]["0.9"] == 30
    assert facts["people"][0]["accuracy"]["low"] > 0.8  # type: ignore[index]


def test_people_who_draw_lots_are_not(people: People) -> None:
    sides = ("first", "second")
    answers = [(sides[n % 2], sides[n // 2 % 2]) for n in range(136)]
    facts = assessed(two_each(people, answers))
    assert facts["agreement"]["alpha"]["high"] < 0.2  # type: ignore[index]
    assert "do not train on this" in trust(facts)


def test_people_who_agree_on_what_is_stored_first_agree(people: People) -> None:
    """As in a preference file, whose chosen texts all come first."""
    answers = [("first", "first")] * 42 + [("first", "second"), ("second", "first")] * 3
    facts = assessed(two_each(people, answers))
    assert facts["agreement"]["alpha"]["value"] > 0.7  # type: ignore[index]
    assert "single labels can be trusted" in trust(facts)


def test_strengths_are_ranks(people: People) -> None:
    """Two who differ in strength alone agree by rank more than two who differ in the side."""
    campaign = make_campaign(people.anna, people.ben, prompts=8, labels_per_pair=2, strengths=2)
    for place, pair in enumerate(pairs_of(campaign)):
        side = ("first", "second")[place % 2]
        say(campaign, people.anna, pair, side, strength=2)
        say(campaign, people.ben, pair, side, strength=1 + place // 2 % 2)
    found = assessed(campaign)["ordinal"]
    assert found is not None
    assert found["pairs"] == 8
    assert 0.7 < found["alpha"]["value"] < 1  # type: ignore[index]


def test_repeats_and_gold(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=4)
    for place, pair in enumerate(pairs_of(campaign)):
        given = say(campaign, people.anna, pair, "first")
        say_again(given, "first" if place else "second")
        say_of_gold(campaign, people.anna, "first" if place < 3 else "tie")
    facts = assessed(campaign)
    consistent, gold = facts["consistent"], facts["gold"]
    assert consistent is not None
    assert gold is not None
    assert (consistent["count"], consistent["total"]) == (3, 4)
    assert (gold["count"], gold["total"]) == (3, 4)
    assert facts["labels"] == 4


def write(campaign: Campaign, first: str, second: str) -> None:
    for pair in pairs_of(campaign):
        for pk, text in ((pair.first_id, first), (pair.second_id, second)):
            Completion.objects.filter(pk=pk).update(text=f"{text} {pk:05}", token_count=len(text))


def test_confounds_are_of_the_sides_that_differ(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=40)
    write(campaign, "- short", "a text that is longer, and plain")
    for place, pair in enumerate(pairs_of(campaign)):
        # The second, longer one wins 30 of 40; the left one, by turns, 20.
        say(
            campaign, people.anna, pair, "first" if place % 4 == 0 else "second", left=place % 8 < 4
        )
    found = assessed(campaign)["confounds"]
    longer, left, marked = found["longer_characters"], found["left"], found["formatted"]
    assert longer is not None
    assert left is not None
    assert marked is not None
    assert (longer["count"], longer["total"]) == (30, 40)
    assert longer["low"] > 0.5
    assert found["longer_tokens"] == longer
    assert (left["count"], left["total"]) == (20, 40)
    assert (marked["count"], marked["total"]) == (10, 40)
    adjusted = found["adjusted"]
    assert adjusted is not None
    assert adjusted["left"]["value"] == pytest.approx(0.5, abs=0.01)
    write(campaign, "alike", "as it")
    found = assessed(campaign)["confounds"]
    assert (found["longer_characters"], found["formatted"]) == (None, None)
    assert found["adjusted"]["formatted"] is None  # type: ignore[index]


def test_labels_of_one_prompt_are_kin(people: People) -> None:
    """The same shares of as many labels, on 40 pairs or 5 labels each on 8: less is known."""
    campaign = make_campaign(people.anna, prompts=40)
    few = make_campaign(
        *(User.objects.create_user(f"p{n}") for n in range(5)),
        prompts=8, name="few", labels_per_pair=5,
    )  # fmt: skip
    for one in (campaign, few):
        write(one, "short", "somewhat longer")
        people_of = list(one.annotators.all())
        for place, pair in enumerate(pairs_of(one)):
            for person in people_of:
                say(one, person, pair, "first" if place % 4 == 0 else "second")
    apart = assessed(campaign)["confounds"]["longer_characters"]
    kin = assessed(few)["confounds"]["longer_characters"]
    assert apart is not None
    assert kin is not None
    assert apart["value"] == kin["value"] == 0.75
    assert kin["high"] - kin["low"] > 1.5 * (apart["high"] - apart["low"])


def test_adjudications_decide_pairs_and_are_no_labels(people: People) -> None:
    campaign = two_each(people, [("first", "second"), ("first", "first")])
    decide(campaign, people.admin, pairs_of(campaign)[0], "second")
    facts = assessed(campaign)
    assert facts["beliefs"]["adjudicated"] == 1
    assert facts["labels"] == 4
    assert {one["name"] for one in facts["people"]} == {"anna", "ben"}
    assert facts["agreement"]["percent"]["value"] == 0.5  # type: ignore[index]


def test_machines_stand_apart(people: People) -> None:
    campaign = two_each(people, [("first", "first"), ("second", "second"), ("first", "second")])
    before = assessed(campaign)
    machine = make_machine(campaign)
    one, two, three = pairs_of(campaign)
    ask_machine(campaign, machine, one, "first", "first")
    ask_machine(campaign, machine, two, "second", "second")
    ask_machine(campaign, machine, three, "first", "second")  # the left one, both times
    after = assessed(campaign)
    assert before["machines"] == []
    assert {**after, "machines": []} == before
    found = after["machines"][0]
    assert (found["name"], found["answers"], found["pairs"]) == ("judge", 6, 3)
    assert found["percent"]["value"] == pytest.approx((1 + 1 + 0.5) / 3)  # type: ignore[index]
    assert found["left"]["count"] == 4  # type: ignore[index]
    assert (found["consistent"]["count"], found["consistent"]["total"]) == (2, 3)  # type: ignore[index]


def test_rounds_together(people: People) -> None:
    first = make_campaign(people.anna, prompts=3, name="first")
    then = make_campaign(people.anna, prompts=3, name="then")
    then.design.after = first.design
    then.design.save()
    for one in (first, then):
        for pair in pairs_of(one):
            say(one, people.anna, pair, "first")
    alone, both = create_assessment(then), create_assessment(then, together=True)
    for one in (alone, both):
        assess_labels(one.pk, NoProgress())  # type: ignore[arg-type]
        one.refresh_from_db()
    assert (alone.label_count, both.label_count) == (3, 6)
    assert (alone.results["campaigns"], both.results["campaigns"]) == (1, 2)


def test_newer_labels_are_counted(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=3)
    one, two, three = pairs_of(campaign)
    say(campaign, people.anna, one, "first")
    assessment = create_assessment(campaign)
    assess_labels(assessment.pk, NoProgress())  # type: ignore[arg-type]
    assessment.refresh_from_db()
    assert newer_labels(assessment) == 0
    say(campaign, people.anna, two, "first")
    say(campaign, people.anna, three, "skip")
    decide(campaign, people.admin, one, "first")
    assert newer_labels(assessment) == 1


def test_a_job_run_twice_assesses_once(people: People) -> None:
    campaign = make_campaign(people.anna)
    say(campaign, people.anna, pairs_of(campaign)[0], "first")
    assessment = create_assessment(campaign)
    job = Job.objects.create(kind="assess_labels", subject_id=assessment.pk)
    assert run_job(job.pk)
    assessment.refresh_from_db()
    made = assessment.completed_at
    assess_labels(assessment.pk, NoProgress())  # type: ignore[arg-type]
    assessment.refresh_from_db()
    assert assessment.completed_at == made
    assert (
        assessment.last_judgement
        == campaign.comparisons.get(labelled_at__isnull=False).judgements.get().pk
    )


def test_the_command_says_it_in_words_and_in_json(people: People) -> None:
    campaign = make_campaign(people.anna)
    say(campaign, people.anna, pairs_of(campaign)[0], "first")
    out = StringIO()
    call_command("assess_labels", "campaign", stdout=out)
    assert "Nothing shows yet" in out.getvalue()
    out = StringIO()
    call_command("assess_labels", "campaign", json=True, stdout=out)
    answer = json.loads(out.getvalue())
    assert (answer["campaign"], answer["labels"]) == ("campaign", 1)
    assert answer["assessment"] == Assessment.objects.first().pk  # type: ignore[union-attr]


def test_the_command_leaves_nothing_behind_that_failed(people: People) -> None:
    make_campaign(people.anna)
    with pytest.raises(CommandError, match="label some pairs first"):
        call_command("assess_labels", "campaign")
    with pytest.raises(CommandError, match="no campaign named"):
        call_command("assess_labels", "nobody")
    assert not Assessment.objects.exists()


def test_a_lost_folder_of_features_is_said(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=45)
    for pair in pairs_of(campaign):
        say(campaign, people.anna, pair, "first")
    facts = assessed(campaign)  # the factory's design has no features at all
    assert facts["unlearnt"] == "features"
    assert "extract them again" in learning_sentence(facts)


def test_numbers_stand_still(people: People) -> None:
    campaign = two_each(people, [("first", "first"), ("second", "first"), ("tie", "first")])
    assert assessed(campaign) == assessed(campaign)
    assert np.isfinite(assessed(campaign)["people"][0]["accuracy"]["value"])  # type: ignore[index]
