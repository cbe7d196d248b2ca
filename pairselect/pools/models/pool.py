from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pairselect.pools.models.prompts import Prompt, PromptSet
from pairselect.pools.words import localised


class Pool(models.Model):
    """Several completions of each prompt of a set, and how they were made."""

    class Source(models.TextChoices):
        GENERATED = "generated", _("generated")
        IMPORTED = "imported", _("imported")

    name = models.CharField(max_length=100, unique=True)
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.PROTECT, related_name="pools")
    source = models.CharField(max_length=10, choices=Source.choices)
    model = models.CharField(max_length=300, help_text="what wrote the completions, for people")
    # How a generated pool is made, beside its variants; an imported pool leaves these empty.
    completions_per_prompt = models.PositiveIntegerField(
        null=True, blank=True, help_text="of all variants together"
    )
    max_new_tokens = models.PositiveIntegerField(null=True, blank=True)
    seed = models.PositiveBigIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """One of the ways in which a pool's completions are written: variety feeds the design."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="variants")
    position = models.PositiveIntegerField(help_text="0-based")
    model = models.CharField(max_length=300)
    system_prompt = models.TextField(blank=True, help_text="added to the prompt's own")
    temperature = models.FloatField()
    top_p = models.FloatField()
    completions_per_prompt = models.PositiveIntegerField()
    fingerprint = models.JSONField(
        default=dict, help_text="model revision, chat template, dtype and versions that made it"
    )

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "position"], name="one_variant_per_position")
        ]

    def __str__(self) -> str:
        said = gettext("%(model)s, temperature %(temperature)s")
        if self.system_prompt:
            said = gettext("%(model)s, temperature %(temperature)s, with a system prompt")
        return said % {"model": self.model, "temperature": localised(f"{self.temperature:g}")}


class Completion(models.Model):
    """One answer to one prompt. A row is written once and never changed."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="completions")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="completions")
    index = models.PositiveIntegerField(help_text="0-based among the prompt's completions")
    variant = models.ForeignKey(
        Variant, null=True, blank=True, on_delete=models.RESTRICT, related_name="completions"
    )
    text = models.TextField(blank=True)
    finish_reason = models.CharField(
        max_length=10, default="stop", help_text="stop, length or refused"
    )
    token_count = models.PositiveIntegerField(null=True, blank=True)
    seed = models.PositiveBigIntegerField(null=True, blank=True)
    model = models.CharField(max_length=300, blank=True, help_text="as the imported file gave it")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["prompt__position", "index"]
        constraints = [
            models.UniqueConstraint(
                fields=["pool", "prompt", "index"], name="one_completion_per_index"
            )
        ]

    def __str__(self) -> str:
        return self.text[:80]
