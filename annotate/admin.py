from django.contrib import admin

from annotate.models import Campaign, Comparison, Export, Judgement
from pairselect.accounts.readonly import ReadOnlyAdmin


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ["name", "design", "opened_at", "closed_at"]
    search_fields = ["name"]


@admin.register(Comparison)
class ComparisonAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "position", "annotator", "leased_until", "labelled_at"]
    list_filter = ["campaign"]


@admin.register(Judgement)
class JudgementAdmin(ReadOnlyAdmin):
    list_display = ["comparison", "annotator", "choice", "created_at", "withdrawn_at"]
    list_filter = ["choice"]


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "format", "row_count", "completed_at"]
