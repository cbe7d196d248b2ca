from django.conf import settings
from django.db import models

from annotate.models.campaigns import Campaign


class Assessment(models.Model):
    """How far a campaign's labels can be trusted, as they stood when it was made."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="assessments")
    label_count = models.PositiveIntegerField(
        null=True, blank=True, help_text="labels that it is made from"
    )
    last_judgement = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="id of the last of them: whether there are newer ones"
    )
    results = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"assessment {self.pk} of {self.campaign}"
