"""What the person sends from the comparison page. The script asks for JSON; without it each
request ends in a redirect, so that a reload or the back button sends nothing again."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from annotate.answering import Outcome
from annotate.answering import answer as store_answer
from annotate.answering import flag as store_flag
from annotate.answering import undo as undo_last
from annotate.forms.answers import AnswerForm, FlagForm, ReadForm, UndoForm
from annotate.guidelines import mark_read
from annotate.models import Campaign, Comparison, Flag
from annotate.onboarding import onboarding_left, try_again
from annotate.queries import campaigns_known_to, campaigns_of, comparisons_of
from annotate.views.compare import state_of_desk, wants_json
from pairselect.accounts.roles import signed_in

NOTICES = {
    Outcome.PASSED_ON: gettext_lazy(
        "That comparison is no longer yours, so this answer was not stored."
    ),
    Outcome.DIFFERED: gettext_lazy(
        "Your first answer had been stored already and stands. Undo takes it back."
    ),
}


@require_POST
def answer(request: HttpRequest, campaign_pk: int, comparison_pk: int) -> HttpResponse:
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_known_to(person), pk=campaign_pk)
    comparison = get_object_or_404(campaign.comparisons, pk=comparison_pk)
    form = AnswerForm(campaign, request.POST)
    if not form.is_valid():
        return _refused(request, campaign, form.first_error())
    replaces = form.cleaned_data["replaces"]
    if replaces and not campaigns_of(person).filter(pk=campaign.pk).exists():
        return _after(request, campaign, Outcome.PASSED_ON.value, "")
    choice, _strength = form.cleaned_data["choice"]
    outcome = store_answer(
        comparison,
        person,
        choice=choice,
        lease=form.cleaned_data["token"],
        details=form.details(),
        replaces=replaces,
    )
    if comparison.kind == Comparison.Kind.ONBOARDING and outcome is not Outcome.PASSED_ON:
        return _explained(request, comparison)
    return _after(request, campaign, outcome.value, str(NOTICES.get(outcome, "")))


@require_POST
def undo(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_known_to(person), pk=campaign_pk)
    if not campaigns_of(person).filter(pk=campaign.pk).exists():
        return _after(request, campaign, "refused", "")
    form = UndoForm(request.POST)
    undone = (
        undo_last(campaign, person, judgement_id=form.cleaned_data["judgement"])
        if form.is_valid()
        else None
    )
    if undone is None:
        notice = _("That answer cannot be taken back any more.")
        return _after(request, campaign, "refused", notice)
    if wants_json(request):
        return state_of_desk(request, campaign, outcome="undone", undone=undone)
    return _after(request, campaign, "undone", "")


@require_POST
def flag(request: HttpRequest, campaign_pk: int, comparison_pk: int) -> HttpResponse:
    """Bring a comparison to an admin's attention; it stays before the person."""
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_known_to(person), pk=campaign_pk)
    comparison = get_object_or_404(comparisons_of(campaign, person), pk=comparison_pk)
    form = FlagForm(request.POST)
    if not campaign.flags:
        return _refused(request, campaign, _("This campaign takes no flags."))
    if not form.is_valid():
        error = next(str(errors[0]) for errors in form.errors.values())
        return _refused(request, campaign, error)
    store_flag(
        comparison,
        person,
        kind=Flag.Kind(form.cleaned_data["kind"]),
        note=form.cleaned_data["note"],
    )
    notice = _("Flagged: an admin will see it. Now answer it, or skip it.")
    return _after(request, campaign, "flagged", notice)


@require_POST
def read_guidelines(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_of(person), pk=campaign_pk)
    form = ReadForm(request.POST)
    read = form.cleaned_data["guideline"] if form.is_valid() else None
    version = campaign.guidelines.filter(pk=read).first() if read else None
    if version is not None:
        mark_read(campaign, person, version)
    if wants_json(request):
        return JsonResponse({"outcome": "read" if version else "refused"})
    return redirect("annotate:compare", campaign_pk=campaign.pk)


@require_POST
def onboarding_again(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_of(person), pk=campaign_pk)
    try_again(campaign, person)
    return redirect("annotate:compare", campaign_pk=campaign.pk)


def _after(request: HttpRequest, campaign: Campaign, outcome: str, notice: str) -> HttpResponse:
    if wants_json(request):
        return state_of_desk(request, campaign, outcome=outcome, notice=notice)
    if notice:
        request.session["desk_notice"] = notice
    return redirect("annotate:compare", campaign_pk=campaign.pk)


def _refused(request: HttpRequest, campaign: Campaign, notice: str) -> HttpResponse:
    """What was sent cannot be an answer: the sentence says what to do, nothing is stored."""
    if wants_json(request):
        return JsonResponse({"outcome": "refused", "notice": notice}, status=422)
    return _after(request, campaign, "refused", notice)


def _explained(request: HttpRequest, comparison: Comparison) -> HttpResponse:
    where = [comparison.campaign_id, comparison.pk]
    address = reverse("annotate:revise", args=where)
    if onboarding_left(comparison.campaign, signed_in(request)) is None:
        request.session["desk_notice"] = _("You have passed: the work begins now.")
    return JsonResponse({"leave": address}) if wants_json(request) else redirect(address)
