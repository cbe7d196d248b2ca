"""What the person sends from the comparison page. The script asks for JSON; without it each
request ends in a redirect, so that a reload or the back button sends nothing again."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from annotate.answering import Outcome, in_time
from annotate.answering import answer as store_answer
from annotate.answering import flag as store_flag
from annotate.answering import undo as undo_last
from annotate.forms.answers import AnswerForm, FlagForm, ReadForm, UndoForm
from annotate.guidelines import mark_read
from annotate.leasing import look_ahead, take_turns
from annotate.models import Campaign, Comparison, Flag
from annotate.onboarding import onboarding_left, try_again
from annotate.queries import campaigns_known_to, campaigns_of, comparisons_of
from annotate.views.compare import (
    Coming,
    comparison_for,
    desk_addresses,
    is_at_work,
    state_of_desk,
    wants_json,
    what_comes,
)
from pairselect.accounts.roles import signed_in

P = ParamSpec("P")
NOTICES = {
    Outcome.PASSED_ON: gettext_lazy(
        "That comparison is no longer yours, so this answer was not stored."
    ),
    Outcome.DIFFERED: gettext_lazy(
        "Your first answer had been stored already and stands. Undo takes it back."
    ),
}


def or_say_that_nothing_is_stored(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Whose login has ended is told so where they log in, and that what they sent is lost.

    Not the page's script, which is told by the status alone: it keeps what it sent.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.user.is_authenticated:
            try:
                return view(request, *args, **kwargs)
            except (Http404, Comparison.DoesNotExist) as gone:  # in this moment, the latter
                if not wants_json(request):
                    raise Http404 from gone
                # Else it cannot be told from the 404 of a proxy whose server is away.
                return JsonResponse({"outcome": "gone"}, status=404)
        if not wants_json(request):
            text = _(
                "You were logged out, so what you sent was not stored. Log in, then do it again."
            )
            messages.warning(request, text)
        return redirect_to_login(reverse("annotate:work"))

    return cast("Callable[Concatenate[HttpRequest, P], HttpResponse]", guarded)


@login_not_required
@require_POST
@or_say_that_nothing_is_stored
def answer(request: HttpRequest, campaign_pk: int, comparison_pk: int) -> HttpResponse:
    person = signed_in(request)
    comparison, campaign = comparison_for(person, campaign_pk, comparison_pk)
    adjudicating = comparison.kind == Comparison.Kind.ADJUDICATION
    form = AnswerForm(campaign, request.POST)
    if not form.is_valid():
        return _refused(request, campaign, form.first_error(), adjudicating=adjudicating)
    replaces = form.cleaned_data["replaces"]
    if replaces and not is_at_work(person, campaign, adjudicating=adjudicating):
        outcome = Outcome.PASSED_ON
        return _after(request, campaign, outcome.value, "", adjudicating=adjudicating)
    choice, _strength = form.cleaned_data["choice"]
    is_explained = comparison.kind == Comparison.Kind.ONBOARDING
    goes_on = wants_json(request) and is_at_work(person, campaign, adjudicating=adjudicating)
    outlook = look_ahead(campaign, person, adjudicating=adjudicating) if goes_on else None
    coming = None
    with transaction.atomic():  # one wait for the disk: for the answer and for what comes next
        take_turns(person)
        outcome = store_answer(
            comparison,
            person,
            choice=choice,
            lease=form.cleaned_data["token"],
            details=form.details() if replaces else in_time(form.details(), comparison),
            replaces=replaces,
        )
        if outlook is not None and outcome is Outcome.STORED and not replaces:
            outlook = replace(outlook, given=outlook.given.and_one(comparison, choice))
        if outlook is not None and (not is_explained or outcome is Outcome.PASSED_ON):
            coming = what_comes(request, campaign, adjudicating=adjudicating, outlook=outlook)
    if is_explained and outcome is not Outcome.PASSED_ON:
        return _explained(request, comparison)
    notice = str(NOTICES.get(outcome, ""))
    return _after(
        request, campaign, outcome.value, notice, adjudicating=adjudicating, coming=coming
    )


@login_not_required
@require_POST
@or_say_that_nothing_is_stored
def undo(request: HttpRequest, campaign_pk: int, *, adjudicating: bool = False) -> HttpResponse:
    person = signed_in(request)
    known = campaigns_known_to(person, adjudicating=adjudicating)
    campaign = get_object_or_404(known, pk=campaign_pk)
    if not is_at_work(person, campaign, adjudicating=adjudicating):
        return _after(request, campaign, "refused", "", adjudicating=adjudicating)
    form = UndoForm(request.POST)
    undone = None
    if form.is_valid():
        last = form.cleaned_data["judgement"]
        undone = undo_last(campaign, person, judgement_id=last, adjudicating=adjudicating)
    if undone is None:
        notice = _("That answer cannot be taken back any more.")
        return _after(request, campaign, "refused", notice, adjudicating=adjudicating)
    if wants_json(request):
        return state_of_desk(
            request, campaign, outcome="undone", undone=undone, adjudicating=adjudicating
        )
    return _after(request, campaign, "undone", "", adjudicating=adjudicating)


@login_not_required
@require_POST
@or_say_that_nothing_is_stored
def flag(request: HttpRequest, campaign_pk: int, comparison_pk: int) -> HttpResponse:
    """Bring a comparison to an admin's attention; it stays before the person."""
    person = signed_in(request)
    comparison, campaign = comparison_for(person, campaign_pk, comparison_pk)
    get_object_or_404(comparisons_of(campaign, person), pk=comparison_pk)
    adjudicating = comparison.kind == Comparison.Kind.ADJUDICATION
    form = FlagForm(request.POST)
    if not campaign.flags:
        notice = _("This campaign takes no flags.")
        return _refused(request, campaign, notice, adjudicating=adjudicating)
    if not form.is_valid():
        error = next(str(errors[0]) for errors in form.errors.values())
        return _refused(request, campaign, error, adjudicating=adjudicating)
    store_flag(
        comparison,
        person,
        kind=Flag.Kind(form.cleaned_data["kind"]),
        note=form.cleaned_data["note"],
    )
    notice = _("Flagged: an admin will see it. Now answer it, or skip it.")
    return _after(request, campaign, "flagged", notice, adjudicating=adjudicating)


