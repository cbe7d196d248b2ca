from django.contrib import admin

from pairselect.accounts.readonly import ReadOnlyAdmin
from pairselect.designs.models import Design, SelectedPair


@admin.register(Design)
class DesignAdmin(ReadOnlyAdmin):
    list_display = ["name", "pool", "strategy", "budget", "objective", "lower_bound", "solved_at"]
    search_fields = ["name"]


@admin.register(SelectedPair)
class SelectedPairAdmin(ReadOnlyAdmin):
    list_display = ["design", "position", "sensitivity", "inclusion_probability"]
    list_filter = ["design"]
