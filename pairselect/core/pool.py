"""The pool of completions: which of them can be compared.

Pairs are handled as ids (n,) inside the core (see `blocks`) and become rows of `features` (n, 2)
only at its border.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pairselect.core import blocks
from pairselect.core.arrays import Cap, DesignError, FloatArray, IntArray, information_factor, union

Scalar = TypeVar("Scalar", bound=np.generic)


class CandidatePool:
    """Completions, grouped by prompt, and the pairs of them that may be compared.

    A candidate pair is any two completions of one prompt, unless their texts are the same or the
    pair is excluded. Pairs that are not candidates count nowhere: not in the uniform design, not
    in the number of pairs, not in any strategy.

    Parameters
    ----------
    features : (n_completions, d) array
        φ(x, y), one row a completion; any real dtype, any unit. Only differences within a prompt
        matter, and they are taken in float64.
    prompt_index : (n_completions,) integers
        Which prompt each row answers: any labels, in any order. Prompts with one completion are
        allowed and play no part.
    log_probs : (n_completions,) array, optional
        log π₀(y | x) in nats; needed for ``target="policy"`` and the reference-weighted strategy.
    scores : (n_completions,) array, optional
        How good each completion is, by a reward model or a judge, in any unit; for the strategies
        that look at the gap between two scores.
    rewards : (n_completions,) array, optional
        Fitted reward r̂ of each completion, in logits: a label on (a, b) then carries the
        information 4σ′(r̂_a − r̂_b) g gᵀ, where without rewards it carries g gᵀ (all logits 0; the
        factor σ′(0) = 1/4 is left out of Σ_D throughout).
    text_id : (n_completions,) integers, optional
        Completions of one prompt with equal `text_id` have the same text, and never form a pair.
    excluded : (k, 2) integers, optional
        Pairs of rows that may not be chosen, such as those that already have a label.
    device : str, optional
        Where torch ranks the pairs, such as ``"cuda"``; by default NumPy does, on the CPU.

    Attributes
    ----------
    n_completions, dimension, n_prompts, n_pairs : int
        Rows, d, prompts with at least two completions, candidate pairs.
    pairs_per_prompt : (n_prompts,) integers
        Candidate pairs of each prompt.
    prompt_labels : (n_prompts,) integers
        The label in `prompt_index` of each prompt: the order of all arrays that have one entry a
        prompt. Prompts with fewer completions come first.

    Raises
    ------
    DesignError
        On wrong shapes, values that are not finite, or a pool without a single pair.
    """

    def __init__(
        self,
        features: npt.ArrayLike,
        prompt_index: npt.ArrayLike,
        log_probs: npt.ArrayLike | None = None,
        *,
        scores: npt.ArrayLike | None = None,
        rewards: npt.ArrayLike | None = None,
        text_id: npt.ArrayLike | None = None,
        excluded: npt.ArrayLike | None = None,
        device: str | None = None,
    ) -> None:
        self.device = device
        table = _finite(features, "features")
        if table.ndim != 2 or 0 in table.shape:
            raise DesignError(
                f"features must have shape (completions, d), d at least 1; got {table.shape}."
            )
        self.n_completions, self.dimension = table.shape
        labels = self._column(_integers(prompt_index, "prompt_index"), "prompt_index")
        _, prompt, counts = np.unique(labels, return_inverse=True, return_counts=True)
        if counts.max() < 2:
            raise DesignError(
                "Every prompt has one completion; a comparison needs a prompt with at least two."
            )

        # Stable: inside a prompt rows keep their order, so i < j holds for the rows as well.
        order = np.lexsort((prompt, counts[prompt]))
        self.rows: IntArray = order[np.count_nonzero(counts == 1) :].astype(np.int64)
        self._position = np.full(self.n_completions, -1, dtype=np.int64)
        self._position[self.rows] = np.arange(self.rows.size)
        self.blocks = blocks.group_by_size(counts[counts > 1])
        self.n_prompts = sum(block.n_prompts for block in self.blocks)
        self.prompt_of_row: IntArray = np.concatenate(
            [b.first_prompt + np.repeat(np.arange(b.n_prompts), b.size) for b in self.blocks]
        )
        starts = np.cumsum([0] + [b.size for b in self.blocks for _ in range(b.n_prompts)])[:-1]
        self.prompt_labels: IntArray = labels[self.rows[starts]]
        self.sizes: IntArray = np.concatenate([np.full(b.n_prompts, b.size) for b in self.blocks])
        self.centred = self._centre(table[self.rows])  # (rows, d), each prompt's mean at zero
        self.log_probs = self._known(log_probs, "log_probs")
        self.scores = self._known(scores, "scores")
        self.rewards = self._known(rewards, "rewards")
        self.weights: FloatArray | None = None
        self._set_barred(text_id, excluded)

        # Below this, differences between features are rounding of the features themselves.
        noise = self.n_completions * np.finfo(float).eps * float(np.abs(table).max())
        if float(np.abs(self.centred).max()) <= noise:
            raise DesignError(
                "All completions of a prompt have the same features, so a comparison tells "
                "nothing; check how the features were computed."
            )

    # --- pair ids ---------------------------------------------------------------------------

    def pair_ids(self, pairs: npt.ArrayLike) -> IntArray:
        """Ids (n,) of pairs given as rows of `features` (n, 2), in either order of the sides."""
        table = _integers(pairs, "pairs")
        if table.size == 0:
            return np.zeros(0, dtype=np.int64)
        if table.ndim != 2 or table.shape[1] != 2:
            raise DesignError(f"pairs must have shape (n, 2); got {table.shape}.")
        if table.min() < 0 or table.max() >= self.n_completions:
            raise DesignError(f"pairs must be rows of features, 0 to {self.n_completions - 1}.")
        sides = np.sort(self._position[table], axis=1)
        one, two = sides[:, 0], sides[:, 1]
        if np.any(one < 0) or np.any(self.prompt_of_row[one] != self.prompt_of_row[two]):
            raise DesignError("A pair must hold two completions of one prompt.")
        if np.any(one == two):
            raise DesignError("A pair must hold two different completions.")
        number = np.searchsorted(self._first("first_row"), one, side="right") - 1
        size = self._first("size")[number]
        prompt, i = np.divmod(one - self._first("first_row")[number], size)
        j = i + two - one
        inside = i * size - i * (i + 1) // 2 + (j - i - 1)  # row-major upper triangle
        return np.asarray(
            self._first("first_pair")[number] + prompt * (size * (size - 1) // 2) + inside
        )

    def pair_rows(self, ids: IntArray) -> IntArray:
        """Rows of `features` (n, 2), the first below the second, of pairs given by id (n,)."""
        return self.rows[self.sides(ids)]

    def pair_prompts(self, ids: IntArray) -> IntArray:
        """The prompt's number, 0 to n_prompts − 1, of each pair id (n,)."""
        prompts = np.empty(ids.size, dtype=np.int64)
        number = np.searchsorted(self._first("first_pair"), ids, side="right") - 1
        for b, block in enumerate(self.blocks):
            here = number == b
            prompts[here] = (
                block.first_prompt + (ids[here] - block.first_pair) // block.pairs_per_prompt
            )
        return prompts

    def candidate_ids(self, ranks: IntArray | None = None) -> IntArray:
        """Ids of the candidate pairs at these ranks, 0 to n_pairs − 1; all of them by default."""
        if ranks is None:
            ranks = np.arange(self.n_pairs, dtype=np.int64)
        before = self.barred - np.arange(self.barred.size)
        return ranks + np.searchsorted(before, ranks, side="right")

    def differences(self, ids: IntArray) -> FloatArray:
        """g_e = φ(first) − φ(second) of each pair id (n,), shape (n, d)."""
        sides = self.sides(ids)
        return self.centred[sides[:, 0]] - self.centred[sides[:, 1]]

    def information_vectors(self, ids: IntArray) -> FloatArray:
        """√factor · g_e of each pair id (n,), shape (n, d); see `factors_of`."""
        g = self.differences(ids)
        if self.rewards is not None:
            sides = self.sides(ids)
            logit = self.rewards[sides[:, 0]] - self.rewards[sides[:, 1]]
            g *= np.sqrt(information_factor(logit))[:, None]
        if self.weights is not None:
            g *= np.sqrt(self.weights[ids])[:, None]
        return g

    def factors_of(self, chunk: blocks.Block) -> FloatArray | None:
        """What multiplies g gᵀ in a label's information, (prompts, pairs); None where it is 1.

        4σ′ of the logit with rewards, times the pair's weight with weights.
        """
        factor = None
        if self.rewards is not None:
            factor = information_factor(chunk.logits(self.rewards))
        if self.weights is not None:
            last = chunk.first_pair + chunk.n_prompts * chunk.pairs_per_prompt
            weight = self.weights[chunk.first_pair : last].reshape(chunk.n_prompts, -1)
            factor = weight if factor is None else factor * weight
        return factor

    def score_gaps(self, ids: IntArray) -> FloatArray:
        """|score of a − score of b| of each pair id (n,); the pool must have scores."""
        if self.scores is None:
            raise DesignError("The pool has no scores.")
        sides = self.sides(ids)
        return np.abs(self.scores[sides[:, 0]] - self.scores[sides[:, 1]])

    def without(self, ids: IntArray) -> CandidatePool:
        """The same pool with these pair ids barred too; it shares the arrays."""
        other = copy(self)
        other.__dict__.pop("uniform_information", None)  # depends on what is barred
        other._bar(union(self.barred, ids))
        return other

    def weighted(self, weights: FloatArray) -> CandidatePool:
        """The same pool, where a label on the e-th candidate tells w_e ≥ 0 times as much.

        Parameters
        ----------
        weights : (n_pairs,) array
            In the order of `candidate_ids`. A weight that the pool has already is multiplied.
        """
        other = copy(self)
        other.__dict__.pop("uniform_information", None)
        last = self.blocks[-1]
        every = np.zeros(last.first_pair + last.n_prompts * last.pairs_per_prompt)
        ids = self.candidate_ids()
        every[ids] = weights if self.weights is None else weights * self.weights[ids]
        other.weights = every
        return other

    def unweighted(self) -> CandidatePool:
        """The same pool, where every label tells as much as at logit 0; it shares the arrays."""
        other = copy(self)
        other.__dict__.pop("uniform_information", None)
        other.rewards = other.weights = None
        return other

    def restricted_to(self, ids: IntArray) -> CandidatePool:
        """The same pool with only those of its candidate pairs; it shares the arrays."""
        return self.without(np.setdiff1d(self.candidate_ids(), ids, assume_unique=True))

    def first_two(self) -> CandidatePool:
        """The same pool with the pair of each prompt's first two completions alone.

        For prompt selection: which prompts deserve a label, when each has two completions or only
        the first two shall be compared. Prompts where those two are no candidate are left out.
        """
        first = [b.first_pair + b.pairs_per_prompt * np.arange(b.n_prompts) for b in self.blocks]
        return self.restricted_to(np.setdiff1d(np.concatenate(first), self.barred))

    # --- sums over the pool -----------------------------------------------------------------

    def information(self, ids: IntArray, weights: FloatArray) -> FloatArray:
        """Σ_e w_e g_e g_eᵀ (d, d) over distinct pairs given by id, times what `factors_of` has.

        Many pairs go by the Laplacian of their weighted comparison graph, Σ_x Φ_xᵀ L_x Φ_x, which
        costs a prompt K rows instead of up to K²/2.
        """
        if ids.size > self.rows.size:
            return self._laplacian_information(ids, weights)
        total = np.zeros((self.dimension, self.dimension))
        step = max(1, blocks.CHUNK_ENTRIES // self.dimension)
        for start in range(0, ids.size, step):
            part = slice(start, start + step)
            g = self.information_vectors(ids[part])
            g *= np.sqrt(weights[part])[:, None]
            total += g.T @ g
        return total

    def _laplacian_information(self, ids: IntArray, weights: FloatArray) -> FloatArray:
        order = np.argsort(ids, kind="stable")
        ids, weights = ids[order], weights[order]
        total = np.zeros((self.dimension, self.dimension))
        for block in self.blocks:
            left, right = block.corners
            for chunk in block.chunks(self.dimension):
                n_pairs = chunk.n_prompts * chunk.pairs_per_prompt
                first, last = np.searchsorted(ids, [chunk.first_pair, chunk.first_pair + n_pairs])
                if first == last:
                    continue
                prompt, pair = np.divmod(ids[first:last] - chunk.first_pair, block.pairs_per_prompt)
                i, j, w = left[pair], right[pair], weights[first:last]
                factor = self.factors_of(chunk)
                if factor is not None:
                    w = w * factor[prompt, pair]
                graph = np.zeros((chunk.n_prompts, block.size, block.size))
                graph[prompt, i, j] = graph[prompt, j, i] = w
                x = self.centred[chunk.rows]
                y = (graph @ x.reshape(chunk.n_prompts, block.size, -1)).reshape(x.shape)
                total += x.T @ (graph.sum(axis=2).reshape(-1, 1) * x - y)
        return (total + total.T) / 2

    def scatter(self, coefficient: FloatArray) -> FloatArray:
        """Σ_x c_x Σ_k (φ_k − φ̄)(φ_k − φ̄)ᵀ (d, d) for one coefficient c_x ≥ 0 a prompt."""
        total = np.zeros((self.dimension, self.dimension))
        for block in self.blocks:
            for chunk in block.chunks(self.dimension):
                scale = np.repeat(np.sqrt(coefficient[chunk.prompts]), chunk.size)
                x = self.centred[chunk.rows] * scale[:, None]
                total += x.T @ x
        return total

    def spread_information(self, weight: FloatArray) -> FloatArray:
        """Information (d, d) when each candidate pair of prompt x has weight w_x.

        All K(K−1)/2 pairs of a prompt sum to K Σ_k (φ_k − φ̄)(φ_k − φ̄)ᵀ (the Laplacian of the
        complete graph). Where some are no candidates, or pairs differ by their factors, the
        candidates are summed themselves: taking the others off again would lose all digits to
        an excluded outlier.
        """
        whole = self.pairs_per_prompt == self.sizes * (self.sizes - 1) // 2
        if self.rewards is not None or self.weights is not None:
            whole = np.zeros_like(whole)
        total = self.scatter(np.where(whole, weight * self.sizes, 0.0))
        if np.all(whole):
            return total
        ids = self.candidate_ids()
        prompts = self.pair_prompts(ids)
        ids, prompts = ids[~whole[prompts]], prompts[~whole[prompts]]
        return total + self.information(ids, weight[prompts])

    @cached_property
    def uniform_information(self) -> FloatArray:
        """Σ_uniform, the mean of g gᵀ over all candidate pairs, shape (d, d)."""
        return self.spread_information(np.full(self.n_prompts, 1.0 / self.n_pairs))

    @cached_property
    def mean_square_difference(self) -> float:
        """Mean ‖g‖² over all pairs within prompts, candidates or not: the unit of a prior on θ.

        The K(K−1)/2 pairs of a prompt sum to K Σ_k ‖φ_k − φ̄‖².
        """
        square = np.sum(self.centred**2, axis=1)
        total = np.sum(self.sizes[self.prompt_of_row] * square)
        return float(total / np.sum(self.sizes * (self.sizes - 1) / 2))

    @cached_property
    def single(self) -> FloatArray:
        """The centred features over `single_scale`, (rows, d), in float32."""
        return (self.centred / self.single_scale).astype(np.float32)

    @cached_property
    def single_scale(self) -> float:
        return float(np.abs(self.centred).max())

    def reachable(self, max_per_prompt: Cap) -> int:
        """How many pairs can be chosen with at most `max_per_prompt` from each prompt."""
        if max_per_prompt is None:
            return self.n_pairs
        return int(np.minimum(self.pairs_per_prompt, max_per_prompt).sum())

    # --- construction -----------------------------------------------------------------------

    def _known(self, values: npt.ArrayLike | None, name: str) -> FloatArray | None:
        """An optional column in the order of `rows`."""
        return None if values is None else self._column(_finite(values, name), name)[self.rows]

    def _column(self, values: npt.NDArray[Scalar], name: str) -> npt.NDArray[Scalar]:
        if values.shape != (self.n_completions,):
            raise DesignError(
                f"{name} must have one entry a row of features, shape ({self.n_completions},); "
                f"got {values.shape}."
            )
        return values

    def _centre(self, table: FloatArray) -> FloatArray:
        for block in self.blocks:
            view = table[block.rows].reshape(block.n_prompts, block.size, self.dimension)
            view -= view.mean(axis=1, keepdims=True)
        return table

    def _first(self, name: str) -> IntArray:
        return np.array([getattr(block, name) for block in self.blocks], dtype=np.int64)

    def sides(self, ids: IntArray) -> IntArray:
        """Places (n, 2) in `rows` and `centred` of both completions of each pair id (n,)."""
        sides = np.empty((ids.size, 2), dtype=np.int64)
        number = np.searchsorted(self._first("first_pair"), ids, side="right") - 1
        for b, block in enumerate(self.blocks):
            here = np.flatnonzero(number == b)
            prompt, inside = np.divmod(ids[here] - block.first_pair, block.pairs_per_prompt)
            left, right = block.corners
            sides[here, 0] = block.first_row + prompt * block.size + left[inside]
            sides[here, 1] = block.first_row + prompt * block.size + right[inside]
        return sides

    def _set_barred(self, text_id: npt.ArrayLike | None, excluded: npt.ArrayLike | None) -> None:
        """Ids that are not candidates, sorted, and what is left."""
        barred = [np.zeros(0, dtype=np.int64)]
        if text_id is not None:
            text = self._column(_integers(text_id, "text_id"), "text_id")[self.rows]
            for block in self.blocks:
                left, right = block.corners
                for chunk in block.chunks(block.size):
                    view = text[chunk.rows].reshape(-1, block.size)
                    same = np.flatnonzero(view[:, left] == view[:, right])
                    barred.append(same + chunk.first_pair)
        if excluded is not None:
            barred.append(self.pair_ids(excluded))
        self._bar(np.unique(np.concatenate(barred)))

    def _bar(self, ids: IntArray) -> None:
        """Set which pairs are no candidates, sorted by id, and count what is left."""
        self.barred = ids
        taken = np.bincount(self.pair_prompts(self.barred), minlength=self.n_prompts)
        self.pairs_per_prompt: IntArray = self.sizes * (self.sizes - 1) // 2 - taken
        self.n_pairs = int(self.pairs_per_prompt.sum())
        if self.n_pairs == 0:
            raise DesignError(
                "No candidate pair is left: all pairs are excluded or have the same text twice."
            )


def _finite(values: npt.ArrayLike, name: str) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DesignError(f"{name} must be an array of real numbers.") from error
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        raise DesignError(f"{name} has {bad} values that are not finite; drop or repair them.")
    return array


def _integers(values: npt.ArrayLike, name: str) -> IntArray:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise DesignError(f"{name} must hold integers; got {array.dtype}.")
    return array.astype(np.int64)
