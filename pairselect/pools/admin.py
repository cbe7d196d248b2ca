from django.contrib import admin

from pairselect.accounts.readonly import ReadOnlyAdmin
from pairselect.pools.models import (
    Completion,
    FeatureSet,
    Pool,
    Prompt,
    PromptSet,
    ScoreSet,
    Upload,
    Variant,
)


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    list_display = ["name", "file_name", "size", "row_count", "problem_count", "created_at"]
    search_fields = ["name", "file_name", "sha256"]


@admin.register(PromptSet)
class PromptSetAdmin(ReadOnlyAdmin):
    list_display = ["name", "upload", "prompt_count", "imported_at"]
    search_fields = ["name", "upload__file_name"]


@admin.register(Prompt)
class PromptAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "prompt_set", "position", "external_id"]
    list_filter = ["prompt_set"]
    search_fields = ["external_id"]


@admin.register(Pool)
class PoolAdmin(ReadOnlyAdmin):
    list_display = ["name", "prompt_set", "source", "model", "completed_at"]
    search_fields = ["name", "model"]


@admin.register(Variant)
class VariantAdmin(ReadOnlyAdmin):
    list_display = ["pool", "position", "model", "temperature", "top_p"]


@admin.register(Completion)
class CompletionAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "pool", "index", "finish_reason", "token_count"]
    list_filter = ["pool"]
    search_fields = ["text"]


@admin.register(FeatureSet)
class FeatureSetAdmin(ReadOnlyAdmin):
    list_display = ["pool", "kind", "model", "dimension", "completed_at"]


@admin.register(ScoreSet)
class ScoreSetAdmin(ReadOnlyAdmin):
    list_display = ["pool", "source", "model", "completed_at"]
