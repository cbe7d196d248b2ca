"""Sites of their own, on SQLite and on PostgreSQL. Where that is not installed, its tests skip."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.trust.serving import Postgres, Site, Sites, binaries

DATABASES = ["sqlite", "postgres"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], Postgres]]:
    """The cluster that this run's sites share, made when the first one asks."""
    made: list[Postgres] = []

    def cluster() -> Postgres:
        if not made:
            if not (binaries() / "initdb").exists():
                message = "no PostgreSQL server here: install the distribution's package"
                if os.environ.get("CI"):
                    pytest.fail(message)
                pytest.skip(message)
            made.append(Postgres())
        return made[0]

    yield cluster
    for one in made:
        one.remove()


@pytest.fixture(scope="session")
def sites(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: Callable[[], Postgres],
    migrated_file: Path,
) -> Sites:
    return Sites(tmp_path_factory.mktemp("sites"), postgres, migrated_file)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_site(sites: Sites) -> Iterator[Callable[..., Site]]:
    """``make_site(database, VARIABLE="value")``; its processes end with the test."""
    made: list[Site] = []

    def make(database: str, **environment: str) -> Site:
        made.append(sites.make(database, **environment))
        return made[-1]

    yield make
    for site in made:
        site.stop()
