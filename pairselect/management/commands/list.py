from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser
from django.db.models import QuerySet

from annotate.models import Export
from annotate.queries import campaigns
from annotate.summaries import campaign_summary, export_summary
from pairselect.accounts.roles import role_of
from pairselect.api.models import Token
from pairselect.api.summaries import token_summary
from pairselect.designs.models import Design
from pairselect.designs.summaries import design_summary
from pairselect.jobs.models import Job
from pairselect.jobs.summaries import job_summary
from pairselect.jobs.terminal import JsonCommand
from pairselect.pools.models import PromptSet
from pairselect.pools.queries import pools
from pairselect.pools.summaries import pool_summary, prompt_set_summary


def person_summary(user: User) -> dict[str, Any]:
    return {"id": user.pk, "name": user.username, "role": role_of(user), "active": user.is_active}


# What can be listed: its rows, a row as an object, and what a line says of it.
Listed = tuple[Callable[[], QuerySet[Any]], Callable[[Any], Mapping[str, Any]], tuple[str, ...]]
THINGS: dict[str, Listed] = {
    "prompt-sets": (
        lambda: PromptSet.objects.select_related("upload").defer("upload__preview"),
        prompt_set_summary,
        ("name", "prompt_count"),
    ),
    "pools": (
        lambda: pools().prefetch_related("variants", "feature_sets", "score_sets"),
        pool_summary,
        ("name", "completions", "model"),
    ),
    "designs": (
        lambda: Design.objects.select_related("pool", "after", "score_set"),
        design_summary,
        ("name", "budget", "strategy", "verdict"),
    ),
    "campaigns": (
        lambda: campaigns().prefetch_related("annotators", "adjudicators"),
        campaign_summary,
        ("name", "state", "labels", "wanted"),
    ),
    "exports": (
        lambda: Export.objects.select_related("campaign"),
        export_summary,
        ("id", "format", "row_count", "sha256"),
    ),
    "jobs": (
        lambda: Job.objects.select_related("after"),
        job_summary,
        ("id", "status", "label", "error"),
    ),
    "people": (
        lambda: User.objects.prefetch_related("groups"),
        person_summary,
        ("name", "role"),
    ),
    "tokens": (
        lambda: Token.objects.select_related("user"),
        token_summary,
        ("username", "name", "prefix", "scopes"),
    ),
}


class Command(JsonCommand):
    help = "List what there is of a kind, the newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=list(THINGS), metavar="WHAT", help=", ".join(THINGS))
        parser.add_argument("--limit", type=int, default=50, help="at most; 50 if not said")

    def handle(self, *args: Any, what: str, limit: int, **options: Any) -> None:
        rows, summary, shown = THINGS[what]
        found = [summary(row) for row in rows().order_by("-pk")[: max(0, limit)]]
        lines = ["  ".join(_word(one[name]) for name in shown).rstrip() for one in found]
        nothing = f"There are no {what.replace('-', ' ')}."
        self.tell("\n".join(lines) or nothing, {what.replace("-", "_"): found})


def _word(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value or "–")
