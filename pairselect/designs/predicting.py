"""What the pages with the form for a design share: asking for a plan, and showing it beside."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from pairselect.accounts.middleware import by_htmx
from pairselect.accounts.roles import signed_in
from pairselect.core import STRATEGIES
from pairselect.designs.budgeting import BudgetForm
from pairselect.designs.chart import draw
from pairselect.designs.forms import DesignForm
from pairselect.designs.models import Design, KnownLabel, Plan
from pairselect.designs.planning import ask_plan, planned_design, work_for_plan
from pairselect.designs.words import figure, in_random_labels, verdict
from pairselect.jobs.actions import enqueue_in_turn, last_job
from pairselect.pools.models import Pool
from pairselect.pools.words import localised

Labels = Callable[[], Sequence[KnownLabel]]
PART = "designs/_choose.html"


@dataclass(frozen=True)
class Rival:
    """A strategy's row beside the others."""

    name: str
    title: str
    objective: str
    worth: str  # empty: more than all random pairs
    without: int
    seconds: str
    is_own: bool
    uses_scores: bool


def is_asked(request: HttpRequest) -> bool:
    """Whether the form was sent to predict, not to choose."""
    return request.method == "POST" and "predict" in request.POST


def asked_plan(
    request: HttpRequest, pool: Pool | None = None, *, after: Design | None = None
) -> Plan | None:
    """The plan that the address names, if it is there, and was made for such a form: of that pool
    if one is given, and of a round after that design, or of a first one."""
    number = request.GET.get("plan", "")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    found = Plan.objects.select_related("pool").filter(pk=int(number))
    plan = (found if pool is None else found.filter(pool=pool)).first()
    if plan is None or plan.asked["settings"]["after_id"] != (after.pk if after else None):
        return None
    return plan


def form_for(
    request: HttpRequest, *, initial: dict[str, Any], plan: Plan | None, after: Design | None = None
) -> DesignForm:
    """The form as it was sent; else with these values, or as it was when the plan was asked for."""
    entry: dict[str, Any] = plan.asked["entry"] if plan else {}
    form = DesignForm(
        request.POST or None, after=after, predicts=is_asked(request), initial=initial | entry
    )
    if plan and not form.is_bound:
        spent = BudgetForm(entry)
        if spent.is_valid():
            form.comes_to = spent.comes_to
    return form


def predict(
    request: HttpRequest, form: DesignForm, *, labels: Labels = list, context: dict[str, Any]
) -> HttpResponse | None:
    """The plan beside the form that asked for it; None, and the page shows what is wrong.

    htmx gets form and plan; a browser without it, the address that shows both.
    """
    plan = None
    if form.is_valid():
        person, page = signed_in(request), request.path
        plan = ask_plan(
            **form.cleaned_data, after=form.after, labels=labels(), created_by=person,
            entry=form.typed(), page=page,
        )  # fmt: skip
        enqueue_in_turn(work_for_plan(plan), created_by=person)
        if not by_htmx(request):
            return redirect(f"{page}?plan={plan.pk}#plan")
    elif not by_htmx(request):
        return None
    found = shown(plan)
    said = said_of(plan, active=plan is not None)
    response = render(request, PART, context | {"form": form, "announced": said} | found)
    if plan is not None:
        response["HX-Replace-Url"] = f"{request.path}?plan={plan.pk}"
    return response


def shown(plan: Plan | None) -> dict[str, Any]:
    """What the plan's part of a page shows."""
    if plan is None:
        return {"plan": None}
    design = planned_design(plan)
    found: dict[str, Any] = {
        "plan": plan,
        "design": design,
        "job": last_job("plan_design", plan.pk),
        "entry": json.dumps(plan.asked["entry"]),  # for the script that sees the form change
    }
    if not plan.completed_at:
        return found
    curve = design.diagnostics["curve"]
    return found | {
        "job": None,
        "verdict": verdict(design),
        "chart": None if design.has_few_pairs else draw(curve, design.budget),
        "most": curve["uniform_budgets"][-1],
        "spread": design.diagnostics["allocation"],
        "rivals": _rivals(plan, design),
        "slow": ", ".join(_title(name) for name in plan.results["slow"]),
        "unscored": not any("scores" in STRATEGIES[row["name"]].needs for row in _rows(plan)),
        "seconds": _seconds(plan.results["seconds"]),
    }


def said_of(plan: Plan | None, *, active: bool) -> str:
    """What a screen reader is told when the plan's part changes."""
    if plan is None:
        return gettext("Not predicted: the form says what is wrong.")
    if plan.completed_at:
        return gettext("Predicted. %(verdict)s") % {"verdict": verdict(planned_design(plan))}
    return gettext("Predicting …") if active else gettext("Not predicted.")


def _rows(plan: Plan) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = plan.results["strategies"]
    return [row for row in rows if row["name"] in STRATEGIES]


def _rivals(plan: Plan, design: Design) -> list[Rival]:
    return [
        Rival(
            name=row["name"],
            title=_title(row["name"]),
            objective=figure(row["objective"]),
            worth="" if row["worth"] is None else in_random_labels(row["worth"]),
            without=row["without"],
            seconds=_seconds(row["seconds"]),
            is_own=row["name"] == design.strategy,
            uses_scores="scores" in STRATEGIES[row["name"]].needs,
        )
        for row in sorted(_rows(plan), key=lambda row: float(row["objective"]))
    ]


def _title(name: str) -> str:
    return name.replace("_", " ")


def _seconds(seconds: float) -> str:
    """“0.3”, “12”."""
    if seconds < 0.05:
        return gettext("under %(seconds)s") % {"seconds": localised("0.1")}
    return localised(f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")
