from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from annotate.models.campaigns import Guideline
from annotate.models.comparisons import Comparison


class Judgement(models.Model):
    """What one person answered. Never changed; undone or revised, it is withdrawn and kept."""

    class Choice(models.TextChoices):
        LEFT = "left", _("left is better")
        RIGHT = "right", _("right is better")
        TIE = "tie", _("equally good")
        BOTH_BAD = "both_bad", _("both are bad")
        SKIP = "skip", _("skipped")

    class SkipReason(models.TextChoices):
        CANNOT_JUDGE = "cannot_judge", _("I cannot judge this subject")
        LANGUAGE = "language", _("I do not know the language")
        UNCLEAR = "unclear", _("The prompt makes no sense")
        BROKEN = "broken", _("A text is broken or cut off")
        DISTRESSING = "distressing", _("I do not want to read this")
        OTHER = "other", _("Another reason")

    comparison = models.ForeignKey(Comparison, on_delete=models.PROTECT, related_name="judgements")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="judgements"
    )
    choice = models.CharField(max_length=10, choices=Choice.choices)
    strength = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="1 to the campaign's steps; of left and right alone"
    )
    criteria = models.JSONField(default=dict, help_text="name: left, same or right, as shown")
    reason = models.TextField(blank=True)
    skip_reason = models.CharField(max_length=20, choices=SkipReason.choices, blank=True)
    first_on_left = models.BooleanField(help_text="the order that was shown")
    lease = models.UUIDField(unique=True, help_text="one answer for each time a pair is shown")
    seconds = models.FloatField(help_text="from shown to answered")
    active_seconds = models.FloatField(
        null=True, blank=True, help_text="of those, the page in view and its reader not idle"
    )
    confidence = models.FloatField(
        null=True, blank=True, help_text="a machine's own probability of its choice"
    )
    guideline = models.ForeignKey(
        Guideline, null=True, blank=True, on_delete=models.PROTECT, related_name="judgements"
    )
    replaces = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaced_by"
    )
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
            models.CheckConstraint(
                condition=Q(strength__isnull=True) | Q(choice__in=["left", "right"]),
                name="strength_of_a_side",
            ),
        ]
        indexes = [
            models.Index(  # the last ones of a person
                fields=["annotator", "id"], condition=Q(withdrawn_at__isnull=True), name="standing"
            ),
            models.Index(
                fields=["annotator", "withdrawn_at"],
                condition=Q(withdrawn_at__isnull=False),
                name="taken_back",
            ),
            models.Index(
                fields=["annotator", "comparison"],
                condition=Q(withdrawn_at__isnull=True, choice="skip"),
                name="skipped",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.choice} on {self.comparison_id}"

    @property
    def prefers_first(self) -> bool:
        """Whether the pair's first completion won. Only of the choices left and right."""
        return (self.choice == self.Choice.LEFT) == self.first_on_left


class Edit(models.Model):
    """A third completion: one of the two, made better by the person who judged them."""

    judgement = models.OneToOneField(Judgement, on_delete=models.CASCADE, related_name="edit")
    of_first = models.BooleanField(help_text="whether it was made from the pair's first one")
    text = models.TextField()

    def __str__(self) -> str:
        return f"edit with {self.judgement_id}"


class Flag(models.Model):
    """Something about a comparison that an admin should see. It is no answer."""

    class Kind(models.TextChoices):
        DANGEROUS = "dangerous", _("Dangerous or illegal")
        PERSONAL = "personal", _("Personal data of somebody")
        IDENTITY = "identity", _("A text says which model wrote it")
        BROKEN = "broken", _("Broken, cut off or shown wrongly")
        OTHER = "other", _("Something else")

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="flags")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} on {self.comparison_id}"
