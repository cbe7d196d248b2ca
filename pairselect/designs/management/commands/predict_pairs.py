from typing import Any

from django.core.management.base import CommandParser

from pairselect.designs.forms import DesignForm
from pairselect.designs.models import Plan
from pairselect.designs.options import add_choice_options, checked
from pairselect.designs.planning import ask_plan, plan_summary, work_for_plan
from pairselect.designs.words import about, count, figure
from pairselect.jobs.terminal import JobCommand, named
from pairselect.pools.models import Pool


class Command(JobCommand):
    help = "Predict what labels would bring, by each strategy, before any pair is chosen."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("pool")
        add_choice_options(parser)

    def handle(self, *args: Any, pool: str, enqueue: bool, **options: Any) -> None:
        found = named(Pool.objects, pool)
        form = DesignForm(options | {"pool": found.pk}, predicts=True)
        plan = ask_plan(**checked(form), entry=form.typed())
        self.carry_out(work_for_plan(plan), enqueue=enqueue)
        plan.refresh_from_db()
        self.tell(lambda: told(plan), lambda: plan_summary(plan))


def told(plan: Plan) -> str:
    """The sentence, what it leaves out, and a line for each strategy."""
    facts = plan_summary(plan)
    without, prompts = facts["prompts_without_a_pair"], facts["prompts"]
    lines = [f"{facts['verdict']} {without:,} of {count(prompts, 'prompt')} without a pair."]
    if facts["knee"]:
        said = "labels on, twice as many bring less than half of what they could."
        lines.append(f"From about {facts['knee']:,} {said}")
    lines.append(f"{'strategy':<20}{'Φ':>10}{'worth':>16}{'prompts without':>18}{'seconds':>10}")
    for row in sorted(facts["strategies"], key=lambda row: float(row["objective"])):
        worth = "more than all" if row["worth"] is None else f"{about(row['worth']):,}"
        lines.append(
            f"{row['name']:<20}{figure(row['objective']):>10}{worth:>16}{row['without']:>18,}"
            f"{row['seconds']:>10.1f}"
        )
    if facts["left_out"]:
        lines.append(
            f"Left out, as they take long on so many pairs: {', '.join(facts['left_out'])}."
        )
    return "\n".join(lines)
