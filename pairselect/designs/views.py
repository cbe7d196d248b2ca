from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import escape
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from pairselect.accounts.middleware import by_htmx
from pairselect.accounts.roles import admin_required, signed_in
from pairselect.designs.actions import create_design, work_for_design
from pairselect.designs.budgeting import BudgetForm
from pairselect.designs.chart import draw
from pairselect.designs.findings import findings
from pairselect.designs.forms import DesignForm, settings_of
from pairselect.designs.models import Design, KnownLabel, Plan
from pairselect.designs.predicting import (
    Labels,
    asked_plan,
    form_for,
    is_asked,
    predict,
    said_of,
    shown,
)
from pairselect.designs.queries import busiest_prompt, choosable_pools, designs, pairs_in_order
from pairselect.designs.reasons import reasons
from pairselect.designs.words import in_random_labels, outcome, strategy_summary, verdict
from pairselect.jobs.actions import enqueue_in_turn, last_job
from pairselect.jobs.limits import queues
from pairselect.jobs.queries import last_jobs
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import the_only
from pairselect.pools.tidying import archived_or_not

PAGE = 25


@require_GET
@admin_required
def design_list(request: HttpRequest) -> HttpResponse:
    shown_designs, filtered = archived_or_not(request, designs())
    page = Paginator(shown_designs, PAGE).get_page(request.GET.get("page"))
    jobs = last_jobs(("solve_design", design.pk) for design in page)
    rows = [(design, _worth(design), jobs.get(("solve_design", design.pk))) for design in page]
    return render(request, "designs/designs.html", {"rows": rows, "page": page} | filtered)


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def design_new(request: HttpRequest) -> HttpResponse:
    plan = asked_plan(request)
    pool = request.GET.get("pool") or the_only(choosable_pools())
    return _form_page(request, initial={"pool": pool}, plan=plan)


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def design_again(request: HttpRequest, pk: int) -> HttpResponse:
    """The form with a design's settings; a next round keeps the labels that it was made from."""
    old = get_object_or_404(Design.objects.select_related("pool", "after__pool"), pk=pk)
    plan = asked_plan(request, old.pool, after=old.after)
    initial = settings_of(old) | ({"name": old.name} if old.solved_at is None else {})
    return _form_page(request, initial=initial, plan=plan, old=old)


@require_GET
@admin_required
def plan_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The plan's part of the page that asked for it, which polls; alone, that page."""
    plan = get_object_or_404(Plan.objects.select_related("pool"), pk=pk)
    if not by_htmx(request):
        return redirect(f"{plan.asked['page'] or reverse('designs:design_new')}?plan={pk}#plan")
    context = shown(plan)
    job = context["job"]
    ended = job is None or not job.is_active
    context["announced"] = said_of(plan, active=False) if ended else ""
    return render(request, "designs/_plan.html", context)


@require_GET
@admin_required
def budget_said(request: HttpRequest) -> HttpResponse:
    """How many labels the money or the hours come to, while they are typed."""
    form = BudgetForm(request.GET)
    said = form.comes_to if form.is_valid() else ""
    typed = {name for name in form.entry() if name != "priced_by"}
    errors = [str(one) for name in form.errors if name in typed for one in form.errors[name]]
    return HttpResponse(escape(" ".join([said, *errors]).strip()))


@require_GET
@admin_required
def design_detail(request: HttpRequest, pk: int) -> HttpResponse:
    design = get_object_or_404(Design.objects.select_related("pool", "after", "score_set"), pk=pk)
    page = Paginator(pairs_in_order(design), PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "design": design,
        "job": last_job("solve_design", pk),
        "page": page,
        "queue": [(pair, reasons(pair)) for pair in page],
        "settings": settings_of(design),
        "strategy_summary": strategy_summary(design.strategy),
        "outcome": outcome(design),
        "rounds": design.rounds.order_by("pk"),
    }
    if design.diagnostics:
        curve = design.diagnostics["curve"]
        context |= {
            "verdict": verdict(design),
            "chart": None if design.has_few_pairs else draw(curve, design.budget),
            "most": curve["uniform_budgets"][-1],
            "findings": findings(design),
            "busiest": busiest_prompt(design),
        }
    return render(request, "designs/design.html", context)


def _worth(design: Design) -> str:
    return "" if design.worth is None else in_random_labels(design.worth)


def _form_page(
    request: HttpRequest, *, initial: dict[str, Any], plan: Plan | None, old: Design | None = None
) -> HttpResponse:
    """Ask what to choose; predict it; or make the design and go to its page."""
    after = old.after if old else None
    form = form_for(request, initial=initial, plan=plan, after=after)

    def labels() -> list[KnownLabel]:
        return list(old.known_labels.all()) if old else []

    context: dict[str, Any] = {"form": form, "old": old, "verb": gettext("Choose")}
    if is_asked(request):
        answer = predict(request, form, labels=labels, context=context)
    else:
        answer = _chosen(request, form, after=after, labels=labels)
    return answer or render(request, "designs/design_new.html", context | shown(plan))


def _chosen(
    request: HttpRequest, form: DesignForm, *, after: Design | None, labels: Labels
) -> HttpResponse | None:
    """Where a form that was sent leads: to the design's page. None, and it is shown (again)."""
    if request.method != "POST" or not form.is_valid():
        return None
    person = signed_in(request)
    try:
        design = create_design(**form.cleaned_data, after=after, labels=labels(), created_by=person)
    except NameRefused as problem:
        form.add_error("name", str(problem))
        return None
    enqueue_in_turn(work_for_design(design), created_by=person)
    return redirect("designs:design", pk=design.pk)
