"""The way to an OpenID Connect server and back."""

import logging

from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from requests import RequestException

from pairselect.accounts.door import oidc_name
from pairselect.accounts.next_page import next_page
from pairselect.accounts.oidc import back
from pairselect.accounts.provider import Server

logger = logging.getLogger(__name__)

PROVIDER = "oidc"  # its id in settings


@login_not_required
@never_cache
@require_GET
def begin(request: HttpRequest) -> HttpResponse:
    """Send the browser to the server. What else allauth reads from addresses is left out."""
    provider = _server(request).get_provider()
    try:
        page = next_page(request, request.GET.get("next"), otherwise=settings.LOGIN_REDIRECT_URL)
        answer: HttpResponse = provider.redirect(request, process="login", next_url=page)
    except (RequestException, KeyError, ValueError) as problem:
        return _silent(request, problem)
    return answer


@login_not_required
@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """The browser comes back from the server."""
    try:
        answer: HttpResponse = OAuth2CallbackView.adapter_view(_server(request))(request)
    except (RequestException, KeyError, ValueError) as problem:
        return _silent(request, problem)
    return answer


def _server(request: HttpRequest) -> Server:
    if not settings.OIDC:
        raise Http404
    registry.load()
    return Server(request, PROVIDER)


def _silent(request: HttpRequest, problem: Exception) -> HttpResponse:
    logger.warning("OpenID Connect: %s", type(problem).__name__)
    said = gettext("%(name)s does not answer. Try again in a few minutes.")
    return back(request, said % {"name": oidc_name()})
