from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Preferences(models.Model):
    """How one person wants the pages to be."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("as the system")
        LIGHT = "light", _("light")
        DARK = "dark", _("dark")

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences"
    )
    keys = models.JSONField(default=dict, help_text="action: key, where it is not the usual one")
    language = models.CharField(max_length=10, blank=True, help_text="empty: the browser's")
    theme = models.CharField(max_length=10, choices=Theme.choices, default=Theme.SYSTEM)
    scroll_together = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.person_id}"
