"""How much a direction of weight space was already taught by others: curvature estimated from the captured features.

Per layer l the recorded rows give the second moment F_l = mean of phi phi^T (an empirical Fisher of the preconditioned,
projected gradients). A query is multiplied by (F_l + damping * mean eigenvalue of F_l * I)^-1: directions in which
every example pushes count for little, and layers with large gradients do not drown the others.
Source: TRAK, arXiv 2303.14186 section 3; LoGra, arXiv 2405.13954; TrackStar, arXiv 2410.17413. Differs: moments per
layer, from rows captured while training rather than from a second pass; no unit normalisation, so scores add up.
"""

from collections.abc import Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

from byline.core import AttributionError
from byline.store import RunReader

# Suffixes: Q queries, R rows of the store, K features, L layers

Floats = npt.NDArray[np.float32]


class BlockCurvature:
    """`damping`: part of the layer's mean eigenvalue that is added to every eigenvalue; fixed by rule, never by result.

    After `fit`: `inverses_` (one matrix per layer) and `columns_` (each layer's columns).
    """

    def __init__(self, damping: float = 0.1) -> None:
        self.damping = damping

    @property
    def method(self) -> str:
        return f"byline-sketch(damping={self.damping})"

    def fit(self, store: RunReader) -> Self:
        """Raises: AttributionError("empty-run") if no example was recorded."""
        if not store.n_rows:
            raise AttributionError("empty-run", f"run {store.spec.run} holds no rows", "record a training first")
        self.columns_ = tuple(store.spec.columns(group.name) for group in store.spec.groups)
        moments = [np.zeros((c.stop - c.start, c.stop - c.start)) for c in self.columns_]
        for block_RK in store.blocks():
            for moment, columns in zip(moments, self.columns_, strict=True):
                part = block_RK[:, columns].astype(np.float64)
                moment += part.T @ part
        self.inverses_ = tuple(self._inverse(moment / store.n_rows) for moment in moments)
        return self

    def solve(self, queries_QK: Floats) -> Floats:
        """queries_QK times the damped inverse, layer by layer. Raises: AttributionError("not-fitted")."""
        if not hasattr(self, "inverses_"):
            raise AttributionError("not-fitted", "the curvature was used before fit", "call .fit(store) first")
        solved_QK = np.empty_like(queries_QK)
        for columns, inverse in zip(self.columns_, self.inverses_, strict=True):
            solved_QK[:, columns] = queries_QK[:, columns] @ inverse
        return solved_QK

    def _inverse(self, moment_KK: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        mean = float(np.trace(moment_KK)) / len(moment_KK)
        if mean == 0:
            return np.zeros_like(moment_KK)
        damped_KK: npt.NDArray[np.float64] = moment_KK + self.damping * mean * np.eye(len(moment_KK))
        return np.asarray(np.linalg.inv(damped_KK), dtype=np.float64)


def row_weights(store: RunReader) -> Iterator[tuple[Floats, Floats]]:
    """Blocks (rows_RK, weights_RK): a weight is learning rate times clip factor at the row's step and layer."""
    widths = [group.width for group in store.spec.groups]
    names = [group.name for group in store.spec.groups]
    per_step_SL = np.array([[step["lr"][name] * step["clip"] for name in names] for step in store.step_log])
    start = 0
    for block_RK in store.blocks():
        steps_R = store.steps_N[start : start + len(block_RK)]
        yield block_RK, np.repeat(per_step_SL[steps_R], widths, axis=1).astype(np.float32)
        start += len(block_RK)
