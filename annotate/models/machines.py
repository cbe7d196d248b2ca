from django.conf import settings
from django.db import models


class Machine(models.Model):
    """A model that judges pairs beside people. Its answers never count as a person's."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="machine",
        help_text="whose answers its judgements are; nobody can log in as it",
    )
    model = models.CharField(
        max_length=300, blank=True, help_text="server:name; empty: its answers come by the API"
    )
    instructions = models.TextField(blank=True, help_text="added to the campaign's guidelines")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.user.username
