"""The admin's page of the machines that judge a campaign's pairs beside people."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from annotate.forms.machines import AskedPairsForm, MachineForm, OtherMachineForm
from annotate.machines.actions import (
    MachineRefused,
    assign,
    create_machine,
    take_out,
    work_for,
)
from annotate.machines.judging import texts_of
from annotate.machines.measures import Disagreement, MachineMeasures, report_on
from annotate.models import Assignment, Campaign
from annotate.overview import open_flags
from annotate.rendering import raw_text, render_markdown
from pairselect.accounts.roles import admin_required, signed_in
from pairselect.jobs.actions import enqueue_in_turn
from pairselect.jobs.limits import queues
from pairselect.jobs.models import Job
from pairselect.jobs.queries import last_jobs, with_subjects


@dataclass(frozen=True)
class Row:
    """A machine with its last job, and the form that asks it more."""

    measures: MachineMeasures
    job: Job | None
    form: AskedPairsForm


@dataclass(frozen=True)
class Shown:
    """A disagreement with its texts, the first as the left one."""

    found: Disagreement
    turns: list[tuple[str, SafeString]]
    first: SafeString
    second: SafeString


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def machines(request: HttpRequest, pk: int) -> HttpResponse:
    """The list; POST adds a machine, a new one or another campaign's, and puts it to work."""
    campaign = get_object_or_404(Campaign, pk=pk)
    is_other = "machine" in request.POST
    posted = request.POST or None
    form = MachineForm(None if is_other else posted)
    other = OtherMachineForm(posted if is_other else None, auto_id="other_%s")
    chosen = other if is_other else form
    if request.method == "POST" and chosen.is_valid():
        person, data = signed_in(request), chosen.cleaned_data
        asked = {name: data.pop(name) for name in ("pairs", "labelled_only")}
        try:
            machine = data["machine"] if is_other else create_machine(**data, created_by=person)
            assignment = assign(campaign, machine, **asked, created_by=person)
        except MachineRefused as problem:
            chosen.add_error("machine" if is_other else problem.field, str(problem))
        else:
            enqueue_in_turn(work_for(assignment), created_by=person)
            return redirect("annotate:campaign_machines", pk=pk)
    return _page(request, campaign, form, other)


@require_POST
@admin_required
@queues
def ask(request: HttpRequest, pk: int, assignment_pk: int) -> HttpResponse:
    """Ask the machine about these pairs, as far as it has not answered them."""
    found = get_object_or_404(Assignment, pk=assignment_pk, campaign=pk)
    form = AskedPairsForm(request.POST)
    if form.is_valid():
        person = signed_in(request)
        try:
            assignment = assign(
                found.campaign, found.machine, created_by=person, **form.cleaned_data
            )
        except MachineRefused as problem:
            messages.error(request, str(problem))
            return redirect("annotate:campaign_machines", pk=pk)
        enqueue_in_turn(work_for(assignment), created_by=person)
        if not assignment.machine.model:
            messages.success(request, _("Saved. The machine gets these pairs by the API."))
    else:
        messages.error(request, _("Nothing was asked. Give a whole number of pairs, or none."))
    return redirect("annotate:campaign_machines", pk=pk)


@require_POST
@admin_required
def remove(request: HttpRequest, pk: int, assignment_pk: int) -> HttpResponse:
    found = get_object_or_404(Assignment, pk=assignment_pk, campaign=pk)
    try:
        take_out(found)
    except MachineRefused as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, _("The machine is taken out."))
    return redirect("annotate:campaign_machines", pk=pk)


def _page(
    request: HttpRequest, campaign: Campaign, form: MachineForm, other: OtherMachineForm
) -> HttpResponse:
    report = report_on(campaign)
    jobs = last_jobs(("judge_campaign", one.assignment.pk) for one in report.measures)
    with_subjects(jobs.values())
    context = {
        "campaign": campaign,
        "here": "machines",
        "flag_count": open_flags(campaign).count(),
        "form": form,
        "other": other if other.offer(campaign) else None,
        "report": report,
        "rows": [
            Row(one, jobs.get(("judge_campaign", one.assignment.pk)), _more(one.assignment))
            for one in report.measures
        ],
        "disagreements": [_shown(one) for one in report.disagreements],
    }
    return render(request, "annotate/machines.html", context)


def _more(assignment: Assignment) -> AskedPairsForm:
    """Several forms on the page have these fields: each its own ids."""
    asked = {"pairs": assignment.pairs, "labelled_only": assignment.labelled_only}
    return AskedPairsForm(initial=asked, auto_id=f"id_{assignment.pk}_%s")


def _shown(found: Disagreement) -> Shown:
    comparison = found.comparison
    comparison.first_on_left = True  # of this copy, not stored
    first, second = texts_of(comparison)
    return Shown(
        found=found,
        turns=[(turn["role"], raw_text(turn["content"])) for turn in comparison.messages],
        first=render_markdown(first),
        second=render_markdown(second),
    )
