"""A session that ended in mid-page."""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect


def by_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks, for a part of a page."""
    return bool(getattr(request, "htmx", False))


class HtmxLoginMiddleware:
    """Answer a lost login with a whole-page redirect, not with a login form inside a pane.

    The person returns to the page that they were on, not to the fragment's address. A script that
    asks for JSON is told so by the status, 401.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        login = resolve_url(settings.LOGIN_URL)
        if not isinstance(response, HttpResponseRedirect):
            return response
        if urlsplit(response.url).path != login:
            return response
        if request.headers.get("Accept") == "application/json":
            return JsonResponse({"outcome": "login"}, status=401)
        htmx = getattr(request, "htmx", None)
        if not htmx:
            return response
        page = htmx.current_url_abs_path or resolve_url(settings.LOGIN_REDIRECT_URL)
        return HttpResponseClientRedirect(f"{login}?{urlencode({'next': page})}")
