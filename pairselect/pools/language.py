"""Models by the names that operators give them: in this process, or on a server of theirs."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings

from pairselect.jobs.progress import JobError

if TYPE_CHECKING:  # torch stays out of the web process
    from pairselect.pools.engine.contract import Generator
    from pairselect.pools.engine.loading import LanguageModel
    from pairselect.pools.engine.rewards import RewardModel

Notice = Callable[[str], None]

EMBEDDED = "embedded:smollm2-135m"


def on_server(model: str) -> bool:
    """Whether the name is of a model behind one of the operator's servers: ``lab:owner/model``."""
    return model.partition(":")[0] in settings.PAIRSELECT_SERVERS


def offered_models() -> list[str]:
    """The models that the operator offers on the web, the usual one first."""
    return list(dict.fromkeys([settings.PAIRSELECT_MODEL, *settings.PAIRSELECT_MODELS]))


def usual_reference_model() -> str:
    """Of pools that no model of this machine has written."""
    if settings.PAIRSELECT_REFERENCE_MODEL:
        return str(settings.PAIRSELECT_REFERENCE_MODEL)
    return EMBEDDED if on_server(settings.PAIRSELECT_MODEL) else str(settings.PAIRSELECT_MODEL)


@lru_cache(maxsize=1)
def load(model: str) -> "LanguageModel":
    """The model, kept for the worker's next job.

    Raises
    ------
    JobError
        With what to do, when it cannot be loaded.
    """
    from pairselect.pools.engine.contract import ModelUnavailable
    from pairselect.pools.engine.loading import load_model

    if on_server(model):
        raise JobError(f"{model} is on a server: this needs a model that runs here.")
    label = model.partition(":")[0]
    if ":" in model and label != "embedded":
        raise JobError(
            f"There is no server “{label}”: the operator names servers in PAIRSELECT_SERVERS."
        )
    try:
        return load_model(model, data_dir=settings.PAIRSELECT_DATA_DIR)
    except ModelUnavailable as problem:
        raise JobError(str(problem)) from problem


def open_generator(model: str, *, capture: Sequence[str] = (), notice: Notice) -> "Generator":
    """What writes completions with that model, on the fastest path that there is for it.

    ``capture`` names the features that are wanted as by-products, where the path has them.
    """
    if on_server(model):
        from pairselect.pools.engine.server import ServerGenerator

        label, _, name = model.partition(":")
        server = settings.PAIRSELECT_SERVERS[label]
        return ServerGenerator(server.url, name, api_key=server.key or None, notice=notice)
    lm = load(model)
    if lm.device.type == "cuda":
        from pairselect.pools.engine.continuous import ContinuousGenerator

        return ContinuousGenerator(lm, notice=notice)
    from pairselect.pools.engine.generation import InProcessGenerator

    return InProcessGenerator(lm, capture=capture, notice=notice)


@lru_cache(maxsize=1)
def load_reward_model(model: str) -> "RewardModel":
    """
    Raises
    ------
    JobError
        With what to do, when it cannot be loaded.
    """
    from pairselect.pools.engine.contract import ModelUnavailable
    from pairselect.pools.engine.rewards import load_reward_model

    try:
        return load_reward_model(model, data_dir=settings.PAIRSELECT_DATA_DIR)
    except ModelUnavailable as problem:
        raise JobError(str(problem)) from problem
