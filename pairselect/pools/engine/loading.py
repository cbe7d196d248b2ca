"""Load a language model by name: the embedded one, a local folder, or a hub id."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from pairselect.pools.engine import prompts
from pairselect.pools.engine.contract import Message, ModelUnavailable
from pairselect.pools.engine.embedded import EMBEDDED, embedded_folder
from pairselect.pools.engine.hardware import choose_device, choose_dtype, use_all_cores

__all__ = [
    "EMBEDDED",
    "LanguageModel",
    "ModelUnavailable",
    "load_limits",
    "load_model",
    "load_tokenizer",
]

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model, ready to run.

    Parameters
    ----------
    name
        The name it was loaded by.
    model, tokenizer
        The transformers objects, the model in evaluation mode on `device`.
    device, dtype
        Where and in which number format it runs.
    context_length
        Tokens of prompt and completion together that the model can read.
    fingerprint
        What decides its outputs, as plain strings: ``name``, ``weights`` (the hub's commit, or
        a hash of the local files), ``chat_template`` (sha256), ``dtype``, ``device``,
        ``torch``, ``transformers``.
    """

    name: str
    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype
    context_length: int
    fingerprint: Mapping[str, str]

    def render(self, messages: Sequence[Message]) -> str:
        """Return the prompt as text; see `prompts.render`."""
        return prompts.render(self.tokenizer, messages)

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Return the prompt's token ids; see `prompts.prompt_ids`."""
        return prompts.prompt_ids(self.tokenizer, messages)

    @property
    def hidden_size(self) -> int:
        """The dimension of a hidden state, and so of every feature."""
        return int(self.model.config.get_text_config().hidden_size)

    @cached_property
    def eos_ids(self) -> tuple[int, ...]:
        """Every token id that ends a completion; the tokenizer's own, where it has one, first."""
        configured = self.model.generation_config.eos_token_id
        many = configured if isinstance(configured, list | tuple) else [configured]
        ids = [self.tokenizer.eos_token_id, *many]
        return tuple(dict.fromkeys(int(token) for token in ids if token is not None))


def load_model(
    name: str,
    *,
    data_dir: Path,
    device: str | None = None,
    dtype: torch.dtype | None = None,
) -> LanguageModel:
    """Load a model for generation and features.

    Parameters
    ----------
    name
        ``embedded:smollm2-135m``, a local folder with safetensors weights, or a hub id.
    data_dir
        Where the embedded model is kept once converted (``models/`` below it).
    device
        A torch device name. Default: CUDA where there is one, else the CPU.

    dtype
        The number format. Default: see `hardware.choose_dtype`.

    Raises
    ------
    ModelUnavailable
        With one sentence that says what to do.
    """
    source = resolve_name(name, data_dir)
    target, dtype = place(device, dtype)
    with quiet(), explained(name):
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    model.to(target).eval()
    return LanguageModel(
        name=name,
        model=model,
        tokenizer=tokenizer,
        device=target,
        dtype=dtype,
        context_length=context_length(model.config.get_text_config(), tokenizer),
        fingerprint=fingerprint(name, source, model, tokenizer),
    )


def place(device: str | None, dtype: torch.dtype | None) -> tuple[torch.device, torch.dtype]:
    """Return where a model runs and in which number format, and make the CPU ready for it."""
    target = choose_device(device)
    if target.type == "cpu":
        use_all_cores()
    return target, dtype or choose_dtype(target)


def fingerprint(name: str, source: str, model: Any, tokenizer: Any) -> Mapping[str, str]:
    """Return what decides a loaded model's outputs, as `LanguageModel` lists it."""
    return {
        "name": name,
        "weights": weights_id(source, model.config),
        "chat_template": prompts.template_hash(tokenizer),
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": model.device.type,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def load_tokenizer(name: str, *, data_dir: Path) -> Any:
    """Load only a model's tokenizer, for callers that render prompts (see `prompts.render`).

    Parameters and errors are those of `load_model`.
    """
    source = resolve_name(name, data_dir, weights=False)
    with quiet(), explained(name):
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)


