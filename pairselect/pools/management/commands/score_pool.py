from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.jobs.terminal import JobCommand, first_error, named
from pairselect.pools.actions import create_score_set
from pairselect.pools.forms import TerminalScoreForm
from pairselect.pools.models import Pool
from pairselect.pools.naming import NameRefused
from pairselect.pools.summaries import pool_summary


class Command(JobCommand):
    help = "Score a pool's completions by a reward model, or by a judge on a server."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("pool")
        parser.add_argument(
            "--model",
            required=True,
            help="a reward model (a folder or a hub id), or a judge on a server (lab:NAME)",
        )
        parser.add_argument("--rubric", default="", help="what a judge is asked to look at")
        parser.add_argument("--name", default="", help="tells scores apart; else the model's")

    def handle(self, *args: Any, pool: str, enqueue: bool, **options: Any) -> None:
        found = named(Pool.objects, pool)
        form = TerminalScoreForm({key: options[key] for key in TerminalScoreForm.base_fields})
        if not form.is_valid():
            raise CommandError(first_error(form))
        try:
            score_set = create_score_set(found, **form.cleaned_data)
        except NameRefused as problem:
            raise CommandError(str(problem)) from problem
        self.carry_out([("score_pool", score_set.pk)], enqueue=enqueue)
        self.tell(
            lambda: f"{score_set.scores.count():,} scores of “{pool}” by {score_set}",
            lambda: pool_summary(found),
        )
