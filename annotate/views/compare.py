"""The comparison page: whole, for a browser, and piece by piece, for its script."""

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from annotate.bar import bar_of, key_list
from annotate.forms.answers import FlagForm, criterion_field
from annotate.guidelines import guideline_view
from annotate.keys import as_shown, keys_of, preferences_of
from annotate.leasing import next_comparison, next_comparisons, show
from annotate.models import Campaign, Comparison, Judgement
from annotate.onboarding import is_right, onboarding_left, onboarding_result, practice_of, practised
from annotate.queries import (
    campaigns_known_to,
    campaigns_of,
    comparisons_of,
    current_guideline,
    current_judgements,
    held_by,
    is_complete,
    last_judgement,
    pace_of,
)
from annotate.rendering import render_markdown
from annotate.sheets import Sheet, sheet_of
from pairselect.accounts.roles import signed_in

PAGE = "annotate/compare.html"


def wants_json(request: HttpRequest) -> bool:
    """Whether the page's script asks, rather than a browser for a page."""
    return request.headers.get("Accept", "") == "application/json"


@never_cache
@require_GET
def compare(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    """The person's comparison, or how things stand when there is none for them."""
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_known_to(person), pk=campaign_pk)
    if not campaigns_of(person).filter(pk=campaign.pk).exists():
        return _left(request, campaign)
    found = next_comparison(campaign, person)
    sheet = sheet_of(found) if found else None
    return render(request, PAGE, _page(request, campaign, sheet))


@never_cache
@require_GET
def revise(request: HttpRequest, campaign_pk: int, comparison_pk: int) -> HttpResponse:
    """A comparison that the person has answered, to answer anew. The earlier answer stands until
    then. One of the onboarding is shown with its explanation, and stands."""
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_of(person), pk=campaign_pk)
    comparison = get_object_or_404(
        comparisons_of(campaign, person).select_related("pair__prompt", "gold"), pk=comparison_pk
    )
    judgement = get_object_or_404(
        current_judgements().exclude(choice=Judgement.Choice.SKIP).select_related("edit"),
        comparison=comparison,
        annotator=person,
    )
    context = _page(request, campaign, sheet_of(comparison, revised=judgement))
    context["mode"] = "revise"
    if comparison.kind == Comparison.Kind.ONBOARDING:
        assert comparison.gold is not None
        context["explained"] = {
            "right": is_right(judgement),
            "better": "left" if comparison.first_on_left else "right",
            "html": render_markdown(comparison.gold.explanation),
        }
    return render(request, PAGE, context)


@never_cache
@require_POST
def upcoming(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    """A sign of life of the page that shows a comparison, answered with what comes next."""
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_known_to(person), pk=campaign_pk)
    if not campaigns_of(person).filter(pk=campaign.pk).exists():
        # What they are thinking about still counts: nothing more comes, and nothing is taken away.
        held = held_by(campaign, person).values_list("lease", flat=True)
        return JsonResponse({"held": [str(lease) for lease in held], "sheets": []})
    return JsonResponse(_state(request, campaign))


def state_of_desk(
    request: HttpRequest,
    campaign: Campaign,
    *,
    outcome: str = "",
    notice: str = "",
    undone: Judgement | None = None,
) -> JsonResponse:
    """How it went, and what the script goes on with."""
    if campaigns_of(signed_in(request)).filter(pk=campaign.pk).exists():
        said = {"outcome": outcome, "notice": notice}
        return JsonResponse(_state(request, campaign, undone) | said)
    said = {"outcome": outcome, "notice": _closed(campaign, notice)}
    return JsonResponse({"leave": reverse("annotate:work"), **said})


def _state(
    request: HttpRequest, campaign: Campaign, undone: Judgement | None = None
) -> dict[str, Any]:
    """The comparisons that are the person's, and those among them that the page does not have
    yet, in order; new guidelines, if there are any."""
    person = signed_in(request)
    have = [lease for lease in request.POST.getlist("have") if len(lease) <= 36][:10]
    if have:
        for comparison in held_by(campaign, person).filter(shown_at__isnull=True):
            if str(comparison.lease) == have[0]:
                show(comparison, person)
    found = next_comparisons(campaign, person)
    sheets = {
        str(one.lease): sheet_of(
            one, undone=undone if undone and undone.comparison_id == one.pk else None
        )
        for one in found
        if str(one.lease) not in have
    }
    last = last_judgement(campaign, person)
    state = {
        "held": [str(one.lease) for one in found],
        "sheets": [
            render_to_string(f"{PAGE}#sheet", {"sheet": sheet}) for sheet in sheets.values()
        ],
        "pace": render_to_string(f"{PAGE}#pace", {"pace": pace_of(campaign, person)}),
        "last": last.pk if last else None,
    }
    known, present = request.POST.get("guideline"), current_guideline(campaign)
    if present is not None and known is not None and str(present.pk) != known:
        state["guideline"] = present.pk
        context = {"guidelines": guideline_view(campaign, person), "campaign": campaign}
        state["guidelines"] = render_to_string(f"{PAGE}#guidelines", context, request)
    return state


def _page(request: HttpRequest, campaign: Campaign, sheet: Sheet | None) -> dict[str, Any]:
    person = signed_in(request)
    preferences = preferences_of(person)
    keys = keys_of(preferences)
    context: dict[str, Any] = {
        "campaign": campaign,
        "sheet": sheet,
        "bar": bar_of(campaign, keys),
        "criteria": [(criterion_field(name), name) for name in campaign.criteria],
        "keys": keys,
        "shown": {name: as_shown(key) for name, key in keys.items()},
        "keys_json": json.dumps(keys),
        "key_list": key_list(campaign, keys),
        "preferences": preferences,
        "guidelines": guideline_view(campaign, person),
        "flag_form": FlagForm(),
        "skip_reasons": Judgement.SkipReason.choices,
        "last": last_judgement(campaign, person),
        "pace": pace_of(campaign, person),
        "practice": practice_of(campaign, person),
        "mode": "practice" if onboarding_left(campaign, person) is not None else "work",
        "notice": request.session.pop("desk_notice", ""),
    }
    if sheet is None:
        context["is_complete"] = is_complete(campaign)
        context["result"] = onboarding_result(campaign, person)
        context["practised"] = [
            (is_right(one), reverse("annotate:revise", args=[campaign.pk, one.comparison_id]))
            for one in (practised(campaign, person) if context["result"] else [])
        ]
    return context


def _left(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    messages.info(request, _closed(campaign))
    return redirect("annotate:work")


def _closed(campaign: Campaign, notice: str = "") -> str:
    text = _("“%(campaign)s” is closed to you now. Your answers are kept.")
    return f"{text % {'campaign': campaign}} {notice}".strip()
