"""What workers do for pools. torch is imported inside, in the worker."""

from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import Remedy, Subject, job_kind
from pairselect.pools import actions, imports

UPLOAD = "Upload the mended file under the same name"


@job_kind(
    "import_prompts",
    title="Importing prompts",
    queue="cpu",
    subject=Subject("pools.PromptSet", page="pools:prompt_set"),
    remedy=Remedy(imports.NOTHING, page="pools:prompt_sets", label=UPLOAD),
)
def import_prompts(prompt_set_id: int, progress: JobProgress) -> None:
    imports.import_prompts(prompt_set_id, progress)


@job_kind(
    "import_pool",
    title="Importing the pool",
    queue="cpu",
    subject=Subject("pools.Pool", page="pools:pool", label="{title} “{name}”"),
    remedy=Remedy(imports.NOTHING, page="pools:pool_import", label=UPLOAD),
)
def import_pool(pool_id: int, progress: JobProgress) -> None:
    imports.import_pool(pool_id, progress)


@job_kind(
    "generate_pool",
    title="Generating completions",
    queue="gpu",
    subject=Subject("pools.Pool", page="pools:pool"),
)
def generate_pool(pool_id: int, progress: JobProgress) -> None:
    actions.generate_pool(pool_id, progress)


@job_kind(
    "extract_features",
    title="Extracting features",
    queue="gpu",
    subject=Subject("pools.FeatureSet", page="pools:pool", named_by="pool"),
)
def extract_features(feature_set_id: int, progress: JobProgress) -> None:
    actions.extract_features(feature_set_id, progress)
