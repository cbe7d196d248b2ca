"""What workers do for pools. torch is imported inside, in the worker."""

from django.utils.translation import gettext_lazy as _

from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import Remedy, Subject, job_kind
from pairselect.pools import extracting, generating, reporting, scoring
from pairselect.pools.imports import NOTHING, discarding, importing, inspecting

MAP_AGAIN = _("See its bad rows, change its columns")
OF_A_POOL = _("{title} “{name}”")


@job_kind(
    "inspect_upload",
    title=_("Looking at the file"),
    queue="cpu",
    subject=Subject("pools.Upload", page="pools:prompt_set_upload"),
    remedy=Remedy(NOTHING, page="pools:prompt_set_upload_new", label=_("Upload another file")),
)
def inspect_upload(upload_id: int, progress: JobProgress) -> None:
    inspecting.inspect_upload(upload_id, progress)


@job_kind(
    "discard_upload",
    title=_("Discarding the file"),
    queue="cpu",
    subject=Subject("pools.Upload", page="pools:prompt_set_upload"),
)
def discard_upload(upload_id: int, progress: JobProgress) -> None:
    discarding.discard_in_worker(upload_id, progress)


@job_kind(
    "import_prompts",
    title=_("Importing prompts"),
    queue="cpu",
    subject=Subject("pools.PromptSet", page="pools:prompt_set"),
    remedy=Remedy(NOTHING, page="pools:prompt_set_upload", of="upload", label=MAP_AGAIN),
)
def import_prompts(prompt_set_id: int, progress: JobProgress) -> None:
    importing.import_prompts(prompt_set_id, progress)


@job_kind(
    "import_pool",
    title=_("Importing the pool"),
    queue="cpu",
    subject=Subject("pools.Pool", page="pools:pool", label=OF_A_POOL),
    remedy=Remedy(
        NOTHING, page="pools:prompt_set_upload", of="prompt_set__upload", label=MAP_AGAIN
    ),
)
def import_pool(pool_id: int, progress: JobProgress) -> None:
    importing.import_pool(pool_id, progress)


@job_kind(
    "generate_pool",
    title=_("Generating completions"),
    queue="gpu",
    subject=Subject("pools.Pool", page="pools:pool"),
)
def generate_pool(pool_id: int, progress: JobProgress) -> None:
    generating.generate_pool(pool_id, progress)


@job_kind(
    "extract_features",
    title=_("Extracting features"),
    queue="gpu",
    subject=Subject("pools.FeatureSet", page="pools:pool", named_by="pool"),
)
def extract_features(feature_set_id: int, progress: JobProgress) -> None:
    extracting.extract_features(feature_set_id, progress)


@job_kind(
    "score_pool",
    title=_("Scoring completions"),
    queue="gpu",
    subject=Subject("pools.ScoreSet", page="pools:pool", named_by="pool"),
)
def score_pool(score_set_id: int, progress: JobProgress) -> None:
    scoring.score_pool(score_set_id, progress)


@job_kind(
    "report_pool",
    title=_("Looking at the pool"),
    queue="cpu",
    subject=Subject("pools.Pool", page="pools:pool", label=OF_A_POOL),
)
def report_pool(pool_id: int, progress: JobProgress) -> None:
    reporting.report_pool(pool_id, progress)
