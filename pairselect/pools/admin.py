from django.contrib import admin

from pairselect.accounts.readonly import ManyRowsAdmin, ReadOnlyAdmin
from pairselect.pools.models import (
    Completion,
    FeatureSet,
    Pool,
    PoolReport,
    Prompt,
    PromptSet,
    Score,
    ScoreSet,
    Upload,
    Variant,
)


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    list_display = [
        "name", "file_name", "size", "row_count", "problem_count", "created_by", "created_at",
    ]  # fmt: skip
    list_filter = ["merge_duplicates"]
    list_select_related = ["created_by"]
    search_fields = ["name", "file_name", "=sha256"]
    date_hierarchy = "created_at"


@admin.register(PromptSet)
class PromptSetAdmin(ReadOnlyAdmin):
    list_display = ["name", "upload", "prompt_count", "created_by", "imported_at", "archived_at"]
    list_filter = ["created_by"]
    list_select_related = ["upload", "created_by"]
    search_fields = ["name", "upload__file_name"]
    date_hierarchy = "created_at"


@admin.register(Prompt)
class PromptAdmin(ManyRowsAdmin):
    list_display = ["id", "__str__", "prompt_set", "position", "external_id"]
    list_display_links = ["id", "__str__"]
    list_filter = ["prompt_set"]
    list_select_related = ["prompt_set"]
    search_fields = ["=external_id", "=position"]


@admin.register(Pool)
class PoolAdmin(ReadOnlyAdmin):
    list_display = [
        "name", "prompt_set", "source", "model", "completions_per_prompt", "created_by",
        "completed_at", "archived_at",
    ]  # fmt: skip
    list_filter = ["source", "model"]
    list_select_related = ["prompt_set", "created_by"]
    search_fields = ["name", "model", "prompt_set__name"]
    date_hierarchy = "created_at"


@admin.register(Variant)
class VariantAdmin(ReadOnlyAdmin):
    list_display = ["id", "pool", "position", "model", "temperature", "top_p"]
    list_filter = ["model", "pool"]
    list_select_related = ["pool"]
    search_fields = ["pool__name", "model", "system_prompt"]


@admin.register(Completion)
class CompletionAdmin(ManyRowsAdmin):
    list_display = [
        "id", "__str__", "pool", "prompt_id", "index", "finish_reason", "token_count",
    ]  # fmt: skip
    list_display_links = ["id", "__str__"]
    list_filter = ["finish_reason", "pool"]
    list_select_related = ["pool"]
    search_fields = ["=prompt__external_id", "text"]


@admin.register(FeatureSet)
class FeatureSetAdmin(ReadOnlyAdmin):
    list_display = ["id", "pool", "kind", "model", "dimension", "folder", "completed_at"]
    list_filter = ["kind", "model"]
    list_select_related = ["pool"]
    search_fields = ["pool__name", "model", "folder"]
    date_hierarchy = "created_at"


@admin.register(ScoreSet)
class ScoreSetAdmin(ReadOnlyAdmin):
    list_display = ["name", "pool", "source", "model", "completed_at"]
    list_filter = ["source", "model"]
    list_select_related = ["pool"]
    search_fields = ["name", "pool__name", "model"]
    date_hierarchy = "created_at"


@admin.register(Score)
class ScoreAdmin(ManyRowsAdmin):
    list_display = ["id", "score_set", "completion_id", "value"]
    list_filter = ["score_set"]
    list_select_related = ["score_set"]
    search_fields = ["=completion__pk"]


@admin.register(PoolReport)
class PoolReportAdmin(ReadOnlyAdmin):
    list_display = ["pool", "completed_at"]
    list_filter = ["completed_at"]
    list_select_related = ["pool"]
    search_fields = ["pool__name"]
