"""Pages hold people's names and work, and may be looked at on a computer that is not theirs."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers


class KeptByNobodyMiddleware:
    """What says nothing of caches is kept in none: the back button of whoever comes next to the
    computer finds no page, and neither does a proxy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response
