"""Pages: everybody's tokens, and the reference."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from pairselect.accounts.roles import is_admin, signed_in
from pairselect.api.forms import TokenForm
from pairselect.api.models import Token
from pairselect.api.reference import sections
from pairselect.api.service import api
from pairselect.api.tokens import make_token, revoke, tokens_of


@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own, and for admins everybody's. A new one's secret is in this one answer alone."""
    person = signed_in(request)
    form, made, secret = TokenForm(person, request.POST or None), None, ""
    if request.method == "POST" and form.is_valid():
        made, secret = make_token(
            form.cleaned_data["user"],
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=form.expires_at,
            created_by=person,
        )
        form = TokenForm(person)
    others = Token.objects.none()
    if is_admin(person):
        others = Token.objects.exclude(user=person).select_related("user").order_by("-pk")
    context = {
        "form": form,
        "made": made,
        "secret": secret,
        "tokens": tokens_of(person),
        "others": others,
        "address": request.build_absolute_uri("/api/v1/"),
    }
    return render(request, "api/tokens.html", context)


@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    person = signed_in(request)
    rows = Token.objects.all() if is_admin(person) else tokens_of(person)
    token = get_object_or_404(rows, pk=pk)
    revoke(token)
    said = gettext("“%(name)s” is revoked: nothing is let in by it any more.")
    messages.success(request, said % {"name": token.name})
    return redirect("tokens:tokens")


@require_GET
def reference(request: HttpRequest) -> HttpResponse:
    """The reference to the API, from the document that it serves."""
    signed_in(request)
    document = api.get_openapi_schema()
    context = {
        "sections": sections(document),
        "document": document,
        "address": request.build_absolute_uri("/api/v1/"),
    }
    return render(request, "api/reference.html", context)
