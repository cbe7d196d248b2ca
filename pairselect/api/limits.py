"""How many requests a token may make, and how many tokens an address may try."""

import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

from pairselect.accounts.address import client_address
from pairselect.api.errors import ApiError
from pairselect.api.models import Token
from pairselect.api.tokens import digest_of

WINDOW = 60  # seconds
MOST_GUESSES = 30  # tokens that are none, by an address within as long
KNOWN_SECONDS = 60 * 60  # that a token which was good is not taken for a guess


def count_request(token: Token) -> None:
    """Count one request of the token in the present minute.

    Counted in this process: where several serve the web, each lets so many through.

    Raises
    ------
    ApiError
        When it was one too many, with the seconds until the next minute.
    """
    key, seconds = _window(f"api:{token.pk}")
    most = settings.PAIRSELECT_API_RATE
    if _count(key) > most:
        raise ApiError(
            429,
            f"This token has made its {most} requests of this minute. Wait {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


def refuse_guesses(request: HttpRequest, secret: str) -> None:
    """Hear nothing more from an address that has tried too many tokens, good ones included.

    One that was good lately is no guess: whoever shares the address goes on.

    Raises
    ------
    ApiError
        With the seconds until the next minute.
    """
    key, seconds = _window(f"api:guesses:{client_address(request)}")
    if cache.get(key, 0) >= MOST_GUESSES and not cache.get(f"api:known:{digest_of(secret)}"):
        raise ApiError(
            429,
            f"From this address came too many tokens that are none. Wait {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


def note_guess(request: HttpRequest) -> None:
    _count(_window(f"api:guesses:{client_address(request)}")[0])


def note_known(token: Token) -> None:
    cache.set(f"api:known:{token.digest}", True, timeout=KNOWN_SECONDS)


def _window(name: str) -> tuple[str, int]:
    """The key to count under in the present minute, and the seconds until the next."""
    now = time.time()
    window = int(now // WINDOW)
    return f"{name}:{window}", max(1, int((window + 1) * WINDOW - now) + 1)


def _count(key: str) -> int:
    if cache.add(key, 1, timeout=2 * WINDOW):
        return 1
    try:
        return cache.incr(key)
    except ValueError:  # dropped in between, as the cache was full
        return 1
