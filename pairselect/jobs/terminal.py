"""What the management commands share: run in the foreground, or hand to a worker."""

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import DatabaseError
from django.forms import Form
from tqdm import tqdm

from pairselect.jobs.actions import JobBusy, Work, enqueue_in_turn, follow, run_now
from pairselect.jobs.progress import JobError
from pairselect.jobs.registry import get_kind


class Stopped(CommandError):
    """Somebody pressed Ctrl-C."""


class JobCommand(BaseCommand):
    """A command whose work is one job or a few in a row.

    Exit status 0, or 1 with one sentence on standard error.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--enqueue", action="store_true", help="hand the work to a worker and return"
        )

    def carry_out(self, work: Work, *, enqueue: bool) -> None:
        """Run or queue the jobs, each after the one before."""
        if enqueue:
            job = enqueue_in_turn(work)
            titles = ", then ".join(get_kind(kind).title.lower() for kind, _ in work)
            self.stdout.write(f"Queued: {titles}." if job else "Nothing is left to do.")
            return
        for place, (kind, subject_id) in enumerate(work):
            try:
                self._run(kind, subject_id, may_follow=place > 0)
            except (JobBusy, JobError) as problem:
                raise CommandError(str(problem)) from problem
            except DatabaseError as problem:
                raise CommandError(f"The database does not take it: {problem}.") from problem
            except KeyboardInterrupt:
                raise Stopped(
                    "Stopped. What was finished is kept: the same command goes on from there."
                ) from None

    def _run(self, kind: str, subject_id: int, *, may_follow: bool) -> None:
        """One job here. A later one of a chain may be with a worker already: watch it there."""
        title = str(get_kind(kind).title)
        with progress_bar(title, self.stderr) as bar:

            def show(done: int, total: int, message: str) -> None:
                bar.total = total or None
                bar.set_postfix_str(message, refresh=False)
                bar.n = done
                bar.refresh()

            try:
                run_now(kind, subject_id, listener=show)
            except JobBusy as busy:
                if not may_follow:
                    raise
                follow(busy.job, listener=show)


def progress_bar(title: str, stream: OutputWrapper) -> tqdm:
    """None where nobody watches: a script's standard error holds what went wrong alone."""
    return tqdm(desc=title, unit="", file=stream, dynamic_ncols=True, disable=not stream.isatty())


def seed_number(text: str) -> int:
    """A seed as an option's value: a whole number from 0 to 2⁶³ − 1."""
    value = int(text)
    if not 0 <= value < 2**63:
        raise ValueError(text)
    return value


def first_error(form: Form) -> str:
    """The first thing that is wrong with the options, named as they are typed."""
    field, errors = next(iter(form.errors.items()))
    return f"--{field.replace('_', '-')}: {errors[0]}"
