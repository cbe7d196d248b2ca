"""Scores for completions: a reward model's, or a judge's behind one of the operator's servers."""

import math
from collections.abc import Callable, Iterator, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from pairselect.jobs.progress import JobError, JobProgress, JobStopped
from pairselect.pools.language import load_reward_model
from pairselect.pools.models import Completion, Score, ScoreSet
from pairselect.pools.queries import enough_scored
from pairselect.trail.actions import record

ShouldStop = Callable[[], bool]
Scorer = Callable[[Sequence[Completion], ShouldStop], Iterator[tuple[int, float]]]

CHUNK = 256  # completions between two saves
FIRST_CHUNK = 32  # whether a judge judges at all shows soon
# What may not change between the two runs that make one set of scores.
SAME_SOURCE = {
    ScoreSet.Source.REWARD: ("weights", "chat_template"),
    ScoreSet.Source.JUDGE: ("root", "prompt", "score"),
}


def score_pool(score_set_id: int, progress: JobProgress) -> None:
    """Score every completion of the pool that has none of these scores yet.

    A judge's answer may hold no number. A design takes the mean of the prompt's scores for those
    few, which says that nothing is known.
    """
    score_set = ScoreSet.objects.select_related("pool").get(pk=score_set_id)
    if score_set.completed_at:
        return
    if not score_set.pool.completed_at:
        raise JobError(f"The pool “{score_set.pool}” is not complete: finish it first.")
    total = score_set.pool.completions.count()
    writer = Writer(score_set, progress, total=total)
    scorer = _scorer(score_set, progress)
    asked, before = 0, score_set.scores.count()
    for chunk in _unscored(score_set):
        try:
            for pk, value in scorer(chunk, writer.should_stop):
                writer.add(pk, value)
        finally:  # also on the way out: what was given is kept
            writer.store()
        asked += len(chunk)
        if not enough_scored(total - asked + score_set.scores.count() - before, total):
            break  # whatever the others get
    missing = total - (scored := score_set.scores.count())
    if not enough_scored(scored, total):
        raise JobError(
            f"{score_set.model} gave {asked - scored + before:,} of the first {asked:,} "
            "completions no score that can be read. Ask another judge, or for something simpler."
        )
    if missing:
        progress.notice(
            f"{missing:,} of {total:,} completions got no score that can be read: a design takes "
            "the mean of their prompt for them."
        )
    score_set.completed_at = timezone.now()
    with transaction.atomic():
        score_set.save(update_fields=["completed_at"])
        record("pool.scored", score_set.pool, scores=score_set.name)


class Writer:
    """Stores scores as they come: a judge's answers are paid for."""

    def __init__(self, score_set: ScoreSet, progress: JobProgress, *, total: int) -> None:
        self._score_set, self._progress, self._total = score_set, progress, total
        self._stored = score_set.scores.count()
        self._waiting: list[Score] = []
        progress.report(self._stored, total, f"loading {score_set.model}")

    def add(self, completion_id: int, value: float) -> None:
        if math.isfinite(value):
            self._waiting.append(
                Score(score_set=self._score_set, completion_id=completion_id, value=value)
            )

    def store(self) -> None:
        if not self._waiting:
            return
        # Another worker may have stored them while this one was thought dead.
        Score.objects.bulk_create(self._waiting, ignore_conflicts=True)
        self._stored += len(self._waiting)
        self._waiting = []
        self._progress.report(self._stored, self._total, "scoring")

    def should_stop(self) -> bool:
        """Asked by a judge four times a second: no answer waits longer."""
        self.store()
        return self._progress.should_stop()


def _scorer(score_set: ScoreSet, progress: JobProgress) -> Scorer:
    if score_set.source == ScoreSet.Source.REWARD:
        return _by_reward_model(score_set, progress)
    if score_set.source == ScoreSet.Source.JUDGE:
        return _by_judge(score_set, progress)
    raise JobError("Scores of a file come with its import.")


def _by_reward_model(score_set: ScoreSet, progress: JobProgress) -> Scorer:
    from pairselect.pools.engine.contract import GenerationStopped, PromptTooLong
    from pairselect.pools.engine.features import Item
    from pairselect.pools.engine.rewards import score

    model = load_reward_model(score_set.model)
    _note(score_set, dict(model.fingerprint))

    def by_reward_model(
        chunk: Sequence[Completion], should_stop: ShouldStop
    ) -> Iterator[tuple[int, float]]:
        items = [
            Item(tuple(one.prompt.messages), one.text, ended=one.finish_reason == "stop")
            for one in chunk
        ]
        try:
            values = score(model, items, should_stop=should_stop, notice=progress.notice)
        except GenerationStopped as stopped:
            raise JobStopped from stopped
        except PromptTooLong as problem:
            number = chunk[problem.place].prompt.position + 1
            raise JobError(f"Prompt {number} fills the context of {score_set.model}.") from problem
        yield from zip((one.pk for one in chunk), values.tolist(), strict=True)

    return by_reward_model


def _by_judge(score_set: ScoreSet, progress: JobProgress) -> Scorer:
    from pairselect.pools.engine.contract import GenerationFailed, GenerationStopped
    from pairselect.pools.engine.endpoint import Endpoint
    from pairselect.pools.engine.judging import RUBRIC, Rated, judge, judge_fingerprint

    label, _, name = score_set.model.partition(":")
    server = settings.PAIRSELECT_SERVERS.get(label)
    if server is None:
        raise JobError(f"There is no server “{label}” in PAIRSELECT_SERVERS any more.")
    rubric = score_set.rubric or RUBRIC
    endpoint = Endpoint(server.url, name, api_key=server.key or None, notice=progress.notice)
    try:
        _note(score_set, dict(judge_fingerprint(endpoint, rubric=rubric)))
    except GenerationFailed as problem:
        raise JobError(str(problem)) from problem

    def by_judge(
        chunk: Sequence[Completion], should_stop: ShouldStop
    ) -> Iterator[tuple[int, float]]:
        asked = [Rated(one.pk, tuple(one.prompt.messages), one.text) for one in chunk]
        try:
            for key, value in judge(asked, endpoint, rubric=rubric, should_stop=should_stop):
                yield int(str(key)), math.nan if value is None else value
        except GenerationStopped as stopped:
            raise JobStopped from stopped
        except GenerationFailed as problem:
            raise JobError(str(problem)) from problem

    return by_judge


def _note(score_set: ScoreSet, fingerprint: dict[str, str]) -> None:
    """Scores begun with one revision of a model are not finished with another."""
    if not score_set.scores.exists():
        score_set.fingerprint = fingerprint
        score_set.save(update_fields=["fingerprint"])
        return
    for key in SAME_SOURCE[ScoreSet.Source(score_set.source)]:
        if score_set.fingerprint.get(key) != fingerprint.get(key):
            raise JobError(
                f"The scores “{score_set.name}” were begun with another revision of "
                f"{score_set.model} ({key.replace('_', ' ')} differs). Score under another name."
            )


def _unscored(score_set: ScoreSet) -> Iterator[list[Completion]]:
    scored = Score.objects.filter(score_set=score_set, completion=OuterRef("pk"))
    left = Completion.objects.filter(~Exists(scored), pool=score_set.pool).order_by("pk")
    after, size = 0, FIRST_CHUNK
    while chunk := list(left.filter(pk__gt=after).select_related("prompt")[:size]):
        yield chunk
        after, size = chunk[-1].pk, CHUNK
