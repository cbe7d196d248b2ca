"""The next round: labels in, further pairs out, and a receipt that can be made again."""

import html
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from annotate.actions import create_campaign, open_campaign
from annotate.models import Campaign
from annotate.rounds import NoLabels, create_next_round, usable_labels
from pairselect.designs.actions import solve_design
from pairselect.designs.bridge import known_arrays, labels_of, pool_arrays
from pairselect.designs.models import Design, KnownLabel
from pairselect.jobs.models import Job
from pairselect.pools.models import FeatureSet, Pool
from tests.conftest import NoProgress, People, give, make_pool, run_queued_jobs
from tests.designs.conftest import design, give_features, give_scores

SETTINGS = {
    "budget": 10, "strategy": "trace_gap", "method": "exact", "feature_kind": "mean_middle",
}  # fmt: skip


@pytest.fixture
def pool(db: None) -> Pool:
    pool = make_pool(prompts=10, completions=5)
    give_features(pool)
    return pool


def opened(design: Design, people: People, name: str = "first") -> Campaign:
    campaign = create_campaign(design, name=name, annotators=[people.anna, people.ben], seed=0)
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    return campaign


@pytest.fixture
def labelled(pool: Pool, people: People) -> Campaign:
    """Twenty pairs, of which twelve are answered: 5 left, 3 right, 2 ties, 1 both bad, 1 skip."""
    campaign = opened(design(), people)
    answers = ["left"] * 5 + ["right"] * 3 + ["tie"] * 2 + ["both_bad", "skip"]
    for answer in answers:
        give(campaign, people.anna, answer)
    return campaign


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def snapshot(design: Design) -> list[tuple[int, int, float]]:
    return list(design.known_labels.values_list("first_id", "second_id", "preference"))


# The labels


def test_the_snapshot_holds_who_won_and_ties(labelled: Campaign) -> None:
    found = create_next_round(labelled, pool=labelled.design.pool, name="second", **SETTINGS)
    expected = []
    for judgement in usable_labels(labelled).order_by("pk"):
        pair = judgement.comparison.pair
        won = {"tie": 0.5}.get(judgement.choice, float(judgement.prefers_first))
        expected.append((pair.first_id, pair.second_id, won))
    assert snapshot(found) == expected
    assert len(expected) == 10  # both-bad and skips say nothing
    assert found.after == labelled.design


def test_what_is_undone_is_not_known(labelled: Campaign) -> None:
    usable_labels(labelled).first().comparison.judgements.update(  # type: ignore[union-attr]
        withdrawn_at=labelled.created_at
    )
    assert usable_labels(labelled).count() == 9


def test_labels_of_earlier_rounds_count_and_those_of_others_do_not(
    labelled: Campaign, people: People
) -> None:
    pool = labelled.design.pool
    second = create_next_round(labelled, pool=pool, name="second", **SETTINGS)
    solve_design(second.pk, NoProgress())  # type: ignore[arg-type]
    later = opened(second, people, "later")
    give(later, people.ben, "left")
    beside = opened(labelled.design, people, "beside")
    give(beside, people.ben, "right")
    assert usable_labels(labelled).count() == 10
    assert usable_labels(beside).count() == 1
    assert usable_labels(later).count() == 10 + 1 + 1  # all campaigns of the round before


def test_a_solved_round_keeps_the_labels_that_it_was_made_from(
    labelled: Campaign, people: People
) -> None:
    pool = labelled.design.pool
    second = create_next_round(labelled, pool=pool, name="second", **SETTINGS)
    give(labelled, people.ben, "left")
    create_next_round(labelled, pool=pool, name="second", **SETTINGS)
    assert second.known_labels.count() == 11  # not solved yet: as it stands now
    solve_design(second.pk, NoProgress())  # type: ignore[arg-type]
    give(labelled, people.ben, "left")
    assert create_next_round(labelled, pool=pool, name="second", **SETTINGS) == second
    assert second.known_labels.count() == 11


def test_without_a_label_there_is_no_round(pool: Pool, people: People, admin: Client) -> None:
    campaign = opened(design(), people)
    give(campaign, people.anna, "both_bad")
    with pytest.raises(NoLabels):
        create_next_round(campaign, pool=pool, name="second", **SETTINGS)
    with pytest.raises(CommandError, match="No comparison of “first” has been decided yet"):
        call_command("next_round", "first", "--name=second", "--budget=5")
    address = f"/campaigns/{campaign.pk}/next-round/"
    assert "No label to start from" in admin.get(address).content.decode()
    admin.post(address, {"name": "second", "budget": 5, "strategy": "trace"})
    assert (Design.objects.count(), KnownLabel.objects.count()) == (1, 0)


# From end to end


