"""The annotator's pages. The admin's are in ``desk``."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from annotate.actions import Outcome, next_comparison
from annotate.actions import answer as store_answer
from annotate.actions import undo as undo_last
from annotate.forms import AnswerForm
from annotate.models import Campaign, Judgement
from annotate.queries import campaigns_of, last_judgement, progress_of
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
    rows = [(one, progress_of(one, person)) for one in campaigns_of(person)]
    return render(request, "annotate/work.html", {"rows": rows})


@never_cache
@require_GET
def compare(request: HttpRequest, campaign_pk: int) -> HttpResponse:
    return _desk(request, get_object_or_404(campaigns_of(signed_in(request)), pk=campaign_pk))


@require_POST
def answer(request: HttpRequest, campaign_pk: int, comparison_pk: int) -> HttpResponse:
    person = signed_in(request)
    campaign = get_object_or_404(campaigns_of(person), pk=campaign_pk)
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
    campaign = get_object_or_404(campaigns_of(person), pk=campaign_pk)
    done = undo_last(campaign, person)
    return _after(request, campaign, "" if done else "There is nothing left that you can undo.")


def _after(request: HttpRequest, campaign: Campaign, notice: str) -> HttpResponse:
    """The next comparison in place where htmx asks; else by a redirect, so that a reload or the
    back button never sends an answer again."""
    if by_htmx(request):
        return _desk(request, campaign, notice=notice)
    if notice:
        request.session["desk_notice"] = notice
    return redirect("annotate:compare", campaign_pk=campaign.pk)


def _desk(request: HttpRequest, campaign: Campaign, notice: str = "") -> HttpResponse:
    person = signed_in(request)
    comparison = next_comparison(campaign, person)
    context: dict[str, object] = {
        "campaign": campaign,
        "instructions": render_markdown(campaign.instructions),
        "comparison": comparison,
        "progress": progress_of(campaign, person),
        "can_undo": last_judgement(campaign, person) is not None,
        "undo_url": reverse("annotate:undo", args=[campaign.pk]),
        "notice": notice or request.session.pop("desk_notice", ""),
    }
    if comparison is not None:
        messages = comparison.pair.prompt.messages
        context |= {
            "turns": [Turn(m["role"], render_markdown(m["content"])) for m in messages],
            "left_html": render_markdown(comparison.left.text),
            "right_html": render_markdown(comparison.right.text),
            "token": comparison.lease,
            "answer_url": reverse("annotate:answer", args=[campaign.pk, comparison.pk]),
        }
    page = "annotate/compare.html#desk" if by_htmx(request) else "annotate/compare.html"
    return render(request, page, context)
