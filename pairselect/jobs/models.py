import re

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from pairselect.jobs.registry import JobKind, Remedy, SubjectFacts, get_kind

BAD_ROW = re.compile(r"\s+(?=Row [\d,]+: |And [\d,]+ more\.)")


class Job(models.Model):
    """One piece of long work, and what a person may know of it.

    The task queue only carries the job's id. Who runs the job, whether it still lives and how
    far it is stand here, so that a worker killed at any moment leaves a row that can be judged.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")  # for another job
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    ACTIVE = (Status.WAITING, Status.QUEUED, Status.RUNNING)
    UNDONE = (Status.FAILED, Status.CANCELLED)

    kind = models.CharField(max_length=40)
    subject_id = models.PositiveBigIntegerField(help_text="the row that the job works on")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    after = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="followers"
    )

    attempt = models.PositiveIntegerField(default=0, help_text="claims so far")
    done_at_claim = models.PositiveBigIntegerField(default=0)
    fruitless = models.PositiveIntegerField(
        default=0, help_text="workers lost in a row without progress"
    )
    worker = models.CharField(max_length=200, blank=True, help_text="host/pid/start of process")
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    task_id = models.CharField(max_length=40, blank=True)

    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True)
    notices = models.TextField(blank=True, help_text="what happened on the way, a line each")
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
        return str(self._kind.title)

    @cached_property
    def subject(self) -> SubjectFacts | None:
        """What the job works on; None when it is gone. `with_subjects` reads those of many."""
        subject = self._kind.subject
        return subject.find([self.subject_id]).get(self.subject_id) if subject else None

    @property
    def subject_name(self) -> str:
        return self.subject.name if self.subject else ""

    @property
    def subject_url(self) -> str:
        return self.subject.url if self.subject else ""

    @property
    def label(self) -> str:
        """What the job does and on what."""
        kind = self._kind
        if kind.subject is None or not self.subject_name:
            return self.title
        return str(kind.subject.label).format(title=self.title, name=self.subject_name)

    @property
    def refreshes_page(self) -> bool:
        return self._kind.refreshes_page

    @property
    def download_url(self) -> str:
        """The file that a finished job has made, if its kind makes one."""
        if self.status != self.Status.DONE or not self._kind.download:
            return ""
        return reverse(self._kind.download, args=[self.subject_id])

    @property
    def remedy(self) -> Remedy | None:
        """What helps a job that failed for what it was given."""
        remedy = self._kind.remedy
        failed = self.status == self.Status.FAILED
        return remedy if remedy and failed and self.error.startswith(remedy.error) else None

    @property
    def remedy_url(self) -> str:
        remedy, subject = self.remedy, self._kind.subject
        if remedy is None:
            return ""
        if not remedy.of or subject is None:
            return reverse(remedy.page)
        pk = subject.related(self.subject_id, remedy.of)
        return reverse(remedy.page, args=[pk]) if pk else ""

    @property
    def can_retry(self) -> bool:
        """Whether running it again, with what it waited for, may end otherwise."""
        if self.status not in self.UNDONE or self.remedy:
            return False
        return self.after is None or self.after.status not in self.UNDONE or self.after.can_retry

    @property
    def error_parts(self) -> list[str]:
        """The error's sentence, and after it a part for each bad row of a file that it names."""
        return BAD_ROW.split(self.error)

    @property
    def notice_lines(self) -> list[str]:
        return self.notices.splitlines()

    @property
    def _kind(self) -> JobKind:
        return get_kind(self.kind)

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done // self.total) if self.total else 0
