from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import translation

from pairselect.api.errors import SENTENCES, ApiError, error_response
from pairselect.api.service import api

View = Callable[..., HttpResponseBase]


def for_programs(view: View) -> View:
    """The view without login page and language: a token lets in, and sentences are English."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with translation.override("en"):
            response = view(request, *args, **kwargs)
        if response.status_code == 405:
            allowed = {"Allow": response.headers["Allow"]}
            response = error_response(ApiError(405, SENTENCES[405], headers=allowed))
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    answered.csrf_exempt = True  # type: ignore[attr-defined]
    answered.login_required = False  # type: ignore[attr-defined]
    return answered


def nothing_there(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    return error_response(ApiError(404, SENTENCES[404]))


def _patterns() -> list[URLPattern]:
    patterns, _app, _namespace = api.urls
    found = [one for one in patterns if isinstance(one, URLPattern) and one.name != "api-root"]
    for one in found:
        one.callback = for_programs(cast(View, one.callback))
    rest = path("<path:rest>", for_programs(nothing_there), name="nothing")
    return [*found, rest, path("", for_programs(nothing_there), name="api-root")]


app_name = "api"
urlpatterns = _patterns()
