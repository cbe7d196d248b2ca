"""Where a request says that it came from, and wants to go on to."""

from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme


def next_page(request: HttpRequest, page: str | None, *, otherwise: str) -> str:
    """The page, if it is a path of this server's; else that of the view `otherwise`."""
    ours = url_has_allowed_host_and_scheme(
        page, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return page if page and page.startswith("/") and ours else resolve_url(otherwise)
