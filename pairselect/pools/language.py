"""Models by the names that operators give them: in this process, or on a server of theirs."""

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from pairselect.jobs.progress import JobError

if TYPE_CHECKING:  # torch stays out of the web process
    from pairselect.pools.engine.contract import Generator
    from pairselect.pools.engine.loading import LanguageModel
    from pairselect.pools.engine.rewards import RewardModel

Notice = Callable[[str], None]

EMBEDDED = "embedded:smollm2-135m"

# The one model that this process keeps for its next job, language model or reward model.
_kept: "dict[tuple[str, str], LanguageModel | RewardModel]" = {}


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


def load(model: str) -> "LanguageModel":
    """The model, kept for the worker's next job; another that was kept is dropped first.

    Raises
    ------
    JobError
        With what to do, when it cannot be loaded.
    """
    from pairselect.pools.engine.loading import load_model

    _check_here(model)
    return cast("LanguageModel", _keep("language", model, load_model))


def load_reward_model(model: str) -> "RewardModel":
    """As `load` does."""
    _check_here(model)
    from pairselect.pools.engine.rewards import load_reward_model

    return cast("RewardModel", _keep("reward", model, load_reward_model))


def load_limits(model: str) -> tuple[Any, int]:
    """The tokenizer and the context's length, without the weights. Errors as `load`'s."""
    from pairselect.pools.engine.contract import ModelUnavailable
    from pairselect.pools.engine.loading import load_limits

    _check_here(model)
    kept = _kept.get(("language", model))
    if kept is not None:
        return kept.tokenizer, kept.context_length
    try:
        return load_limits(model, data_dir=settings.PAIRSELECT_DATA_DIR)
    except ModelUnavailable as problem:
        raise JobError(str(problem)) from problem


def _keep(
    kind: str, model: str, load: "Callable[..., LanguageModel | RewardModel]"
) -> "LanguageModel | RewardModel":
    import torch

    from pairselect.pools.engine.contract import ModelUnavailable

    if (kind, model) not in _kept:
        _kept.clear()  # before the next is loaded: there is room for one
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            _kept[kind, model] = load(model, data_dir=settings.PAIRSELECT_DATA_DIR)
        except ModelUnavailable as problem:
            raise JobError(str(problem)) from problem
        except (torch.OutOfMemoryError, MemoryError) as problem:
            raise JobError(
                f"There is not enough memory for the model {model}: choose a smaller one, or end "
                "what else uses the memory."
            ) from problem
    return _kept[kind, model]


def _check_here(model: str) -> None:
    if on_server(model):
        raise JobError(f"{model} is on a server: this needs a model that runs here.")
    label = model.partition(":")[0]
    if ":" in model and label != "embedded":
        raise JobError(
            f"There is no server “{label}”: the operator names servers in PAIRSELECT_SERVERS."
        )


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
