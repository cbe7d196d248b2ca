"""Where each project stands on the way: prompts, pool, design, campaign, export."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import Campaign, Comparison, Export
from annotate.queries import last_changes
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.jobs.queries import last_jobs
from pairselect.pools.models import Completion, Pool, PromptSet
from pairselect.pools.words import whole

MOST = 6
STILL_MOVING = timedelta(minutes=10)  # since the last label: the page looks again until then
NOT_ARCHIVED = {"archived_at": None}


@dataclass(frozen=True)
class Step:
    """One of the five stages, as it is in one project."""

    title: str
    state: str  # done, running, failed, paused, next, later
    name: str = ""
    url: str = ""
    words: str = ""  # how far it is; of the next step, what is to be done
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Project:
    """One way from prompts to labels. Of a set with two pools there are two."""

    steps: Sequence[Step]
    since: datetime
    moving: bool = False

    @property
    def next(self) -> Step | None:
        """What an admin can do now to bring it on."""
        return next((step for step in self.steps if step.state == "next"), None)

    @property
    def name(self) -> str:
        return next(step.name for step in reversed(self.steps) if step.name)


@dataclass(frozen=True)
class _Way:
    """The rows of one project, as far as it has come."""

    prompt_set: PromptSet
    pool: Pool | None = None
    design: Design | None = None
    campaign: Campaign | None = None

    @property
    def since(self) -> datetime:
        last = self.campaign or self.design or self.pool or self.prompt_set
        return last.created_at


@dataclass(frozen=True)
class _Facts:
    """What is known of the rows of all projects on the page."""

    jobs: dict[tuple[str, int], Job]
    completions: dict[int, int]
    labels: dict[int, dict[str, Any]]
    exports: dict[int, Export] = field(default_factory=dict)
    changes: dict[int, datetime] = field(default_factory=dict)  # since the first of the exports


def projects() -> list[Project]:
    """The newest, in as many queries however many there are."""
    ways = sorted(_ways(), key=lambda way: way.since, reverse=True)[:MOST]
    facts = _facts_of(ways)
    return [_project(way, facts) for way in ways]


def _ways() -> list[_Way]:
    """Each project by the row that it has come to; one with a row that is archived is none."""
    up = "design__pool__prompt_set"
    campaigns = Campaign.objects.filter(**_not_archived(up)).select_related(up)
    up = "pool__prompt_set"
    designs = Design.objects.filter(campaigns=None, **_not_archived(up)).select_related(up)
    pools = Pool.objects.filter(designs=None, **_not_archived("prompt_set"))
    sets = PromptSet.objects.filter(pools=None, **NOT_ARCHIVED)
    return [
        *(_Way(c.design.pool.prompt_set, c.design.pool, c.design, c) for c in campaigns[:MOST]),
        *(_Way(d.pool.prompt_set, d.pool, d) for d in designs[:MOST]),
        *(_Way(p.prompt_set, p) for p in pools.select_related("prompt_set")[:MOST]),
        *(_Way(one) for one in sets[:MOST]),
    ]


def _not_archived(path: str) -> dict[str, None]:
    """The row itself, and all that it is made from."""
    names = path.split("__")
    above = ["__".join(names[: i + 1]) for i in range(len(names))]
    return NOT_ARCHIVED | {f"{one}__archived_at": None for one in above}


def _facts_of(ways: Iterable[_Way]) -> _Facts:
    ways = list(ways)
    asked: list[tuple[str, int]] = []
    for way in ways:
        asked.append(("import_prompts", way.prompt_set.pk))
        if way.pool:
            asked += [("generate_pool", way.pool.pk), ("import_pool", way.pool.pk)]
        if way.design:
            asked.append(("solve_design", way.design.pk))
        if way.campaign:
            asked.append(("open_campaign", way.campaign.pk))
    pools = {way.pool.pk for way in ways if way.pool and way.pool.completed_at}
    campaigns = {way.campaign.pk for way in ways if way.campaign}
    completions = Completion.objects.filter(pool__in=pools).order_by()
    labels = Comparison.objects.filter(campaign__in=campaigns, kind=Comparison.Kind.LABEL)
    there = Q(labelled_at__isnull=False)
    counts = (
        labels.order_by()
        .values("campaign")
        .annotate(total=Count("pk"), labelled=Count("pk", filter=there), last=Max("labelled_at"))
    )
    exports = Export.objects.filter(campaign__in=campaigns, completed_at__isnull=False)
    last = {one.campaign_id: one for one in exports.order_by("pk")}
    since = min((one.created_at for one in last.values()), default=None)
    return _Facts(
        jobs=last_jobs(asked),
        completions=dict(completions.values_list("pool").annotate(Count("pk"))),
        labels={row["campaign"]: row for row in counts},
        exports=last,
        changes=last_changes(last, since=since) if since else {},
    )


def _project(way: _Way, facts: _Facts) -> Project:
    steps = [_prompts(way, facts), _pool(way, facts), _design(way, facts)]
    campaign, moving = _campaign(way, facts)
    steps += [campaign, _export(way, facts)]
    return Project(steps, way.since, moving)


def _prompts(way: _Way, facts: _Facts) -> Step:
    title, one = _("Prompts"), way.prompt_set
    url = reverse("pools:prompt_set", args=[one.pk])
    if not one.imported_at:
        pool = way.pool.pk if way.pool else 0
        job = facts.jobs.get(("import_prompts", one.pk)) or facts.jobs.get(("import_pool", pool))
        return _unfinished(title, one.name, url, job)
    number = one.prompt_count
    words = ngettext("%(number)s prompt", "%(number)s prompts", number) % {"number": whole(number)}
    return Step(title, "done", one.name, url, words)


def _pool(way: _Way, facts: _Facts) -> Step:
    title, one = _("Pool"), way.pool
    if one is None:
        url = f"{reverse('pools:pool_new')}?prompt_set={way.prompt_set.pk}"
        return _to_come(title, _("Generate completions"), url, bool(way.prompt_set.imported_at))
    url = reverse("pools:pool", args=[one.pk])
    if not one.completed_at:
        made_by = "import_pool" if one.source == Pool.Source.IMPORTED else "generate_pool"
        return _unfinished(title, one.name, url, facts.jobs.get((made_by, one.pk)))
    number = facts.completions.get(one.pk, 0)
    words = ngettext("%(number)s completion", "%(number)s completions", number)
    return Step(title, "done", one.name, url, words % {"number": whole(number)})


def _design(way: _Way, facts: _Facts) -> Step:
    title, one = _("Design"), way.design
    if one is None:
        pool = way.pool
        url = f"{reverse('designs:design_new')}?pool={pool.pk if pool else ''}"
        return _to_come(title, _("Choose pairs"), url, bool(pool and pool.completed_at))
    url = reverse("designs:design", args=[one.pk])
    if not one.solved_at:
        return _unfinished(title, one.name, url, facts.jobs.get(("solve_design", one.pk)))
    words = ngettext("%(number)s pair", "%(number)s pairs", one.budget)
    return Step(title, "done", one.name, url, words % {"number": whole(one.budget)})


def _campaign(way: _Way, facts: _Facts) -> tuple[Step, bool]:
    """The step, and whether labels are coming in."""
    title, one = _("Campaign"), way.campaign
    if one is None:
        design = way.design
        url = f"{reverse('annotate:campaign_new')}?design={design.pk if design else ''}"
        ready = bool(design and design.solved_at)
        return _to_come(title, _("Open a campaign"), url, ready), False
    url = reverse("annotate:campaign", args=[one.pk])
    if not one.opened_at:
        job = facts.jobs.get(("open_campaign", one.pk))
        return _unfinished(title, one.name, url, job), False
    labels = facts.labels.get(one.pk, {"labelled": 0, "total": 0, "last": None})
    done, total = labels["labelled"], labels["total"]
    numbers = {"done": whole(done), "total": whole(total)}
    words = _("%(done)s of %(total)s labels") % numbers
    state, last = "running", labels["last"]
    if done == total:
        state = "done"
    elif one.closed_at:
        state, words = "done", _("closed, %(done)s of %(total)s labels") % numbers
    elif one.paused_at:
        state, words = "paused", _("paused, %(done)s of %(total)s labels") % numbers
    moving = state == "running" and last is not None and last > timezone.now() - STILL_MOVING
    return Step(title, state, one.name, url, words, done, total), moving


def _export(way: _Way, facts: _Facts) -> Step:
    title, one = _("Export"), way.campaign
    if one is None or not one.opened_at:
        return Step(title, "later")
    url = reverse("annotate:campaign_exports", args=[one.pk])
    labels, last = facts.labels.get(one.pk), facts.exports.get(one.pk)
    is_over = labels is not None and (labels["labelled"] == labels["total"] or one.closed_at)
    if last is None or last.completed_at is None:
        return _to_come(title, _("Export"), url, bool(is_over and labels and labels["labelled"]))
    if is_over and facts.changes.get(one.pk, last.created_at) > last.created_at:
        return _to_come(title, _("Export again"), url, True)
    number = last.row_count or 0
    words = ngettext("%(number)s row, %(when)s", "%(number)s rows, %(when)s", number)
    when = str(naturaltime(last.completed_at))
    return Step(title, "done", url=url, words=words % {"number": whole(number), "when": when})


def _to_come(title: str, action: str, url: str, ready: bool) -> Step:
    return Step(title, "next", url=url, words=action) if ready else Step(title, "later")


def _unfinished(title: str, name: str, url: str, job: Job | None) -> Step:
    """One that is being made, or whose making has come to nothing."""
    if job is None:
        return Step(title, "paused", name, url, _("begun"))
    state = "running" if job.is_active else "failed"
    words = str(job.get_status_display())
    return Step(title, state, name, url, words, job.done, job.total if job.is_active else 0)