def test_the_next_round_leaves_out_what_is_queued(labelled: Campaign) -> None:
    out = StringIO()
    call_command("next_round", "first", "--name=second", "--budget=10", stdout=out)
    second = Design.objects.get(name="second")
    assert (second.strategy, second.prior_sd) == ("trace", 0.5)
    assert second.candidate_count == 100 - 20
    before = set(labelled.design.pairs.values_list("first_id", "second_id"))
    chosen = set(second.pairs.values_list("first_id", "second_id"))
    assert len(chosen) == 10
    assert not chosen & before
    fit = second.diagnostics["fit"]
    assert (fit["labels"], fit["pairs"]) == (10, 10)
    assert 0.5 <= fit["accuracy"] <= 1
    assert -0.7 < fit["log_likelihood"] < 0
    assert fit["prior_sd"] > 0
    assert "10 pairs of “pool”. Beside the 10 labels that you have, 10 more are" in out.getvalue()


def test_a_round_weighs_pairs_by_the_scores_of_the_pool_and_not_by_fitted_ones(
    labelled: Campaign,
) -> None:
    weighed = ("next_round", "first", "--budget=10", "--strategy=trace_weighted")
    with pytest.raises(CommandError, match="this pool has none: score it"):
        call_command(*weighed, "--name=none")
    scores = give_scores(labelled.design.pool)
    call_command(*weighed, "--name=weighed", "--agreement=90")
    call_command(*weighed[:3], "--strategy=trace_gap", "--name=fitted")
    found = {one.name: one for one in Design.objects.filter(after=labelled.design)}
    assert (found["weighed"].score_set, found["weighed"].agreement) == (scores, 0.9)
    assert found["fitted"].score_set is None


def test_a_third_round_leaves_out_both_before(labelled: Campaign, people: People) -> None:
    call_command("next_round", "first", "--name=second", "--budget=10")
    second = Design.objects.get(name="second")
    later = opened(second, people, "later")
    give(later, people.ben, "right")
    call_command("next_round", "later", "--name=third", "--budget=70", "--strategy=trace")
    third = Design.objects.get(name="third")
    assert third.candidate_count == third.pairs.count() == 70
    with pytest.raises(CommandError, match="The pool has 70 pairs left; ask for no more"):
        call_command("next_round", "later", "--name=more", "--budget=71")


def test_labels_become_rows_with_the_winner_first(labelled: Campaign) -> None:
    found = create_next_round(labelled, pool=labelled.design.pool, name="second", **SETTINGS)
    arrays = pool_arrays(FeatureSet.objects.get(), dimension=4, after=found.after)
    pairs, preferred = known_arrays(labels_of(found), arrays)
    ids = arrays.completion_ids[pairs]
    assert [(*row, y) for row, y in zip(ids.tolist(), preferred.tolist(), strict=True)] == (
        snapshot(found)
    )
    assert np.array_equal(np.sort(arrays.excluded, axis=1), arrays.excluded)
    assert len(arrays.excluded) == 20


def test_the_same_labels_give_the_same_round(labelled: Campaign) -> None:
    def queue(name: str) -> list[tuple[int, int]]:
        call_command("next_round", "first", f"--name={name}", "--budget=10", "--random-share=30")
        return list(Design.objects.get(name=name).pairs.values_list("first_id", "second_id"))

    assert queue("a") == queue("b")


def test_a_label_on_a_pair_twice_counts_twice(labelled: Campaign) -> None:
    pool = labelled.design.pool
    found = create_next_round(labelled, pool=pool, name="second", **SETTINGS)
    again = found.known_labels.get(pk=found.known_labels.earliest("pk").pk)
    again.pk = None
    again.preference = 0.5
    again.save()
    solve_design(found.pk, NoProgress())  # type: ignore[arg-type]
    found.refresh_from_db()
    fit = found.diagnostics["fit"]
    assert (fit["labels"], fit["pairs"]) == (11, 10)


# The page


def test_the_next_round_by_page(labelled: Campaign, admin: Client) -> None:
    address = f"/campaigns/{labelled.pk}/next-round/"
    assert f'href="{address}"' in admin.get(f"/campaigns/{labelled.pk}/").content.decode()
    page = html.unescape(admin.get(address).content.decode())
    assert "A reward is fitted to 10 labels; what they tell counts as bought." in page
    assert 'name="pool"' not in page
    fields = {"name": "web", "budget": 10, "strategy": "max_gap"}
    response = admin.post(address, fields)
    found = Design.objects.get(name="web")
    assert response.headers["Location"] == f"/designs/{found.pk}/"
    assert admin.post(address, fields).headers["Location"] == f"/designs/{found.pk}/"
    assert Job.objects.filter(kind="solve_design", subject_id=found.pk).count() == 1
    run_queued_jobs()
    page = html.unescape(admin.get(f"/designs/{found.pk}/").content.decode())
    for said in ("Beside the 10 labels that you have", "Labels known", "Fitted reward agrees"):
        assert said in page
    campaign_page = admin.get(f"/campaigns/{labelled.pk}/").content.decode()
    assert f'<a href="/designs/{found.pk}/">web</a>' in campaign_page


def test_a_name_that_is_taken_is_refused_in_the_form(labelled: Campaign, admin: Client) -> None:
    address = f"/campaigns/{labelled.pk}/next-round/"
    fields = {"name": "d", "budget": 10, "strategy": "trace"}
    page = html.unescape(admin.post(address, fields).content.decode())
    assert "There is a design named “d” with other settings" in page
    assert KnownLabel.objects.count() == 0
