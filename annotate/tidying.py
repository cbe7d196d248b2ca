"""How campaigns and exports are deleted. No answer of a person ever is."""

from django.db import transaction
from django.utils.translation import ngettext

from annotate.exporting.job import discard_export
from annotate.models import Campaign, Comparison, Export, Flag, Judgement
from pairselect.jobs.progress import JobProgress
from pairselect.pools.tidying import Kind, Obstacle, number_of, refuse_if_needed, under_way
from pairselect.pools.words import whole
from pairselect.trail.actions import record


def _stands_on_campaign(campaign: Campaign) -> list[Obstacle]:
    found = under_way(campaign)
    answers = Judgement.objects.filter(comparison__campaign=campaign).count()
    if answers:
        words = ngettext(
            "It holds %(number)s answer, and no answer is ever deleted. Archive it instead.",
            "It holds %(number)s answers, and no answer is ever deleted. Archive it instead.",
            answers,
        )
        found.insert(0, Obstacle(words % {"number": whole(answers)}))
    return found


def _goes_with_campaign(campaign: Campaign) -> list[str]:
    comparisons, gold = campaign.comparisons.count(), campaign.gold.count()
    versions, exports = campaign.guidelines.count(), campaign.exports.count()
    flags = Flag.objects.filter(comparison__campaign=campaign).count()
    return [
        *number_of(
            comparisons,
            ngettext(
                "%(number)s comparison that nobody has answered",
                "%(number)s comparisons that nobody has answered",
                comparisons,
            ),
        ),
        *number_of(gold, ngettext("%(number)s gold pair", "%(number)s gold pairs", gold)),
        *number_of(
            versions,
            ngettext(
                "%(number)s version of its guidelines",
                "%(number)s versions of its guidelines",
                versions,
            ),
        ),
        *number_of(flags, ngettext("%(number)s flag", "%(number)s flags", flags)),
        *number_of(
            exports,
            ngettext(
                "%(number)s export, with its files", "%(number)s exports, with their files", exports
            ),
        ),
    ]


def delete_campaign(campaign: Campaign, progress: JobProgress | None = None) -> None:
    """Remove a campaign that holds no answer; its design stays.

    Raises
    ------
    StillNeeded
        When somebody has answered, undone or not, or a job is at work on it.
    """
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
        refuse_if_needed(campaign, _stands_on_campaign)
        exports = list(campaign.exports.all())
        Flag.objects.filter(comparison__campaign=campaign).delete()
        # `delete` would look for what hangs on each.
        rows = Comparison.objects.filter(campaign=campaign).order_by()
        rows._raw_delete(using=rows.db)
        record("deleted", campaign)
        campaign.delete()
    for export in exports:
        discard_export(export)


def delete_export(export: Export, progress: JobProgress | None = None) -> None:
    """Remove an export with its files; the labels that it was made from stay.

    Raises
    ------
    StillNeeded
        While it is being written.
    """
    refuse_if_needed(export, under_way)
    discard_export(export)


def _goes_with_export(export: Export) -> list[str]:
    files, rows = len(export.files) or 1, export.row_count or 0
    if export.completed_at is None:
        return []
    return [
        *number_of(files, ngettext("%(number)s file", "%(number)s files", files)),
        *number_of(rows, ngettext("%(number)s row", "%(number)s rows", rows)),
    ]


CAMPAIGNS = Kind(
    what="campaign",
    model=Campaign,
    page="annotate:campaign",
    listed="annotate:campaigns",
    obstacles=_stands_on_campaign,
    goes=_goes_with_campaign,
    rows=lambda row: row.comparisons.count(),
    delete=delete_campaign,
)
EXPORTS = Kind(
    what="export",
    model=Export,
    page="annotate:campaign_exports",
    listed="annotate:campaign_exports",
    obstacles=under_way,
    goes=_goes_with_export,
    rows=lambda row: 1,
    delete=delete_export,
    shown_with="campaign_id",
)
