import uuid

from django.conf import settings
from django.db import models

from annotate.models.campaigns import Campaign


class Export(models.Model):
    """A folder of dataset files made from a campaign's labels, with its card and its report."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="exports")
    format = models.CharField(max_length=20)
    options = models.JSONField(default=dict, help_text="what was asked for: filters, split, files")
    file = models.UUIDField(default=uuid.uuid4, unique=True, help_text="its name on the disk")
    files = models.JSONField(default=list, help_text="name, rows, bytes and sha256 of each")
    report = models.JSONField(default=dict, help_text="the acceptance report, as numbers")
    row_count = models.PositiveIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.format} export of {self.campaign}"
