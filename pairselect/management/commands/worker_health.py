from typing import Any

import psutil
from django.core.management.base import CommandError
from django.db import Error as AnyDatabaseError
from django.utils import timezone

from pairselect.health import OK, readiness
from pairselect.jobs.actions import STALE_AFTER
from pairselect.jobs.models import Job
from pairselect.jobs.terminal import JsonCommand
from pairselect.jobs.workers import pid_here


class Command(JsonCommand):
    help = "Whether a worker on this machine is ready, and beats while it works: for containers."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            problems = [f"{name}: {said}" for name, said in readiness().items() if said != OK]
            workers = processes()
            if not workers:
                problems.append("No db_worker runs on this machine.")
            if not problems:
                problems = silent(workers)
        except AnyDatabaseError as problem:
            raise CommandError("The database does not answer.") from problem
        if problems:
            raise CommandError(" ".join(problems))
        self.tell(f"{len(workers)} ready", {"workers": len(workers)})


def processes() -> list[int]:
    """The workers' process numbers, of those that this account may see."""
    found = []
    for one in psutil.process_iter(["pid", "cmdline", "status"]):
        words = one.info["cmdline"] or []
        if "db_worker" in words and one.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(int(one.info["pid"]))
    return found


def silent(workers: list[int]) -> list[str]:
    """Those that have taken a job and have not been heard of since."""
    late = timezone.now() - STALE_AFTER
    jobs = Job.objects.filter(status=Job.Status.RUNNING).exclude(heartbeat_at__gte=late)
    stuck = [job for job in jobs if pid_here(job.worker) in workers]
    return [f"The worker {pid_here(job.worker)} is silent at job {job.pk}." for job in stuck]
