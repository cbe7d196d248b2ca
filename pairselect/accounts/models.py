from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from pairselect.accounts.roles import ADMIN, ANNOTATOR

DAYS = 7  # that a link is good for, unless told otherwise
MOST_DAYS = 90


class Invitation(models.Model):
    """A link that lets one person in, once. Of its secret only the SHA-256 is kept.

    With ``person`` it is for somebody who is here already: a new password, or another way in.
    """

    class Role(models.TextChoices):
        ANNOTATOR = ANNOTATOR, _("Annotator: compares completions")
        ADJUDICATOR = "adjudicator", _("Adjudicator: an annotator who decides disagreements")
        ADMIN = ADMIN, _("Admin: spends the budget")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        USED = "used", _("used")
        REVOKED = "revoked", _("revoked")
        EXPIRED = "expired", _("expired")

    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the secret")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.ANNOTATOR)
    note = models.CharField(max_length=100, blank=True, help_text="whom it is for")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="way_back",
        help_text="who is here already; empty: somebody new",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.note or f"invitation {self.pk}"

    @property
    def group(self) -> str:
        """The role as people have it: an adjudicator is an annotator of whom campaigns know."""
        return ADMIN if self.role == self.Role.ADMIN else ANNOTATOR

    @property
    def state(self) -> State:
        if self.used_at is not None:
            return self.State.USED
        if self.revoked_at is not None:
            return self.State.REVOKED
        return self.State.EXPIRED if self.expires_at <= timezone.now() else self.State.OPEN
