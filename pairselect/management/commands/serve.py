import signal
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor

from annotate.models import Campaign
from pairselect.jobs.actions import sweep_stale_jobs
from pairselect.jobs.models import Job
from pairselect.supervisor import Child, ChildBroken, PortTaken, Supervisor, check_port

SWEEP_SECONDS = 5.0


class Command(BaseCommand):
    help = "Run web server and workers until Ctrl-C, and show the progress of their jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--web-processes", type=int, default=2)
        parser.add_argument("--threads", type=int, default=8, help="of each web process")
        parser.add_argument(
            "--no-workers", action="store_true", help="web only: workers run elsewhere"
        )

    def handle(
        self,
        *args: Any,
        host: str,
        port: int,
        web_processes: int,
        threads: int,
        no_workers: bool,
        **options: Any,
    ) -> None:
        if MigrationExecutor(connection).migration_plan(
            MigrationExecutor(connection).loader.graph.leaf_nodes()
        ):
            raise CommandError("The database is not up to date: run manage.py migrate first.")
        try:
            check_port(host, port)
        except PortTaken as problem:
            raise CommandError(str(problem)) from problem
        children = [_web(host, port, web_processes, threads)]
        if not no_workers:
            children += [_worker("gpu"), _worker("cpu")]
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self.last_sweep = 0.0
        self.seen: dict[int, tuple[str, int, str]] = {}
        newest = Job.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        active = Job.objects.filter(status__in=Job.ACTIVE).order_by("pk").first()
        self.first_shown = active.pk if active else newest + 1
        self.stdout.write(f"pairselect is at {self.address}  (Ctrl-C stops it)")
        for campaign in Campaign.objects.filter(opened_at__isnull=False, closed_at__isnull=True):
            self._announce(campaign)
        try:
            Supervisor(children, say=self.stdout.write, tick=self.tick).run()
        except ChildBroken as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write("Stopped. Unfinished jobs go on at the next start.")

    def tick(self) -> None:
        try:
            if time.monotonic() - self.last_sweep > SWEEP_SECONDS:
                sweep_stale_jobs()
                self.last_sweep = time.monotonic()
            for job in Job.objects.filter(pk__gte=self.first_shown).order_by("pk"):
                self._show(job)
        except DatabaseError as problem:
            self.stderr.write(f"The database does not answer: {problem}")
            connection.close()
        close_old_connections()
        self.stdout.flush()

    def _show(self, job: Job) -> None:
        """A line when a job changes state, and at every tenth of its way."""
        state = (job.status, job.percent // 10, job.message if not job.done else "")
        if self.seen.get(job.pk) == state or job.status == Job.Status.WAITING:
            return
        self.seen[job.pk] = state
        title = job.title
        count = f"{job.done:,} of {job.total:,}" if job.total else ""
        line = "  ".join(part for part in (title, job.status, count, job.message) if part)
        self.stdout.write(line)
        if job.error:
            self.stdout.write(f"  {job.error}")
        if job.kind == "open_campaign" and job.status == Job.Status.DONE:
            self._announce(Campaign.objects.get(pk=job.subject_id))

    def _announce(self, campaign: Campaign) -> None:
        self.stdout.write(f"“{campaign}” is open: {self.address}/work/{campaign.pk}/")


def _web(host: str, port: int, processes: int, threads: int) -> Child:
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    command = [sys.executable, "-m", "gunicorn", "pairselect.wsgi", "--bind", bind]
    command += ["--worker-class", "gthread", "--workers", str(processes)]
    command += ["--threads", str(threads), "--log-level", "warning", "--no-control-socket"]
    return Child("the web server", command, orphan_signal=signal.SIGTERM)


def _worker(queue: str) -> Child:
    command = [sys.executable, "manage.py", "db_worker", "--queue-name", queue]
    command += ["--interval", "0.5", "--no-startup-delay", "--no-reload", "--verbosity", "0"]
    # Its job is taken up by the next worker, so it need not be asked politely.
    return Child(f"the {queue} worker", command, orphan_signal=signal.SIGKILL)
