from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from pairselect.accounts.roles import admin_required, signed_in
from pairselect.designs.actions import create_design, work_for_design
from pairselect.designs.chart import draw
from pairselect.designs.findings import findings
from pairselect.designs.forms import DesignForm, settings_of
from pairselect.designs.models import Design
from pairselect.designs.queries import busiest_prompt, designs, pairs_in_order
from pairselect.designs.words import in_random_labels, outcome, strategy_summary, verdict
from pairselect.jobs.actions import enqueue_in_turn, last_job
from pairselect.jobs.queries import last_jobs
from pairselect.pools.naming import NameRefused


@require_GET
@admin_required
def design_list(request: HttpRequest) -> HttpResponse:
    found = list(designs())
    jobs = last_jobs(("solve_design", design.pk) for design in found)
    rows = [(design, _worth(design), jobs.get(("solve_design", design.pk))) for design in found]
    return render(request, "designs/designs.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
@admin_required
def design_new(request: HttpRequest) -> HttpResponse:
    form = DesignForm(request.POST or None, initial={"pool": request.GET.get("pool")})
    return _chosen(request, form) or render(request, "designs/design_new.html", {"form": form})


@require_http_methods(["GET", "POST"])
@admin_required
def design_again(request: HttpRequest, pk: int) -> HttpResponse:
    """The form with a design's settings; a next round keeps the labels that it was made from."""
    old = get_object_or_404(Design.objects.select_related("pool", "after__pool"), pk=pk)
    initial = settings_of(old) | ({"name": old.name} if old.solved_at is None else {})
    form = DesignForm(request.POST or None, after=old.after, initial=initial)
    labels = list(old.known_labels.all()) if request.method == "POST" else []
    return _chosen(request, form, after=old.after, labels=labels) or render(
        request, "designs/design_new.html", {"form": form, "old": old}
    )


@require_GET
@admin_required
def design_detail(request: HttpRequest, pk: int) -> HttpResponse:
    design = get_object_or_404(Design.objects.select_related("pool", "after", "score_set"), pk=pk)
    page = Paginator(pairs_in_order(design), 25).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "design": design,
        "job": last_job("solve_design", pk),
        "page": page,
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


def _chosen(request: HttpRequest, form: DesignForm, **more: Any) -> HttpResponse | None:
    """Where a form that was sent leads: to the design's page. None, and it is shown (again)."""
    if request.method != "POST" or not form.is_valid():
        return None
    person = signed_in(request)
    try:
        design = create_design(**form.cleaned_data, **more, created_by=person)
    except NameRefused as problem:
        form.add_error("name", str(problem))
        return None
    enqueue_in_turn(work_for_design(design), created_by=person)
    return redirect("designs:design", pk=design.pk)
