from django.conf import settings
from django.db import models
from django.db.models import Q


class Job(models.Model):
    """One piece of long work, and what a person may know of it.

    The task queue only carries the job's id. Who runs the job, whether it still lives and how
    far it is stand here, so that a worker killed at any moment leaves a row that can be judged.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting"  # for another job
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    ACTIVE = (Status.WAITING, Status.QUEUED, Status.RUNNING)

    kind = models.CharField(max_length=40)
    subject_id = models.PositiveBigIntegerField(help_text="the row that the job works on")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    after = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="followers"
    )

    attempt = models.PositiveIntegerField(default=0, help_text="claims so far")
    worker = models.CharField(max_length=200, blank=True, help_text="host/pid/start of process")
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    task_id = models.CharField(max_length=40, blank=True)

    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True)
    error = models.TextField(blank=True)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_id"],
                condition=Q(status__in=["waiting", "queued", "running"]),
                name="one_active_job_per_subject",
            )
        ]
        indexes = [models.Index(fields=["status", "heartbeat_at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id} ({self.status})"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def title(self) -> str:
        """What the job does, as people read it."""
        from pairselect.jobs.registry import get_kind  # which imports this module

        return get_kind(self.kind).title

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done // self.total) if self.total else 0
