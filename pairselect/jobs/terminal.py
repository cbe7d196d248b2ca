"""What the management commands share: run in the foreground, or hand to a worker."""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.forms import Form
from tqdm import tqdm

from pairselect.jobs.actions import JobBusy, Work, enqueue_in_turn, run_now
from pairselect.jobs.progress import JobError
from pairselect.jobs.registry import get_kind


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
        for kind, subject_id in work:
            try:
                self._run(kind, subject_id)
            except (JobBusy, JobError) as problem:
                raise CommandError(str(problem)) from problem
            except DatabaseError as problem:
                raise CommandError(f"The database does not take it: {problem}.") from problem
            except KeyboardInterrupt:
                raise CommandError(
                    "Stopped. What was finished is kept: the same command goes on from there."
                ) from None

    def _run(self, kind: str, subject_id: int) -> None:
        title = get_kind(kind).title
        with tqdm(desc=title, unit="", file=self.stderr, dynamic_ncols=True) as bar:

            def show(done: int, total: int, message: str) -> None:
                bar.total = total or None
                bar.set_postfix_str(message, refresh=False)
                bar.n = done
                bar.refresh()

            run_now(kind, subject_id, listener=show)


def first_error(form: Form) -> str:
    """The first thing that is wrong with the options, named as they are typed."""
    field, errors = next(iter(form.errors.items()))
    return f"--{field.replace('_', '-')}: {errors[0]}"
