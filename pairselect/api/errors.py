"""One shape for whatever goes wrong: ``{"error": {"code", "message", "field"}}``."""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NotRequired

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.files.uploadhandler import StopUpload
from django.db import DataError, OperationalError
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException
from ninja.errors import AuthenticationError, HttpError, ValidationError
from typing_extensions import TypedDict

from pairselect.pools.naming import NameRefused

if TYPE_CHECKING:
    from ninja import NinjaAPI

logger = logging.getLogger(__name__)

SENTENCES = {
    400: "The request cannot be read. Send JSON as the reference describes it.",
    401: "Send a valid token: Authorization: Bearer pair_….",
    404: "There is nothing at this address, or not for this person.",
    405: "This address does not take that method. See the reference.",
    413: "The request is too large.",
}
UNSTORABLE = "One of the values cannot be stored. Send texts without NUL, and smaller numbers."
CODES = {
    400: "unreadable",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    415: "unsupported_media_type",
    413: "too_large",
    422: "invalid",
    429: "too_many_requests",
    503: "busy",
}


class Error(TypedDict):
    code: str
    message: str  # one sentence that says what to do
    field: NotRequired[str]  # which part of the request it is about


class ErrorBody(TypedDict):
    error: Error


class ApiError(Exception):
    """A request that cannot be had, with its status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        field: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, message, field
        self.code = code or CODES[status]
        self.headers = dict(headers or {})


def error_response(problem: ApiError) -> JsonResponse:
    error = Error(code=problem.code, message=problem.message)
    if problem.field:
        error["field"] = problem.field
    return JsonResponse(ErrorBody(error=error), status=problem.status, headers=problem.headers)


def refused(form: BaseForm, names: Mapping[str, str] | None = None) -> ApiError:
    """The first complaint of a form; ``names`` are the request's where they are not the form's."""
    field, errors = next(iter(form.errors.items()))
    field = "" if field == "__all__" else (names or {}).get(field, field)
    return ApiError(422, str(errors[0]), field=field)


def add_handlers(api: "NinjaAPI") -> None:
    for kind, answer in _HANDLERS.items():
        api.add_exception_handler(kind, _handler(answer))


def _handler(
    answer: Callable[[Any], ApiError],
) -> Callable[[HttpRequest, Any], HttpResponse]:
    return lambda request, problem: error_response(answer(problem))


def _invalid(problem: ValidationError) -> ApiError:
    """The first thing that is wrong with a request's types."""
    first = problem.errors[0]
    place = [str(part) for part in first["loc"][1:]]
    if len(place) > 1 and place[0] in ("body", "filters", "data"):
        place = place[1:]
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    field = ".".join(place)
    return ApiError(422, f"{field}: {message}." if field else f"{message}.", field=field)


def _http(problem: HttpError) -> ApiError:
    return ApiError(problem.status_code, SENTENCES.get(problem.status_code, str(problem)))


def _unexpected(problem: Exception) -> ApiError:
    logger.error("a request to the API failed", exc_info=problem)
    return ApiError(500, "Unexpected. The web server's log has the details.", code="unexpected")


_HANDLERS: dict[type[Exception], Callable[[Any], ApiError]] = {
    ApiError: lambda problem: problem,
    ValidationError: _invalid,
    AuthenticationError: lambda problem: unauthorized(),
    HttpError: _http,
    Http404: lambda problem: ApiError(404, SENTENCES[404]),
    PermissionDenied: lambda problem: ApiError(403, str(problem) or "This is for admins."),
    NameRefused: lambda problem: ApiError(409, str(problem), code="name_refused", field="name"),
    MultiPartParserError: lambda problem: ApiError(400, SENTENCES[400]),
    RawPostDataException: lambda problem: ApiError(400, SENTENCES[400]),
    StopUpload: lambda problem: ApiError(413, SENTENCES[413]),
    RequestDataTooBig: lambda problem: ApiError(413, SENTENCES[413]),
    DataError: lambda problem: ApiError(422, UNSTORABLE),
    OperationalError: lambda problem: ApiError(
        503, "The database is busy. Try again shortly.", headers={"Retry-After": "2"}
    ),
    Exception: _unexpected,
}


def unauthorized() -> ApiError:
    return ApiError(401, SENTENCES[401], headers={"WWW-Authenticate": 'Bearer realm="pairselect"'})
