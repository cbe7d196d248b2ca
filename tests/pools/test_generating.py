"""How generation is planned, stored and reported, whatever writes the completions."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest
from django.test import override_settings

from pairselect.env import Server
from pairselect.jobs.actions import run_job
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError, JobStopped
from pairselect.pools import generating, language
from pairselect.pools.actions import create_feature_set, create_pool, work_for_pool
from pairselect.pools.engine.contract import (
    Finished,
    GenerationFailed,
    GenerationStopped,
    Request,
    Sampler,
)
from pairselect.pools.models import Pool, Prompt, PromptSet
from pairselect.pools.naming import NameRefused
from pairselect.pools.recipes import Recipe, completion_seed, with_system_prompt
from pairselect.pools.storage import FeatureStore, features_folder
from tests.conftest import NoProgress

pytestmark = pytest.mark.django_db

LAB = {"lab": Server("http://127.0.0.1:9/v1")}


class Echo:
    """Writes what it was asked for; fails or is stopped after so many, if it is told to."""

    def __init__(self, model: str, *, capture: Sequence[str] = ()) -> None:
        self.model, self.capture = model, tuple(capture)
        self.fingerprint: Mapping[str, str] = {"engine": "echo", "weights": model}
        self.asked: list[list[Request]] = []
        self.samplers: list[Sampler] = []
        self.left: int | None = None

    def generate(
        self, requests: Sequence[Request], sampler: Sampler, *, should_stop: object = None
    ) -> Iterator[Finished]:
        self.asked.append(list(requests))
        self.samplers.append(sampler)
        for request in reversed(requests):  # in any order
            if self.left == 0:
                raise GenerationFailed("The server does not answer any more. Start it.")
            if self.left is not None:
                self.left -= 1
            said = " / ".join(message["content"] for message in request.messages)
            features = {kind: np.full(4, request.seed % 97, np.float32) for kind in self.capture}
            yield Finished(
                request.key,
                f"{self.model}@{sampler.temperature}: {said} #{request.seed}",
                token_count=3,
                finish_reason="length",
                features=features or None,
                log_prob=-1.5 if features else None,
            )


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Echo]]:
    """The generators in use, by model."""
    made: dict[str, Echo] = {}

    def open_generator(model: str, *, capture: Sequence[str] = (), notice: object) -> Echo:
        return made.setdefault(model, Echo(model, capture=capture))

    monkeypatch.setattr(generating, "open_generator", open_generator)
    with override_settings(PAIRSELECT_SERVERS=LAB):
        yield made


@pytest.fixture
def prompts(db: None) -> PromptSet:
    made = PromptSet.objects.create(name="prompts", prompt_count=5, imported_at="2026-01-01T00:00Z")
    for i in range(5):
        messages = [{"role": "user", "content": f"Q{i}"}]
        if i == 4:
            messages.insert(0, {"role": "system", "content": "Own"})
        Prompt.objects.create(prompt_set=made, position=i, messages=messages)
    return made


def pool_of(prompts: PromptSet, *recipes: Recipe, **settings: int) -> Pool:
    chosen = recipes or (Recipe("lab:a"),)
    return create_pool(
        prompts, name="pool", recipes=chosen, **({"completions": 2, "max_new_tokens": 7} | settings)
    )


def generate(pool: Pool) -> None:
    generating.generate_pool(pool.pk, NoProgress())  # type: ignore[arg-type]
    pool.refresh_from_db()


def test_every_variant_writes_its_share_and_every_completion_knows_its_variant(
    prompts: PromptSet, engines: dict[str, Echo]
) -> None:
    pool = pool_of(
        prompts, Recipe("lab:a"), Recipe("lab:a", 0.5, 0.9), Recipe("lab:b", system_prompt="Terse")
    )
    generate(pool)
    assert pool.completed_at is not None
    rows = pool.completions.filter(prompt__position=0).order_by("index").select_related("variant")
    assert [(row.index, row.variant.position, row.variant.model) for row in rows] == [
        (0, 0, "lab:a"), (1, 0, "lab:a"), (2, 1, "lab:a"), (3, 1, "lab:a"),
        (4, 2, "lab:b"), (5, 2, "lab:b"),
    ]  # fmt: skip
    assert [row.text.split(" #")[0] for row in rows] == [
        "lab:a@1.0: Q0", "lab:a@1.0: Q0", "lab:a@0.5: Q0", "lab:a@0.5: Q0",
        "lab:b@1.0: Terse / Q0", "lab:b@1.0: Terse / Q0",
    ]  # fmt: skip
    assert len({row.seed for row in pool.completions.all()}) == pool.completions.count() == 30
    assert engines["lab:a"].samplers == [Sampler(7, 1.0, 1.0), Sampler(7, 0.5, 0.9)]
    assert pool.variants.get(position=2).fingerprint == {"engine": "echo", "weights": "lab:b"}


def test_a_system_prompt_follows_the_prompts_own() -> None:
    own = [{"role": "system", "content": "Own"}, {"role": "user", "content": "Q"}]
    assert with_system_prompt(own, "Terse") == [
        {"role": "system", "content": "Own\n\nTerse"},
        {"role": "user", "content": "Q"},
    ]
    assert with_system_prompt(own, "") == own
    assert own[0]["content"] == "Own"


def test_what_is_stored_is_not_asked_for_again(
    prompts: PromptSet, engines: dict[str, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generating, "WINDOW", 4)
    pool = pool_of(prompts)
    engines["lab:a"] = echo = Echo("lab:a")
    echo.left = 6
    with pytest.raises(JobError, match="does not answer any more"):
        generate(pool)
    kept = dict(pool.completions.values_list("pk", "text"))
    assert len(kept) == 6
    keys = set(pool.completions.values_list("prompt_id", "index"))
    echo.left, echo.asked = None, []
    generate(pool)
    assert {request.key for window in echo.asked for request in window}.isdisjoint(keys)
    assert sum(len(window) for window in echo.asked) == 4
    assert kept.items() <= dict(pool.completions.values_list("pk", "text")).items()
    assert pool.completions.count() == 10


def test_windows_keep_the_prompts_of_a_pool_out_of_memory(
    prompts: PromptSet, engines: dict[str, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generating, "WINDOW", 4)
    generate(pool_of(prompts))
    assert [len(window) for window in engines["lab:a"].asked] == [4, 4, 2]


def test_a_job_says_how_fast_it_goes_and_keeps_what_it_has_when_it_is_cancelled(
    prompts: PromptSet, engines: dict[str, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(prompts)
    said: list[tuple[int, int, str]] = []

    class Cancelled(Echo):
        def generate(self, *args: object, **kwargs: object) -> Iterator[Finished]:  # type: ignore[override]
            found = super().generate(*args, **kwargs)  # type: ignore[arg-type]
            yield next(found)
            yield next(found)
            raise GenerationStopped

    engines["lab:a"] = Cancelled("lab:a")
    clock = iter(range(0, 10_000, 2))
    monkeypatch.setattr(generating.time, "monotonic", lambda: float(next(clock)))

    class Listening(NoProgress):
        def report(self, done: int, total: int, message: str = "") -> None:
            said.append((done, total, message))

    with pytest.raises(JobStopped):
        generating.generate_pool(pool.pk, Listening())  # type: ignore[arg-type]
    assert pool.completions.count() == 2
    assert [(done, total) for done, total, _ in said[-2:]] == [(1, 10), (2, 10)]
    assert said[-1][2].endswith(" tokens/s")


def test_a_pool_that_lacks_completions_is_not_complete(
    prompts: PromptSet, engines: dict[str, Echo]
) -> None:
    class Silent(Echo):
        def generate(self, *args: object, **kwargs: object) -> Iterator[Finished]:  # type: ignore[override]
            yield from list(super().generate(*args, **kwargs))[:-1]  # type: ignore[arg-type]

    engines["lab:a"] = Silent("lab:a")
    pool = pool_of(prompts)
    with pytest.raises(JobError, match="1 of 10 completions were not written"):
        generate(pool)
    pool.refresh_from_db()
    assert (pool.completed_at, pool.completions.count()) == (None, 9)


def test_features_left_behind_are_found_by_the_extraction(
    prompts: PromptSet, engines: dict[str, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row by row: prompts in order, completions in order, variants without a system prompt."""
    monkeypatch.setattr(generating, "check_lengths", lambda *args: None)
    pool = pool_of(prompts, Recipe("here"), Recipe("lab:b"), Recipe("here", system_prompt="Terse"))
    feature_set = create_feature_set(pool)
    assert feature_set.model == "here"
    generate(pool)
    feature_set.refresh_from_db()
    assert feature_set.fingerprint == {"engine": "echo", "weights": "here"}
    store = FeatureStore(features_folder(feature_set), rows=30, dimension=4)
    written = np.zeros((5, 6), dtype=bool)
    written[:, :2] = True
    assert (store.written == written.reshape(-1)).all()
    rows = list(pool.completions.order_by("prompt__position", "index"))
    for place in np.flatnonzero(written.reshape(-1)):
        assert store.features[place, 0] == (rows[place].seed or 0) % 97
    assert (store.log_probs[store.written] == -1.5).all()
    assert (store.token_counts[store.written] == 3).all()


