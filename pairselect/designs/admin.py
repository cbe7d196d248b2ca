from django.contrib import admin

from pairselect.accounts.readonly import ManyRowsAdmin, ReadOnlyAdmin
from pairselect.designs.models import Design, KnownLabel, Plan, SelectedPair


@admin.register(Design)
class DesignAdmin(ReadOnlyAdmin):
    list_display = [
        "name", "pool", "strategy", "method", "budget", "objective", "lower_bound", "status",
        "solved_at", "archived_at",
    ]  # fmt: skip
    list_filter = ["strategy", "method", "target", "status"]
    list_select_related = ["pool"]
    search_fields = ["name", "pool__name"]
    date_hierarchy = "created_at"


@admin.register(SelectedPair)
class SelectedPairAdmin(ManyRowsAdmin):
    list_display = [
        "id", "design", "position", "prompt_id", "first_id", "second_id", "sensitivity",
        "inclusion_probability", "is_random",
    ]  # fmt: skip
    list_filter = ["is_random", "design"]
    list_select_related = ["design"]
    search_fields = ["=design__name", "=position", "=prompt__external_id"]


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ["id", "pool", "created_by", "created_at", "completed_at"]
    list_filter = ["pool"]
    list_select_related = ["pool", "created_by"]
    search_fields = ["pool__name"]
    date_hierarchy = "created_at"


@admin.register(KnownLabel)
class KnownLabelAdmin(ManyRowsAdmin):
    list_display = ["id", "design", "first_id", "second_id", "preference"]
    list_filter = ["preference", "design"]
    list_select_related = ["design"]
    search_fields = ["=design__name", "=first__pk", "=second__pk"]
