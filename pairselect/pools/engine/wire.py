"""Addresses, headers and words of servers, read with care."""

import ipaddress
from urllib.parse import urlsplit

_WORDS = 200


def checked_host(base_url: str) -> str:
    """Return host and port of a server's address; ValueError for one that cannot be meant."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("A server's address is like http://10.0.0.5:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("A server's address holds no user, password or query: set the key apart.")
    return parts.netloc


def is_loopback(base_url: str) -> bool:
    """Tell whether the address is this machine's."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def asked_seconds(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header; a date, which few send, counts as none."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def short(text: str) -> str:
    """Return a server's words on one line, at most 200 characters of them."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _WORDS else text[:_WORDS] + "…"
