"""Scores for completions: a reward model's, or a judge's behind one of the operator's servers."""

import math
from collections.abc import Callable, Iterator, Sequence

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from pairselect.jobs.progress import JobError, JobProgress, JobStopped
from pairselect.pools.language import load_reward_model
from pairselect.pools.models import Completion, Score, ScoreSet

Scorer = Callable[[Sequence[Completion]], dict[int, float]]

CHUNK = 256  # completions between two saves
MOST_UNSCORED = 0.05  # of the completions; with more, the judge does not judge


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
    total, done = score_set.pool.completions.count(), score_set.scores.count()
    progress.report(done, total, f"loading {score_set.model}")
    scorer = _scorer(score_set, progress)
    for chunk in _unscored(score_set):
        found = {pk: value for pk, value in scorer(chunk).items() if math.isfinite(value)}
        Score.objects.bulk_create(
            (Score(score_set=score_set, completion_id=pk, value=found[pk]) for pk in found),
            ignore_conflicts=True,
        )
        done += len(found)
        progress.report(done, total, "scoring")
    if (missing := total - done) > MOST_UNSCORED * total:
        raise JobError(
            f"{score_set.model} gave {missing:,} of {total:,} completions no score that can be "
            "read. Ask another judge, or for something simpler."
        )
    if missing:
        progress.notice(
            f"{missing:,} of {total:,} completions got no score that can be read: a design takes "
            "the mean of their prompt for them."
        )
    score_set.completed_at = timezone.now()
    score_set.save(update_fields=["completed_at"])


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

    def by_reward_model(chunk: Sequence[Completion]) -> dict[int, float]:
        items = [
            Item(tuple(one.prompt.messages), one.text, ended=one.finish_reason == "stop")
            for one in chunk
        ]
        try:
            values = score(model, items, should_stop=progress.should_stop, notice=progress.notice)
        except GenerationStopped as stopped:
            raise JobStopped from stopped
        except PromptTooLong as problem:
            number = chunk[problem.place].prompt.position + 1
            raise JobError(f"Prompt {number} fills the context of {score_set.model}.") from problem
        return {one.pk: float(value) for one, value in zip(chunk, values, strict=True)}

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

    def by_judge(chunk: Sequence[Completion]) -> dict[int, float]:
        asked = [Rated(one.pk, tuple(one.prompt.messages), one.text) for one in chunk]
        found = {}
        try:
            for key, value in judge(
                asked, endpoint, rubric=rubric, should_stop=progress.should_stop
            ):
                found[int(str(key))] = math.nan if value is None else value
        except GenerationStopped as stopped:
            raise JobStopped from stopped
        except GenerationFailed as problem:
            raise JobError(str(problem)) from problem
        return found

    return by_judge


def _note(score_set: ScoreSet, fingerprint: dict[str, str]) -> None:
    score_set.fingerprint = fingerprint
    score_set.save(update_fields=["fingerprint"])


def _unscored(score_set: ScoreSet) -> Iterator[list[Completion]]:
    scored = Score.objects.filter(score_set=score_set, completion=OuterRef("pk"))
    left = Completion.objects.filter(~Exists(scored), pool=score_set.pool).order_by("pk")
    after = 0
    while chunk := list(left.filter(pk__gt=after).select_related("prompt")[:CHUNK]):
        yield chunk
        after = chunk[-1].pk
