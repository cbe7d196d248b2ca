"""A person's own settings, and the words and the language of everybody's pages."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views import i18n
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotate.forms.preferences import PreferencesForm
from annotate.keys import preferences_of
from annotate.models import Preferences
from pairselect.accounts.roles import signed_in

HOUR = 60 * 60
_catalogue = i18n.JavaScriptCatalog.as_view(packages=["annotate"])  # and LOCALE_PATHS


@never_cache
@require_http_methods(["GET", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """The person's own: nothing in the address says whose."""
    person = signed_in(request)
    form = PreferencesForm(preferences_of(person), request.POST or None)
    if request.method != "POST":
        return render(request, "annotate/preferences.html", {"form": form})
    if "usual_keys" in request.POST:
        _store(person.pk, {"keys": {}})
        messages.success(request, _("Every key is the usual one again."))
        return redirect("annotate:preferences")
    if not form.is_valid():
        return render(request, "annotate/preferences.html", {"form": form})
    stored = _store(person.pk, form.values())
    response = redirect("annotate:preferences")
    if stored.language:
        translation.activate(stored.language)
    else:  # what was chosen on the login page must not outlast “as the browser asks”
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
    messages.success(request, _("Your settings are saved."))
    return response


def _store(person_pk: int, values: dict[str, Any]) -> Preferences:
    """By one statement for the row, so that a second click finds it instead of a conflict."""
    return Preferences.objects.update_or_create(person_id=person_pk, defaults=values)[0]


@login_not_required
@require_GET
@cache_control(private=True, max_age=HOUR)
def catalogue(request: HttpRequest) -> HttpResponseBase:
    """The words of the scripts, in the language of the page. Its address names the language, so
    that a browser keeps one of each."""
    return _catalogue(request)


@login_not_required
@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """The language for who is not logged in. A person's own choice, once there, wins."""
    return i18n.set_language(request)
