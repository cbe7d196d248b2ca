"""Settings from the environment, refused when wrong.

Each function reads one variable and raises ``ImproperlyConfigured`` with a sentence that
names the variable, the value and what is accepted.
"""

import os
import secrets
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

KNOWN = frozenset(
    {
        "PAIRSELECT_DATA_DIR",
        "PAIRSELECT_MODEL",
        "PAIRSELECT_DEBUG",
        "PAIRSELECT_SECRET_KEY",
        "PAIRSELECT_ALLOWED_HOSTS",
    }
)

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})

CONNECTION_SECONDS = 60

# Four writers at once: 75 writes/s and failures on SQLite's defaults, 723/s and none with these.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728;"
    ),
}


def refuse_misspelt() -> None:
    """A misspelt setting is an error, not a default.

    Other names are left alone: Kubernetes gives each container PAIRSELECT_SERVICE_HOST,
    PAIRSELECT_PORT, PAIRSELECT_PORT_8000_TCP, … where a service is called pairselect.
    """
    for name in sorted(os.environ.keys() - KNOWN):
        if not name.startswith("PAIRSELECT_") or "_PORT" in name:
            continue
        if meant := get_close_matches(name, KNOWN, n=1, cutoff=0.8):
            raise ImproperlyConfigured(
                f"{name} is not a setting of pairselect. Did you mean {meant[0]}?"
            )


def flag(name: str, *, default: bool) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.")


def hosts(name: str, *, default: list[str]) -> list[str]:
    value = os.environ.get(name)
    if value is None:
        return default
    found = [host.strip() for host in value.split(",") if host.strip()]
    if not found or any("/" in host or " " in host for host in found):
        raise ImproperlyConfigured(
            f"{name}={value!r} must be host names separated by commas, such as "
            "'label.example.org,localhost'."
        )
    return found


def data_dir(name: str, *, default: Path) -> Path:
    value = os.environ.get(name)
    path = Path(value).expanduser() if value else default
    if value is not None and not path.is_absolute():
        raise ImproperlyConfigured(f"{name}={value!r} must be an absolute path.")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}: the folder {path} cannot be made ({error.strerror})."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{name}: the folder {path} is not writable.")
    return path


def model(name: str, *, default: str) -> str:
    value = os.environ.get(name, default).strip()
    if not value:
        raise ImproperlyConfigured(
            f"{name} is empty: give 'embedded:smollm2-135m', a folder, or a hub id."
        )
    return value


def secret_key(name: str, folder: Path) -> str:
    """The key from the environment, or the one made for this data folder on first use."""
    value = os.environ.get(name)
    if value is not None:
        if len(value) < 50 or len(set(value)) < 5:
            raise ImproperlyConfigured(f"{name} must be at least 50 random characters long.")
        return value
    path = folder / "secret_key"
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(64))
    except FileExistsError:
        pass
    key = path.read_text().strip()
    if len(key) < 50:
        raise ImproperlyConfigured(f"{path} is damaged: delete it to have a new key made.")
    return key


def database(name: str, folder: Path, *, checkout: Path) -> dict[str, Any]:
    value = os.environ.get(name)
    if not value:  # no URL: the folder's name may hold #, % and spaces
        config: dict[str, Any] = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": folder / "pairselect.sqlite3",
            "CONN_MAX_AGE": CONNECTION_SECONDS,
        }
    else:
        config = _from_url(name, value)
    engine = str(config.get("ENGINE", ""))
    if engine.endswith("sqlite3"):
        if config["NAME"] == ":memory:":
            raise ImproperlyConfigured(
                f"{name}: several processes share the database: give a file."
            )
        # The same file from whatever folder a process was started.
        config["NAME"] = str(checkout / config["NAME"])
        config["OPTIONS"] = SQLITE_OPTIONS
        # Threads of a test's live server need a file; memory belongs to one connection.
        config["TEST"] = {"NAME": str(folder / "test.sqlite3")}
    elif engine.endswith("postgresql"):
        config["CONN_HEALTH_CHECKS"] = True
    else:
        raise ImproperlyConfigured(f"{name}: pairselect runs on SQLite and PostgreSQL only.")
    return config


def _from_url(name: str, value: str) -> dict[str, Any]:
    try:
        return dict(dj_database_url.parse(value, conn_max_age=CONNECTION_SECONDS))
    except (ValueError, dj_database_url.ParseError, dj_database_url.UnknownSchemeError) as error:
        raise ImproperlyConfigured(
            f"{name} is not a database address: write sqlite:///FILE or "
            "postgres://USER:PASSWORD@HOST:PORT/NAME."
        ) from error
