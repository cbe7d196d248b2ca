from django.contrib import admin

from annotate.models import (
    Campaign,
    Comparison,
    Edit,
    Export,
    Flag,
    Gold,
    Guideline,
    Judgement,
    Participation,
)
from pairselect.accounts.readonly import ReadOnlyAdmin


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ["name", "design", "labels_per_pair", "opened_at", "closed_at"]
    search_fields = ["name"]


@admin.register(Guideline)
class GuidelineAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "number", "created_by", "created_at"]
    list_filter = ["campaign"]


@admin.register(Participation)
class ParticipationAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "annotator", "attempt", "onboarded_at"]
    list_filter = ["campaign"]


@admin.register(Gold)
class GoldAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "use", "retired_at"]
    list_filter = ["campaign", "use"]


@admin.register(Comparison)
class ComparisonAdmin(ReadOnlyAdmin):
    list_display = [
        "campaign",
        "kind",
        "position",
        "slot",
        "annotator",
        "leased_until",
        "labelled_at",
    ]
    list_filter = ["campaign", "kind"]


@admin.register(Judgement)
class JudgementAdmin(ReadOnlyAdmin):
    list_display = ["comparison", "annotator", "choice", "strength", "created_at", "withdrawn_at"]
    list_filter = ["choice"]


@admin.register(Edit)
class EditAdmin(ReadOnlyAdmin):
    list_display = ["judgement", "of_first"]


@admin.register(Flag)
class FlagAdmin(ReadOnlyAdmin):
    list_display = ["comparison", "annotator", "kind", "created_at", "resolved_at"]
    list_filter = ["kind"]


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "format", "row_count", "completed_at"]
