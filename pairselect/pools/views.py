from collections.abc import Iterable

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from pairselect.accounts.roles import admin_required, signed_in
from pairselect.jobs.actions import enqueue_in_turn, is_active
from pairselect.jobs.limits import queues
from pairselect.jobs.models import Job
from pairselect.jobs.queries import last_jobs
from pairselect.pools.actions import create_pool, create_score_set, work_for_report
from pairselect.pools.forms import PoolForm, ScoreForm, score_models
from pairselect.pools.models import Completion, Pool, PoolReport
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import (
    answerable_prompt_sets,
    completions_expected,
    latest_completions,
    pools,
    the_only,
)
from pairselect.pools.tidying import archived_or_not
from pairselect.trail.actions import record

PAGE = 25
MADE_BY = ("generate_pool", "import_pool")


@require_GET
@admin_required
def pool_list(request: HttpRequest) -> HttpResponse:
    shown, filtered = archived_or_not(request, pools())
    page = Paginator(shown, PAGE).get_page(request.GET.get("page"))
    jobs = last_jobs((kind, pool.pk) for pool in page for kind in MADE_BY)
    rows = [(pool, _first(jobs.get((kind, pool.pk)) for kind in MADE_BY)) for pool in page]
    return render(request, "pools/pools.html", {"rows": rows, "page": page} | filtered)


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def pool_new(request: HttpRequest) -> HttpResponse:
    prompt_set = request.GET.get("prompt_set") or the_only(answerable_prompt_sets())
    form = PoolForm(request.POST or None, initial={"prompt_set": prompt_set})
    if request.method == "POST" and form.is_valid():
        person = signed_in(request)
        try:
            pool = create_pool(**form.settings, created_by=person)
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            enqueue_in_turn(work_for_report(pool), created_by=person)
            return redirect("pools:pool", pk=pool.pk)
    return render(request, "pools/pool_new.html", {"form": form})


@require_GET
@admin_required
def pool_detail(request: HttpRequest, pk: int) -> HttpResponse:
    rows = Pool.objects.select_related("prompt_set__upload").defer("prompt_set__upload__preview")
    pool = get_object_or_404(rows, pk=pk)
    prompts = pool.prompt_set.prompts.all()
    if pool.completed_at is None:  # else every prompt has some
        prompts = prompts.filter(
            Exists(Completion.objects.filter(pool=pool, prompt=OuterRef("pk")))
        )
    page = Paginator(prompts, 5).get_page(request.GET.get("page"))
    answers = (
        pool.completions.filter(prompt__in=list(page))
        .select_related("variant")
        .order_by("prompt__position", "index")
    )
    by_prompt: dict[int, list[Completion]] = {}
    for completion in answers:
        by_prompt.setdefault(completion.prompt_id, []).append(completion)
    features, scores = list(pool.feature_sets.all()), list(pool.score_sets.all())
    asked = [(kind, pk) for kind in MADE_BY]
    asked += [("extract_features", one.pk) for one in features]
    asked += [("score_pool", one.pk) for one in scores]
    found = last_jobs([*asked, ("report_pool", pk)])
    jobs = [job for key in [*asked, ("report_pool", pk)] if (job := found.get(key))]
    report = PoolReport.objects.filter(pool=pool, completed_at__isnull=False).first()
    if report:
        from pairselect.pools.report import present
    making = any(job.is_active and job.kind == "generate_pool" for job in jobs)
    context = {
        "pool": pool,
        "variants": pool.variants.all(),
        "expected": completions_expected(pool),
        "stored": pool.completions.count(),
        "feature_sets": features,
        "score_sets": scores,
        "can_score": pool.completed_at is not None and bool(score_models()),
        "choosable": pool.completed_at is not None and any(one.completed_at for one in features),
        "open_jobs": _open(jobs),
        "making": making,
        "latest": latest_completions(pool) if making else [],
        "report": present(report.facts) if report else None,
        "page": page,
        "groups": [(prompt, by_prompt.get(prompt.pk, [])) for prompt in page],
    }
    return render(request, "pools/pool.html", context)


@require_GET
@admin_required
def pool_latest(request: HttpRequest, pk: int) -> HttpResponse:
    """The completions that were written last, alone; it polls while there are more to come."""
    pool = get_object_or_404(Pool, pk=pk)
    context = {
        "pool": pool,
        "latest": latest_completions(pool),
        "making": pool.completed_at is None and is_active("generate_pool", pool.pk),
    }
    return render(request, "pools/pool.html#latest", context)


@require_http_methods(["GET", "POST"])
@admin_required
@queues
def pool_scores(request: HttpRequest, pk: int) -> HttpResponse:
    pool = get_object_or_404(Pool, pk=pk)
    form = ScoreForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = signed_in(request)
        try:
            score_set = create_score_set(pool, **form.cleaned_data)
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            if score_set.completed_at is None:
                enqueue_in_turn([("score_pool", score_set.pk)], created_by=person)
            return redirect("pools:pool", pk=pool.pk)
    return render(request, "pools/pool_scores.html", {"form": form, "pool": pool})


@require_POST
@admin_required
@queues
def pool_report(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the report made, or made again."""
    pool = get_object_or_404(Pool, pk=pk)
    if pool.completed_at is None:
        said = gettext("The pool is not complete yet: there is nothing to look at.")
        messages.error(request, said)
        return redirect("pools:pool", pk=pool.pk)
    with transaction.atomic():
        PoolReport.objects.filter(pool=pool).update(completed_at=None)
        record("report.asked", pool)
    described = pool.feature_sets.filter(completed_at__isnull=False).exists()
    work = work_for_report(pool)[-1:] if described else work_for_report(pool)
    enqueue_in_turn(work, created_by=signed_in(request))
    return redirect("pools:pool", pk=pool.pk)


def _open(jobs: list[Job]) -> list[Job]:
    """Those that are not done, without those that only wait for one that came to nothing."""
    found = [job for job in jobs if job.status != Job.Status.DONE]
    undone = {job.pk for job in found if job.status in Job.UNDONE}
    return [job for job in found if job.after_id not in undone or job.is_active]


def _first(jobs: Iterable[Job | None]) -> Job | None:
    return next(filter(None, jobs), None)
