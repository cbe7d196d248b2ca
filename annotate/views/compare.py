"""The comparison page: whole, for a browser, and piece by piece, for its script."""

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
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
def compare(request: HttpRequest, campaign_pk: int, *, adjudicating: bool = False) -> HttpResponse:
    """The person's comparison, or how things stand when there is none for them."""
    person = signed_in(request)
    known = campaigns_known_to(person, adjudicating=adjudicating)
    campaign = get_object_or_404(known, pk=campaign_pk)
    if not is_at_work(person, campaign, adjudicating=adjudicating):
        messages.info(request, why_left(campaign))
        return redirect("annotate:work")
    found = next_comparison(campaign, person, adjudicating=adjudicating)
    sheet = sheet_of(found) if found else None
    return render(request, PAGE, _page(request, campaign, sheet, adjudicating=adjudicating))


@never_cache
@require_GET
def revise(request: HttpRequest, campaign_pk: int, comparison_pk: int) -> HttpResponse:
    """A comparison that the person has answered, to answer anew. The earlier answer stands until
    then. One of the onboarding is shown with its explanation, and stands."""
    person = signed_in(request)
    comparison, campaign = comparison_for(person, campaign_pk, comparison_pk)
    adjudicating = comparison.kind == Comparison.Kind.ADJUDICATION
    if not is_at_work(person, campaign, adjudicating=adjudicating):
        raise Http404
    judgement = get_object_or_404(
        current_judgements().exclude(choice=Judgement.Choice.SKIP).select_related("edit"),
        comparison=comparison,
        annotator=person,
    )
    sheet = sheet_of(comparison, revised=judgement)
    context = _page(request, campaign, sheet, adjudicating=adjudicating)
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
def upcoming(request: HttpRequest, campaign_pk: int, *, adjudicating: bool = False) -> HttpResponse:
    """A sign of life of the page that shows a comparison, answered with what comes next."""
    person = signed_in(request)
    known = campaigns_known_to(person, adjudicating=adjudicating)
    campaign = get_object_or_404(known, pk=campaign_pk)
    if not is_at_work(person, campaign, adjudicating=adjudicating):
        # What they are thinking about still counts: nothing more comes, and nothing is taken away.
        held = held_by(campaign, person, adjudicating=adjudicating)
        leases = [str(lease) for lease in held.values_list("lease", flat=True)]
        return JsonResponse({"held": leases, "sheets": []})
    return JsonResponse(_state(request, campaign, adjudicating=adjudicating))


def comparison_for(
    person: User, campaign_pk: int, comparison_pk: int
) -> tuple[Comparison, Campaign]:
    """A comparison of a campaign that the person knows, as an annotator or as an adjudicator.

    Raises
    ------
    Http404
        When there is none.
    """
    texts = ("campaign", "pair__prompt", "gold")
    rows = Comparison.objects.filter(campaign=campaign_pk).select_related(*texts)
    comparison = get_object_or_404(rows, pk=comparison_pk)
    adjudicating = comparison.kind == Comparison.Kind.ADJUDICATION
    known = campaigns_known_to(person, adjudicating=adjudicating)
    get_object_or_404(known, pk=campaign_pk)
    return comparison, comparison.campaign


def is_at_work(person: User, campaign: Campaign, *, adjudicating: bool) -> bool:
    """Whether there may be work for the person there at present."""
    return campaigns_of(person, adjudicating=adjudicating).filter(pk=campaign.pk).exists()


def state_of_desk(
    request: HttpRequest,
    campaign: Campaign,
    *,
    adjudicating: bool = False,
    outcome: str = "",
    notice: str = "",
    undone: Judgement | None = None,
) -> JsonResponse:
    """How it went, and what the script goes on with."""
    if is_at_work(signed_in(request), campaign, adjudicating=adjudicating):
        said = {"outcome": outcome, "notice": notice}
        state = _state(request, campaign, undone, adjudicating=adjudicating)
        return JsonResponse(state | said)
    said = {"outcome": outcome, "notice": why_left(campaign, notice)}
    return JsonResponse({"leave": reverse("annotate:work"), **said})


