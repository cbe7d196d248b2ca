"""How many requests a token may make."""

import time

from django.conf import settings
from django.core.cache import cache

from pairselect.api.errors import ApiError
from pairselect.api.models import Token

WINDOW = 60  # seconds


def count_request(token: Token) -> None:
    """Count one request of the token in the present minute.

    Counted in this process: where several serve the web, each lets so many through.

    Raises
    ------
    ApiError
        When it was one too many, with the seconds until the next minute.
    """
    now = time.time()
    window = int(now // WINDOW)
    key = f"api:{token.pk}:{window}"
    most = settings.PAIRSELECT_API_RATE
    if cache.add(key, 1, timeout=2 * WINDOW):
        made = 1
    else:
        try:
            made = cache.incr(key)
        except ValueError:  # dropped in between, as the cache was full
            made = 1
    if made > most:
        seconds = max(1, int((window + 1) * WINDOW - now) + 1)
        raise ApiError(
            429,
            f"This token has made its {most} requests of this minute. Wait {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )
