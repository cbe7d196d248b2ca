from django.conf import settings
from django.db import models

from annotate.models.campaigns import Campaign
from annotate.models.machines import Machine


class Assignment(models.Model):
    """One machine in one campaign: which pairs it is asked, and what its answers took."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="assignments")
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="assignments")
    pairs = models.PositiveIntegerField(
        null=True, blank=True, help_text="the first so many of the queue; empty: all"
    )
    labelled_only = models.BooleanField(
        default=False, help_text="of those, the ones that people have labelled"
    )
    fingerprint = models.JSONField(
        default=dict, help_text="what answered: the same throughout, or it is another machine"
    )
    requests = models.PositiveBigIntegerField(default=0, help_text="that its server answered")
    tokens_read = models.PositiveBigIntegerField(default=0, help_text="as its server counts them")
    tokens_written = models.PositiveBigIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "machine"], name="one_assignment_each")
        ]

    def __str__(self) -> str:
        return f"{self.machine} in {self.campaign}"
