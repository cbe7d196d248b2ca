"""Jobs that write a line at each step, past the database, so that two runs at once are seen."""

import os
import time
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group
from django.utils import timezone

from pairselect.jobs.models import Job
from pairselect.jobs.progress import JobError, JobProgress
from pairselect.jobs.registry import job_kind

STEPS = 12
STEP_SECONDS = float(os.environ.get("TRUST_STEP_SECONDS", "0.02"))


def write_line(job: str, *words: object) -> None:
    """One line in one write, which the kernel keeps whole and in order."""
    path = Path(settings.TRUST_FOLDER) / f"{job}.lines"
    line = " ".join(str(word) for word in (os.getpid(), time.monotonic_ns(), *words))
    with open(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY), "a") as file:
        file.write(f"{line}\n")


def steps(subject_id: int, progress: JobProgress, name: str) -> None:
    write_line(f"{name}-{subject_id}", "start")
    for step in range(STEPS):
        time.sleep(STEP_SECONDS)
        progress.report(step, STEPS, "stepping")
        write_line(f"{name}-{subject_id}", "step", step)
    write_line(f"{name}-{subject_id}", "end")


@job_kind("steps", title="Steps", queue="cpu")
def take_steps(subject_id: int, progress: JobProgress) -> None:
    steps(subject_id, progress, "steps")


@job_kind("refused", title="Refused", queue="cpu")
def refuse(subject_id: int, progress: JobProgress) -> None:
    steps(subject_id, progress, "refused")
    raise JobError("There was nothing to do it with.")


@job_kind("broken", title="Broken", queue="cpu")
def fail(subject_id: int, progress: JobProgress) -> None:
    steps(subject_id, progress, "broken")
    raise ZeroDivisionError("division by zero")


@job_kind("rows", title="Rows", queue="cpu")
def write_rows(subject_id: int, progress: JobProgress) -> None:
    """As `steps`, each step with a row in the database that is written once."""
    write_line(f"rows-{subject_id}", "start")
    for step in range(STEPS):
        time.sleep(STEP_SECONDS)
        Group.objects.get_or_create(name=f"rows-{subject_id}-{step}")
        progress.report(step + 1, STEPS, "writing")
        write_line(f"rows-{subject_id}", "step", step)
    write_line(f"rows-{subject_id}", "end")


@job_kind("busy", title="Busy", queue="cpu")
def keep_busy(subject_id: int, progress: JobProgress) -> None:
    """Write to the database for as long as nobody stops it, beside whoever labels."""
    while True:
        Job.objects.filter(subject_id=subject_id, kind="busy").update(queued_at=timezone.now())
        progress.report(time.monotonic_ns(), 0, "writing")  # it gets on, however often it is killed
        time.sleep(0.05)
