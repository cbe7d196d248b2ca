from django.utils.translation import gettext_lazy as _

from annotate import actions, exports
from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import Subject, job_kind


@job_kind(
    "open_campaign",
    title=_("Opening the campaign"),
    queue="cpu",
    subject=Subject("annotate.Campaign", page="annotate:campaign", label="{title} “{name}”"),
)
def open_campaign(campaign_id: int, progress: JobProgress) -> None:
    actions.open_campaign(campaign_id, progress)


@job_kind(
    "export_dataset",
    title=_("Writing the export"),
    queue="cpu",
    subject=Subject("annotate.Export", page="annotate:campaign", named_by="campaign"),
    download="annotate:export",
    refreshes_page=False,  # the campaign's page has forms, and waits for none of its exports
)
def export_dataset(export_id: int, progress: JobProgress) -> None:
    exports.export_dataset(export_id, progress)
