"""From a pool to a queue of pairs, through the real core."""

import shutil
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from pairselect.designs.actions import SOLVED, work_for_design
from pairselect.designs.bridge import pool_arrays
from pairselect.designs.models import Design, SelectedPair
from pairselect.designs.solution import dimension_for, solve
from pairselect.jobs.actions import enqueue_in_turn
from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, FeatureSet, Pool
from pairselect.pools.queries import finished_features
from pairselect.pools.storage import features_folder, load_arrays
from tests.conftest import People, run_queued_jobs
from tests.designs.conftest import design, give_scores

pytestmark = pytest.mark.django_db


def test_design_pairs_fills_the_queue_with_a_certificate(pool: Pool) -> None:
    found = design()
    assert found.solved_at is not None
    assert found.status == "converged"
    assert found.lower_bound is not None
    assert found.objective is not None
    assert found.uniform_objective is not None
    assert found.random_objective is not None
    assert found.lower_bound <= found.objective < found.random_objective
    assert found.objective < found.uniform_objective < found.random_objective
    assert found.gap is not None
    assert 0 <= found.gap < 0.1
    assert found.candidate_count == 10 * 10
    pairs = list(found.pairs.all())
    assert [pair.position for pair in pairs] == list(range(20))
    assert len({(pair.first_id, pair.second_id) for pair in pairs}) == 20


def test_every_pair_says_why_it_was_chosen(pool: Pool) -> None:
    found = design()
    arrays = pool_arrays(FeatureSet.objects.get(), dimension=10)
    row = {int(pk): i for i, pk in enumerate(arrays.completion_ids)}
    _, log_probs, _ = load_arrays(FeatureSet.objects.get())
    for pair in found.pairs.select_related("first", "second"):
        assert pair.first.prompt_id == pair.second.prompt_id == pair.prompt_id
        i, j = row[pair.first_id], row[pair.second_id]
        g = arrays.candidates.differences(arrays.candidates.pair_ids([[i, j]]))
        assert pair.feature_distance == pytest.approx(np.linalg.norm(g))
        assert pair.first_log_prob == log_probs[i]
        assert pair.second_log_prob == log_probs[j]
        assert pair.sensitivity > 0
        assert pair.inclusion_probability == 1


def test_the_cap_holds(pool: Pool) -> None:
    found = design("--max-per-prompt=2")
    counts = np.unique(list(found.pairs.values_list("prompt_id", flat=True)), return_counts=True)
    assert counts[1].tolist() == [2] * 10


def test_the_same_seed_gives_the_same_queue(pool: Pool) -> None:
    def queue(name: str, *options: str) -> list[tuple[int, int]]:
        found = design("--method=randomized", *options, name=name)
        return list(found.pairs.values_list("first_id", "second_id"))

    assert queue("a") == queue("b")
    assert queue("a") != queue("c", "--seed=1")


def test_uniform_is_a_design_of_its_own(pool: Pool) -> None:
    found = design("--strategy=uniform")
    assert found.pairs.count() == 20
    assert set(found.pairs.values_list("inclusion_probability", flat=True)) == {0.2}
    assert found.passes is None


def test_equal_texts_are_never_compared(pool: Pool) -> None:
    twins = list(Completion.objects.filter(prompt__position=0, index__lt=3))
    for twin, text in zip(twins, ("the  same", "the same\n", "the same"), strict=True):
        Completion.objects.filter(pk=twin.pk).update(text=text)
    found = design(budget=97)
    assert found.candidate_count == 97
    ids = {twin.pk for twin in twins}
    for pair in found.pairs.all():
        assert not {pair.first_id, pair.second_id} <= ids


@pytest.mark.parametrize(
    ("budget", "options", "said"),
    [
        (101, (), "has 100 pairs"),
        (21, ("--max-per-prompt=2",), "has 20 pairs under that cap"),
        (0, (), "--budget"),
        (5, ("--max-per-prompt=0",), "--max-per-prompt"),
    ],
)
def test_a_budget_that_cannot_be_spent_is_refused(
    pool: Pool, budget: int, options: tuple[str, ...], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        design(*options, budget=budget)
    assert SelectedPair.objects.count() == 0


def test_a_refused_design_does_not_keep_its_name(pool: Pool) -> None:
    with pytest.raises(CommandError):
        design(budget=1000)
    assert design(budget=10).pairs.count() == 10


def test_a_design_is_not_solved_twice(pool: Pool) -> None:
    first = design().solved_at
    assert design().solved_at == first
    with pytest.raises(CommandError, match="There is a design named “d” with other settings"):
        design(budget=19)
    assert Design.objects.get().budget == 20


def test_what_is_changed_while_it_is_solved_stays(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_scores(pool)

    def solve_meanwhile(asked: Design, *rest: Any) -> Any:
        Design.objects.filter(pk=asked.pk).update(name="renamed", archived_at=timezone.now())
        return solve(asked, *rest)

    monkeypatch.setattr("pairselect.designs.actions.solve", solve_meanwhile)
    call_command("design_pairs", "pool", "--name=d", "--budget=20", "--strategy=trace_gap")
    found = Design.objects.get()
    assert (found.name, found.archived_at is None) == ("renamed", False)
    assert [field for field in SOLVED if getattr(found, field) in (None, "", {})] == []


def test_lost_features_are_said(pool: Pool) -> None:
    shutil.rmtree(features_folder(FeatureSet.objects.get()))
    with pytest.raises(CommandError, match="gone from the data folder: extract them again"):
        design()
    assert finished_features(pool) is None  # so that the advice can be followed


def test_lost_features_are_extracted_again_with_the_next_request(pool: Pool) -> None:
    features = FeatureSet.objects.get()
    Job.objects.create(kind="extract_features", subject_id=features.pk, status=Job.Status.DONE)
    shutil.rmtree(features_folder(features))
    with pytest.raises(CommandError):
        design()
    work = work_for_design(Design.objects.get())
    assert work == [("extract_features", features.pk), ("solve_design", Design.objects.get().pk)]
    enqueue_in_turn(work)
    newest = Job.objects.filter(kind="extract_features").first()
    assert newest is not None
    assert newest.status == Job.Status.QUEUED


@pytest.mark.parametrize(("budget", "dimension"), [(3, 4), (60, 30), (5000, 128)])
def test_the_dimension_follows_the_budget(budget: int, dimension: int) -> None:
    assert dimension_for(budget) == dimension


def test_the_dimension_can_be_chosen(pool: Pool) -> None:
    assert design("--dimension=3").reduction["dimension"] == 3


def test_an_unknown_pool_is_said() -> None:
    with pytest.raises(CommandError, match="There is no pool named “nothing”"):
        call_command("design_pairs", "nothing", "--name=d", "--budget=3")


def test_design_by_page(pool: Pool, people: People) -> None:
    client = people.client(people.admin)
    form = {"pool": pool.pk, "name": "web", "budget": 12, "strategy": "trace", "seed": 0}
    response = client.post("/designs/new/", form)
    found = Design.objects.get()
    assert response.headers["Location"] == f"/designs/{found.pk}/"
    run_queued_jobs()
    page = client.get(f"/designs/{found.pk}/").content.decode()
    assert "12 pairs of" in page
    assert "out of 100" in page
    assert "Lower bound" in page


def test_a_budget_too_large_is_refused_in_the_form(pool: Pool, people: People) -> None:
    client = people.client(people.admin)
    form = {"pool": pool.pk, "name": "web", "budget": 101, "strategy": "trace", "seed": 0}
    page = client.post("/designs/new/", form).content.decode()
    assert "The pool has 100 pairs" in page
    assert Design.objects.count() == 0
