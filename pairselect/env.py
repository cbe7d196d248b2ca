"""Settings from the environment, refused when wrong.

Each function reads one variable and raises ``ImproperlyConfigured`` with a sentence that
names the variable, the value and what is accepted.
"""

import fcntl
import ipaddress
import os
import re
import secrets
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

KNOWN = frozenset(
    {
        "PAIRSELECT_DATA_DIR",
        "PAIRSELECT_MODEL",
        "PAIRSELECT_DEBUG",
        "PAIRSELECT_SECRET_KEY",
        "PAIRSELECT_ALLOWED_HOSTS",
        "PAIRSELECT_HTTPS",
        "PAIRSELECT_HSTS_SECONDS",
        "PAIRSELECT_HSTS_SUBDOMAINS",
        "PAIRSELECT_TRUSTED_PROXY",
        "PAIRSELECT_MODELS",
        "PAIRSELECT_REFERENCE_MODEL",
        "PAIRSELECT_REWARD_MODELS",
        "PAIRSELECT_SERVERS",
        "PAIRSELECT_MAX_UPLOAD",
        "PAIRSELECT_MAX_UNPACKED",
        "PAIRSELECT_MAX_ROWS",
        "PAIRSELECT_MAX_CHARACTERS",
        "PAIRSELECT_API_RATE",
        "PAIRSELECT_MAX_JOBS",
        "PAIRSELECT_LOG_FORMAT",
        "PAIRSELECT_METRICS_TOKEN",
        "PAIRSELECT_PASSWORD_LOGIN",
        "PAIRSELECT_OIDC_ISSUER",
        "PAIRSELECT_OIDC_CLIENT_ID",
        "PAIRSELECT_OIDC_CLIENT_SECRET",
        "PAIRSELECT_OIDC_NAME",
        "PAIRSELECT_OIDC_DOMAINS",
    }
)
HTTPS_ONLY = ("PAIRSELECT_HSTS_SECONDS", "PAIRSELECT_HSTS_SUBDOMAINS", "PAIRSELECT_TRUSTED_PROXY")
ROUNDS = "PAIRSELECT_ROUNDS"  # of the tests: how often they kill (docs/reliability.md)
SERVER_KEY = "PAIRSELECT_SERVER_KEY_"  # and the server's name, in capitals

SERVER_HOST = re.compile(r"([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?")  # no user, no password
SERVER_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})

CONNECTION_SECONDS = 60

# Four writers at once: 75 writes/s and failures on SQLite's defaults, none with these. FULL: what
# was acknowledged is on the disk, and there after a power cut; NORMAL would lose the last seconds.
# It costs each commit an fsync, 4 ms at the median on a cloud machine's disk.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=67108864;",
}


