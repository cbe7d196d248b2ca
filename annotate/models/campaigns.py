from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from pairselect.designs.models import Design

SHARE = [MinValueValidator(0.0), MaxValueValidator(0.5)]


class Campaign(models.Model):
    """A design's pairs before its annotators: what they are asked, and how it is checked."""

    class Reason(models.TextChoices):
        OFF = "off", _("not asked for")
        OPTIONAL = "optional", _("optional")
        REQUIRED = "required", _("required")

    class Adjudicate(models.TextChoices):
        NEVER = "never", _("never")
        SPLIT = "split", _("where no answer has most of the labels")
        ANY = "any", _("wherever two labels differ")

    class PricedBy(models.TextChoices):
        LABEL = "label", _("label")
        HOUR = "hour", _("hour")

    name = models.CharField(max_length=100, unique=True)
    design = models.ForeignKey(Design, on_delete=models.PROTECT, related_name="campaigns")
    annotators = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="campaigns"
    )
    seed = models.PositiveBigIntegerField(default=0, help_text="of all that is drawn at random")
    # Laid down when it opens: how many labels, and in which order.
    labels_per_pair = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(9)],
        help_text="k: by as many different people",
    )
    mix_window = models.PositiveSmallIntegerField(
        default=10,
        validators=[MaxValueValidator(100)],
        help_text="easy and hard pairs take turns within as many of the queue; 0: never",
    )
    # What is asked.
    strengths = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(3)],
        help_text="steps a side: 1 is left or right, 2 has “much better”, 3 “slightly” too",
    )
    ties = models.BooleanField(default=True)
    both_bad = models.BooleanField(default=True)
    skips = models.BooleanField(default=True)
    flags = models.BooleanField(default=True)
    reason = models.CharField(max_length=10, choices=Reason.choices, default=Reason.OPTIONAL)
    reason_at = models.JSONField(
        default=list, blank=True, help_text="the choices at which it is required; none: at all"
    )
    criteria = models.JSONField(default=list, blank=True, help_text="names, in order")
    criteria_required = models.BooleanField(default=False)
    edits = models.BooleanField(default=False, help_text="whether the better one may be edited")
    # What is checked, and how people are treated.
    repeat_share = models.FloatField(
        default=0.05, validators=SHARE, help_text="of the answers, shown again with sides swapped"
    )
    gold_share = models.FloatField(
        default=0.0, validators=SHARE, help_text="of the answers, on pairs with a known answer"
    )
    passing_mark = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="share of right answers that the onboarding asks for; empty: no onboarding",
    )
    mask_identities = models.BooleanField(default=False)
    pause_minutes = models.PositiveSmallIntegerField(
        default=50, help_text="of work, after which a pause is proposed; 0: never"
    )

    # Disagreements and money.
    adjudicate = models.CharField(
        max_length=10,
        choices=Adjudicate.choices,
        default=Adjudicate.NEVER,
        help_text="which pairs an adjudicator decides, once all their labels are there",
    )
    adjudicators = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="adjudicates"
    )
    price = models.DecimalField(
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="of what ``priced_by`` says; empty: not known",
    )
    priced_by = models.CharField(
        max_length=10, choices=PricedBy.choices, default=PricedBy.LABEL, help_text="active hours"
    )
    currency = models.CharField(max_length=3, blank=True, help_text="ISO 4217: EUR")

    invitations = models.ManyToManyField(
        "accounts.Invitation",
        blank=True,
        related_name="campaigns",
        help_text="whose people begin here at once",
    )

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class Guideline(models.Model):
    """One version of what “better” means in a campaign. Never changed: a change is a new one."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="guidelines")
    number = models.PositiveIntegerField(help_text="1-based")
    text = models.TextField(blank=True, help_text="Markdown")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="one_guideline_per_number")
        ]

    def __str__(self) -> str:
        return f"guidelines of {self.campaign_id}, version {self.number}"


class Participation(models.Model):
    """What one annotator has done in a campaign besides answering."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="participations")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="participations"
    )
    guideline = models.ForeignKey(
        Guideline, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    attempt = models.PositiveSmallIntegerField(default=1, help_text="at the onboarding")
    onboarded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "annotator"], name="one_participation_per_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.annotator_id} in {self.campaign_id}"
