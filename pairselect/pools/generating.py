"""Completions from prompts, stored as they end: a run that was cut off goes on with the rest."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.db import transaction
from django.utils import timezone

from pairselect.jobs.progress import JobError, JobProgress, JobStopped
from pairselect.pools.language import load_limits, on_server, open_generator
from pairselect.pools.models import Completion, Pool, Prompt, Variant
from pairselect.pools.recipes import completion_seed, with_system_prompt
from pairselect.pools.side_features import SideFeatures
from pairselect.trail.actions import record

if TYPE_CHECKING:  # torch stays out of the web process
    from pairselect.pools.engine.contract import Finished, Generator, Request

Key = tuple[int, int]  # of a completion: (prompt's id, index)

WINDOW = 8192  # requests handed over at once, to be sorted by length
STORE_SECONDS = 0.05  # between two writes; what a step ends together is stored together
TEMPLATE_TOKENS = 512  # of a chat template beside its messages, at most
SHOWN_PROBLEMS = 10
# What may not change between the two runs that make one pool.
SAME_MODEL = ("engine", "weights", "chat_template", "dtype", "sampling")


def generate_pool(pool_id: int, progress: JobProgress) -> None:
    """Write every completion that the pool still lacks, variant by variant."""
    pool = Pool.objects.select_related("prompt_set").get(pk=pool_id)
    if pool.completed_at:
        return
    variants = list(pool.variants.all())
    prompts = pool.prompt_set.prompts.count()
    total = prompts * (pool.completions_per_prompt or 0)
    progress.report(pool.completions.count(), total, "looking at the prompts")
    check_lengths(pool, variants, progress)
    writer = Writer(pool, progress, total=total)
    for variant in variants:
        if variant.completions.count() < prompts * variant.completions_per_prompt:
            _write_variant(pool, variant, writer, progress)
    if (stored := pool.completions.count()) < total:
        raise JobError(f"{total - stored:,} of {total:,} completions were not written. Try again.")
    pool.completed_at = timezone.now()
    with transaction.atomic():
        pool.save(update_fields=["completed_at"])
        record("pool.generated", pool, completions=stored)


class Writer:
    """Stores what has ended, in order of its ending, and says how far and how fast it goes."""

    def __init__(self, pool: Pool, progress: JobProgress, *, total: int) -> None:
        self.features: SideFeatures | None = None  # written after their completions
        self._pool, self._progress, self._total = pool, progress, total
        self._stored = pool.completions.count()
        self._waiting: list[Completion] = []
        self._last = 0.0
        self._tokens, self._began = 0, time.monotonic()

    def begin(self, message: str) -> None:
        self._tokens, self._began = 0, time.monotonic()
        self._progress.report(self._stored, self._total, message)

    def add(self, completion: Completion) -> None:
        self._waiting.append(completion)
        self._tokens += completion.token_count or 0
        self.store(at_least_every=STORE_SECONDS)

    def store(self, *, at_least_every: float = 0.0) -> None:
        """Write what waits, unless that was done a moment ago."""
        now = time.monotonic()
        if not self._waiting or now - self._last < at_least_every:
            return
        # Another worker may have stored them while this one was thought dead.
        Completion.objects.bulk_create(self._waiting, ignore_conflicts=True)
        self._stored += len(self._waiting)
        self._waiting, self._last = [], now
        if self.features:
            self.features.stored()
        self._progress.report(self._stored, self._total, self._speed(now))

    def should_stop(self) -> bool:
        """Asked by the generator twice a second: no finished completion waits longer."""
        self.store()
        return self._progress.should_stop()

    def _speed(self, now: float) -> str:
        seconds = now - self._began
        if seconds < 1:
            return "generating"
        return f"{self._tokens / seconds:,.0f} tokens/s"


def _write_variant(pool: Pool, variant: Variant, writer: Writer, progress: JobProgress) -> None:
    from pairselect.pools.engine.contract import (
        GenerationFailed,
        GenerationStopped,
        PromptTooLong,
        Sampler,
    )

    writer.begin(f"loading {variant.model}")
    features = SideFeatures(pool, variant)
    try:
        generator = open_generator(variant.model, capture=features.kinds, notice=progress.notice)
        _check_fingerprint(variant, generator)
    except GenerationFailed as problem:  # a server that does not answer
        raise JobError(str(problem)) from problem
    features.accept(variant.fingerprint)
    writer.features = features
    sampler = Sampler(
        max_new_tokens=pool.max_new_tokens or 1,
        temperature=variant.temperature,
        top_p=variant.top_p,
    )
    writer.begin("reading the prompts")
    requests: list[Request] = []
    try:
        for requests in _windows(pool, variant):
            seeds = {request.key: request.seed for request in requests}
            for finished in generator.generate(requests, sampler, should_stop=writer.should_stop):
                features.add(finished)
                writer.add(_row(pool, variant, finished, seed=seeds[finished.key]))
    except GenerationStopped as stopped:
        raise JobStopped from stopped
    except (GenerationFailed, PromptTooLong) as problem:
        place = getattr(problem, "place", None)  # of the request that is refused
        where = "" if place is None else f"Prompt {_number(requests[place])}: "
        raise JobError(f"{where}{problem}") from problem
    finally:  # also on the way out: what has ended is kept
        try:
            writer.store()
        finally:
            features.stored(all_of_them=True)


def _number(request: "Request") -> int:
    """The prompt's place in its file, as people count."""
    prompt_id, _ = cast(Key, request.key)
    return Prompt.objects.get(pk=prompt_id).position + 1


