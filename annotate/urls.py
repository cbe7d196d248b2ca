from django.urls import path, register_converter

from annotate.addresses import ComparisonConverter
from annotate.views import (
    answers,
    campaigns,
    compare,
    flags,
    gold,
    guidelines,
    preferences,
    work,
)

register_converter(ComparisonConverter, "comparison")

app_name = "annotate"
urlpatterns = [
    path("settings/", preferences.preferences, name="preferences"),
    path("jsi18n/", preferences.catalogue, name="catalogue"),
    path("language/", preferences.set_language, name="set_language"),
    path("work/", work.work, name="work"),
    path("work/<int:campaign_pk>/", compare.compare, name="compare"),
    path("work/<int:campaign_pk>/upcoming/", compare.upcoming, name="upcoming"),
    path("work/<int:campaign_pk>/undo/", answers.undo, name="undo"),
    path("work/<int:campaign_pk>/history/", work.history, name="history"),
    path("work/<int:campaign_pk>/guidelines/", answers.read_guidelines, name="read_guidelines"),
    path("work/<int:campaign_pk>/onboarding/", answers.onboarding_again, name="onboarding_again"),
    path("work/<int:campaign_pk>/<comparison:comparison_pk>/", compare.revise, name="revise"),
    path(
        "work/<int:campaign_pk>/<comparison:comparison_pk>/answer/", answers.answer, name="answer"
    ),
    path("work/<int:campaign_pk>/<comparison:comparison_pk>/flag/", answers.flag, name="flag"),
    path("campaigns/", campaigns.campaign_list, name="campaigns"),
    path("campaigns/new/", campaigns.campaign_new, name="campaign_new"),
    path("campaigns/<int:pk>/", campaigns.campaign_detail, name="campaign"),
    path(
        "campaigns/<int:pk>/annotators/", campaigns.campaign_annotators, name="campaign_annotators"
    ),
    path("campaigns/<int:pk>/asked/", campaigns.campaign_asked, name="campaign_asked"),
    path("campaigns/<int:pk>/guidelines/", guidelines.guidelines, name="campaign_guidelines"),
    path("campaigns/<int:pk>/gold/", gold.gold, name="campaign_gold"),
    path("campaigns/<int:pk>/gold/file/", gold.gold_file, name="campaign_gold_file"),
    path("campaigns/<int:pk>/gold/<int:gold_pk>/", gold.retire, name="gold_retire"),
    path("campaigns/<int:pk>/flags/", flags.flags, name="campaign_flags"),
    path(
        "campaigns/<int:pk>/flags/resolved/",
        flags.flags,
        {"resolved": True},
        name="campaign_flags_resolved",
    ),
    path("campaigns/<int:pk>/flags/<int:flag_pk>/", flags.resolve, name="flag_resolve"),
    path("campaigns/<int:pk>/close/", campaigns.campaign_close, name="campaign_close"),
    path("campaigns/<int:pk>/reopen/", campaigns.campaign_reopen, name="campaign_reopen"),
    path(
        "campaigns/<int:pk>/next-round/", campaigns.campaign_next_round, name="campaign_next_round"
    ),
    path("campaigns/<int:pk>/exports/", campaigns.export_new, name="export_new"),
    path("exports/<int:pk>/", campaigns.export_download, name="export"),
]
