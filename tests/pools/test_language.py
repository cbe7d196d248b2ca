"""Models that a worker keeps: one at a time, and the weights only where they are needed."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pairselect.jobs.progress import JobError
from pairselect.pools import language
from pairselect.pools.actions import create_pool
from pairselect.pools.engine import loading, rewards
from pairselect.pools.generating import check_lengths
from pairselect.pools.models import Pool, Prompt, PromptSet
from pairselect.pools.recipes import Recipe
from tests.conftest import NoProgress


class Model:
    """Stands for a model that fills the memory."""

    alive: "weakref.WeakSet[Model]" = weakref.WeakSet()

    def __init__(self, name: str, most_others: list[int]) -> None:
        gc.collect()
        most_others.append(len(self.alive))
        self.alive.add(self)
        self.name = name
        self.itself = self  # a cycle, as transformers' models have: only the collector ends it


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    language._kept.clear()
    yield
    language._kept.clear()


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each load, how many models there were when it began."""
    found: list[int] = []

    def load(name: str, *, data_dir: Path) -> Model:
        return Model(name, found)

    monkeypatch.setattr(loading, "load_model", load)
    monkeypatch.setattr(rewards, "load_reward_model", load)
    return found


def test_a_model_is_dropped_before_the_next_is_loaded(beside: list[int]) -> None:
    assert language.load("one") is language.load("one")
    language.load("two")
    language.load_reward_model("two")
    assert language.load_reward_model("two").name == "two"
    language.load("one")
    assert beside == [0, 0, 0, 0]


def test_a_model_that_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, *, data_dir: Path) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(loading, "load_model", load)
    monkeypatch.setattr(rewards, "load_reward_model", load)
    with pytest.raises(JobError, match="not enough memory for the model large: choose a smaller"):
        language.load("large")
    with pytest.raises(JobError, match="not enough memory for the model large"):
        language.load_reward_model("large")


def pool_of(*recipes: Recipe, texts: list[str]) -> Pool:
    prompt_set = PromptSet.objects.create(name="prompts", prompt_count=len(texts))
    for position, text in enumerate(texts):
        Prompt.objects.create(
            prompt_set=prompt_set,
            position=position,
            external_id=str(position),
            messages=[{"role": "user", "content": text}],
        )
    return create_pool(
        prompt_set, name="pool", recipes=recipes, completions=1, max_new_tokens=20, seed=0
    )


@pytest.mark.django_db
def test_lengths_are_checked_once_for_a_prompt_and_without_the_weights(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(
        Recipe(tiny_model, 0.5),
        Recipe(tiny_model, 1.0),
        Recipe(tiny_model, system_prompt="Be terse."),
        texts=["Short?", "x" * 90],
    )
    first, second, terse = pool.variants.order_by("position")
    asked: list[str] = []
    limits = loading.load_limits

    def counted(name: str, *, data_dir: Path) -> tuple[object, int]:
        asked.append(name)
        return limits(name, data_dir=data_dir)

    monkeypatch.setattr(loading, "load_limits", counted)
    monkeypatch.setattr(
        loading, "load_model", lambda *args, **options: pytest.fail("the weights were loaded")
    )
    check_lengths(pool, [first, second], NoProgress())  # type: ignore[arg-type]
    assert asked == [tiny_model]
    with pytest.raises(JobError, match="1 of the prompts, .* 128 tokens: prompt 2 has "):
        check_lengths(pool, [first, second, terse], NoProgress())  # type: ignore[arg-type]
    assert asked == [tiny_model] * 3
    for prompt in pool.prompt_set.prompts.all():
        pool.completions.create(prompt=prompt, index=2, variant=terse, text="Yes.")
    check_lengths(pool, [first, second, terse], NoProgress())  # type: ignore[arg-type]
    assert asked == [tiny_model] * 4  # the terse ones are written
