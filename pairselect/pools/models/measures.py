import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from pairselect.pools.models.pool import Completion, Pool


class FeatureSet(models.Model):
    """Features and log-probabilities of a pool's completions: rows here, arrays on the disk.

    Row i of the arrays belongs to the i-th completion in the order (prompt position, index).
    """

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="feature_sets")
    model = models.CharField(max_length=300, help_text="the reference model")
    kind = models.CharField(max_length=40, help_text="which hidden state, how pooled")
    folder = models.UUIDField(default=uuid.uuid4, unique=True)
    dimension = models.PositiveIntegerField(null=True, blank=True)
    fingerprint = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["pool", "model", "kind"], name="one_feature_set_per_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.pool} by {self.model}"


class ScoreSet(models.Model):
    """A number for each completion of a pool, from one source; higher is better."""

    class Source(models.TextChoices):
        FILE = "file", _("the imported file")
        REWARD = "reward", _("a reward model")
        JUDGE = "judge", _("a judge")

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="score_sets")
    name = models.CharField(max_length=100)
    source = models.CharField(max_length=10, choices=Source.choices)
    model = models.CharField(max_length=300, blank=True, help_text="that scored; none of a file")
    rubric = models.TextField(blank=True, help_text="what a judge is asked to look at")
    fingerprint = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "name"], name="one_score_set_per_name")
        ]

    def __str__(self) -> str:
        return self.name


class Score(models.Model):
    """What one source says of one completion."""

    score_set = models.ForeignKey(ScoreSet, on_delete=models.CASCADE, related_name="scores")
    completion = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="scores")
    value = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["score_set", "completion"], name="one_score_per_completion"
            )
        ]

    def __str__(self) -> str:
        return f"{self.value:g} for {self.completion_id}"


class PoolReport(models.Model):
    """What there is to know of a pool before pairs are chosen from it."""

    pool = models.OneToOneField(Pool, on_delete=models.CASCADE, related_name="report")
    facts = models.JSONField(default=dict)
    completed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"report on {self.pool}"
