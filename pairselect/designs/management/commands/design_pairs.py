from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.core import STRATEGIES
from pairselect.designs.actions import create_design, work_for_design
from pairselect.designs.forms import DesignForm
from pairselect.designs.models import Design
from pairselect.jobs.terminal import JobCommand, first_error
from pairselect.pools.models import Pool
from pairselect.pools.naming import NameRefused
from pairselect.pools.queries import DEFAULT_FEATURES, FEATURE_KINDS


class Command(JobCommand):
    help = "Choose the pairs of a pool that deserve a label, and queue them."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("pool")
        parser.add_argument("--name", required=True)
        parser.add_argument("--budget", type=int, required=True)
        parser.add_argument("--strategy", default="trace", choices=list(STRATEGIES))
        parser.add_argument("--method", default="exact", choices=Design.Method.values)
        parser.add_argument("--max-per-prompt", type=int)
        parser.add_argument("--features", default=DEFAULT_FEATURES, choices=FEATURE_KINDS)
        parser.add_argument("--dimension", type=int, help="of the features, at most")
        parser.add_argument("--seed", type=int, default=0)

    def handle(self, *args: Any, pool: str, features: str, enqueue: bool, **options: Any) -> None:
        try:
            found = Pool.objects.get(name=pool)
        except Pool.DoesNotExist:
            raise CommandError(f"There is no pool named “{pool}”.") from None
        fields = {key: options[key] for key in DesignForm.base_fields if key in options}
        form = DesignForm(fields | {"pool": found.pk, "feature_kind": features})
        if not form.is_valid():
            raise CommandError(first_error(form))
        try:
            design = create_design(**form.cleaned_data)
        except NameRefused as problem:
            raise CommandError(str(problem)) from problem
        self.carry_out(work_for_design(design), enqueue=enqueue)
        if not enqueue:
            design.refresh_from_db()
            self.stdout.write(f"{design.budget:,} pairs of “{found}”. {receipt(design)}")


def receipt(design: Design) -> str:
    parts = [f"Φ = {design.objective:.4g}, random pairs {design.random_objective:.4g}"]
    if design.gap is not None:
        parts.append(f"at most {design.gap:.2%} above the best possible")
    return ", ".join(parts) + "."
