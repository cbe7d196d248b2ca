"""The kinds of features, by name: which hidden states, and how tokens become one vector."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

DEFAULT_KIND = "mean_middle"
FEATURE_KINDS = (DEFAULT_KIND, "mean_quarters", "last_token", "output_sketch")
"""The kinds that are offered. `feature_kind` also reads ``mean_layer_N``, for any layer N."""

SKETCH_SHAPE = (32, 64)
SKETCH_SEED = 2606_19607

HALF, FINAL = Fraction(1, 2), Fraction(1)

_MEAN_LAYER = re.compile(r"mean_layer_(0|[1-9]\d{0,5})", re.ASCII)


@dataclass(frozen=True)
class FeatureKind:
    """Which hidden states are taken, and how a completion's tokens become one vector.

    Parameters
    ----------
    name
        Under which it is asked for.
    places
        The states, side by side in the vector: the number k of ``hidden_states[k]``, that is the
        input of layer k, 0 the embeddings and the layers' number n the final state after the
        final norm; or a share of n, rounded down.
    pooling
        ``"mean"`` over the completion's tokens, the ``"last"`` token, or the ``"sketch"`` of the
        output layer's gradient (see `sketch`).
    """

    name: str
    places: tuple[int | Fraction, ...]
    pooling: Literal["mean", "last", "sketch"]

    def layers(self, layer_count: int) -> tuple[int, ...]:
        """Return the indices into ``hidden_states``, each 0 to `layer_count`.

        Raises
        ------
        ValueError
            When the model has no such layer.
        """
        found = tuple(
            place if isinstance(place, int) else int(place * layer_count) for place in self.places
        )
        if max(found) > layer_count:
            raise ValueError(
                f"The model has no layer for {self.name!r}: it has {layer_count} layers, so name "
                f"mean_layer_0 to mean_layer_{layer_count}."
            )
        return found

    def size(self, hidden_size: int) -> int:
        """Return the dimension of the features, of a model whose states have `hidden_size`."""
        if self.pooling == "sketch":
            return SKETCH_SHAPE[0] * SKETCH_SHAPE[1]
        return len(self.places) * hidden_size

    @property
    def facts(self) -> Mapping[str, str]:
        """What decides the features besides the model, as plain strings for a manifest."""
        facts = {"kind": self.name}
        if self.pooling == "sketch":
            rows, columns = SKETCH_SHAPE
            facts["projections"] = f"signs, Philox({SKETCH_SEED}), {rows} x {columns}"
        return facts


def feature_kind(name: str) -> FeatureKind:
    """Return the kind of that name.

    ``mean_middle``
        The default: the mean over the completion's tokens of the middle layer's input. Far
        better than the last token on real features.
    ``mean_quarters``
        The same of the layers at a quarter, at half and at three quarters of the depth, side by
        side: three times as long.
    ``mean_layer_N``
        The same at a chosen layer, N from 0 (the embeddings) to the number of layers (the final
        state, after the final norm).
    ``last_token``
        The final state at the completion's last token: the paper's (arXiv:2606.19607).
    ``output_sketch``
        The gradient of the log-probability with respect to the output layer, projected.

    Raises
    ------
    ValueError
        When there is no kind of that name.
    """
    if name == "mean_middle":
        return FeatureKind(name, (HALF,), "mean")
    if name == "mean_quarters":
        return FeatureKind(name, (HALF / 2, HALF, HALF * 3 / 2), "mean")
    if name == "last_token":
        return FeatureKind(name, (FINAL,), "last")
    if name == "output_sketch":
        return FeatureKind(name, (FINAL,), "sketch")
    if match := _MEAN_LAYER.fullmatch(name):
        return FeatureKind(name, (int(match[1]),), "mean")
    raise ValueError(
        f"There is no feature kind {name!r}: use {', '.join(FEATURE_KINDS)}, or mean_layer_N with "
        "the number N of a layer."
    )
