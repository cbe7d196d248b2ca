import hashlib
import json
from datetime import UTC
from typing import Any, NoReturn

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from pairselect.trail.words import sentence_of

APPEND_ONLY = "An entry of the audit trail is never changed and never deleted."


class AppendOnly(Exception):
    """Somebody tried to change the trail."""

    def __init__(self) -> None:
        super().__init__(APPEND_ONLY)


class AppendOnlyRows(models.QuerySet[Any]):
    """Rows that can be read and added. The database's triggers refuse what goes past this."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly


class Kept(models.Model):
    """A row that is written once."""

    objects = AppendOnlyRows.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly


class Entry(Kept):
    """Who did what, when, to what. People and subjects stand here by number and name, as texts:
    a relation could be emptied, or would keep what it points to from being deleted."""

    class Via(models.TextChoices):
        WEB = "web", _("on the web")
        API = "api", _("by the API")
        COMMAND = "command", _("by command")
        JOB = "job", _("by a job")

    at = models.DateTimeField(default=timezone.now)
    person_id = models.PositiveBigIntegerField(null=True, blank=True)
    person_name = models.CharField(max_length=150, blank=True)
    via = models.CharField(max_length=10, choices=Via.choices)
    via_name = models.CharField(
        max_length=100, blank=True, help_text="of the token, the command, the kind of job"
    )
    action = models.CharField(max_length=60, help_text="campaign.paused")
    subject_kind = models.CharField(max_length=60, blank=True, help_text="annotate.campaign")
    subject_id = models.PositiveBigIntegerField(null=True, blank=True)
    subject_name = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    request_id = models.CharField(max_length=64, blank=True)
    job_id = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["at"]),
            models.Index(fields=["person_name", "id"], name="trail_by_person"),
            models.Index(fields=["action", "id"], name="trail_by_action"),
            models.Index(fields=["subject_kind", "subject_id", "id"], name="trail_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_name}".strip()

    @property
    def sentence(self) -> str:
        """What was done, for people, in their language."""
        return sentence_of(self.action, self.subject_name, self.details)

    def content(self) -> str:
        """All of it as one text that is always the same: what the chain's digests are made of."""
        told = {
            "id": self.pk,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "person": [self.person_id, self.person_name],
            "via": [self.via, self.via_name],
            "action": self.action,
            "subject": [self.subject_kind, self.subject_id, self.subject_name],
            "details": self.details,
            "request": self.request_id,
            "job": self.job_id,
        }
        return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class Seal(Kept):
    """One link of the chain: the digest of an entry's content and of the link before.

    Links are a table of their own, written just after the entry is committed: to write an entry
    then takes no lock, and a long transaction that has written one keeps nobody waiting.
    """

    number = models.PositiveBigIntegerField(primary_key=True, help_text="1, 2, 3 … without gaps")
    entry_id = models.PositiveBigIntegerField(unique=True)
    digest = models.CharField(max_length=64, help_text="SHA-256")

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


def link(before: str, entry: Entry) -> str:
    """The digest of the entry that follows the link with the digest ``before``."""
    return hashlib.sha256(f"{before}\n{entry.content()}".encode()).hexdigest()
