from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from pairselect.accounts.roles import admin_required, signed_in
from pairselect.designs.actions import create_design, work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.designs.models import Design
from pairselect.designs.queries import designs, pairs_in_order
from pairselect.jobs.actions import enqueue_in_turn, last_job
from pairselect.jobs.queries import last_jobs
from pairselect.pools.naming import NameRefused


@require_GET
@admin_required
def design_list(request: HttpRequest) -> HttpResponse:
    found = list(designs())
    jobs = last_jobs(("solve_design", design.pk) for design in found)
    rows = [(design, jobs.get(("solve_design", design.pk))) for design in found]
    return render(request, "designs/designs.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
@admin_required
def design_new(request: HttpRequest) -> HttpResponse:
    form = DesignForm(request.POST or None, initial={"pool": request.GET.get("pool")})
    if request.method == "POST" and form.is_valid():
        person, data = signed_in(request), form.cleaned_data
        try:
            design = create_design(**data, created_by=person)
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            enqueue_in_turn(work_for_design(design), created_by=person)
            return redirect("designs:design", pk=design.pk)
    return render(request, "designs/design_new.html", {"form": form})


@require_GET
@admin_required
def design_detail(request: HttpRequest, pk: int) -> HttpResponse:
    design = get_object_or_404(Design.objects.select_related("pool"), pk=pk)
    page = Paginator(pairs_in_order(design), 25).get_page(request.GET.get("page"))
    context = {
        "design": design,
        "gap_percent": None if design.gap is None else 100 * design.gap,
        "job": last_job("solve_design", pk),
        "page": page,
    }
    return render(request, "designs/design.html", context)
