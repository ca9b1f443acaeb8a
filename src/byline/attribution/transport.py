"""What is left, at the end of a run, of what each visit of an example did: influence carried through the recorded run.

At step t the optimizer moved the weights by -lr_t * P * sum of the rows (P its preconditioner, which the rows carry).
Every later step s then pulled that displacement back along the curvature: what survives is the product over s > t of
(1 - lr_s * P H). In the eigenvectors v of the curvature H of a layer, with eigenvalue sigma, that is
exp(-sigma * sum of lr_s after t), so

    score(q, n) = - sum over visits (row, t) of n, layers, v of  <q, v> <row, v> * lr_t * clip_t * exp(-sigma A_t)

with A_t the sum of the learning rates after t. Directions in which every example pushes are forgotten fast and count
little; directions that few examples touch stay. Summed over a long run at a constant rate, this is the damped inverse
(sigma + damping)^-1 of an influence function; unlike that it knows the learning rate of every step.

H is the second moment of the captured rows, layer by layer. A second moment of gradients knows the shape of the
curvature, not its scale (that depends on how the loss was averaged), so the scale is set by a rule that looks at no
result: over the whole run the mean eigenvalue of a layer decays by exp(-1/damping).

Source: SOURCE, arXiv 2405.12186 (segments with stationary curvature) and DVEmb, arXiv 2412.09538 (recursion over
captured features). Differs: diagonalised once per layer in the space of the captured, optimizer-scaled projections.
"""

from typing import Self

import numpy as np
import numpy.typing as npt

from byline.core import AttributionError
from byline.store import RunReader

# Suffixes: Q queries, N training examples, R rows of the store, K features of a layer, S steps

Floats = npt.NDArray[np.float32]


class SketchTransport:
    """`damping`: inverse of the decay of a layer's mean eigenvalue over the run; fixed by rule, never by result.

    After `fit`: `vectors_` (K, K) and `weights_` (S, K) per layer: what is left at the end of a visit at step s.
    """

    def __init__(self, damping: float = 0.1) -> None:
        self.damping = damping

    @property
    def method(self) -> str:
        return f"byline-sketch-transport(damping={self.damping})"

    def fit(self, store: RunReader) -> Self:
        """Raises: AttributionError("empty-run") if no example was recorded."""
        if not store.n_rows:
            raise AttributionError("empty-run", f"run {store.spec.run} holds no rows", "record a training first")
        self.columns_ = tuple(store.spec.columns(group.name) for group in store.spec.groups)
        moments = [np.zeros((c.stop - c.start, c.stop - c.start)) for c in self.columns_]
        for block_RK in store.blocks():
            for moment_KK, columns in zip(moments, self.columns_, strict=True):
                part_RK = block_RK[:, columns].astype(np.float64)
                moment_KK += part_RK.T @ part_RK
        solved = [np.linalg.eigh(moment_KK) for moment_KK in moments]
        self.vectors_ = tuple(vectors.astype(np.float32) for _, vectors in solved)
        self.weights_ = tuple(
            self._weights(values, *_rates(store, group.name))
            for (values, _), group in zip(solved, store.spec.groups, strict=True)
        )
        return self

    def score(self, store: RunReader, queries_QK: Floats) -> Floats:
        """scores_QN of projected query gradients; positive = proponent. Raises: AttributionError("not-fitted").

        The rows are gradients of a loss and the optimizer steps against them: hence the minus.
        """
        if not hasattr(self, "vectors_"):
            raise AttributionError("not-fitted", "the transport was used before fit", "call .fit(store) first")
        scores_NQ = np.zeros((len(store.example_ids), len(queries_QK)), dtype=np.float32)
        layers = list(zip(self.columns_, self.vectors_, self.weights_, strict=True))
        turned = [queries_QK[:, columns] @ vectors for columns, vectors, _ in layers]
        start = 0
        for block_RK in store.blocks():
            rows = slice(start, start + len(block_RK))
            for (columns, vectors, weights_SK), turned_QK in zip(layers, turned, strict=True):
                left_RK = (block_RK[:, columns] @ vectors) * weights_SK[store.steps_N[rows]]
                np.subtract.at(scores_NQ, store.examples_N[rows], left_RK @ turned_QK.T)
            start = rows.stop
        return scores_NQ.T

    def _weights(self, values_K: npt.NDArray[np.float64], rate_S: Floats, clip_S: Floats) -> Floats:
        """(S, K): lr * clip * exp(-sigma * rates still to come), sigma scaled by the rule above."""
        mean, total = float(np.maximum(values_K, 0).mean()), float(rate_S.sum())
        if mean == 0 or total == 0:
            return np.zeros((len(rate_S), len(values_K)), dtype=np.float32)
        after_S = total - np.cumsum(rate_S)
        decay_K = np.maximum(values_K, 0) / mean / (self.damping * total)
        left_SK: Floats = ((rate_S * clip_S)[:, None] * np.exp(-np.outer(after_S, decay_K))).astype(np.float32)
        return left_SK


def _rates(store: RunReader, layer: str) -> tuple[Floats, Floats]:
    """Learning rate of the layer and clip factor, at every step."""
    rates = np.array([step["lr"][layer] for step in store.step_log])
    return rates, np.array([step["clip"] for step in store.step_log])
