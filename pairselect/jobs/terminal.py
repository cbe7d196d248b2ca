"""What the management commands share: what they say, as words or as JSON, and how they work."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import DatabaseError
from django.db.models import Manager, Model, QuerySet
from django.forms import Form
from tqdm import tqdm

from pairselect.jobs.actions import JobBusy, Work, enqueue_in_turn, follow, run_now
from pairselect.jobs.progress import JobError
from pairselect.jobs.queries import last_jobs
from pairselect.jobs.registry import get_kind
from pairselect.jobs.summaries import job_summary

M = TypeVar("M", bound=Model)


class Stopped(CommandError):
    """Somebody pressed Ctrl-C."""

    code = "stopped"


class NotFound(CommandError):
    """There is nothing of the name that was typed."""

    code = "not_found"


class JsonCommand(BaseCommand):
    """A command that answers in words, or with ``--json`` in one JSON object.

    Exit status 0, or 1 with one sentence on standard error. With ``--json`` the object is all
    that standard output holds, ``{"error": {"code", "message"}}`` if it failed; whatever else the
    command writes goes to standard error.
    """

    as_json = False

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(*args, **kwargs)
        parser.add_argument("--json", action="store_true", help="answer in one JSON object")
        if getattr(self, "_called_from_command_line", False) and "--json" in sys.argv:
            parser.error = self._refuse  # type: ignore[method-assign]
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.as_json = bool(options.get("json"))
        if not self.as_json:
            return super().execute(*args, **options)
        answer = options.pop("stdout", None)
        self._answer = OutputWrapper(answer) if answer else self.stdout
        self.stdout = OutputWrapper(options.get("stderr") or sys.stderr)
        try:
            return super().execute(*args, **options)
        except CommandError as problem:
            self._write_error(getattr(problem, "code", "refused"), str(problem))
            raise
        except Exception as problem:
            self._write_error("unexpected", f"Unexpected {type(problem).__name__}: {problem}")
            raise

    def tell(
        self,
        sentence: str | Callable[[], str],
        result: Mapping[str, object] | Callable[[], Mapping[str, object]],
    ) -> None:
        """Say what came of it, once, at the end: the sentence, or the JSON object.

        Functions are called only if what they give is said.
        """
        if self.as_json:
            self._write(result() if callable(result) else result)
        else:
            self.stdout.write(sentence() if callable(sentence) else sentence)

    def _write(self, answer: Mapping[str, object]) -> None:
        self._answer.write(orjson.dumps(answer, default=str, option=orjson.OPT_UTC_Z).decode())

    def _write_error(self, code: str, message: str) -> None:
        self._write({"error": {"code": code, "message": message}})

    def _refuse(self, message: str) -> NoReturn:
        """What was typed is no use of the command."""
        self._answer = self.stdout
        self._write_error("usage", message)
        self.stderr.write(message)
        sys.exit(1)


class JobCommand(JsonCommand):
    """A command whose work is one job or a few in a row."""

    _queued: Work | None = None  # what was handed to workers, if it was

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--enqueue", action="store_true", help="hand the work to a worker and return"
        )

    def carry_out(self, work: Work, *, enqueue: bool) -> None:
        """Run or queue the jobs, each after the one before."""
        if enqueue:
            job = enqueue_in_turn(work)
            self._queued = work
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

    def tell(
        self,
        sentence: str | Callable[[], str],
        result: Mapping[str, object] | Callable[[], Mapping[str, object]],
    ) -> None:
        """As of any command. Of work that was queued the words have been said, and the object
        has ``jobs`` besides: those that are under way."""
        if self._queued is None:
            super().tell(sentence, result)
        elif self.as_json:
            jobs = last_jobs(self._queued)
            found = [job_summary(jobs[key]) for key in self._queued if key in jobs]
            self._write({**(result() if callable(result) else result), "jobs": found})

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


def named(rows: Manager[M] | QuerySet[M], name: str, *, advice: str = "") -> M:
    """The row of that name.

    Raises
    ------
    NotFound
        Saying that there is none, and the ``advice``.
    """
    found = rows.filter(name=name).first()
    if found is None:
        what = rows.model._meta.verbose_name
        raise NotFound(f"There is no {what} named “{name}”. {advice}".strip())
    return found


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
