"""The admin's page of a campaign's guidelines: each version, and what it changed."""

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate.changes import Change, changes
from annotate.forms.campaigns import GuidelinesForm
from annotate.guidelines import change_guidelines
from annotate.models import Campaign, Guideline
from annotate.overview import labels_without_guidelines, open_flags, versions
from annotate.queries import current_guideline
from annotate.rendering import render_markdown
from pairselect.accounts.roles import admin_required, signed_in

PER_PAGE = 10
AROUND = 160  # characters of what stayed the same, before a change and after it


@dataclass(frozen=True)
class Version:
    guideline: Guideline
    html: SafeString
    changes: list[Change]  # since the one before; of the first one none


@require_http_methods(["GET", "POST"])
@admin_required
def guidelines(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    present = current_guideline(campaign)
    text = present.text if present else ""
    form = GuidelinesForm(request.POST or None, initial={"guidelines": text})
    if request.method == "POST":
        form = GuidelinesForm(request.POST)
        if form.is_valid():
            person = signed_in(request)
            change_guidelines(campaign, form.cleaned_data["guidelines"], created_by=person)
            messages.success(
                request, _("The guidelines are saved. Annotators read them from now on.")
            )
            return redirect("annotate:campaign_guidelines", pk=pk)
        messages.error(request, _("The guidelines were not saved."))
    page = Paginator(versions(campaign), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "campaign": campaign,
        "here": "guidelines",
        "flag_count": open_flags(campaign).count(),
        "form": form,
        "page": page,
        "versions": _with_changes(campaign, page),
        "without": labels_without_guidelines(campaign),
    }
    return render(request, "annotate/guidelines.html", context)


def _with_changes(campaign: Campaign, page: Page[Guideline]) -> list[Version]:
    before = dict(
        campaign.guidelines.filter(number__in=[one.number - 1 for one in page]).values_list(
            "number", "text"
        )
    )
    return [
        Version(
            one,
            render_markdown(one.text),
            condensed(changes(before[one.number - 1], one.text))
            if one.number - 1 in before
            else [],
        )
        for one in page
    ]


def condensed(found: list[Change]) -> list[Change]:
    """The changes with what stayed the same cut to what stands around them."""
    last = len(found) - 1
    return [
        Change(one.kind, _cut(one.text, is_first=place == 0, is_last=place == last))
        if one.kind == "same"
        else one
        for place, one in enumerate(found)
    ]


def _cut(text: str, *, is_first: bool, is_last: bool) -> str:
    head, tail = "" if is_first else text[:AROUND], "" if is_last else text[-AROUND:]
    return text if len(head) + len(tail) + AROUND >= len(text) else f"{head} … {tail}"
