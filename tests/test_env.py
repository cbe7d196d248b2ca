from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from pairselect import env


def test_a_misspelt_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRSELECT_ALOWED_HOSTS", "a")
    with pytest.raises(ImproperlyConfigured) as refused:
        env.refuse_misspelt()
    assert str(refused.value) == (
        "PAIRSELECT_ALOWED_HOSTS is not a setting of pairselect. "
        "Did you mean PAIRSELECT_ALLOWED_HOSTS?"
    )


@pytest.mark.parametrize(
    "name",
    [
        "PAIRSELECT_SERVICE_HOST",
        "PAIRSELECT_SERVICE_PORT_HTTP",
        "PAIRSELECT_PORT",
        "PAIRSELECT_PORT_8000_TCP_ADDR",
        "PAIRSELECT_MODEL_PORT",  # of a service called pairselect-model
        "PAIRSELECT_MODEL_SERVICE_HOST",
        "PAIRSELECT_DATA_DIR",
    ],
)
def test_what_kubernetes_sets_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:8000")
    env.refuse_misspelt()


@pytest.mark.parametrize(("value", "meant"), [("1", True), ("False", False), ("", False)])
def test_flag_reads(monkeypatch: pytest.MonkeyPatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("PAIRSELECT_DEBUG", value)
    assert env.flag("PAIRSELECT_DEBUG", default=False) is meant


def test_flag_refuses_maybe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRSELECT_DEBUG", "maybe")
    with pytest.raises(ImproperlyConfigured, match="neither true nor false"):
        env.flag("PAIRSELECT_DEBUG", default=False)


@pytest.mark.parametrize("value", ["", "https://a.org", "a b"])
def test_hosts_refuses(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PAIRSELECT_ALLOWED_HOSTS", value)
    with pytest.raises(ImproperlyConfigured, match="separated by commas"):
        env.hosts("PAIRSELECT_ALLOWED_HOSTS", default=[])


def test_data_dir_refuses_a_relative_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRSELECT_DATA_DIR", "data")
    with pytest.raises(ImproperlyConfigured, match="absolute"):
        env.data_dir("PAIRSELECT_DATA_DIR", default=Path("/"))


def test_data_dir_refuses_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PAIRSELECT_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(ImproperlyConfigured, match="cannot be made"):
        env.data_dir("PAIRSELECT_DATA_DIR", default=tmp_path)


def test_secret_key_is_made_once_and_kept_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PAIRSELECT_SECRET_KEY", raising=False)
    key = env.secret_key("PAIRSELECT_SECRET_KEY", tmp_path)
    assert len(key) >= 50
    assert env.secret_key("PAIRSELECT_SECRET_KEY", tmp_path) == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_a_short_secret_key_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAIRSELECT_SECRET_KEY", "short")
    with pytest.raises(ImproperlyConfigured, match="at least 50"):
        env.secret_key("PAIRSELECT_SECRET_KEY", tmp_path)


@pytest.mark.parametrize(
    "value", ["mysql://u:p@h/n", "nonsense", "postgres://h:port/x", "sqlite://"]
)
def test_database_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        env.database("DATABASE_URL", tmp_path, checkout=tmp_path)


@pytest.mark.parametrize("name", ["data", "50% of #1, at last"])
def test_database_is_sqlite_in_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    config = env.database("DATABASE_URL", tmp_path / name, checkout=Path("/elsewhere"))
    assert config["NAME"] == str(tmp_path / name / "pairselect.sqlite3")
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


@pytest.mark.parametrize(
    ("value", "file"),
    [("sqlite:///a.sqlite3", "/checkout/a.sqlite3"), ("sqlite:////srv/a%23b", "/srv/a#b")],
)
def test_a_database_file_is_the_same_from_every_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, file: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    assert env.database("DATABASE_URL", tmp_path, checkout=Path("/checkout"))["NAME"] == file
