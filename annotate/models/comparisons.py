from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from annotate.models.campaigns import Campaign
from pairselect.designs.models import SelectedPair


class Gold(models.Model):
    """A pair whose better side is known, with the reason: for checks, or for the onboarding."""

    class Use(models.TextChoices):
        CHECK = "check", _("among the others, unannounced")
        ONBOARDING = "onboarding", _("before the others, explained")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="gold")
    use = models.CharField(max_length=10, choices=Use.choices)
    messages = models.JSONField(help_text="the conversation, as a prompt's")
    better = models.TextField()
    worse = models.TextField()
    explanation = models.TextField(blank=True, help_text="Markdown, shown in the onboarding")
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "gold"

    def __str__(self) -> str:
        return f"gold {self.pk} of {self.campaign_id}"


class Comparison(models.Model):
    """Two texts that one person is to compare: whose they are at present, and whether answered.

    A pair with k labels to get has k rows of the kind ``label``; whoever is free takes one. A
    pair whose labels differ may get one of the kind ``adjudication``, for any adjudicator. Rows
    of the other kinds are made for one person, or one machine, which gets two of each pair: one
    in either order. Whoever has been shown a comparison holds
    a lease, named by a UUID that its form carries; an answer counts only under the lease that
    it was given for.
    """

    class Kind(models.TextChoices):
        LABEL = "label", _("label")
        REPEAT = "repeat", _("silent repeat, sides swapped")
        GOLD = "gold", _("gold pair")
        ONBOARDING = "onboarding", _("onboarding")
        ADJUDICATION = "adjudication", _("adjudication of a disagreement")
        MACHINE = "machine", _("asked of a machine")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="comparisons")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.LABEL)
    pair = models.ForeignKey(
        SelectedPair, null=True, on_delete=models.PROTECT, related_name="comparisons"
    )
    gold = models.ForeignKey(Gold, null=True, on_delete=models.PROTECT, related_name="comparisons")
    position = models.PositiveIntegerField(help_text="0-based place in the campaign's queue")
    slot = models.PositiveSmallIntegerField(
        default=0, help_text="which of the pair's k labels; of a machine's, 1 has the sides swapped"
    )
    reserved_for = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    original = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="repeats", help_text="repeated"
    )
    attempt = models.PositiveSmallIntegerField(default=0, help_text="of the onboarding, 1-based")
    first_on_left = models.BooleanField(default=True, help_text="drawn for each person it is shown")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    lease = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    shown_at = models.DateTimeField(null=True, blank=True, help_text="empty: fetched ahead")
    labelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "slot"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=["label", "repeat", "adjudication", "machine"],
                    pair__isnull=False,
                    gold__isnull=True,
                )
                | Q(kind__in=["gold", "onboarding"], pair__isnull=True, gold__isnull=False),
                name="a_pair_or_gold",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["label", "adjudication"], reserved_for__isnull=True)
                | ~Q(kind__in=["label", "adjudication"]) & Q(reserved_for__isnull=False),
                name="checks_are_for_one_person",
            ),
            models.UniqueConstraint(
                fields=["campaign", "pair", "slot"],
                condition=Q(kind="label"),
                name="one_comparison_per_slot",
            ),
            models.UniqueConstraint(
                fields=["campaign", "pair", "annotator"],
                condition=Q(kind="label"),
                name="one_slot_per_person",
            ),
            models.UniqueConstraint(
                fields=["campaign", "pair"],
                condition=Q(kind="adjudication"),
                name="one_adjudication_per_pair",
            ),
            models.UniqueConstraint(
                fields=["campaign", "pair", "reserved_for", "slot"],
                condition=Q(kind="machine"),
                name="either_order_once_per_machine",
            ),
            models.UniqueConstraint(
                fields=["original", "reserved_for"], name="one_repeat_per_person"
            ),
            models.UniqueConstraint(
                fields=["gold", "reserved_for", "attempt"], name="each_gold_once"
            ),
        ]
        indexes = [
            models.Index(
                F("campaign"),
                F("position"),
                F("slot"),
                condition=Q(kind="label", labelled_at__isnull=True),
                name="the_queue",
            ),
            models.Index(  # of those that have one: nobody's would be most of the queue
                fields=["campaign", "annotator", "labelled_at", "kind"],
                condition=Q(annotator__isnull=False),
                name="whose",
            ),
            models.Index(fields=["campaign", "kind", "labelled_at"], name="how_far"),  # counted
        ]

    def __str__(self) -> str:
        return f"comparison {self.position + 1} of {self.campaign_id}"

    @property
    def designed(self) -> SelectedPair:
        """The pair, of a comparison that is no gold."""
        assert self.pair is not None  # the constraint a_pair_or_gold
        return self.pair

    @property
    def messages(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = (
            self.pair.prompt.messages if self.pair else self._known.messages
        )
        return found

    @property
    def left_text(self) -> str:
        return self._texts[0] if self.first_on_left else self._texts[1]

    @property
    def right_text(self) -> str:
        return self._texts[1] if self.first_on_left else self._texts[0]

    @property
    def _texts(self) -> tuple[str, str]:
        """The pair's first and second; of gold the better one is the first."""
        if self.pair:
            return self.pair.first.text, self.pair.second.text
        return self._known.better, self._known.worse

    @property
    def _known(self) -> Gold:
        assert self.gold is not None  # the constraint a_pair_or_gold
        return self.gold
