from django.urls import path, register_converter

from annotate.addresses import ComparisonConverter
from annotate.views import (
    answers,
    campaigns,
    compare,
    disagreements,
    exports,
    flags,
    gold,
    guidelines,
    machines,
    planning,
    preferences,
    quality,
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
    path(
        "work/<int:campaign_pk>/disagreements/",
        compare.compare,
        {"adjudicating": True},
        name="adjudicate",
    ),
    path(
        "work/<int:campaign_pk>/disagreements/upcoming/",
        compare.upcoming,
        {"adjudicating": True},
        name="adjudicate_upcoming",
    ),
    path(
        "work/<int:campaign_pk>/disagreements/undo/",
        answers.undo,
        {"adjudicating": True},
        name="adjudicate_undo",
    ),
    path(
        "work/<int:campaign_pk>/disagreements/history/",
        work.history,
        {"adjudicating": True},
        name="adjudicate_history",
    ),
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
    path("campaigns/<int:pk>/quality/", quality.quality, name="campaign_quality"),
    path("campaigns/<int:pk>/quality/assess/", quality.quality_assess, name="campaign_assess"),
    path("campaigns/<int:pk>/machines/", machines.machines, name="campaign_machines"),
    path("campaigns/<int:pk>/machines/<int:assignment_pk>/", machines.ask, name="machine_ask"),
    path(
        "campaigns/<int:pk>/machines/<int:assignment_pk>/remove/",
        machines.remove,
        name="machine_remove",
    ),
    path(
        "campaigns/<int:pk>/disagreements/",
        disagreements.disagreements,
        name="campaign_disagreements",
    ),
    path("campaigns/<int:pk>/pause/", campaigns.campaign_pause, name="campaign_pause"),
    path("campaigns/<int:pk>/price/", campaigns.campaign_price, name="campaign_price"),
    path("campaigns/<int:pk>/close/", campaigns.campaign_close, name="campaign_close"),
    path("campaigns/<int:pk>/reopen/", campaigns.campaign_reopen, name="campaign_reopen"),
    path(
        "campaigns/<int:pk>/next-round/", campaigns.campaign_next_round, name="campaign_next_round"
    ),
    path(
        "campaigns/<int:pk>/next-round/prediction/",
        planning.campaign_next_round_plan,
        name="campaign_next_round_plan",
    ),
    path("campaigns/<int:pk>/exports/", exports.campaign_exports, name="campaign_exports"),
    path("exports/<int:pk>/", exports.export_download, name="export"),
    path("exports/<int:pk>/report/", exports.export_report, name="export_report"),
    path("exports/<int:pk>/files/<str:name>/", exports.export_file, name="export_file"),
]
