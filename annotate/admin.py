from django.contrib import admin

from annotate.models import (
    Assessment,
    Assignment,
    Campaign,
    Comparison,
    Edit,
    Export,
    Flag,
    Gold,
    Guideline,
    Judgement,
    Machine,
    Participation,
    Preferences,
    Tally,
)
from pairselect.accounts.readonly import ManyRowsAdmin, ReadOnlyAdmin


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = [
        "name", "design", "labels_per_pair", "adjudicate", "opened_at", "paused_at", "closed_at",
        "archived_at",
    ]  # fmt: skip
    list_filter = ["adjudicate", "labels_per_pair", "strengths", "mask_identities"]
    list_select_related = ["design"]
    search_fields = ["name", "design__name"]
    date_hierarchy = "created_at"


@admin.register(Guideline)
class GuidelineAdmin(ReadOnlyAdmin):
    list_display = ["id", "campaign", "number", "created_by", "created_at"]
    list_filter = ["campaign"]
    list_select_related = ["campaign", "created_by"]
    search_fields = ["campaign__name", "text"]
    date_hierarchy = "created_at"


@admin.register(Participation)
class ParticipationAdmin(ReadOnlyAdmin):
    list_display = ["id", "campaign", "annotator", "guideline", "attempt", "onboarded_at"]
    list_filter = ["campaign"]
    list_select_related = ["campaign", "annotator", "guideline"]
    search_fields = ["campaign__name", "annotator__username"]


@admin.register(Comparison)
class ComparisonAdmin(ManyRowsAdmin):
    list_display = [
        "id", "campaign", "kind", "pair_id", "gold_id", "position", "slot", "annotator",
        "leased_until", "labelled_at",
    ]  # fmt: skip
    list_filter = ["kind", "campaign"]
    list_select_related = ["campaign", "annotator"]
    search_fields = ["=pair__pk", "=lease", "=annotator__username"]


@admin.register(Gold)
class GoldAdmin(ReadOnlyAdmin):
    list_display = ["id", "campaign", "use", "retired_at"]
    list_filter = ["use", "campaign"]
    list_select_related = ["campaign"]
    search_fields = ["campaign__name", "better", "worse", "explanation"]


@admin.register(Judgement)
class JudgementAdmin(ManyRowsAdmin):
    list_display = [
        "id", "comparison_id", "annotator", "choice", "strength", "seconds", "active_seconds",
        "created_at", "withdrawn_at",
    ]  # fmt: skip
    list_filter = ["choice", "skip_reason", "comparison__kind", "comparison__campaign"]
    list_select_related = ["annotator"]
    search_fields = ["=comparison__pk", "=lease", "=annotator__username"]


@admin.register(Edit)
class EditAdmin(ManyRowsAdmin):
    list_display = ["id", "judgement_id", "of_first"]
    list_filter = ["of_first"]
    search_fields = ["=judgement__pk", "text"]


@admin.register(Flag)
class FlagAdmin(ReadOnlyAdmin):
    list_display = ["id", "comparison_id", "annotator", "kind", "note", "created_at", "resolved_at"]
    list_filter = ["kind", "comparison__campaign"]
    list_select_related = ["annotator"]
    search_fields = ["=comparison__pk", "annotator__username", "note"]
    date_hierarchy = "created_at"


@admin.register(Machine)
class MachineAdmin(ReadOnlyAdmin):
    list_display = ["user", "model", "created_by", "created_at"]
    list_filter = ["model"]
    list_select_related = ["user", "created_by"]
    search_fields = ["user__username", "model", "instructions"]
    date_hierarchy = "created_at"


@admin.register(Assignment)
class AssignmentAdmin(ReadOnlyAdmin):
    list_display = [
        "id", "campaign", "machine", "pairs", "labelled_only", "requests", "tokens_read",
        "tokens_written",
    ]  # fmt: skip
    list_filter = ["campaign"]
    list_select_related = ["campaign", "machine__user"]
    search_fields = ["campaign__name", "machine__user__username"]
    date_hierarchy = "created_at"


@admin.register(Assessment)
class AssessmentAdmin(ReadOnlyAdmin):
    list_display = ["id", "campaign", "label_count", "created_by", "created_at", "completed_at"]
    list_filter = ["campaign"]
    list_select_related = ["campaign", "created_by"]
    search_fields = ["campaign__name"]
    date_hierarchy = "created_at"


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = [
        "id", "campaign", "format", "row_count", "file", "created_by", "created_at", "completed_at",
    ]  # fmt: skip
    list_filter = ["format", "campaign"]
    list_select_related = ["campaign", "created_by"]
    search_fields = ["campaign__name", "=sha256", "=file"]
    date_hierarchy = "created_at"


@admin.register(Preferences)
class PreferencesAdmin(ReadOnlyAdmin):
    list_display = ["person", "language", "theme", "scroll_together"]
    list_filter = ["language", "theme"]
    list_select_related = ["person"]
    search_fields = ["person__username"]


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    list_display = ["id", "campaign", "counted_at", "seconds"]
    list_filter = ["counted_at"]
    list_select_related = ["campaign"]
    search_fields = ["campaign__name"]
