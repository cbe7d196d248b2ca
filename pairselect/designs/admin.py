from django.contrib import admin

from pairselect.accounts.readonly import ReadOnlyAdmin
from pairselect.designs.models import Design, KnownLabel, SelectedPair


@admin.register(Design)
class DesignAdmin(ReadOnlyAdmin):
    list_display = ["name", "pool", "strategy", "budget", "objective", "lower_bound", "solved_at"]
    search_fields = ["name"]


@admin.register(SelectedPair)
class SelectedPairAdmin(ReadOnlyAdmin):
    list_display = ["design", "position", "sensitivity", "inclusion_probability", "is_random"]
    list_filter = ["design"]


@admin.register(KnownLabel)
class KnownLabelAdmin(ReadOnlyAdmin):
    list_display = ["design", "first", "second", "preference"]
    list_filter = ["design"]
