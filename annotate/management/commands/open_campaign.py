from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotate.actions import create_campaign, work_for_campaign
from annotate.forms.asked import AskedForm
from annotate.forms.campaigns import GuidelinesForm
from annotate.models import Campaign
from annotate.queries import annotators
from annotate.summaries import campaign_detail
from pairselect.designs.models import Design
from pairselect.designs.words import count
from pairselect.jobs.terminal import JobCommand, named, seed_number
from pairselect.pools.naming import NameRefused

# Options that are not called as the form's fields are.
FLAGS = {
    "no_ties": ("ties", False),
    "no_both_bad": ("both_bad", False),
    "no_skips": ("skips", False),
    "no_flags": ("flags", False),
    "criteria_required": ("criteria_required", True),
    "edits": ("edits", True),
    "mask_identities": ("mask_identities", True),
}
VALUES = (
    "strengths",
    "reason",
    "labels_per_pair",
    "repeat_share",
    "gold_share",
    "mix_window",
    "pause_minutes",
    "passing_mark",
)


class Command(JobCommand):
    help = "Put a design's pairs before its annotators."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("design")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--annotator", action="append", default=[], metavar="USERNAME", help="repeatable"
        )
        parser.add_argument(
            "--guidelines", metavar="TEXT|@FILE", help="Markdown, shown to the annotators"
        )
        parser.add_argument("--seed", type=seed_number, help="decides the sides; else drawn")
        asked = parser.add_argument_group("what is asked; else as on the page that opens one")
        asked.add_argument("--strengths", metavar="1|2|3", help="steps of a preference")
        for option, what in (
            ("--no-ties", "ties are not offered"),
            ("--no-both-bad", "both bad is not offered"),
            ("--no-skips", "nothing can be skipped"),
            ("--no-flags", "nothing can be flagged"),
            ("--criteria-required", "every criterion must be answered"),
            ("--edits", "the better one may be edited"),
            ("--mask-identities", "hide where a text says which model wrote it"),
        ):
            asked.add_argument(option, action="store_true", help=what)
        asked.add_argument("--reason", help=", ".join(Campaign.Reason.values))
        asked.add_argument(
            "--reason-at",
            action="append",
            metavar="ANSWER",
            help="where it is required: side, tie or both_bad; repeatable",
        )
        asked.add_argument("--criterion", action="append", metavar="NAME", help="repeatable")
        asked.add_argument("--labels-per-pair", metavar="K", help="by as many people")
        asked.add_argument("--repeat-share", metavar="PERCENT", help="of the answers")
        asked.add_argument("--gold-share", metavar="PERCENT", help="of the answers")
        asked.add_argument("--mix-window", metavar="PAIRS", help="easy and hard take turns within")
        asked.add_argument("--pause-minutes", metavar="MINUTES", help="0: propose none")
        asked.add_argument("--passing-mark", metavar="PERCENT", help="of the onboarding")

    def handle(
        self,
        *args: Any,
        design: str,
        name: str,
        annotator: list[str],
        seed: int | None,
        guidelines: str | None,
        enqueue: bool,
        **options: Any,
    ) -> None:
        found = named(Design.objects, design)
        people = list(annotators().filter(username__in=annotator))
        missing = sorted(set(annotator) - {person.username for person in people})
        if missing:
            raise CommandError(
                f"There is no active annotator named “{missing[0]}”. Make one with create_person."
            )
        try:
            campaign = create_campaign(
                found,
                name=name,
                annotators=people,
                seed=seed,
                guidelines=None if guidelines is None else text_of(guidelines),
                **asked(options),
            )
        except NameRefused as problem:
            raise CommandError(str(problem)) from problem
        self.carry_out(work_for_campaign(campaign), enqueue=enqueue)
        campaign.refresh_from_db()
        self.tell(
            lambda: (
                f"“{campaign}” is open: {count(campaign.comparisons.count(), 'comparison')}, "
                f"{count(len(people), 'annotator')}"
            ),
            lambda: campaign_detail(campaign),
        )


def asked(options: dict[str, Any]) -> dict[str, Any]:
    """What the form makes of the options that were given: asked for again without them, a
    campaign keeps what was changed on its page."""
    data: dict[str, Any] = {"ties": True, "both_bad": True, "skips": True, "flags": True}
    given = {name: options[name] for name in VALUES if options.get(name) is not None}
    given |= {field: value for name, (field, value) in FLAGS.items() if options.get(name)}
    if options.get("criterion") is not None:
        given["criteria"] = "\n".join(options["criterion"])
    if options.get("reason_at") is not None:
        given["reason_at"] = options["reason_at"]
    form = AskedForm(data | given)
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        option = "criterion" if field == "criteria" else field.replace("_", "-")
        raise CommandError(f"--{option}: {errors[0]}")
    return {name: value for name, value in form.asked().items() if name in given}


def text_of(argument: str) -> str:
    """The text itself, or that of the file named after an @; as the page's form takes it."""
    if argument.startswith("@"):
        path = Path(argument[1:])
        try:
            argument = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise CommandError(f"--guidelines: {path} is not UTF-8; save it as UTF-8.") from None
        except OSError as problem:
            raise CommandError(
                f"--guidelines: {path} cannot be read: {problem.strerror}."
            ) from problem
    form = GuidelinesForm({"guidelines": argument})
    if not form.is_valid():
        raise CommandError(f"--guidelines: {form.errors['guidelines'][0]}")
    text: str = form.cleaned_data["guidelines"]
    return text
