"""The annotator's pages. The admin's are in ``desk``."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from annotate.actions import Outcome, next_comparison
from annotate.actions import answer as store_answer
from annotate.actions import undo as undo_last
from annotate.forms import AnswerForm, UndoForm
from annotate.models import Campaign, Judgement
from annotate.queries import campaigns_known_to, campaigns_of, last_judgement, progress_of
from annotate.rendering import render_markdown
from pairselect.accounts.middleware import by_htmx
from pairselect.accounts.roles import signed_in

NOTICES = {
    Outcome.PASSED_ON: "That comparison is no longer yours, so this answer was not stored.",
    Outcome.DIFFERED: "Your first answer had been stored already and stands. Undo takes it back.",
}


@dataclass(frozen=True)
class Turn:
    role: str
    html: SafeString


@require_GET
def work(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    campaigns = list(campaigns_of(person))
    progress = progress_of(campaigns, person)
    rows = [(campaign, progress[campaign.pk]) for campaign in campaigns]
    return render(request, "annotate/work.html", {"rows": rows})


@never_cache
@require_GET
def compare(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    campaign = get_object_or_404(campaigns_known_to(signed_in(request)), pk=campaign_pk)
    return _next(request, campaign)


@require_POST
def answer(request: HttpRequest, campaign_pk: int, comparison_pk: int) -> HttpResponse:
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_known_to(person), pk=campaign_pk)
    comparison = get_object_or_404(campaign.comparisons, pk=comparison_pk)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _after(request, campaign, "That was not an answer. Choose one of the buttons.")
    outcome = store_answer(
        comparison,
        person,
        choice=Judgement.Choice(form.cleaned_data["choice"]),
        lease=form.cleaned_data["token"],
    )
    return _after(request, campaign, NOTICES.get(outcome, ""))


@require_POST
def undo(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_known_to(person), pk=campaign_pk)
    if not campaigns_of(person).filter(pk=campaign.pk).exists():
        return _next(request, campaign)
    form = UndoForm(request.POST)
    done = form.is_valid() and undo_last(
        campaign, person, judgement_id=form.cleaned_data["judgement"]
    )
    return _after(request, campaign, "" if done else "That answer cannot be taken back any more.")


def _after(request: HttpRequest, campaign: Campaign, notice: str) -> HttpResponse:
    """The next comparison in place where htmx asks; else by a redirect, so that a reload or the
    back button never sends an answer again."""
    if by_htmx(request):
        return _next(request, campaign, notice=notice)
    if notice:
        request.session["desk_notice"] = notice
    return redirect("annotate:compare", campaign_pk=campaign.pk)


def _next(request: HttpRequest, campaign: Campaign, notice: str = "") -> HttpResponse:
    """The desk; or Work, when the campaign has ended for the person in the meantime."""
    if campaigns_of(signed_in(request)).filter(pk=campaign.pk).exists():
        return _desk(request, campaign, notice)
    messages.info(request, f"“{campaign}” is closed to you now. Your answers are kept. {notice}")
    if by_htmx(request):
        return HttpResponseClientRedirect(reverse("annotate:work"))
    return redirect("annotate:work")


def _desk(request: HttpRequest, campaign: Campaign, notice: str) -> HttpResponse:
    person = signed_in(request)
    comparison = next_comparison(campaign, person)
    context: dict[str, object] = {
        "campaign": campaign,
        "instructions": render_markdown(campaign.instructions),
        "comparison": comparison,
        "progress": progress_of([campaign], person)[campaign.pk],
        "last": last_judgement(campaign, person),
        "undo_url": reverse("annotate:undo", args=[campaign.pk]),
        "notice": notice or request.session.pop("desk_notice", ""),
    }
    if comparison is not None:
        turns = comparison.pair.prompt.messages
        context |= {
            "turns": [Turn(turn["role"], render_markdown(turn["content"])) for turn in turns],
            "left_html": render_markdown(comparison.left.text),
            "right_html": render_markdown(comparison.right.text),
            "token": comparison.lease,
            "answer_url": reverse("annotate:answer", args=[campaign.pk, comparison.pk]),
        }
    page = "annotate/compare.html#desk" if by_htmx(request) else "annotate/compare.html"
    return render(request, page, context)
