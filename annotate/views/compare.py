"""The comparison page: whole, for a browser, and piece by piece, for its script."""

import json
from dataclasses import dataclass
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
from annotate.leasing import (
    Outlook,
    look_ahead,
    next_comparison,
    next_comparisons,
    with_texts,
)
from annotate.models import Campaign, Comparison, Judgement
from annotate.onboarding import is_right, onboarding_left, onboarding_result, practice_of, practised
from annotate.prepared import CAMPAIGN, COMPARISON, Prepared
from annotate.queries import (
    Given,
    campaigns_known_to,
    current_guideline_id,
    current_judgements,
    has_work_for,
    held_by,
    is_complete,
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
    outlook = look_ahead(campaign, person, ahead=0, adjudicating=adjudicating)
    found = next_comparison(campaign, person, adjudicating=adjudicating, outlook=outlook)
    sheet = sheet_of(found) if found else None
    context = _page(request, campaign, sheet, adjudicating=adjudicating, given=outlook.given)
    return render(request, PAGE, context)


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
    coming = what_comes(request, campaign, adjudicating=adjudicating)
    return JsonResponse(_state(request, campaign, coming, adjudicating=adjudicating))


def comparison_for(
    person: User, campaign_pk: int, comparison_pk: int
) -> tuple[Comparison, Campaign]:
    """A comparison of a campaign that the person knows, as an annotator or as an adjudicator.

    Raises
    ------
    Http404
        When there is none.
    """
    comparison = _with_campaign.first(campaign=campaign_pk, comparison=comparison_pk)
    if comparison is None:
        raise Http404
    campaign = comparison.campaign
    if comparison.annotator_id != person.pk or campaign.opened_at is None:  # else they know it
        adjudicating = comparison.kind == Comparison.Kind.ADJUDICATION
        known = campaigns_known_to(person, adjudicating=adjudicating)
        get_object_or_404(known, pk=campaign_pk)
    return comparison, campaign


_with_campaign = Prepared(
    lambda: (
        Comparison.objects.filter(campaign=CAMPAIGN, pk=COMPARISON)
        .select_related("campaign")
        .order_by()
    )
)


def is_at_work(person: User, campaign: Campaign, *, adjudicating: bool) -> bool:
    """Whether there may be work for the person there at present."""
    return has_work_for(person, campaign, adjudicating=adjudicating)


@dataclass(frozen=True)
class Coming:
    """What a person goes on with: the comparison in view first."""

    found: list[Comparison]
    given: Given
    have: list[str]  # leases that the page has already


def what_comes(
    request: HttpRequest, campaign: Campaign, *, adjudicating: bool, outlook: Outlook | None = None
) -> Coming:
    """Lease what comes next: all that a request of the page's script writes but an answer.

    An ``outlook`` is of whoever has a transaction open, and the person's turn in it.
    """
    person = signed_in(request)
    have = [lease for lease in request.POST.getlist("have") if len(lease) <= 36][:10]
    in_view = have[0] if have else ""
    seen = outlook or look_ahead(campaign, person, adjudicating=adjudicating)
    found = next_comparisons(
        campaign,
        person,
        adjudicating=adjudicating,
        in_view=in_view,
        outlook=seen,
        has_turn=outlook is not None,
    )
    return Coming(found, seen.given, have)


def state_of_desk(
    request: HttpRequest,
    campaign: Campaign,
    *,
    adjudicating: bool = False,
    outcome: str = "",
    notice: str = "",
    undone: Judgement | None = None,
    coming: Coming | None = None,
) -> JsonResponse:
    """How it went, and what the script goes on with: ``coming``, where it is leased already."""
    if coming is None and is_at_work(signed_in(request), campaign, adjudicating=adjudicating):
        coming = what_comes(request, campaign, adjudicating=adjudicating)
    if coming is not None:
        said = {"outcome": outcome, "notice": notice}
        state = _state(request, campaign, coming, undone, adjudicating=adjudicating)
        return JsonResponse(state | said)
    said = {"outcome": outcome, "notice": why_left(campaign, notice)}
    return JsonResponse({"leave": reverse("annotate:work"), **said})


def _state(
    request: HttpRequest,
    campaign: Campaign,
    coming: Coming,
    undone: Judgement | None = None,
    *,
    adjudicating: bool,
) -> dict[str, Any]:
    """The comparisons that are the person's, and those among them that the page does not have
    yet, in order; new guidelines, if there are any."""
    person = signed_in(request)
    sheets = [
        sheet_of(one, undone=undone if undone and undone.comparison_id == one.pk else None)
        for one in with_texts([one for one in coming.found if str(one.lease) not in coming.have])
    ]
    pace = pace_of(campaign, person, adjudicating=adjudicating, given=coming.given)
    state = {
        "held": [str(one.lease) for one in coming.found],
        "sheets": [render_to_string(f"{PAGE}#sheet", {"sheet": sheet}) for sheet in sheets],
        "pace": render_to_string(f"{PAGE}#pace", {"pace": pace}),
        "last": pace.last,
    }
    known, present = request.POST.get("guideline"), current_guideline_id(campaign)
    if present is not None and known is not None and str(present) != known:
        state["guideline"] = present
        context = {"guidelines": guideline_view(campaign, person), "campaign": campaign}
        state["guidelines"] = render_to_string(f"{PAGE}#guidelines", context, request)
    return state


def _page(
    request: HttpRequest,
    campaign: Campaign,
    sheet: Sheet | None,
    *,
    adjudicating: bool,
    given: Given | None = None,
) -> dict[str, Any]:
    person = signed_in(request)
    practising = not adjudicating and onboarding_left(campaign, person) is not None
    preferences = preferences_of(person)
    keys = keys_of(preferences)
    pace = pace_of(campaign, person, adjudicating=adjudicating, given=given)
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
        "last": pace.last,
        "pace": pace,
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
