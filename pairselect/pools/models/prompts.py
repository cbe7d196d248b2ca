from django.conf import settings
from django.db import models
from django.utils.text import Truncator


class Upload(models.Model):
    """A file as it came, what was recognised in it, and what an admin made of that."""

    name = models.CharField(max_length=100, help_text="of the prompt set, and pool, to be")
    model = models.CharField(max_length=300, blank=True, help_text="what wrote the completions")
    file = models.FileField(upload_to="uploads/", blank=True)
    file_name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField(default=0, help_text="bytes")
    sha256 = models.CharField(max_length=64, db_index=True)
    preview = models.JSONField(null=True, blank=True, help_text="format, columns, first rows")
    columns = models.JSONField(null=True, blank=True, help_text="which column is what")
    merge_duplicates = models.BooleanField(default=False)
    row_count = models.PositiveBigIntegerField(null=True, blank=True)
    duplicate_count = models.PositiveBigIntegerField(null=True, blank=True)
    problem_count = models.PositiveBigIntegerField(null=True, blank=True)
    problems = models.FileField(upload_to="problems/", blank=True, help_text="every bad row")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class PromptSet(models.Model):
    """The prompts of one file. Empty until its import has ended well: all of it or nothing."""

    name = models.CharField(max_length=100, unique=True)
    upload = models.OneToOneField(
        Upload, null=True, blank=True, on_delete=models.SET_NULL, related_name="prompt_set"
    )
    prompt_count = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    imported_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

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
