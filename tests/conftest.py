"""People, and rows of every stage, made as the product makes them."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, sync_playwright
from whitenoise.middleware import WhiteNoiseMiddleware

from annotate.actions import create_campaign, open_campaign
from annotate.answering import NO_DETAILS, Details, Outcome, answer
from annotate.leasing import next_comparison
from annotate.models import Campaign, Judgement
from pairselect.designs.models import Design, SelectedPair
from pairselect.jobs.actions import run_job
from pairselect.jobs.models import Job
from pairselect.pools.models import Completion, Pool, Prompt, PromptSet, Variant
from pairselect.trail import triggers
from tests.migrated import migrated_in

FOLDER = Path(__file__).resolve().parent
WITHOUT_DATABASE = [FOLDER / "core", FOLDER / "pools" / "engine", FOLDER / "browser"]
# Files that take long come first: the many short ones that follow keep every test process at work
# to the end, since a file is one process's. Most of them wait for processes and browsers.
LONG = [FOLDER / "trust", FOLDER / "backup", FOLDER / "upgrade", FOLDER / "browser"]
LONG += [FOLDER / "pools" / "engine", FOLDER / "test_supervisor.py", FOLDER / "test_deployment.py"]
LONG += [FOLDER / "pools" / "test_kill.py", FOLDER / "annotate" / "test_machine_servers.py"]
LONG += [FOLDER / "test_sentiment_training.py"]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_modify_db_settings: None, request: pytest.FixtureRequest) -> bool:
    """Whether the test database has its tables already: on SQLite it is a copy of a file's."""
    if connection.vendor != "sqlite":
        return False
    file = request.getfixturevalue("migrated_file")
    shutil.copy(file, connection.settings_dict["TEST"]["NAME"])
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The audit trail's triggers refuse what empties tables between tests.

    `tests/trail/test_append_only.py` has them where it tests them; servers and workers that tests
    start as processes of their own migrate a database of their own, with triggers.
    """
    with django_db_blocker.unblock():
        triggers.remove(connection)
    yield
    with django_db_blocker.unblock():
        connection.close()


@pytest.fixture(scope="session", autouse=True)
def static_files_are_found_once() -> Iterator[None]:
    """Each of Django's test clients starts WhiteNoise anew, which then reads of 240 files what
    they are: a fifth of the time of what tests pages. They are the same each time, but for
    `tests/upgrade/test_static_files.py`, whose folders are its own."""
    find, usual_root = WhiteNoiseMiddleware.add_files_from_finders, settings.STATIC_ROOT
    found: dict[str, Any] = {}

    def find_once(self: WhiteNoiseMiddleware) -> None:
        if usual_root != settings.STATIC_ROOT or self.files:
            find(self)
            return
        if not found:
            find(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", find_once)
        yield


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a new installation on SQLite has, to be copied into a data folder."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return migrated_in(shared / "migrated")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database-only",
        action="store_true",
        help="only tests whose code may do otherwise on another database, such as PostgreSQL",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Not even read, since that would load PyTorch."""
    ignored = config.getoption("--database-only") and collection_path in WITHOUT_DATABASE
    return True if ignored else None


@pytest.hookimpl(trylast=True)  # browser tests are marked by then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda one: one.path not in LONG and one.path.parent not in LONG)
    if not config.getoption("--database-only"):
        return
    chosen = [one for one in items if uses_database(one)]
    config.hook.pytest_deselected(items=[one for one in items if not uses_database(one)])
    items[:] = chosen