def _row(pool: Pool, variant: Variant, finished: "Finished", *, seed: int) -> Completion:
    prompt_id, index = cast(Key, finished.key)
    return Completion(
        pool=pool,
        prompt_id=prompt_id,
        index=index,
        variant=variant,
        text=finished.text,
        finish_reason=finished.finish_reason,
        token_count=finished.token_count,
        seed=seed,
    )


def _windows(pool: Pool, variant: Variant) -> "Iterator[list[Request]]":
    """The requests whose completions are not stored yet, some thousands at a time."""
    first = sum(
        pool.variants.filter(position__lt=variant.position).values_list(
            "completions_per_prompt", flat=True
        )
    )
    each = variant.completions_per_prompt
    indices = range(first, first + each)
    step = max(1, WINDOW // max(each, 1))
    requests: list[Request] = []
    for prompts in _prompt_batches(pool, step):
        stored = set(
            Completion.objects.filter(pool=pool, variant=variant, prompt__in=prompts)
            .order_by()
            .values_list("prompt_id", "index")
        )
        for prompt in prompts:
            requests += _requests(
                pool, variant, prompt, [i for i in indices if (prompt.pk, i) not in stored]
            )
        if len(requests) >= WINDOW:
            yield requests
            requests = []
    if requests:
        yield requests


def _prompt_batches(pool: Pool, size: int) -> Iterator[list[Prompt]]:
    after = -1
    while batch := list(pool.prompt_set.prompts.filter(position__gt=after)[:size]):
        yield batch
        after = batch[-1].position


def _requests(
    pool: Pool, variant: Variant, prompt: Prompt, indices: Sequence[int]
) -> "list[Request]":
    from pairselect.pools.engine.contract import Request

    messages = tuple(with_system_prompt(prompt.messages, variant.system_prompt))
    return [
        Request(
            key=(prompt.pk, index),
            messages=messages,
            seed=completion_seed(pool.seed or 0, prompt.position, index),
        )
        for index in indices
    ]


def check_lengths(pool: Pool, variants: Sequence[Variant], progress: JobProgress) -> None:
    """Refuse before anything is generated what would fail in the middle.

    A server knows its model's context itself, and says so of the prompt that exceeds it.
    """
    prompts = pool.prompt_set.prompts.count()
    asked = dict.fromkeys(  # the temperature does not matter
        (variant.model, variant.system_prompt)
        for variant in variants
        if not on_server(variant.model)
        and variant.completions.count() < prompts * variant.completions_per_prompt
    )
    for model, system_prompt in asked:
        _check_lengths(pool, model, system_prompt, progress)


def _check_lengths(pool: Pool, model: str, system_prompt: str, progress: JobProgress) -> None:
    from pairselect.pools.engine.prompts import prompt_ids

    tokenizer, context = load_limits(model)
    room, problems = pool.max_new_tokens or 0, []
    surely = context - room - TEMPLATE_TOKENS  # a token has a byte at least
    for prompts in _prompt_batches(pool, 1000):
        progress.check()
        for prompt in prompts:
            messages = with_system_prompt(prompt.messages, system_prompt)
            if sum(len(message["content"].encode()) for message in messages) <= surely:
                continue
            length = len(prompt_ids(tokenizer, messages))
            if length + room > context:
                problems.append(f"prompt {prompt.position + 1} has {length:,}")
    if problems:
        shown = "; ".join(problems[:SHOWN_PROBLEMS])
        shown += " …" if len(problems) > SHOWN_PROBLEMS else ""
        with_system = ", with the system prompt before them," if system_prompt else ""
        raise JobError(
            f"{len(problems):,} of the prompts{with_system} leave no room for {room:,} new tokens "
            f"in the model's context of {context:,} tokens: {shown}. Shorten them, or ask for "
            "fewer new tokens."
        )


def _check_fingerprint(variant: Variant, generator: "Generator") -> None:
    """A pool begun with one revision of a model is not finished with another."""
    fingerprint: dict[str, Any] = dict(generator.fingerprint)
    if not variant.completions.exists():
        variant.fingerprint = fingerprint
        variant.save(update_fields=["fingerprint"])
        return
    for key in SAME_MODEL:
        if variant.fingerprint.get(key) != fingerprint.get(key):
            raise JobError(
                f"The pool “{variant.pool}” was begun with another revision of {variant.model} "
                f"({key.replace('_', ' ')} differs). Generate a new pool."
            )
