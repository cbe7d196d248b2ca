import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from pairselect.designs.models import Design, SelectedPair
from pairselect.pools.models import Completion


class Campaign(models.Model):
    """A design's pairs before its annotators."""

    name = models.CharField(max_length=100, unique=True)
    design = models.ForeignKey(Design, on_delete=models.PROTECT, related_name="campaigns")
    instructions = models.TextField(blank=True, help_text="Markdown, shown to the annotators")
    annotators = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="campaigns"
    )
    seed = models.PositiveBigIntegerField(default=0, help_text="decides which side is left")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class Comparison(models.Model):
    """One pair of a campaign: whose it is at present, and whether it has its label.

    Whoever has been shown the pair holds a lease, named by a UUID that its form carries. An
    answer counts only under the lease that it was given for.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="comparisons")
    pair = models.ForeignKey(SelectedPair, on_delete=models.PROTECT, related_name="comparisons")
    position = models.PositiveIntegerField(help_text="0-based place in the design's queue")
    first_on_left = models.BooleanField(help_text="drawn at random when the campaign opened")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    lease = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    shown_at = models.DateTimeField(null=True, blank=True)
    labelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "pair"], name="one_comparison_per_pair")
        ]
        indexes = [
            models.Index(fields=["campaign", "labelled_at", "position"]),
            models.Index(fields=["campaign", "annotator", "labelled_at"]),
        ]

    def __str__(self) -> str:
        return f"comparison {self.position + 1} of {self.campaign_id}"

    @property
    def left(self) -> Completion:
        return self.pair.first if self.first_on_left else self.pair.second

    @property
    def right(self) -> Completion:
        return self.pair.second if self.first_on_left else self.pair.first


class Judgement(models.Model):
    """What one person answered. Never changed; undone, it is withdrawn and kept."""

    class Choice(models.TextChoices):
        LEFT = "left", "left is better"
        RIGHT = "right", "right is better"
        TIE = "tie", "equally good"
        BOTH_BAD = "both_bad", "both are bad"
        SKIP = "skip", "skipped"

    comparison = models.ForeignKey(Comparison, on_delete=models.PROTECT, related_name="judgements")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="judgements"
    )
    choice = models.CharField(max_length=10, choices=Choice.choices)
    first_on_left = models.BooleanField(help_text="the order that was shown")
    lease = models.UUIDField(unique=True, help_text="one answer for each time a pair is shown")
    seconds = models.FloatField(help_text="from shown to answered")
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["comparison"],
                condition=Q(withdrawn_at__isnull=True) & ~Q(choice="skip"),
                name="one_label_per_comparison",
            ),
            models.UniqueConstraint(
                fields=["comparison", "annotator"],
                condition=Q(withdrawn_at__isnull=True),
                name="one_answer_per_person",
            ),
        ]
        indexes = [models.Index(fields=["annotator", "withdrawn_at"])]

    def __str__(self) -> str:
        return f"{self.choice} on {self.comparison_id}"

    @property
    def prefers_first(self) -> bool:
        """Whether the pair's first completion won. Only of the choices left and right."""
        return (self.choice == self.Choice.LEFT) == self.first_on_left


class Export(models.Model):
    """A dataset file made from a campaign's labels."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="exports")
    format = models.CharField(max_length=20)
    file = models.UUIDField(default=uuid.uuid4, unique=True, help_text="its name on the disk")
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
