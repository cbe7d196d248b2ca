"""Scores as jobs: by a real (tiny) reward model, by a judge, resumed, and what a design sees."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from pairselect.env import Server
from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError, JobStopped
from pairselect.pools import scoring
from pairselect.pools.actions import create_score_set
from pairselect.pools.engine import endpoint, judging
from pairselect.pools.engine.contract import GenerationFailed, GenerationStopped
from pairselect.pools.engine.judging import Rated
from pairselect.pools.models import Completion, Pool, Score, ScoreSet
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import finished_scores, has_scores
from tests.conftest import NoProgress, People, make_pool, run_queued_jobs
from tests.pools.engine.test_rewards import save

pytestmark = pytest.mark.django_db

LAB = {"lab": Server("http://127.0.0.1:9/v1", "sk-secret")}


class Noticing(NoProgress):
    def __init__(self, steps: int = 1000) -> None:
        self.notices: list[str] = []
        self.left = steps

    def report(self, done: int, total: int, message: str = "") -> None:
        self.left -= 1
        if self.left < 0:
            raise JobStopped

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture
def pool(db: None) -> Pool:
    return make_pool(prompts=4, completions=3)


@pytest.fixture
def reward_model(tmp_path: Path) -> str:
    save(tmp_path / "reward")
    return str(tmp_path / "reward")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float | None]]:
    """What the judge says to a completion; 5 to others."""
    said: dict[str, float | None] = {}

    def judge(
        items: Sequence[Rated], endpoint: object, **options: object
    ) -> Iterator[tuple[object, float | None]]:
        for item in reversed(items):
            yield item.key, said.get(item.completion, 5.0)

    monkeypatch.setattr(judging, "judge", judge)
    monkeypatch.setattr(judging, "judge_fingerprint", lambda *a, **k: {"engine": "judge"})
    monkeypatch.setattr(endpoint, "Endpoint", lambda *args, **options: (args, options))
    with override_settings(PAIRSELECT_SERVERS=LAB, PAIRSELECT_MODELS=("lab:big",)):
        yield said


def by_judge(pool: Pool, rubric: str = "") -> ScoreSet:
    return create_score_set(pool, source=ScoreSet.Source.JUDGE, model="lab:big", rubric=rubric)


def test_a_reward_model_scores_every_completion_once(pool: Pool, reward_model: str) -> None:
    call_command("score_pool", "pool", "--model", reward_model, "--name", "rough")
    score_set = ScoreSet.objects.get()
    assert (score_set.name, score_set.source, score_set.model) == ("rough", "reward", reward_model)
    assert score_set.completed_at is not None
    assert score_set.fingerprint["weights"]
    values = dict(score_set.scores.values_list("completion__text", "value"))
    assert len(values) == 12
    assert len(set(values.values())) > 6  # bfloat16 may give two the same
    call_command("score_pool", "pool", "--model", reward_model, "--name", "rough")
    assert Score.objects.count() == 12


def test_a_scoring_that_was_cut_off_goes_on(
    pool: Pool, reward_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 5)
    monkeypatch.setattr(scoring, "FIRST_CHUNK", 5)
    score_set = create_score_set(pool, source=ScoreSet.Source.REWARD, model=reward_model)
    with pytest.raises(JobStopped):
        scoring.score_pool(score_set.pk, Noticing(steps=2))  # type: ignore[arg-type]
    kept = dict(score_set.scores.values_list("pk", "value"))
    assert len(kept) == 10
    assert not has_scores(pool)
    scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    assert kept.items() <= dict(score_set.scores.values_list("pk", "value")).items()
    assert score_set.scores.count() == 12
    assert list(finished_scores(pool)) == [score_set]


def test_a_judge_scores_by_completion(pool: Pool, answers: dict[str, float | None]) -> None:
    answers |= {"Answer 0 to question 0": 9.5, "Answer 2 to question 3": 1.0}
    score_set = by_judge(pool)
    scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    values = dict(score_set.scores.values_list("completion__text", "value"))
    assert len(values) == 12
    assert {text: value for text, value in values.items() if value != 5} == answers
    score_set.refresh_from_db()
    assert score_set.fingerprint == {"engine": "judge"}


def test_scores_begun_with_other_weights_are_not_finished(
    pool: Pool, reward_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 5)
    monkeypatch.setattr(scoring, "FIRST_CHUNK", 5)
    score_set = create_score_set(
        pool, source=ScoreSet.Source.REWARD, model=reward_model, name="rough"
    )
    with pytest.raises(JobStopped):
        scoring.score_pool(score_set.pk, Noticing(steps=1))  # type: ignore[arg-type]
    score_set.refresh_from_db()
    begun = score_set.fingerprint
    for key in ("weights", "chat_template"):
        ScoreSet.objects.update(fingerprint=begun | {key: "of-before"})
        with pytest.raises(JobError, match=f"“rough” were begun .* revision of {reward_model}"):
            scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
        score_set.refresh_from_db()
        assert score_set.fingerprint == begun | {key: "of-before"}
        assert (score_set.completed_at, score_set.scores.count()) == (None, 5)
    ScoreSet.objects.update(fingerprint=begun | {"torch": "1.0"})
    scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    score_set.refresh_from_db()
    assert score_set.completed_at is not None
    assert score_set.fingerprint["torch"] == "1.0"  # of those that were stored first


@pytest.mark.parametrize("key", ["root", "prompt", "score"])
def test_scores_begun_by_another_judge_are_not_finished(
    pool: Pool, answers: dict[str, float | None], key: str
) -> None:
    score_set = by_judge(pool)
    ScoreSet.objects.update(fingerprint={"engine": "judge", key: "of-before"})
    score_set.scores.create(completion=pool.completions.first(), value=3.0)
    with pytest.raises(JobError, match=rf"\({key} differs\). Score under another name"):
        scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    assert score_set.scores.count() == 1


@pytest.mark.parametrize(
    ("lost", "raised"),
    [(GenerationFailed("The server is gone."), JobError), (GenerationStopped(), JobStopped)],
)
def test_answers_that_came_before_the_end_are_kept(
    pool: Pool,
    answers: dict[str, float | None],
    monkeypatch: pytest.MonkeyPatch,
    lost: Exception,
    raised: type[Exception],
) -> None:
    asked: list[int] = []

    def judge(
        items: Sequence[Rated], endpoint: object, **options: object
    ) -> Iterator[tuple[object, float | None]]:
        for item in items:
            if len(asked) == 7:
                raise lost
            asked.append(int(str(item.key)))
            yield item.key, 4.0

    monkeypatch.setattr(judging, "judge", judge)
    score_set = by_judge(pool)
    with pytest.raises(raised):
        scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    assert set(score_set.scores.values_list("completion_id", flat=True)) == set(asked)
    assert len(asked) == 7


def test_answers_are_stored_while_a_judge_is_waited_for(
    pool: Pool, answers: dict[str, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    score_set, stored = by_judge(pool), []

    def judge(
        items: Sequence[Rated],
        endpoint: object,
        *,
        should_stop: Callable[[], bool],
        **options: object,
    ) -> Iterator[tuple[object, float | None]]:
        for item in items:
            assert not should_stop()  # as the endpoint asks, four times a second
            stored.append(score_set.scores.count())
            yield item.key, 4.0

    monkeypatch.setattr(judging, "judge", judge)
    scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    assert stored == list(range(12))


def test_what_another_worker_has_stored_is_not_missing(
    pool: Pool, answers: dict[str, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other was thought dead, and scores what this one has not come to."""
    monkeypatch.setattr(scoring, "CHUNK", 6)
    monkeypatch.setattr(scoring, "FIRST_CHUNK", 6)
    score_set, usual, asked = by_judge(pool), judging.judge, []

    def overtaken(
        items: Sequence[Rated], *args: object, **options: object
    ) -> Iterator[tuple[object, float | None]]:
        asked.append(len(items))
        for completion in pool.completions.order_by("pk")[6:]:
            score_set.scores.create(completion=completion, value=2.0)
        yield from usual(items, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(judging, "judge", overtaken)
    scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    assert asked == [6]
    assert score_set.scores.count() == 12
    assert has_scores(pool)


@pytest.mark.parametrize(("silent", "done"), [(1, False), (0, True)])
def test_a_judge_that_does_not_judge_is_said(
    pool: Pool, answers: dict[str, float | None], silent: int, done: bool
) -> None:
    texts = list(pool.completions.values_list("text", flat=True))
    answers |= dict.fromkeys(texts[:silent])
    score_set = by_judge(pool)
    if done:
        scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    else:
        with pytest.raises(JobError, match="gave 1 of the first 12 completions no score"):
            scoring.score_pool(score_set.pk, Noticing())  # type: ignore[arg-type]
    assert has_scores(pool) == done
    assert score_set.scores.count() == 12 - silent  # those that were given are kept


def test_a_judge_that_cannot_judge_is_not_asked_for_all(
    answers: dict[str, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(prompts=30, completions=3, name="large")
    monkeypatch.setattr(scoring, "FIRST_CHUNK", 8)
    monkeypatch.setattr(scoring, "CHUNK", 8)
    answers |= dict.fromkeys(pool.completions.values_list("text", flat=True))
    with pytest.raises(JobError, match="gave 8 of the first 8 completions no score"):
        scoring.score_pool(by_judge(pool).pk, Noticing())  # type: ignore[arg-type]


def test_scores_that_came_to_nothing_do_not_keep_their_name(pool: Pool) -> None:
    first = by_judge(pool)
    other = create_score_set(
        pool, source=ScoreSet.Source.REWARD, model="/models/reward", name="lab:big"
    )
    assert (other.pk, other.model) == (first.pk, "/models/reward")
    Score.objects.create(score_set=other, completion=pool.completions.all()[0], value=1.0)
    with pytest.raises(NameRefused, match="other scores named “lab:big”"):
        by_judge(pool)


def test_a_few_silences_are_noted_and_no_more(answers: dict[str, float | None], db: None) -> None:
    pool = make_pool(prompts=10, completions=3, name="large")
    answers["Answer 1 to question 7"] = None
    score_set, progress = by_judge(pool), Noticing()
    scoring.score_pool(score_set.pk, progress)  # type: ignore[arg-type]
    assert progress.notices == [
        "1 of 30 completions got no score that can be read: a design takes the mean of their "
        "prompt for them."
    ]
    assert has_scores(pool)


def test_scores_of_one_name_are_of_one_source(pool: Pool) -> None:
    first = by_judge(pool)
    assert by_judge(pool) == first
    Score.objects.create(score_set=first, completion=pool.completions.all()[0], value=1.0)
    with pytest.raises(NameRefused, match="other scores named “lab:big”"):
        by_judge(pool, rubric="Only spelling.")
    other = create_score_set(
        pool, source=ScoreSet.Source.JUDGE, model="lab:big", rubric="Spelling", name="spelling"
    )
    assert {first, other} == set(ScoreSet.objects.all())


def test_a_model_that_gives_no_scores_is_said(pool: Pool, tiny_model: str) -> None:
    with pytest.raises(CommandError, match="There is no folder /nowhere"):
        call_command("score_pool", "pool", "--model", "/nowhere")
    with pytest.raises(CommandError, match="no reward model|language model"):
        call_command("score_pool", "pool", "--model", tiny_model)
    with pytest.raises(CommandError, match="There is no pool named “none”"):
        call_command("score_pool", "none", "--model", tiny_model)
    assert Completion.objects.count() == 12


def test_scores_by_page(pool: Pool, people: People, answers: dict[str, float | None]) -> None:
    client = people.client(people.admin)
    address = f"/pools/{pool.pk}/scores/"
    assert "Score" in client.get(f"/pools/{pool.pk}/").content.decode()
    refused = client.post(address, {"model": "/etc/passwd"})
    assert "not one of the available choices" in refused.content.decode()
    assert ScoreSet.objects.count() == 0
    for _ in range(2):  # a double submit is one
        client.post(address, {"model": "lab:big", "rubric": "Kindness", "name": "kind"})
    assert Job.objects.filter(kind="score_pool").count() == 1
    run_queued_jobs()
    page = client.get(f"/pools/{pool.pk}/").content.decode()
    assert "score: kind" in page
    assert "sk-secret" not in page
    assert ScoreSet.objects.get().rubric == "Kindness"
