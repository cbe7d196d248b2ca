"""What workers do for pools. torch is imported inside, in the worker."""

from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import Remedy, Subject, job_kind
from pairselect.pools import extracting, generating, reporting, scoring
from pairselect.pools.imports import NOTHING, discarding, importing, inspecting

MAP_AGAIN = "See its bad rows, change its columns"


@job_kind(
    "inspect_upload",
    title="Looking at the file",
    queue="cpu",
    subject=Subject("pools.Upload", page="pools:prompt_set_upload"),
    remedy=Remedy(NOTHING, page="pools:prompt_set_upload_new", label="Upload another file"),
)
def inspect_upload(upload_id: int, progress: JobProgress) -> None:
    inspecting.inspect_upload(upload_id, progress)


@job_kind(
    "discard_upload",
    title="Discarding the file",
    queue="cpu",
    subject=Subject("pools.Upload", page="pools:prompt_set_upload"),
)
def discard_upload(upload_id: int, progress: JobProgress) -> None:
    discarding.discard_in_worker(upload_id, progress)


@job_kind(
    "import_prompts",
    title="Importing prompts",
    queue="cpu",
    subject=Subject("pools.PromptSet", page="pools:prompt_set"),
    remedy=Remedy(NOTHING, page="pools:prompt_set_upload", of="upload", label=MAP_AGAIN),
)
def import_prompts(prompt_set_id: int, progress: JobProgress) -> None:
    importing.import_prompts(prompt_set_id, progress)


@job_kind(
    "import_pool",
    title="Importing the pool",
    queue="cpu",
    subject=Subject("pools.Pool", page="pools:pool", label="{title} “{name}”"),
    remedy=Remedy(
        NOTHING, page="pools:prompt_set_upload", of="prompt_set__upload", label=MAP_AGAIN
    ),
)
def import_pool(pool_id: int, progress: JobProgress) -> None:
    importing.import_pool(pool_id, progress)


@job_kind(
    "generate_pool",
    title="Generating completions",
    queue="gpu",
    subject=Subject("pools.Pool", page="pools:pool"),
)
def generate_pool(pool_id: int, progress: JobProgress) -> None:
    generating.generate_pool(pool_id, progress)


@job_kind(
    "extract_features",
    title="Extracting features",
    queue="gpu",
    subject=Subject("pools.FeatureSet", page="pools:pool", named_by="pool"),
)
def extract_features(feature_set_id: int, progress: JobProgress) -> None:
    extracting.extract_features(feature_set_id, progress)


@job_kind(
    "score_pool",
    title="Scoring completions",
    queue="gpu",
    subject=Subject("pools.ScoreSet", page="pools:pool", named_by="pool"),
)
def score_pool(score_set_id: int, progress: JobProgress) -> None:
    scoring.score_pool(score_set_id, progress)


@job_kind(
    "report_pool",
    title="Looking at the pool",
    queue="cpu",
    subject=Subject("pools.Pool", page="pools:pool", label="{title} “{name}”"),
)
def report_pool(pool_id: int, progress: JobProgress) -> None:
    reporting.report_pool(pool_id, progress)
