"""Whether this web process works and reaches its database: for load balancers and containers."""

from collections.abc import Callable

from django.db import Error as AnyDatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse

ADDRESS = "/health/"


class HealthMiddleware:
    """Answers `ADDRESS` itself, with 200 or 503.

    A probe comes without a session, by HTTP and by whatever name or number the machine has, so
    neither the login, nor the redirect to HTTPS, nor the allowed hosts apply to it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info != ADDRESS:
            return self.get_response(request)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except AnyDatabaseError:
            return HttpResponse(
                "The database does not answer.\n", status=503, content_type="text/plain"
            )
        return HttpResponse("ok\n", content_type="text/plain")
