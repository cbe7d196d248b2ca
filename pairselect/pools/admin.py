from django.contrib import admin

from pairselect.accounts.readonly import ReadOnlyAdmin
from pairselect.pools.models import Completion, FeatureSet, Pool, Prompt, PromptSet


@admin.register(PromptSet)
class PromptSetAdmin(ReadOnlyAdmin):
    list_display = ["name", "file_name", "prompt_count", "imported_at"]
    search_fields = ["name", "file_name"]


@admin.register(Prompt)
class PromptAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "prompt_set", "position", "external_id"]
    list_filter = ["prompt_set"]
    search_fields = ["external_id"]


@admin.register(Pool)
class PoolAdmin(ReadOnlyAdmin):
    list_display = ["name", "prompt_set", "source", "model", "completed_at"]
    search_fields = ["name", "model"]


@admin.register(Completion)
class CompletionAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "pool", "index", "finish_reason", "token_count"]
    list_filter = ["pool"]
    search_fields = ["text"]


@admin.register(FeatureSet)
class FeatureSetAdmin(ReadOnlyAdmin):
    list_display = ["pool", "kind", "model", "dimension", "completed_at"]
