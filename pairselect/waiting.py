"""What waits for an admin: concrete rows, each with the page where it is seen to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Window
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Campaign, Comparison, Export, Flag, Gold
from annotate.queries import last_changes
from pairselect.designs.models import Design
from pairselect.jobs.models import Job
from pairselect.jobs.registry import SubjectFacts, get_kind
from pairselect.pools.models import Pool, PromptSet, Upload
from pairselect.pools.words import whole

MOST = 3  # named of each sort; the others are counted
MOST_COMPARED = 200  # exported campaigns whose labels are compared with their export
FAILED_FOR = timedelta(days=14)  # what nobody has mended by then waits for nobody
Kind = Comparison.Kind


@dataclass(frozen=True)
class Item:
    name: str
    url: str
    note: str = ""


@dataclass(frozen=True)
class Waiting:
    """Rows that wait for the same thing."""

    words: str
    items: Sequence[Item]
    total: int
    all_url: str = ""  # where the others are
    urgent: bool = False

    @property
    def more(self) -> int:
        return self.total - len(self.items)


def waiting() -> list[Waiting]:
    """The most pressing first."""
    found = [
        _failed(),
        _unlabelled_by_anybody(),
        _flagged(),
        _undecided(),
        _without_gold(),
        _to_confirm(),
        _to_export(),
        _next(
            _("Designs without a campaign"),
            Design.objects.filter(solved_at__isnull=False, campaigns=None),
            "designs:design",
            "designs:designs",
        ),
        _next(
            _("Pools without a design"),
            Pool.objects.filter(completed_at__isnull=False, designs=None),
            "pools:pool",
            "pools:pools",
        ),
        _next(
            _("Prompts without completions"),
            PromptSet.objects.filter(imported_at__isnull=False, pools=None),
            "pools:prompt_set",
            "pools:prompt_sets",
        ),
    ]
    return [one for one in found if one is not None]


def _named(rows: QuerySet[Any]) -> tuple[list[tuple[int, str]], int]:
    """Id and name of the first of them, and how many there are, in one query."""
    found = rows.annotate(in_all=Window(Count("pk"))).order_by("-pk")
    shown = list(found.values_list("pk", "name", "in_all")[:MOST])
    return [(pk, name) for pk, name, _all in shown], shown[0][2] if shown else 0


def _listed(
    words: str, rows: QuerySet[Any], page: str, listed: str, *, urgent: bool = False
) -> Waiting | None:
    named, total = _named(rows)
    if not named:
        return None
    items = [Item(name, reverse(page, args=[pk])) for pk, name in named]
    return Waiting(words, items, total, reverse(listed), urgent)


def _next(words: str, rows: QuerySet[Any], page: str, listed: str) -> Waiting | None:
    return _listed(words, rows.filter(archived_at=None), page, listed)


def _failed() -> Waiting | None:
    """The last job of its kind on a row that is still there and not archived."""
    since = timezone.now() - FAILED_FOR
    later = Job.objects.filter(
        kind=OuterRef("kind"), subject_id=OuterRef("subject_id"), pk__gt=OuterRef("pk")
    )
    failed = Job.objects.filter(status=Job.Status.FAILED, finished_at__gt=since)
    failed = failed.exclude(kind="plan_design")  # its form has said so, and nothing lacks it
    jobs = list(failed.filter(~Exists(later)).order_by("-finished_at"))
    subjects: dict[tuple[str, int], SubjectFacts] = {}
    for name in {job.kind for job in jobs}:
        subjects |= _living(name, (job.subject_id for job in jobs if job.kind == name))
    items = []
    for job in jobs:
        job.subject = subjects.get((job.kind, job.subject_id))
        if job.subject is not None:
            items.append(Item(job.label, job.subject.url))
    if not items:
        return None
    return Waiting(_("Failed"), items[:MOST], len(items), urgent=True)


def _living(name: str, ids: Iterable[int]) -> dict[tuple[str, int], SubjectFacts]:
    """What jobs of a kind work on, where it is still there and not archived, in one query."""
    subject = get_kind(name).subject
    if subject is None:
        return {}
    model: Any = apps.get_model(subject.model)
    holder = model._meta.get_field(subject.named_by).related_model if subject.named_by else model
    before = f"{subject.named_by}__" if subject.named_by else ""
    rows = model._default_manager.filter(pk__in=set(ids))
    if hasattr(holder, "archived_at"):
        rows = rows.filter(**{f"{before}archived_at": None})
    return {
        (name, pk): SubjectFacts(str(title), reverse(subject.page, args=[page]))
        for pk, page, title in rows.values_list("pk", f"{before}pk", f"{before}name")
    }


def _to_confirm() -> Waiting | None:
    looking = Job.objects.filter(
        kind__in=("inspect_upload", "discard_upload"),
        subject_id=OuterRef("pk"),
        status__in=Job.ACTIVE,
    )
    rows = Upload.objects.filter(prompt_set=None, preview__isnull=False, columns__isnull=True)
    return _listed(
        _("Files to import"),
        rows.exclude(Exists(looking)),
        "pools:prompt_set_upload",
        "pools:prompt_sets",
    )


def _open_campaigns() -> QuerySet[Campaign]:
    return Campaign.objects.filter(
        opened_at__isnull=False, closed_at=None, paused_at=None, archived_at=None
    )


def _unlabelled() -> Exists:
    rows = Comparison.objects.filter(
        campaign=OuterRef("pk"), kind=Kind.LABEL, labelled_at__isnull=True
    )
    return Exists(rows)


def _unlabelled_by_anybody() -> Waiting | None:
    people = Campaign.annotators.through.objects.filter(
        campaign=OuterRef("pk"), user__is_active=True
    )
    return _listed(
        _("Campaigns without annotators"),
        _open_campaigns().filter(~Exists(people), _unlabelled()),
        "annotate:campaign",
        "annotate:campaigns",
        urgent=True,
    )


def _without_gold() -> Waiting | None:
    gold = Gold.objects.filter(campaign=OuterRef("pk"), retired_at=None)
    rows = _open_campaigns().filter(
        Q(gold_share__gt=0) & ~Exists(gold.filter(use=Gold.Use.CHECK))
        | Q(passing_mark__isnull=False) & ~Exists(gold.filter(use=Gold.Use.ONBOARDING))
    )
    return _listed(
        _("Campaigns that lack gold pairs"),
        rows,
        "annotate:campaign_gold",
        "annotate:campaigns",
    )


def _flagged() -> Waiting | None:
    rows = Flag.objects.filter(resolved_at=None, comparison__campaign__archived_at=None)
    return _counted(_("Open flags"), rows, "annotate:campaign_flags")


def _undecided() -> Waiting | None:
    """Pairs whose labels differ, and that wait for an adjudicator that there is not."""
    rows = Comparison.objects.filter(
        kind=Kind.ADJUDICATION,
        labelled_at=None,
        campaign__archived_at=None,
        campaign__closed_at=None,
    )
    people = Campaign.adjudicators.through.objects.filter(
        campaign=OuterRef("campaign"), user__is_active=True
    )
    return _counted(
        _("Disagreements without adjudicator"),
        rows.filter(~Exists(people)),
        "annotate:campaign_disagreements",
        path="campaign",
    )


def _counted(
    words: str, rows: QuerySet[Any], page: str, *, path: str = "comparison__campaign"
) -> Waiting | None:
    """How many there are in each campaign, the most first."""
    campaigns = rows.order_by().values_list(path, f"{path}__name").annotate(number=Count("pk"))
    found = list(campaigns.order_by("-number", path))
    if not found:
        return None
    items = [Item(name, reverse(page, args=[pk]), whole(n)) for pk, name, n in found[:MOST]]
    return Waiting(words, items, len(found), reverse("annotate:campaigns"))


def _to_export() -> Waiting | None:
    exports = Export.objects.filter(campaign=OuterRef("pk"), completed_at__isnull=False)
    last = Subquery(exports.order_by("-created_at").values("created_at")[:1])
    rows = Campaign.objects.filter(~_unlabelled(), opened_at__isnull=False, archived_at=None)
    found = list(rows.order_by("-pk").annotate(last=last).values_list("pk", "name", "last"))
    # What was exported long ago stays as it is: looking through all labels would take seconds.
    exported = dict([(pk, at) for pk, _name, at in found if at is not None][:MOST_COMPARED])
    newest = last_changes(exported, since=min(exported.values())) if exported else {}
    due = [(pk, name) for pk, name, at in found if at is None or newest.get(pk, at) > at]
    if not due:
        return None
    items = [Item(name, reverse("annotate:campaign_exports", args=[pk])) for pk, name in due[:MOST]]
    return Waiting(_("Complete, not exported"), items, len(due), reverse("annotate:campaigns"))
