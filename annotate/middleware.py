"""The language and the time zone that a page is made in."""

from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import timezone, translation

from annotate.keys import preferences_of

ZONE_COOKIE = "tz"  # written by static/js/zone.js


class LanguageMiddleware(LocaleMiddleware):
    """The person's choice; without one that of the login page, then the browser's.

    It stands after the person is known. No address is in a language here, so nothing before it
    needs one.
    """

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        chosen = preferences_of(request.user).language if isinstance(request.user, User) else ""
        if chosen in dict(settings.LANGUAGES):
            translation.activate(chosen)
            request.LANGUAGE_CODE = chosen

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        response = super().process_response(request, response)
        translation.deactivate()  # the thread's next work is not of this person
        return response


class TimeZoneMiddleware:
    """Times as the clock of the person's browser has them, so that “today” is theirs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(ZONE_COOKIE, "")
        with timezone.override(ZoneInfo(name) if name in _zones() else None):
            return self.get_response(request)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
