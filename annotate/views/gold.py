"""The admin's page of a campaign's gold pairs."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from annotate.forms.gold import GoldFileForm, GoldForm
from annotate.forms.switch import SwitchForm
from annotate.gold import (
    MOST_BYTES,
    GoldRefused,
    add_gold,
    read_gold,
    retire_gold,
    too_large,
    use_again,
)
from annotate.models import Campaign, Gold
from annotate.overview import gold_with_answers, open_flags
from pairselect.accounts.roles import admin_required

PER_PAGE = 25
ROOM_FOR_FIELDS = 100_000  # bytes of a request that are not the file's


@require_http_methods(["GET", "POST"])
@admin_required
def gold(request: HttpRequest, pk: int) -> HttpResponse:
    """The list; POST adds one pair, typed in."""
    campaign = get_object_or_404(Campaign, pk=pk)
    form = GoldForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            add_gold(campaign, [(1, form.pair)])
        except GoldRefused as problem:
            form.add_error(None, problem.problems[0].message if problem.problems else str(problem))
        else:
            messages.success(request, _("The pair is stored."))
            return redirect("annotate:campaign_gold", pk=pk)
    return _page(request, campaign, form=form)


# A request that says it is too large is refused before anything reads it, as the check against
# forms from elsewhere does: so that check comes after.
@csrf_exempt
@require_POST
@admin_required
def gold_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    campaign = get_object_or_404(Campaign, pk=pk)
    if int(request.META.get("CONTENT_LENGTH") or "0") > MOST_BYTES + ROOM_FOR_FIELDS:
        form = GoldFileForm({})
        form.full_clean()
        form.errors.clear()
        form.add_error("file", too_large())
        return _page(request, campaign, file_form=form, status=413)
    return _receive(request, campaign)


@csrf_protect
def _receive(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    form = GoldFileForm(request.POST, request.FILES)
    problems: list[str] = []
    if form.is_valid():
        try:
            number = add_gold(campaign, read_gold(form.cleaned_data["file"]))
        except GoldRefused as problem:
            form.add_error("file", str(problem))
            problems = problem.shown
        else:
            said = ngettext("%(number)d pair is stored.", "%(number)d pairs are stored.", number)
            messages.success(request, said % {"number": number})
            return redirect("annotate:campaign_gold", pk=campaign.pk)
    return _page(request, campaign, file_form=form, problems=problems)


@require_POST
@admin_required
def retire(request: HttpRequest, pk: int, gold_pk: int) -> HttpResponse:
    """Take a pair out (``on``), or use it again."""
    found = get_object_or_404(Gold, pk=gold_pk, campaign=pk)
    form = SwitchForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was changed. Use the button beside the pair."))
    elif not form.cleaned_data["on"]:
        use_again(found)
        messages.success(request, _("The pair is in use again."))
    elif retire_gold(found):
        messages.success(request, _("The pair is gone: nobody had been asked it."))
    else:
        messages.success(request, _("The pair is retired: its answers are kept."))
    return redirect("annotate:campaign_gold", pk=pk)


def _page(
    request: HttpRequest,
    campaign: Campaign,
    *,
    form: GoldForm | None = None,
    file_form: GoldFileForm | None = None,
    problems: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "campaign": campaign,
        "here": "gold",
        "flag_count": open_flags(campaign).count(),
        "form": form or GoldForm(),
        "file_form": file_form or GoldFileForm(),
        "problems": problems or [],
        "page": Paginator(gold_with_answers(campaign), PER_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "annotate/gold.html", context, status=status)
