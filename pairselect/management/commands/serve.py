import ipaddress
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.http.request import validate_host
from django.utils import timezone

from annotate.models import Campaign
from pairselect.fingerprints import publish
from pairselect.jobs.actions import sweep_stale_jobs
from pairselect.jobs.models import Job
from pairselect.jobs.workers import pid_here
from pairselect.supervisor import Child, ChildBroken, PortTaken, Supervisor, check_port

SWEEP_SECONDS = 5.0
ENDED_LATELY = timedelta(minutes=1)
ALL_INTERFACES = ("0.0.0.0", "::")  # noqa: S104  # nosec B104


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
        if not 1 <= port <= 65535:
            raise CommandError(f"--port {port}: a port is a number from 1 to 65535.")
        migrations = MigrationExecutor(connection)
        if migrations.migration_plan(migrations.loader.graph.leaf_nodes()):
            raise CommandError("The database is not up to date: run manage.py migrate first.")
        try:
            check_port(host, port)
        except PortTaken as problem:
            raise CommandError(str(problem)) from problem
        try:
            publish()
        except OSError as problem:
            raise CommandError(
                f"Static files cannot be put into {settings.STATIC_ROOT}: {problem.strerror}."
            ) from problem
        children = [_web(host, port, web_processes, threads)]
        if not no_workers:
            children += [_worker("gpu"), _worker("cpu")]
        address = f"http://{name_to_type(host)}:{port}"
        self.say(f"pairselect is at {address}  (Ctrl-C stops it)")
        if is_refused(host):
            self.say(
                "PAIRSELECT_ALLOWED_HOSTS must name the host that people type into the browser: "
                f"now only {', '.join(settings.ALLOWED_HOSTS)} are let in."
            )
        watch = JobWatch(self.say, address)
        supervisor = Supervisor(children, say=self.say, tick=watch.tick)
        watch.on_stuck = supervisor.end_stuck
        watch.announce_open_campaigns()
        try:
            supervisor.run()
        except ChildBroken as problem:
            raise CommandError(str(problem)) from problem
        self.say("Stopped. Unfinished jobs go on at the next start.")

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


class JobWatch:
    """Takes up the jobs of dead workers, and says how far jobs are."""

    def __init__(self, say: Callable[[str], None], address: str) -> None:
        self.say = say
        self.address = address
        self.started = timezone.now()
        self.last_sweep = 0.0
        self.cut_off = False
        self.on_stuck: Callable[[int], None] | None = None  # called with a process of this machine
        self.said: dict[int, tuple[str, int, str]] = {}  # of each job, what was last said of it

    def tick(self) -> None:
        try:
            if time.monotonic() - self.last_sweep > SWEEP_SECONDS:
                sweep_stale_jobs(on_stuck=self._is_stuck)
                self.last_sweep = time.monotonic()
            self.look()
            if self.cut_off:
                self.say("The database answers again.")
            self.cut_off = False
        except AnyDatabaseError as problem:
            if not self.cut_off:
                self.say(f"The database does not answer: {' '.join(str(problem).split())}")
            self.cut_off = True
            # Whoever works has had no way to beat either: their hearts are given time for it.
            self.last_sweep = time.monotonic()
            connection.close()
        close_old_connections()

    def _is_stuck(self, worker: str) -> None:
        pid = pid_here(worker)
        if pid is not None and self.on_stuck is not None:
            self.on_stuck(pid)

    def look(self) -> None:
        """Say what is new of the jobs that are active or have ended lately."""
        since = max(self.started, timezone.now() - ENDED_LATELY)
        jobs = list(
            Job.objects.filter(
                Q(status__in=Job.ACTIVE) | Q(finished_at__gte=since),
            ).order_by("pk")
        )
        for job in jobs:
            self._show(job)
        self.said = {job.pk: self.said[job.pk] for job in jobs if job.pk in self.said}

    def announce_open_campaigns(self) -> None:
        for campaign in Campaign.objects.filter(opened_at__isnull=False, closed_at__isnull=True):
            self._announce(campaign)

    def _show(self, job: Job) -> None:
        """A line when a job changes state, and at every tenth of its way."""
        state = (job.status, job.percent // 10, job.message if not job.done else "")
        if self.said.get(job.pk) == state or job.status == Job.Status.WAITING:
            return
        self.said[job.pk] = state
        way = f"{job.done:,} of {job.total:,}" if job.done and job.total else job.message
        self.say("  ".join(part for part in (job.label, job.status, way) if part))
        if job.error:
            self.say(f"  {job.error}")
        if job.kind == "open_campaign" and job.status == Job.Status.DONE:
            for campaign in Campaign.objects.filter(pk=job.subject_id):
                self._announce(campaign)

    def _announce(self, campaign: Campaign) -> None:
        self.say(f"“{campaign}” is open: {self.address}/work/{campaign.pk}/")


def name_to_type(host: str) -> str:
    """What stands for the bound host in an address: for all interfaces, a name that is let in."""
    if host in ALL_INTERFACES:
        names = [name for name in settings.ALLOWED_HOSTS if not name.startswith(("*", "."))]
        return names[0] if names else "localhost"
    return f"[{host}]" if ":" in host else host


def is_refused(host: str) -> bool:
    """Whether other machines can reach the host, and are sent away by the name that they use."""
    allowed = settings.ALLOWED_HOSTS
    if host in ALL_INTERFACES:
        return all(_is_loopback(name.strip("[]")) for name in allowed)
    return not _is_loopback(host) and not validate_host(name_to_type(host), allowed)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _web(host: str, port: int, processes: int, threads: int) -> Child:
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    command = [sys.executable, "-m", "gunicorn", "pairselect.wsgi", "--bind", bind]
    command += ["--worker-class", "gthread", "--workers", str(processes)]
    command += ["--threads", str(threads), "--log-level", "warning", "--no-control-socket"]
    return Child("the web server", command, signal.SIGTERM, settings.BASE_DIR)


def _worker(queue: str) -> Child:
    command = [
        sys.executable,
        str(settings.BASE_DIR / "manage.py"),
        "db_worker",
        "--queue-name",
        queue,
    ]
    command += ["--interval", "0.5", "--no-startup-delay", "--no-reload", "--verbosity", "0"]
    # Its job is taken up by the next worker, so it need not be asked politely.
    return Child(f"the {queue} worker", command, signal.SIGKILL, settings.BASE_DIR)