def _state(
    request: HttpRequest,
    campaign: Campaign,
    undone: Judgement | None = None,
    *,
    adjudicating: bool,
) -> dict[str, Any]:
    """The comparisons that are the person's, and those among them that the page does not have
    yet, in order; new guidelines, if there are any."""
    person = signed_in(request)
    have = [lease for lease in request.POST.getlist("have") if len(lease) <= 36][:10]
    if have:
        held = held_by(campaign, person, adjudicating=adjudicating)
        for comparison in held.filter(shown_at__isnull=True):
            if str(comparison.lease) == have[0]:
                show(comparison, person)
    found = next_comparisons(campaign, person, adjudicating=adjudicating)
    sheets = {
        str(one.lease): sheet_of(
            one, undone=undone if undone and undone.comparison_id == one.pk else None
        )
        for one in found
        if str(one.lease) not in have
    }
    last = last_judgement(campaign, person, adjudicating=adjudicating)
    pace = pace_of(campaign, person, adjudicating=adjudicating)
    state = {
        "held": [str(one.lease) for one in found],
        "sheets": [
            render_to_string(f"{PAGE}#sheet", {"sheet": sheet}) for sheet in sheets.values()
        ],
        "pace": render_to_string(f"{PAGE}#pace", {"pace": pace}),
        "last": last.pk if last else None,
    }
    known, present = request.POST.get("guideline"), current_guideline(campaign)
    if present is not None and known is not None and str(present.pk) != known:
        state["guideline"] = present.pk
        context = {"guidelines": guideline_view(campaign, person), "campaign": campaign}
        state["guidelines"] = render_to_string(f"{PAGE}#guidelines", context, request)
    return state


def _page(
    request: HttpRequest, campaign: Campaign, sheet: Sheet | None, *, adjudicating: bool
) -> dict[str, Any]:
    person = signed_in(request)
    practising = not adjudicating and onboarding_left(campaign, person) is not None
    preferences = preferences_of(person)
    keys = keys_of(preferences)
    context: dict[str, Any] = {
        "campaign": campaign,
        "adjudicating": adjudicating,
        "desk": desk_addresses(campaign, adjudicating=adjudicating),
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
        "last": last_judgement(campaign, person, adjudicating=adjudicating),
        "pace": pace_of(campaign, person, adjudicating=adjudicating),
        "practice": practice_of(campaign, person) if practising else None,
        "mode": "practice" if practising else "work",
        "notice": request.session.pop("desk_notice", ""),
    }
    if sheet is None:
        context["is_complete"] = is_complete(campaign)
        context["result"] = onboarding_result(campaign, person) if practising else None
        context["practised"] = [
            (is_right(one), reverse("annotate:revise", args=[campaign.pk, one.comparison_id]))
            for one in (practised(campaign, person) if context["result"] else [])
        ]
    return context


def desk_addresses(campaign: Campaign, *, adjudicating: bool = False) -> dict[str, str]:
    """Where the page of a queue asks and sends."""
    kind = "adjudicate" if adjudicating else "compare"
    names = {"compare": kind, "upcoming": "upcoming", "undo": "undo", "history": "history"}
    if adjudicating:
        names |= {name: f"adjudicate_{name}" for name in ("upcoming", "undo", "history")}
    return {what: reverse(f"annotate:{name}", args=[campaign.pk]) for what, name in names.items()}


def why_left(campaign: Campaign, notice: str = "") -> str:
    """What is said to a person who has no work there any more, or none at present."""
    if campaign.paused_at is not None and campaign.closed_at is None:
        text = _("“%(campaign)s” is paused. Your answers are kept; it goes on later.")
    else:
        text = _("“%(campaign)s” is closed to you now. Your answers are kept.")
    return f"{text % {'campaign': campaign}} {notice}".strip()
