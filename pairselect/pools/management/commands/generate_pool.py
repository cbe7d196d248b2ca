from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.jobs.terminal import JobCommand, first_error, named
from pairselect.pools.actions import create_pool, work_for_pool, work_for_report
from pairselect.pools.forms import TerminalPoolForm
from pairselect.pools.models import PromptSet
from pairselect.pools.naming import NameRefused
from pairselect.pools.summaries import pool_summary


class Command(JobCommand):
    help = "Generate several completions of every prompt in a set, and their features."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("prompt_set")
        parser.add_argument("--name", required=True)
        several = "; given several times, by each"
        parser.add_argument("--model", action="append", default=[], help="what writes" + several)
        parser.add_argument("--temperature", action="append", default=[], help="else 1" + several)
        parser.add_argument(
            "--system-prompt",
            action="append",
            default=[],
            help='for variety; "" is none' + several.replace("by", "with"),
        )
        parser.add_argument("--completions", type=int, default=8, help="of a prompt, in each way")
        parser.add_argument("--max-new-tokens", type=int, default=128)
        parser.add_argument("--top-p", type=float, default=1.0)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--no-features", action="store_true")

    def handle(
        self, *args: Any, prompt_set: str, no_features: bool, enqueue: bool, **options: Any
    ) -> None:
        imported = PromptSet.objects.filter(imported_at__isnull=False)
        prompts = named(imported, prompt_set, advice="Import one with import_prompts.")
        fields = {key: options[key] for key in TerminalPoolForm.base_fields if key in options}
        fields["temperature"] = ", ".join(options["temperature"]) or "1"
        fields["system_prompt"] = "\n---\n".join(options["system_prompt"])
        form = TerminalPoolForm(fields | {"prompt_set": prompts.pk})
        if not form.is_valid():
            raise CommandError(first_error(form))
        try:
            pool = create_pool(**form.settings)
        except NameRefused as problem:
            raise CommandError(str(problem)) from problem
        work = work_for_pool(pool, features="") if no_features else work_for_report(pool)
        self.carry_out(work, enqueue=enqueue)
        pool.refresh_from_db()
        self.tell(
            lambda: f"{pool.completions.count():,} completions in “{pool.name}”",
            lambda: pool_summary(pool),
        )
