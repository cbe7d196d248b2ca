"""The admin's page of what annotators flagged and skipped in a campaign."""

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from annotate.actions import resolve_flag
from annotate.checks import first_on_left
from annotate.forms.switch import SwitchForm
from annotate.models import Campaign, Flag
from annotate.overview import flags_of, open_flags, skips_by_reason
from annotate.rendering import raw_text, render_markdown
from pairselect.accounts.roles import admin_required

PER_PAGE = 20


@dataclass(frozen=True)
class Flagged:
    """A flag with the texts on the sides that its person saw them on, as they were written."""

    flag: Flag
    turns: list[tuple[str, SafeString]]
    left: SafeString
    right: SafeString


@require_GET
@admin_required
def flags(request: HttpRequest, pk: int, *, resolved: bool = False) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    found = flags_of(campaign).filter(resolved_at__isnull=not resolved)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    skips = skips_by_reason(campaign)
    context = {
        "campaign": campaign,
        "here": "flags",
        "flag_count": open_flags(campaign).count(),
        "resolved": resolved,
        "resolved_count": flags_of(campaign).filter(resolved_at__isnull=False).count(),
        "page": page,
        "flags": [_flagged(flag) for flag in page],
        "skips": skips,
        "skip_count": sum(number for _reason, number in skips),
    }
    return render(request, "annotate/flags.html", context)


@require_POST
@admin_required
def resolve(request: HttpRequest, pk: int, flag_pk: int) -> HttpResponse:
    """Put a flag away (``on``), or open it again."""
    flag = get_object_or_404(Flag, pk=flag_pk, comparison__campaign=pk)
    form = SwitchForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was changed. Use the button beside the flag."))
    else:
        done = form.cleaned_data["on"]
        resolve_flag(flag, resolved=done)
        messages.success(request, _("Resolved.") if done else _("The flag is open again."))
    return redirect("annotate:campaign_flags", pk=pk)


def _flagged(flag: Flag) -> Flagged:
    comparison = flag.comparison
    # Drawn for each person: who has the comparison by now may see it the other way round.
    comparison.first_on_left = first_on_left(comparison, flag.annotator)
    return Flagged(
        flag,
        [(turn["role"], raw_text(turn["content"])) for turn in comparison.messages],
        render_markdown(comparison.left_text),
        render_markdown(comparison.right_text),
    )
