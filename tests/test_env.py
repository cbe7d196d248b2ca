import sqlite3
import subprocess
import sys
import time
from contextlib import closing
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


def test_processes_that_start_at_once_have_one_secret_key(tmp_path: Path) -> None:
    """Also where a process was killed between making the file and writing it."""
    made = (
        "import sys, time; from pathlib import Path; from pairselect.env import secret_key\n"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
        "print(secret_key('PAIRSELECT_NONE', Path(sys.argv[1])))"
    )
    (tmp_path / "secret_key").touch(0o600)
    moment = str(time.time() + 3)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", made, str(tmp_path), moment], stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    keys = {one.communicate(timeout=60)[0].strip() for one in started}
    assert keys == {(tmp_path / "secret_key").read_text()}
    assert len(keys.pop()) >= 50


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


def test_what_is_committed_to_sqlite_is_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    config = env.database("DATABASE_URL", tmp_path, checkout=tmp_path)
    with closing(sqlite3.connect(config["NAME"])) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(config["OPTIONS"]["init_command"])
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.parametrize(
    ("value", "file"),
    [("sqlite:///a.sqlite3", "/checkout/a.sqlite3"), ("sqlite:////srv/a%23b", "/srv/a#b")],
)
def test_a_database_file_is_the_same_from_every_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, file: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    assert env.database("DATABASE_URL", tmp_path, checkout=Path("/checkout"))["NAME"] == file


def test_servers_are_named_with_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S", "lab=http://10.0.0.5:8000/v1/, judge = https://example.org/v1 ,")
    monkeypatch.setenv("PAIRSELECT_SERVER_KEY_JUDGE", "sk-secret")
    found = env.servers("S")
    assert found == {
        "lab": env.Server("http://10.0.0.5:8000/v1"),
        "judge": env.Server("https://example.org/v1", "sk-secret"),
    }
    assert "sk-secret" not in repr(found)


@pytest.mark.parametrize(
    "value",
    ["http://10.0.0.5:8000/v1", "lab=", "lab=10.0.0.5", "lab=file:///etc/passwd", "LAB=http://a/v1",
     "lab=http://user:word@a/v1", "lab=http://a/v1?key=1", "lab=http://a,lab=http://b",
     "embedded=http://a/v1"],
)  # fmt: skip
def test_servers_refuses(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("S", value)
    with pytest.raises(ImproperlyConfigured, match="^S: "):
        env.servers("S")


def test_a_key_without_its_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S", "lab=http://a/v1")
    monkeypatch.setenv("PAIRSELECT_SERVER_KEY_LAP", "sk-secret")
    with pytest.raises(ImproperlyConfigured, match="KEY_LAP is the key of no server in S") as said:
        env.servers("S")
    assert "sk-secret" not in str(said.value)


def test_a_reference_model_on_a_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = {"lab": env.Server("http://a/v1")}
    monkeypatch.setenv("R", "lab:model")
    with pytest.raises(ImproperlyConfigured, match="features need a model that runs here"):
        env.reference_model("R", servers)
    monkeypatch.setenv("R", "embedded:smollm2-135m")
    assert env.reference_model("R", servers) == "embedded:smollm2-135m"


@pytest.mark.parametrize(
    ("value", "meant"), [("", 2 * 10**9), ("500MB", 5 * 10**8), ("12", 12), ("3 k", 3000)]
)
def test_size_reads(monkeypatch: pytest.MonkeyPatch, value: str, meant: int) -> None:
    monkeypatch.setenv("S", value)
    assert env.size("S", default="2GB") == meant


@pytest.mark.parametrize("value", ["0", "-1", "2 apples", "1.5GB", "0GB"])
def test_size_refuses(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("S", value)
    with pytest.raises(ImproperlyConfigured, match="is no size"):
        env.size("S", default="2GB")


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "²"])
def test_count_refuses(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("S", value)
    with pytest.raises(ImproperlyConfigured, match="whole number above 0"):
        env.count("S", default=5)
    monkeypatch.setenv("S", "5_000")
    assert env.count("S", default=5) == 5000


@pytest.mark.parametrize("value", ["label.example.org:8443", "a,127.0.0.1:80"])
def test_a_host_with_a_port_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("H", value)
    with pytest.raises(ImproperlyConfigured, match="without a port"):
        env.hosts("H", default=[])
    monkeypatch.setenv("H", "a,[::1],.example.org")
    assert env.hosts("H", default=[]) == ["a", "[::1]", ".example.org"]


@pytest.mark.parametrize("hosts", [None, "*", "label.example.org, *"])
def test_https_needs_to_know_its_names(monkeypatch: pytest.MonkeyPatch, hosts: str | None) -> None:
    monkeypatch.setenv("S", "true")
    if hosts is None:
        monkeypatch.delenv("H", raising=False)
    else:
        monkeypatch.setenv("H", hosts)
    with pytest.raises(ImproperlyConfigured, match="needs the names that people type"):
        env.https("S", "H", debug=False)
    monkeypatch.setenv("H", "label.example.org")
    assert env.https("S", "H", debug=False)


def test_https_beside_debug_pages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S", "true")
    monkeypatch.setenv("H", "label.example.org")
    with pytest.raises(ImproperlyConfigured, match="exclude each other"):
        env.https("S", "H", debug=True)


@pytest.mark.parametrize("name", env.HTTPS_ONLY)
def test_what_needs_https_is_refused_without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("S", raising=False)
    monkeypatch.setenv(name, "")
    assert not env.https("S", "H", debug=False)
    monkeypatch.setenv(name, "1")
    with pytest.raises(ImproperlyConfigured, match=f"{name} means nothing without S=true"):
        env.https("S", "H", debug=False)


def test_forms_come_from_the_allowed_hosts() -> None:
    assert env.origins(["a.org", ".b.org"]) == ["https://a.org", "https://*.b.org"]


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P", "10.0.0.2, 172.16.0.0/12,::1")
    assert env.proxies("P") == ["10.0.0.2", "172.16.0.0/12", "::1"]
    for wrong in ("proxy", "*", "10.0.0.2/8", "10.0.0.2:80"):
        monkeypatch.setenv("P", wrong)
        with pytest.raises(ImproperlyConfigured, match="neither an address nor a network"):
            env.proxies("P")
