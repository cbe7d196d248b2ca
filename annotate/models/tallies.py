from django.db import models

from annotate.models.campaigns import Campaign


class Tally(models.Model):
    """What a large campaign's answers came to when they were last counted."""

    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, related_name="tally")
    answers = models.JSONField(help_text="as annotate.counting has them")
    people = models.JSONField(help_text="a row a person, likewise")
    counted_at = models.DateTimeField(help_text="when the count began")
    seconds = models.FloatField(help_text="that it took")

    class Meta:
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"tally of {self.campaign_id}"