def load_limits(name: str, *, data_dir: Path) -> tuple[Any, int]:
    """Load what measures prompts: a model's tokenizer, and its context's length in tokens.

    The weights are not read. Parameters and errors are those of `load_model`.
    """
    source = resolve_name(name, data_dir)
    with quiet(), explained(name):
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    return tokenizer, context_length(config.get_text_config(), tokenizer)


def resolve_name(name: str, data_dir: Path, *, weights: bool = True) -> str:
    """Return the folder or hub id behind a name.

    Raises
    ------
    ModelUnavailable
        When there is none, or with ``weights`` a folder lacks safetensors weights.
    """
    if name.startswith("embedded:"):
        if name != EMBEDDED:
            raise ModelUnavailable(f"There is no model {name!r}: the embedded one is {EMBEDDED!r}.")
        with quiet():
            return str(embedded_folder(data_dir))
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelUnavailable(
                f"The folder {name} holds no model: name a folder with config.json and weights."
            )
        if weights and not any(folder.glob("*.safetensors")):
            raise ModelUnavailable(
                f"The folder {name} has no safetensors weights: save the model again with "
                "`save_pretrained`, since other weight files can run code when they are read."
            )
        return str(folder)
    if not _HUB_ID.fullmatch(name):
        raise ModelUnavailable(
            f"There is no folder {name}: name an existing folder, a hub id such as "
            f"`owner/model`, or {EMBEDDED!r}."
        )
    return name


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what transformers raises for a model that does not load into one sentence."""
    try:
        yield
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        if Path(name).expanduser().is_dir() or name == EMBEDDED:
            first = str(error).strip().split("\n")[0].rstrip(".")
            message = f"The model {name} could not be read, check its files ({first})."
        elif _caused_by(error, "RepositoryNotFoundError", "GatedRepoError"):
            message = (
                f"The hub has no open model {name!r}: check the name, or sign in to the hub "
                "if the model is private or gated."
            )
        elif _caused_by(error, "EntryNotFoundError"):
            message = f"The hub's {name!r} lacks a file that is needed: choose another model."
        elif isinstance(error, OSError):
            message = (
                f"The model {name!r} is neither a folder nor in the hub's cache, and the hub "
                "did not deliver it: check the name and the network, or name a local folder."
            )
        else:
            first = str(error).strip().split("\n")[0].rstrip(".")
            message = f"The model {name!r} is of a kind that cannot be used ({first})."
        raise ModelUnavailable(message) from error


def _caused_by(error: BaseException | None, *names: str) -> bool:
    while error is not None:
        if type(error).__name__ in names:
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars: a worker's standard error is a log."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def context_length(config: Any, tokenizer: Any) -> int:
    """Return the tokens that a model of this configuration reads, 2048 where it does not say."""
    for attribute in ("max_position_embeddings", "n_positions", "seq_length"):
        length = getattr(config, attribute, None)
        if isinstance(length, int) and length > 0:
            # a tokenizer without a limit says 1e30
            return min(length, int(tokenizer.model_max_length))
    return min(2048, int(tokenizer.model_max_length))


def weights_id(source: str, config: Any) -> str:
    """Name the weights: the hub's commit, else a cheap hash of the folder.

    The hash covers config.json, and of each safetensors file its name, its size and its first
    and last megabyte. The first holds the header (all names and shapes), the last the end of
    the last tensors, so a further trained or differently saved copy shows; a file changed only
    in its middle would not.
    """
    commit = getattr(config, "_commit_hash", None)
    folder = Path(source)
    if not folder.is_dir():
        return str(commit or "unknown")
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted(folder.glob("*.safetensors")):
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_MEGABYTE))
            stream.seek(max(0, size - _MEGABYTE))
            digest.update(stream.read(_MEGABYTE))
    return digest.hexdigest()
