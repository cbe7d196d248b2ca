"""The layers of a model: run it up to one of them, and keep the states on the way."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn


class _Enough(Exception):
    """The layers that are wanted have been read."""


def read_layers(model: Any, depth: int, wanted: set[int], **inputs: Any) -> dict[int, torch.Tensor]:
    """Run the model through `depth` layers; return the wanted ``hidden_states`` and the last."""
    layers = _decoder_layers(model)
    with _catch_inputs(layers, wanted, depth) as states, suppress(_Enough):
        output = model.base_model(**inputs)
        states[len(layers)] = output.last_hidden_state  # (rows, length, d), after the final norm
    return states


def layer_count(model: Any) -> int:
    """Return how many decoder layers a model has."""
    return int(model.config.get_text_config().num_hidden_layers)


def _decoder_layers(model: Any) -> nn.ModuleList:
    """Return the stack of decoder layers, whatever the architecture calls it."""
    count = layer_count(model)
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise ValueError(f"No stack of {count} layers was found in {type(model).__name__}.")


@contextmanager
def _catch_inputs(
    layers: nn.ModuleList, wanted: set[int], depth: int
) -> Iterator[dict[int, torch.Tensor]]:
    """Keep the inputs of the wanted layers, and stop the pass before layer `depth`.

    Layer k reads ``hidden_states[k]``.
    """
    caught: dict[int, torch.Tensor] = {}

    def hook_for(place: int) -> Any:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught[place] = args[0] if args else kwargs["hidden_states"]
            if place == depth:
                raise _Enough

        return hook

    handles = [
        layers[place].register_forward_pre_hook(hook_for(place), with_kwargs=True)
        for place in sorted(wanted | {depth})
        if place < len(layers)
    ]
    try:
        yield caught
    finally:
        for handle in handles:
            handle.remove()
