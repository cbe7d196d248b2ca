"""What workers do for pools. torch is imported inside, in the worker."""

from pairselect.jobs.progress import JobProgress
from pairselect.jobs.registry import job_kind
from pairselect.pools import actions, imports


@job_kind("import_prompts", title="Importing prompts", queue="cpu")
def import_prompts(prompt_set_id: int, progress: JobProgress) -> None:
    imports.import_prompts(prompt_set_id, progress)


@job_kind("import_pool", title="Importing the pool", queue="cpu")
def import_pool(pool_id: int, progress: JobProgress) -> None:
    imports.import_pool(pool_id, progress)


@job_kind("generate_pool", title="Generating completions", queue="gpu")
def generate_pool(pool_id: int, progress: JobProgress) -> None:
    actions.generate_pool(pool_id, progress)


@job_kind("extract_features", title="Extracting features", queue="gpu")
def extract_features(feature_set_id: int, progress: JobProgress) -> None:
    actions.extract_features(feature_set_id, progress)
