from django.utils.translation import gettext_lazy as _

from annotate import actions, tally
from annotate.exporting import job
from annotate.machines import judging
from annotate.models import Campaign
from annotate.quality import assess
from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import Subject, job_kind


@job_kind(
    "open_campaign",
    title=_("Opening the campaign"),
    queue="cpu",
    subject=Subject("annotate.Campaign", page="annotate:campaign", label=_("{title} “{name}”")),
)
def open_campaign(campaign_id: int, progress: JobProgress) -> None:
    actions.open_campaign(campaign_id, progress)


@job_kind(
    "export_dataset",
    title=_("Writing the export"),
    queue="cpu",
    subject=Subject("annotate.Export", page="annotate:campaign_exports", named_by="campaign"),
    download="annotate:export",
    refreshes_page=False,  # its page has a form, and waits for none of its exports
)
def export_dataset(export_id: int, progress: JobProgress) -> None:
    job.export_dataset(export_id, progress)


@job_kind(
    "judge_campaign",
    title=_("Asking a machine"),
    queue="cpu",
    subject=Subject(
        "annotate.Assignment",
        page="annotate:campaign_machines",
        named_by="campaign",
        label=_("{title} about the pairs of “{name}”"),
    ),
)
def judge_campaign(assignment_id: int, progress: JobProgress) -> None:
    judging.judge_campaign(assignment_id, progress)


@job_kind(
    "assess_labels",
    title=_("Assessing the labels"),
    queue="cpu",
    subject=Subject("annotate.Assessment", page="annotate:campaign_quality", named_by="campaign"),
)
def assess_labels(assessment_id: int, progress: JobProgress) -> None:
    assess.assess_labels(assessment_id, progress)


@job_kind(
    "count_answers",
    title=_("Counting the answers"),
    queue="cpu",
    subject=Subject("annotate.Campaign", page="annotate:campaign"),
    refreshes_page=False,  # the page shows the count before, with its time
)
def count_answers(campaign_id: int, progress: JobProgress) -> None:
    tally.make_tally(Campaign.objects.get(pk=campaign_id))
