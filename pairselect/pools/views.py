from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from pairselect.accounts.roles import admin_required, signed_in
from pairselect.jobs.actions import enqueue_in_turn, enqueue_job, last_job
from pairselect.jobs.queries import last_jobs
from pairselect.pools.actions import create_pool, work_for_pool
from pairselect.pools.forms import PoolFileForm, PromptFileForm, WebPoolForm
from pairselect.pools.imports import stage_pool, stage_prompts
from pairselect.pools.models import Pool, PromptSet
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import completions_expected, pools, prompt_sets

PAGE = 25


@require_http_methods(["GET", "POST"])
@admin_required
def prompt_set_list(request: HttpRequest) -> HttpResponse:
    form = PromptFileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file, person = form.cleaned_data["file"], signed_in(request)
        try:
            prompt_set = stage_prompts(
                file, name=form.cleaned_data["name"], file_name=file.name, created_by=person
            )
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            enqueue_job("import_prompts", prompt_set.pk, created_by=person)
            return redirect("pools:prompt_set", pk=prompt_set.pk)
    sets = list(prompt_sets())
    jobs = last_jobs(("import_prompts", one.pk) for one in sets)
    rows = [(one, jobs.get(("import_prompts", one.pk))) for one in sets]
    return render(request, "pools/prompt_sets.html", {"form": form, "rows": rows})


@require_GET
@admin_required
def prompt_set_detail(request: HttpRequest, pk: int) -> HttpResponse:
    prompt_set = get_object_or_404(PromptSet, pk=pk)
    page = Paginator(prompt_set.prompts.all(), PAGE).get_page(request.GET.get("page"))
    pool_job = None
    if ready := prompt_set.pools.filter(source=Pool.Source.IMPORTED).first():
        pool_job = last_job("import_pool", ready.pk)
    context = {
        "prompt_set": prompt_set,
        "job": last_job("import_prompts", pk) or pool_job,
        "page": page,
        "pools": prompt_set.pools.all(),
    }
    return render(request, "pools/prompt_set.html", context)


@require_GET
@admin_required
def pool_list(request: HttpRequest) -> HttpResponse:
    found = list(pools())
    jobs = last_jobs((kind, pool.pk) for pool in found for kind in ("generate_pool", "import_pool"))
    rows = [
        (pool, jobs.get(("generate_pool", pool.pk)) or jobs.get(("import_pool", pool.pk)))
        for pool in found
    ]
    return render(request, "pools/pools.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
@admin_required
def pool_new(request: HttpRequest) -> HttpResponse:
    form = WebPoolForm(request.POST or None, initial={"prompt_set": request.GET.get("prompt_set")})
    if request.method == "POST" and form.is_valid():
        person = signed_in(request)
        try:
            pool = create_pool(**form.cleaned_data, created_by=person)
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            enqueue_in_turn(work_for_pool(pool), created_by=person)
            return redirect("pools:pool", pk=pool.pk)
    return render(request, "pools/pool_new.html", {"form": form})


@require_http_methods(["GET", "POST"])
@admin_required
def pool_import(request: HttpRequest) -> HttpResponse:
    form = PoolFileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file, person = form.cleaned_data["file"], signed_in(request)
        try:
            pool = stage_pool(
                file,
                name=form.cleaned_data["name"],
                file_name=file.name,
                model=form.cleaned_data["model"],
                created_by=person,
            )
        except NameRefused as problem:
            form.add_error("name", str(problem))
        else:
            enqueue_in_turn(work_for_pool(pool), created_by=person)
            return redirect("pools:pool", pk=pool.pk)
    return render(request, "pools/pool_import.html", {"form": form})


@require_GET
@admin_required
def pool_detail(request: HttpRequest, pk: int) -> HttpResponse:
    pool = get_object_or_404(Pool.objects.select_related("prompt_set"), pk=pk)
    prompts = pool.prompt_set.prompts.filter(completions__pool=pool).distinct()
    page = Paginator(prompts, 5).get_page(request.GET.get("page"))
    answers = pool.completions.filter(prompt__in=list(page)).order_by("prompt__position", "index")
    by_prompt: dict[int, list[str]] = {}
    for completion in answers:
        by_prompt.setdefault(completion.prompt_id, []).append(completion.text)
    features = list(pool.feature_sets.all())
    jobs = [last_job("generate_pool", pk) or last_job("import_pool", pk)]
    jobs += [last_job("extract_features", one.pk) for one in features]
    context = {
        "pool": pool,
        "expected": completions_expected(pool),
        "stored": pool.completions.count(),
        "feature_sets": features,
        "has_features": any(one.completed_at for one in features),
        "open_jobs": [job for job in jobs if job and job.status != "done"],
        "page": page,
        "groups": [(prompt, by_prompt.get(prompt.pk, [])) for prompt in page],
    }
    return render(request, "pools/pool.html", context)