def uses_database(item: pytest.Item) -> bool:
    """Whether the database may matter; pages, browsers and trainers are tried on SQLite alone."""
    fixtures = getattr(item, "fixturenames", ())
    marked = item.get_closest_marker("django_db") is not None
    elsewhere = any(item.get_closest_marker(name) for name in ("page", "browser", "trainer"))
    return not elsewhere and (marked or "db" in fixtures or "transactional_db" in fixtures)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium. Without one its tests skip and say so; under CI they fail."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        message = "no Chromium here: install the distribution's chromium package"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class NoProgress:
    """For calling a job's function without a job."""

    def report(self, done: int, total: int, message: str = "") -> None: ...

    def notice(self, text: str) -> None: ...

    def should_stop(self) -> bool:
        return False

    def check(self) -> None: ...


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A local folder with a tiny random Llama: the engine's real path, in milliseconds."""
    from tests.pools.engine.conftest import save_llama, save_tokenizer

    folder = tmp_path_factory.mktemp("tiny-model")
    save_llama(folder)
    save_tokenizer(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def hearts_wait_for_the_transaction(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test inside one transaction locks SQLite, so another thread's heartbeat cannot write."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        monkeypatch.setattr("pairselect.jobs.progress.BEAT_SECONDS", 3600.0)


@pytest.fixture
def progress() -> NoProgress:
    return NoProgress()


@dataclass
class People:
    admin: User
    anna: User  # annotates
    ben: User  # annotates too
    stranger: User  # an annotator of nothing here

    def client(self, user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client


@pytest.fixture
def people(db: None) -> People:
    return make_people()


def make_people() -> People:
    def person(name: str, role: str) -> User:
        user = User.objects.create_user(name, password="secret-enough")
        user.groups.add(Group.objects.get(name=role))
        return user

    return People(
        admin=person("ada", "admin"),
        anna=person("anna", "annotator"),
        ben=person("ben", "annotator"),
        stranger=person("sam", "annotator"),
    )


def make_pool(prompts: int = 3, completions: int = 3, name: str = "pool") -> Pool:
    now = timezone.now()
    prompt_set = PromptSet.objects.create(name=name, prompt_count=prompts, imported_at=now)
    pool = Pool.objects.create(
        name=name,
        prompt_set=prompt_set,
        source=Pool.Source.GENERATED,
        model="a-model-that-nobody-sees",
        completions_per_prompt=completions,
        completed_at=now,
    )
    variant = Variant.objects.create(
        pool=pool,
        position=0,
        model=pool.model,
        temperature=1.0,
        top_p=1.0,
        completions_per_prompt=completions,
    )
    asked = Prompt.objects.bulk_create(
        Prompt(
            prompt_set=prompt_set,
            position=i,
            external_id=f"p{i}",
            messages=[{"role": "user", "content": f"Question number {i}?"}],
        )
        for i in range(prompts)
    )
    Completion.objects.bulk_create(
        Completion(
            pool=pool,
            prompt=prompt,
            index=k,
            variant=variant,
            text=f"Answer {k} to question {prompt.position}",
            seed=k,
        )
        for prompt in asked
        for k in range(completions)
    )
    return pool


def make_design(pool: Pool) -> Design:
    """A solved design of the first two completions of every prompt."""
    prompts = list(pool.prompt_set.prompts.all())
    design = Design.objects.create(
        name=pool.name,
        pool=pool,
        feature_kind="mean_middle",
        strategy="trace",
        budget=len(prompts),
        objective=2.0,
        uniform_objective=3.0,
        random_objective=3.5,
        lower_bound=1.9,
        solved_at=timezone.now(),
    )
    completions = {(one.prompt_id, one.index): one for one in pool.completions.filter(index__lt=2)}
    SelectedPair.objects.bulk_create(
        SelectedPair(
            design=design,
            position=i,
            prompt=prompt,
            first=completions[prompt.pk, 0],
            second=completions[prompt.pk, 1],
            inclusion_probability=1.0,
            sensitivity=0.5,
            feature_distance=1.5,
            first_log_prob=-10.0,
            second_log_prob=-20.0,
        )
        for i, prompt in enumerate(prompts)
    )
    return design


def make_campaign(
    *annotators: User, prompts: int = 3, name: str = "campaign", **asked: Any
) -> Campaign:
    """An open one, in the design's own order and without checks unless these are asked for."""
    asked = {"mix_window": 0, "repeat_share": 0.0, "gold_share": 0.0} | asked
    campaign = create_campaign(
        make_design(make_pool(prompts, name=name)),
        name=name,
        annotators=annotators,
        seed=0,
        **asked,
    )
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    campaign.refresh_from_db()
    return campaign


@pytest.fixture
def campaign(people: People) -> Campaign:
    return make_campaign(people.anna, people.ben)


def give(campaign: Campaign, user: User, choice: str, details: Details = NO_DETAILS) -> Judgement:
    """Answer the person's next comparison."""
    comparison = next_comparison(campaign, user)
    assert comparison is not None
    assert comparison.lease is not None
    lease = comparison.lease
    outcome = answer(
        comparison, user, choice=Judgement.Choice(choice), lease=lease, details=details
    )
    assert outcome is Outcome.STORED
    return Judgement.objects.get(lease=lease)


def run_queued_jobs() -> None:
    """What the workers would do, here."""
    while job := Job.objects.filter(status=Job.Status.QUEUED).order_by("pk").first():
        assert run_job(job.pk)
