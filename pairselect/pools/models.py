import uuid

from django.conf import settings
from django.db import models
from django.utils.text import Truncator


class PromptSet(models.Model):
    """The prompts of one file. Empty until its import has ended well: all of it or nothing."""

    name = models.CharField(max_length=100, unique=True)
    upload = models.FileField(upload_to="prompts/", blank=True)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    prompt_count = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    imported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class Prompt(models.Model):
    """One prompt: the messages that a completion answers, the last of them the user's."""

    prompt_set = models.ForeignKey(PromptSet, on_delete=models.CASCADE, related_name="prompts")
    position = models.PositiveIntegerField(help_text="0-based place in the file")
    external_id = models.CharField(max_length=200, blank=True)
    messages = models.JSONField(help_text='[{"role": …, "content": …}, …]')
    metadata = models.JSONField(default=dict)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["prompt_set", "position"], name="one_prompt_per_position"
            )
        ]

    def __str__(self) -> str:
        return Truncator(self.messages[-1]["content"]).chars(120)


class Pool(models.Model):
    """Several completions of each prompt of a set, and how they were made."""

    class Source(models.TextChoices):
        GENERATED = "generated", "generated"
        IMPORTED = "imported", "imported"

    name = models.CharField(max_length=100, unique=True)
    prompt_set = models.ForeignKey(PromptSet, on_delete=models.PROTECT, related_name="pools")
    source = models.CharField(max_length=10, choices=Source.choices)
    model = models.CharField(max_length=300, help_text="what wrote the completions")
    # How a generated pool is sampled; an imported pool leaves these empty.
    completions_per_prompt = models.PositiveIntegerField(null=True, blank=True)
    max_new_tokens = models.PositiveIntegerField(null=True, blank=True)
    temperature = models.FloatField(null=True, blank=True)
    top_p = models.FloatField(null=True, blank=True)
    seed = models.PositiveBigIntegerField(null=True, blank=True)
    fingerprint = models.JSONField(
        default=dict, help_text="model revision, chat template, dtype and versions that made it"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class Completion(models.Model):
    """One answer to one prompt. A row is written once and never changed."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="completions")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="completions")
    index = models.PositiveIntegerField(help_text="0-based among the prompt's completions")
    text = models.TextField(blank=True)
    finish_reason = models.CharField(max_length=10, default="stop", help_text="stop or length")
    token_count = models.PositiveIntegerField(null=True, blank=True)
    seed = models.PositiveBigIntegerField(null=True, blank=True)
    model = models.CharField(max_length=300, blank=True, help_text="where it differs by row")
    score = models.FloatField(null=True, blank=True, help_text="as the imported file gave it")
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
