from annotate import actions, exports
from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import job_kind


@job_kind("open_campaign", title="Opening the campaign", queue="cpu")
def open_campaign(campaign_id: int, progress: JobProgress) -> None:
    actions.open_campaign(campaign_id, progress)


@job_kind("export_dataset", title="Writing the export", queue="cpu")
def export_dataset(export_id: int, progress: JobProgress) -> None:
    exports.export_dataset(export_id, progress)