def test_the_same_recipe_twice_is_one(prompts: PromptSet) -> None:
    pool = pool_of(prompts, Recipe("lab:a"), Recipe("lab:a"))
    assert (pool.variants.count(), pool.completions_per_prompt) == (1, 2)


def test_a_pool_with_other_recipes_keeps_its_name(
    prompts: PromptSet, engines: dict[str, Echo]
) -> None:
    pool = pool_of(prompts)
    assert pool_of(prompts, Recipe("lab:a", 0.3)) == pool  # nothing is written yet
    assert pool.variants.get().temperature == 0.3
    generate(pool)
    with pytest.raises(NameRefused, match="with other settings"):
        pool_of(prompts, Recipe("lab:a", 0.4))
    assert pool_of(prompts, Recipe("lab:a", 0.3)) == pool
    assert work_for_pool(pool, features="") == []


def test_a_model_on_a_server_describes_nothing(prompts: PromptSet) -> None:
    with override_settings(PAIRSELECT_SERVERS=LAB, PAIRSELECT_MODEL="lab:a"):
        assert create_feature_set(pool_of(prompts)).model == "embedded:smollm2-135m"
        with override_settings(PAIRSELECT_REFERENCE_MODEL="/models/sft"):
            assert create_feature_set(pool_of(prompts)).model == "/models/sft"
        with pytest.raises(JobError, match="lab:a is on a server"):
            language.load("lab:a")
    with pytest.raises(JobError, match="no server “lab”: the operator names servers"):
        language.load("lab:a")


def test_a_job_keeps_its_notices(
    prompts: PromptSet, engines: dict[str, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(prompts)
    job = Job.objects.create(kind="generate_pool", subject_id=pool.pk)
    original = generating.open_generator

    def noticing(model: str, *, capture: Sequence[str] = (), notice: object) -> Echo:
        notice("Out of memory with 64 rows at once: going on with 32.")  # type: ignore[operator]
        return original(model, capture=capture, notice=notice)  # type: ignore[return-value]

    monkeypatch.setattr(generating, "open_generator", noticing)
    assert run_job(job.pk, log=False)
    job.refresh_from_db()
    assert job.status == "done"
    assert job.notice_lines == ["Out of memory with 64 rows at once: going on with 32."]


def test_no_two_completions_of_a_pool_share_their_draws() -> None:
    seeds = {completion_seed(seed, p, k) for seed in (0, 1) for p in range(50) for k in range(8)}
    assert len(seeds) == 800
    assert max(seeds) < 2**63
