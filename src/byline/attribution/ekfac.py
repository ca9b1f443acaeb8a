"""Influence functions with EK-FAC curvature at the weights with which training ended: a channel beside the transport.

    scores = EKFAC().fit(model, task, trajectory).score(queries, measure)

    tau(q, n) = - <grad f_q, (H + damping)^-1 grad loss_n> / N

H is, layer by layer, the Gauss-Newton matrix in the eigenbasis of its Kronecker factors A (of inputs) and S (of
gradients at the outputs, for labels that the model itself draws), with the second moments of such gradients in that
basis as eigenvalues. Layers: linear and convolution with their biases, the head included; damping: a tenth of a layer's
mean eigenvalue. It knows nothing of the run but its end: no optimizer, no order. What it costs: two passes forward and
backward over the examples to fit, one to score, one per query.

Sources: Grosse et al., arXiv 2308.03296; George et al., arXiv 1806.03884; kronfluence 1.0.1. Differs from kronfluence:
a side wider than `widest` is left unturned (its factor would not fit into memory): there only the diagonal is known.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from byline.attribution.gauss_newton import Measure
from byline.attribution.positions import Sides, gradient, layers_of, read
from byline.attribution.replay import visited
from byline.attribution.sampled import sampled_loss
from byline.attribution.task import Task
from byline.attribution.trajectory import Trajectory
from byline.capture import named_buffers, named_parameters
from byline.core import AttributionError, ScoreTable, sha256_hex

# Suffixes: B rows of a batch, I inputs (and one for the bias), O outputs, N training examples, Q queries

DAMPING = 0.1  # of a layer's mean eigenvalue
UNSEEN = 1 << 20  # steps from here on were never trained: a task's draws there are new
PASSES = 3  # over the examples: two to fit, one to score

Progress = Callable[[str, int, int], None]  # what, done, of
Basis = tuple[Tensor | None, Tensor | None]  # eigenvectors of A and S; None: unturned


def _silent(what: str, done: int, of: int) -> None:
    pass


class EKFAC:
    """`batch`: rows read at once (memory); it changes no score beyond rounding. `draws`: for tasks that draw noise or
    time, how many of them a loss is averaged over. `seed` of the labels that the model draws.

    Learned: `bases_`, `spectra_` (O, I) per layer, `example_ids_` in the order of the run, `steps_`.
    """

    def __init__(
        self, damping: float = DAMPING, *, batch: int = 16, draws: int = 8, widest: int = 4096, seed: int = 0
    ) -> None:
        self.damping = damping
        self.batch = batch
        self.draws = draws
        self.widest = widest
        self.seed = seed

    @property
    def method(self) -> str:
        return "ekfac"

    def fit(self, model: nn.Module, task: Task, trajectory: Trajectory, progress: Progress = _silent) -> Self:
        """`model` lends its architecture; its weights are left as they were found.

        Raises: AttributionError("bad-damping", "no-curvature", "no-such-state" for an unfinished run, "rows-first").
        """
        if not self.damping > 0:
            raise AttributionError("bad-damping", f"a damping of {self.damping}", "give a positive number, e.g. 0.1")
        self.task_, self.model_ = task, _standing(model, trajectory)
        self.layers_ = layers_of(self.model_)
        self.example_ids_ = visited(trajectory)
        self.steps_ = self._steps()
        self.bases_ = self._bases(progress)
        self.spectra_ = self._spectra(progress)
        return self

    def score(
        self,
        queries: Mapping[str, Any],
        measure: Measure,
        progress: Progress = _silent,
        *,
        task: Task | None = None,
        example_ids: Sequence[str] | None = None,
    ) -> ScoreTable:
        """Influence of every example on every query, positive = proponent; all layers added up.

        `example_ids`: others than the run's, of `task`: what reading one of them would have done, by the same
        curvature. Raises: as `by_layer`.
        """
        tables = list(self.by_layer(queries, measure, progress, task=task, example_ids=example_ids).values())
        scores_QN = sum((table.scores_QN for table in tables[1:]), tables[0].scores_QN)
        return ScoreTable(scores_QN, tables[0].query_ids, tables[0].example_ids, self.method)

    def by_layer(
        self,
        queries: Mapping[str, Any],
        measure: Measure,
        progress: Progress = _silent,
        *,
        task: Task | None = None,
        example_ids: Sequence[str] | None = None,
    ) -> dict[str, ScoreTable]:
        """The same, each layer apart.

        Raises: AttributionError("no-queries", "not-scalar", "flat-query" for one whose gradient reaches no layer).
        """
        if not queries:
            raise AttributionError("no-queries", "there is nothing to attribute", "pass at least one query")
        lifted = self._lifted(queries, measure)
        ids = self.example_ids_ if example_ids is None else tuple(example_ids)
        scores = {name: torch.zeros(len(queries), len(ids)) for name in lifted}
        each = len(self.example_ids_) * len(self.steps_)
        for at, sides in self._passes("EK-FAC: every example", ids, progress, self._losses(task or self.task_)):
            for name in sides.keys() & lifted.keys():
                rows_BP = gradient(sides[name]).flatten(1)
                scores[name][:, at : at + len(rows_BP)] -= (lifted[name].flatten(1) @ rows_BP.T) / each
        return {
            name: ScoreTable(scores_QN.numpy(), tuple(queries), ids, self.method) for name, scores_QN in scores.items()
        }

    # --- curvature ------------------------------------------------------------------------------------------------

    def _bases(self, progress: Progress) -> dict[str, Basis]:
        """Eigenvectors of A (I, I) and S (O, O) of each layer that the losses reach."""
        sums: dict[str, list[Tensor | None]] = {}
        for _, sides in self._passes("EK-FAC: factors", self.example_ids_, progress, self._drawn(0)):
            for name, calls in sides.items():
                kept = sums.setdefault(name, [None, None])
                for call in calls:
                    for side, positions in enumerate(call):
                        rows = positions.flatten(0, 1).double()
                        if rows.shape[1] <= self.widest:
                            known = kept[side]
                            kept[side] = rows.T @ rows if known is None else known + rows.T @ rows
        return {name: (_vectors(inputs), _vectors(outputs)) for name, (inputs, outputs) in sums.items()}

    def _spectra(self, progress: Progress) -> dict[str, Tensor]:
        """Mean square (O, I) of each layer's drawn gradients, in the layer's basis; of layers that have any."""
        sums: dict[str, Tensor] = {}
        for _, sides in self._passes("EK-FAC: curvature", self.example_ids_, progress, self._drawn(1)):
            for name, calls in sides.items():
                squares_OI = _turned(gradient(calls), self.bases_[name]).square().sum(0)
                sums[name] = sums[name] + squares_OI if name in sums else squares_OI
        found = {name: total / (len(self.example_ids_) * len(self.steps_)) for name, total in sums.items()}
        found = {name: spectrum_OI for name, spectrum_OI in found.items() if float(spectrum_OI.mean()) > 0}
        if not found:
            says = "the losses are flat in the outputs, or torch cannot differentiate them twice"
            raise AttributionError("no-curvature", says, "give the task a rule of its own: Task.sampled")
        return found

    def _lifted(self, queries: Mapping[str, Any], measure: Measure) -> dict[str, Tensor]:
        """(Q, O, I) per layer: gradients of the measurements, through the damped inverse of the curvature."""
        rows = {name: self._query(name, query, measure) for name, query in queries.items()}
        found = {}
        for layer, spectrum_OI in self.spectra_.items():
            raw_QOI = torch.stack([row.get(layer, torch.zeros_like(spectrum_OI)) for row in rows.values()])
            damped_OI = (spectrum_OI + self.damping * spectrum_OI.mean()).clamp_min(torch.finfo(torch.float32).tiny)
            basis = self.bases_[layer]
            found[layer] = _turned(_turned(raw_QOI, basis) / damped_OI, basis, back=True)
        return found

    def _query(self, name: str, query: Any, measure: Measure) -> dict[str, Tensor]:
        def value() -> Tensor:
            found = measure(self.model_, query)
            if found.numel() != 1:
                says = f"the measure of query {name} has {found.numel()} values"
                raise AttributionError("not-scalar", says, "return one number, e.g. a mean")
            return found

        row = {layer: gradient(calls)[0] for layer, calls in read(self.layers_, value, None).items()}
        if not row or not all(part.isfinite().all() for part in row.values()):
            says = f"the gradient of query {name} reaches no linear layer, or is not finite"
            raise AttributionError("flat-query", says, "measure must depend on the model's output")
        return row

    # --- passes over the examples ---------------------------------------------------------------------------------

    def _passes(
        self, what: str, ids: Sequence[str], progress: Progress, value: Callable[[list[str], int], Tensor]
    ) -> Iterator[tuple[int, Sides]]:
        """For every batch and step: where the batch begins, and both sides of every layer."""
        progress(what, 0, len(ids))
        for at in range(0, len(ids), self.batch):
            part = list(ids[at : at + self.batch])
            for step in self.steps_:
                yield at, read(self.layers_, lambda step=step, part=part: value(part, step), len(part))  # type: ignore[misc]
            progress(what, at + len(part), len(ids))

    def _losses(self, task: Task) -> Callable[[list[str], int], Tensor]:
        def value(ids: list[str], step: int) -> Tensor:
            batch = task.batch(ids, step)
            return task.losses(task.outputs(self.model_, batch), batch).sum()

        return value

    def _drawn(self, again: int) -> Callable[[list[str], int], Tensor]:
        def value(ids: list[str], step: int) -> Tensor:
            batch = self.task_.batch(ids, step)
            generators = [_generator(f"{self.seed}/{again}/{step}/{example}") for example in ids]
            return sampled_loss(self.task_, self.task_.outputs(self.model_, batch), batch, generators)

        return value

    def _steps(self) -> tuple[int, ...]:
        """Steps whose draws of noise or time a loss is averaged over; one, if the task draws nothing."""
        first = list(self.example_ids_[:1])
        one, two = (_tensors(self.task_.batch(first, step)) for step in (0, 1))
        same = len(one) == len(two) and all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
        return (0,) if same else tuple(range(UNSEEN, UNSEEN + self.draws))


def _standing(model: nn.Module, trajectory: Trajectory) -> nn.Module:
    """A copy of the model with the weights that the run ended with."""
    held, state = copy.deepcopy(model).eval(), trajectory.state(len(trajectory.steps))
    with torch.no_grad():
        for name, tensor in (named_parameters(held) | named_buffers(held)).items():
            tensor.copy_(state.weights[name] if name in state.weights else state.buffers[name])
    return held


def _vectors(factor: Tensor | None) -> Tensor | None:
    return None if factor is None else torch.linalg.eigh(factor)[1].float()


def _turned(matrices: Tensor, basis: Basis, back: bool = False) -> Tensor:
    """(..., O, I) into the eigenbasis, or `back` out of it."""
    inputs, outputs = basis
    if outputs is not None:
        matrices = (outputs if back else outputs.T) @ matrices
    return matrices if inputs is None else matrices @ (inputs.T if back else inputs)


def _tensors(batch: Any) -> tuple[Tensor, ...]:
    return (batch,) if isinstance(batch, Tensor) else tuple(part for part in batch if isinstance(part, Tensor))


def _generator(name: str) -> torch.Generator:
    """Of its own for every draw, so that no other draw moves it."""
    return torch.Generator().manual_seed(int(sha256_hex(name.encode())[:15], 16))