@require_POST
def read_guidelines(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    person = signed_in(request)
    theirs = campaigns_of(person) | campaigns_of(person, adjudicating=True)
    campaign = get_object_or_404(theirs.distinct(), pk=campaign_pk)
    form = ReadForm(request.POST)
    read = form.cleaned_data["guideline"] if form.is_valid() else None
    version = campaign.guidelines.filter(pk=read).first() if read else None
    if version is not None:
        mark_read(campaign, person, version)
    if wants_json(request):
        return JsonResponse({"outcome": "read" if version else "refused"})
    adjudicates = not is_at_work(person, campaign, adjudicating=False)
    return redirect(desk_addresses(campaign, adjudicating=adjudicates)["compare"])


@require_POST
def onboarding_again(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_of(person), pk=campaign_pk)
    try_again(campaign, person)
    return redirect("annotate:compare", campaign_pk=campaign.pk)


def _after(
    request: HttpRequest,
    campaign: Campaign,
    outcome: str,
    notice: str,
    *,
    adjudicating: bool = False,
    coming: Coming | None = None,
) -> HttpResponse:
    if wants_json(request):
        return state_of_desk(
            request,
            campaign,
            outcome=outcome,
            notice=notice,
            adjudicating=adjudicating,
            coming=coming,
        )
    if notice:
        request.session["desk_notice"] = notice
    return redirect(desk_addresses(campaign, adjudicating=adjudicating)["compare"])


def _refused(
    request: HttpRequest, campaign: Campaign, notice: str, *, adjudicating: bool
) -> HttpResponse:
    """What was sent cannot be an answer: the sentence says what to do, nothing is stored."""
    if wants_json(request):
        return JsonResponse({"outcome": "refused", "notice": notice}, status=422)
    return _after(request, campaign, "refused", notice, adjudicating=adjudicating)


def _explained(request: HttpRequest, comparison: Comparison) -> HttpResponse:
    where = [comparison.campaign_id, comparison.pk]
    address = reverse("annotate:revise", args=where)
    if onboarding_left(comparison.campaign, signed_in(request)) is None:
        request.session["desk_notice"] = _("You have passed: the work begins now.")
    return JsonResponse({"leave": address}) if wants_json(request) else redirect(address)
