"""What is said where a request came to nothing: a fault of ours, or a database that is away."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from pairselect.api.errors import ApiError, error_response

RETRY_SECONDS = "5"


def server_error(request: HttpRequest) -> HttpResponse:
    """500; or 503 where the database does not answer, or takes nothing, its disk being full.

    The comparison page keeps what it sent on either, and sends it again.
    """
    problem = sys.exc_info()[1]
    wants_json = request.headers.get("Accept") == "application/json"
    as_json = wants_json or request.path_info.startswith("/api/")
    if not isinstance(problem, OperationalError | InterfaceError):
        if as_json:
            said = "Unexpected. The web server's log has the details."
            return error_response(ApiError(500, said, code="unexpected"))
        return HttpResponse(render_to_string("500.html"), status=500)
    headers = {"Retry-After": RETRY_SECONDS}
    if as_json:
        said = "The database does not answer. Try again shortly."
        return error_response(ApiError(503, said, headers=headers))
    return HttpResponse(render_to_string("503.html"), status=503, headers=headers)
