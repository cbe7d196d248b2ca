from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.forms.machines import AskedPairsForm
from annotate.machines.actions import MachineRefused, assign, create_machine, work_for
from annotate.machines.measures import MachineMeasures
from annotate.machines.summaries import machine_summary, measures_of
from annotate.measures import Share
from annotate.models import Campaign
from pairselect.jobs.terminal import JobCommand, first_error, named


class Command(JobCommand):
    help = "Have a model on a server compare a campaign's pairs, each in both orders."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("campaign")
        parser.add_argument("--model", required=True, help="on one of your servers: lab:NAME")
        parser.add_argument("--name", help="tells machines apart; else the model's own")
        parser.add_argument("--instructions", default="", help="besides the guidelines")
        parser.add_argument("--pairs", metavar="N", help="the first of the queue; else all")
        parser.add_argument(
            "--labelled-only", action="store_true", help="of those, what people have labelled"
        )

    def handle(
        self,
        *args: Any,
        campaign: str,
        model: str,
        name: str | None,
        instructions: str,
        enqueue: bool,
        **options: Any,
    ) -> None:
        found = named(Campaign.objects, campaign)
        if not model:
            raise CommandError("--model: give server and model, such as lab:NAME.")
        form = AskedPairsForm(options)
        if not form.is_valid():
            raise CommandError(first_error(form))
        try:
            machine = create_machine(
                name or usual_name(model), model=model, instructions=instructions
            )
            assignment = assign(found, machine, **form.cleaned_data)
        except MachineRefused as problem:
            raise CommandError(str(problem)) from problem
        self.carry_out(work_for(assignment), enqueue=enqueue)
        assignment.refresh_from_db()
        self.tell(
            lambda: sentence(measures_of(assignment)),
            lambda: {"machine": machine_summary(measures_of(assignment))},
        )


def usual_name(model: str) -> str:
    """The model's name with what a machine's cannot hold taken out."""
    last = (model.partition(":")[2] or model).rpartition("/")[2]
    return "".join(c if c.isalnum() or c in "._+-" else "-" for c in last)[:60]


def sentence(one: MachineMeasures) -> str:
    return (
        f"{one.name}: {one.answers:,} answers, {one.pairs:,} pairs in both orders; the same in "
        f"both {shown(one.consistent)}, followed the side {shown(one.kept_side)}, agrees with "
        f"people {shown(one.agreement)}"
    )


def shown(share: Share) -> str:
    if share.percent is None:
        return "–"
    return f"{share.percent:.0f}% ({share.low:.0f}–{share.high:.0f}% of {share.total:,})"