@dataclass(frozen=True)
class Server:
    """An OpenAI-compatible server; its key is in no log and no page."""

    url: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Oidc:
    """An OpenID Connect server that people log in with; its secret is in no log and no page."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    domains: tuple[str, ...]  # of verified e-mail addresses that let in without an invitation


def refuse_misspelt() -> None:
    """A misspelt setting is an error, not a default.

    Other names are left alone: Kubernetes gives each container PAIRSELECT_SERVICE_HOST,
    PAIRSELECT_PORT, PAIRSELECT_PORT_8000_TCP, … where a service is called pairselect.
    """
    for name in sorted(os.environ.keys() - KNOWN):
        if not name.startswith("PAIRSELECT_") or "_PORT" in name or "_SERVICE_" in name:
            continue
        if name.startswith(SERVER_KEY) or name == ROUNDS:
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
    for host in found:
        if ":" in host and not host.endswith("]"):
            raise ImproperlyConfigured(f"{name}: {host!r} must be a name alone, without a port.")
    return found


def https(name: str, hosts_name: str, *, debug: bool) -> bool:
    """Whether people come by HTTPS alone; refused beside settings that contradict it."""
    wanted = flag(name, default=False)
    if not wanted:
        for other in HTTPS_ONLY:
            if os.environ.get(other, "").strip():
                raise ImproperlyConfigured(
                    f"{other} means nothing without {name}=true: set that as well, or unset this."
                )
        return False
    if debug:
        raise ImproperlyConfigured(
            f"{name}=true and PAIRSELECT_DEBUG=true exclude each other: debug pages show settings "
            "to everybody."
        )
    allowed = os.environ.get(hosts_name)
    if allowed is None or "*" in (host.strip() for host in allowed.split(",")):
        raise ImproperlyConfigured(
            f"{name}=true needs the names that people type into the browser in {hosts_name}, such "
            "as 'label.example.org'."
        )
    return True


def origins(allowed_hosts: list[str]) -> list[str]:
    """Where forms may come from by HTTPS: ``.example.org`` lets in every name below it."""
    return [f"https://*{host}" if host[0] == "." else f"https://{host}" for host in allowed_hosts]


def proxies(name: str) -> list[str]:
    """Addresses and networks of the proxies that may say by which scheme somebody came."""
    found = list(names(name))
    for one in found:
        try:
            ipaddress.ip_network(one)
        except ValueError as problem:
            raise ImproperlyConfigured(
                f"{name}: {one!r} is neither an address nor a network, such as 10.0.0.2 or "
                "172.16.0.0/12."
            ) from problem
    return found


def trusted_proxies(name: str, *, https: bool) -> list[str]:
    """Who may say where a request came from: as for its scheme, this machine and who is named.

    Without HTTPS there is no proxy, and whoever claims an address is not believed.
    """
    return ["127.0.0.1", "::1", *proxies(name)] if https else []


def oidc(prefix: str) -> Oidc | None:
    """The OpenID Connect server, if there is one: three variables, all or none."""
    needed = [f"{prefix}_{part}" for part in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")]
    issuer, client_id, secret = given = [os.environ.get(one, "").strip() for one in needed]
    lacking = [name for name, value in zip(needed, given, strict=True) if not value]
    optional = [f"{prefix}_NAME", f"{prefix}_DOMAINS"]
    if len(lacking) == len(needed):
        if found := [one for one in optional if os.environ.get(one, "").strip()]:
            raise ImproperlyConfigured(f"{found[0]} means nothing without {needed[0]}.")
        return None
    if lacking:
        raise ImproperlyConfigured(f"Logging in by OpenID Connect needs {', '.join(lacking)} too.")
    address = urlsplit(issuer)
    local = address.hostname in ("localhost", "127.0.0.1", "::1")
    if not address.hostname or address.scheme not in (("https", "http") if local else ("https",)):
        raise ImproperlyConfigured(
            f"{needed[0]}={issuer!r} must be an address that begins with https://, without "
            "/.well-known/openid-configuration."
        )
    domains = tuple(one.lower().removeprefix("@") for one in names(optional[1]))
    if any("@" in one or "." not in one for one in domains):
        raise ImproperlyConfigured(
            f"{optional[1]} must be domains separated by commas, such as 'example.org'."
        )
    name = os.environ.get(optional[0], "").strip() or address.hostname
    return Oidc(issuer.rstrip("/"), client_id, secret, name, domains)


def password_login(name: str, oidc: Oidc | None) -> bool:
    """Whether people log in with a password; switched off only where there is another way."""
    wanted = flag(name, default=True)
    if not wanted and oidc is None:
        raise ImproperlyConfigured(
            f"{name} switches off the only way in: set PAIRSELECT_OIDC_ISSUER as well."
        )
    return wanted


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


def folder_in(folder: Path, name: str) -> Path:
    """A folder of the data folder, which is there."""
    path = folder / name
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def model(name: str, *, default: str) -> str:
    value = os.environ.get(name, default).strip()
    if not value:
        raise ImproperlyConfigured(
            f"{name} is empty: give 'embedded:smollm2-135m', a folder, or a hub id."
        )
    return value


def names(name: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(one.strip() for one in os.environ.get(name, "").split(",") if one.strip())


def servers(name: str) -> dict[str, Server]:
    """``lab=http://10.0.0.5:8000/v1,other=https://…``: OpenAI-compatible servers by name."""
    found: dict[str, Server] = {}
    for part in filter(None, (part.strip() for part in os.environ.get(name, "").split(","))):
        label, equals, url = (piece.strip() for piece in part.partition("="))
        address = urlsplit(url)
        named = equals and SERVER_NAME.fullmatch(label) and SERVER_HOST.fullmatch(address.netloc)
        if not named or address.scheme not in ("http", "https") or address.query:
            raise ImproperlyConfigured(
                f"{name}: {part!r} must be NAME=URL, such as 'lab=http://10.0.0.5:8000/v1', with a "
                f"key, if it needs one, in {SERVER_KEY}{label.upper() or 'LAB'}."
            )
        if label in found or label == "embedded":
            raise ImproperlyConfigured(f"{name}: {label!r} is taken; choose another name.")
        key = os.environ.get(SERVER_KEY + label.upper(), "")
        found[label] = Server(url.rstrip("/"), key)
    for key_name in sorted(one for one in os.environ if one.startswith(SERVER_KEY)):
        if key_name.removeprefix(SERVER_KEY).lower() not in found:
            raise ImproperlyConfigured(f"{key_name} is the key of no server in {name}.")
    return found


def reference_model(name: str, servers: dict[str, Server]) -> str:
    """The model whose features describe pools, if it is another than the one that writes."""
    value = os.environ.get(name, "").strip()
    if value.partition(":")[0] in servers:
        raise ImproperlyConfigured(
            f"{name}={value!r} is on a server: features need a model that runs here."
        )
    return value


def size(name: str, *, default: str) -> int:
    """Bytes, as ``500MB`` or ``2GB``; a plain number is bytes."""
    value = os.environ.get(name, "").strip() or default
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)B?", value, re.IGNORECASE)
    if not match or not int(match[1]):
        raise ImproperlyConfigured(f"{name}={value!r} is no size: write 500MB or 2GB, say.")
    return int(match[1]) * int(1000 ** " KMGT".index(match[2].upper() or " "))


def count(name: str, *, default: int) -> int:
    value = os.environ.get(name, "").strip() or str(default)
    if not value.isascii() or not value.replace("_", "").isdigit() or not int(value):
        raise ImproperlyConfigured(f"{name}={value!r} must be a whole number above 0.")
    return int(value)


def choice(name: str, usual: str, *others: str) -> str:
    """One of a few words."""
    value = os.environ.get(name, "").strip() or usual
    if value not in (usual, *others):
        raise ImproperlyConfigured(f"{name}={value!r} must be {' or '.join((usual, *others))}.")
    return value


def token(name: str) -> str:
    """A secret that a program sends; empty: none."""
    value = os.environ.get(name, "").strip()
    if value and (len(value) < 20 or not value.isascii() or not value.isprintable()):
        raise ImproperlyConfigured(
            f"{name} must be at least 20 printable ASCII characters, drawn at random."
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
    key = path.read_text().strip() if path.exists() else ""
    if not key:  # no file, or one that is being written, or one whose writer was killed
        with open(os.open(path, os.O_CREAT | os.O_RDWR, 0o600), "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: several processes start at once
            key = file.read().strip()
            if not key:
                key = secrets.token_urlsafe(64)
                file.write(key)
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
