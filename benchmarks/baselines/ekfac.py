"""Influence functions with EK-FAC curvature, as kronfluence has them, at the weights with which training ended.

    tau(q, n) = - <grad f_q, (H + damping)^-1 grad loss_n> / N

H is, layer by layer, the Gauss-Newton matrix in the eigenbasis of its Kronecker factors A (of inputs) and S (of
gradients at the outputs, for labels that the model itself draws), with the second moments of such gradients in that
basis as eigenvalues. Layers: linear and convolution, with their biases; damping: a tenth of a layer's mean eigenvalue.

Sources: Grosse et al., arXiv 2308.03296; George et al., arXiv 1806.03884; kronfluence 1.0.1.
"""

import functools
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.gradients import passes
from baselines.recorded import Recorded, columns, head_of
from byline.training.classifier import ClassifierTask
from byline.training.language_model import LanguageTask

# Suffixes: B rows of a batch, T positions, I inputs (and one for the bias), O outputs, N training examples, Q queries

DAMPING = 0.1


def with_head(bench, recorded: Recorded):
    return _summed(bench, recorded, lambda name: True)


def without_head(bench, recorded: Recorded):
    head = head_of(recorded.model)
    return _summed(bench, recorded, lambda name: name != head)


def head_alone(bench, recorded: Recorded):
    head = head_of(recorded.model)
    return _summed(bench, recorded, lambda name: name == head)


def layer_scores(bench, recorded: Recorded, seed: int = 0) -> dict[str, Tensor]:
    """Scores (Q, N) of every layer apart; influence is their sum."""
    layers = {n: m for n, m in recorded.model.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    bases = factors(bench, recorded, layers, seed)
    values = eigenvalues(bench, recorded, layers, bases, seed)
    layout = columns(recorded.model)
    return {name: _scored(recorded, layout, name, layer, bases[name], values[name]) for name, layer in layers.items()}


def factors(bench, recorded: Recorded, layers, seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Eigenvectors of A (I, I) and S (O, O) of each layer."""
    sums: dict[str, list] = {name: [0.0, 0.0] for name in layers}

    def receive(name: str, inputs_RI: Tensor, grads_RO: Tensor) -> None:
        sums[name][0] = sums[name][0] + inputs_RI.T @ inputs_RI
        sums[name][1] = sums[name][1] + grads_RO.T @ grads_RO

    with _read(layers, receive):
        for value in _sampled_losses(bench, recorded, seed):
            torch.autograd.grad(value, [layer.weight for layer in layers.values()])
    return {name: tuple(torch.linalg.eigh(side.double())[1].float() for side in sides) for name, sides in sums.items()}


def eigenvalues(bench, recorded: Recorded, layers, bases, seed: int) -> dict[str, Tensor]:
    """Mean square (O, I) of each layer's sampled gradient, in the layer's basis."""
    sums = dict.fromkeys(layers, 0.0)
    parameters = [parameter for layer in layers.values() for parameter in layer.parameters()]
    count = 0
    for value in _sampled_losses(bench, recorded, seed + 1):
        grads = iter(torch.autograd.grad(value, parameters))
        for name, layer in layers.items():
            matrix_OI = _matrix(*(next(grads) for _ in layer.parameters()))
            sums[name] = sums[name] + _turned(matrix_OI, bases[name]).square()
        count += 1
    return {name: total / count for name, total in sums.items()}


@functools.singledispatch
def sampled(task, outputs: Tensor, batch, generator: torch.Generator) -> Tensor:
    """A scalar whose gradient in `outputs` is random with the Hessian of the row's loss as covariance.

    This is the rule for mean squared error: noise of variance 2 / (numbers of the row)."""
    noise = torch.randn(outputs.shape, generator=generator)
    return (outputs * noise).sum() * (2 / outputs[0].numel()) ** 0.5


@sampled.register
def _(task: ClassifierTask, outputs, batch, generator):
    return _drawn(outputs, generator).sum()


@sampled.register
def _(task: LanguageTask, outputs, batch, generator):
    """For the mean over T tokens each token's gradient has 1 / T of its variance, not 1 / T^2."""
    return _drawn(outputs.flatten(0, 1), generator).sum() / outputs.shape[1] ** 0.5


def _drawn(logits_BK: Tensor, generator: torch.Generator) -> Tensor:
    """Cross-entropy of labels that the model draws."""
    labels_B1 = torch.multinomial(logits_BK.detach().softmax(1), 1, generator=generator)
    return F.cross_entropy(logits_BK, labels_B1[:, 0], reduction="none")


def _sampled_losses(bench, recorded: Recorded, seed: int):
    generator = torch.Generator().manual_seed(seed)
    for example in bench.example_ids:
        for step in recorded.steps:
            batch = bench.task.batch([example], step)
            yield sampled(bench.task, bench.task.outputs(recorded.model, batch), batch, generator)


@functools.lru_cache(maxsize=1)
def _layers_once(recorded: Recorded) -> dict[str, Tensor]:
    return layer_scores(recorded.bench, recorded)


def _summed(bench, recorded: Recorded, wanted):
    parts = [scores_QN for name, scores_QN in _layers_once(recorded).items() if wanted(name)]
    return torch.stack(parts).sum(0), passes(bench, recorded, fixed=3.0)


def _scored(recorded: Recorded, layout, name: str, layer: nn.Module, basis, values_OI: Tensor) -> Tensor:
    damped_OI = values_OI + DAMPING * values_OI.mean()
    queries, examples = (_rows(rows, layout, name, layer) for rows in (recorded.queries_QP, recorded.gradients_NP))
    lifted = _turned(_turned(queries, basis) / damped_OI, tuple(side.T for side in basis))
    return -(lifted.flatten(1) @ examples.flatten(1).T) / len(examples)


def _rows(rows_NP: Tensor, layout, name: str, layer: nn.Module) -> Tensor:
    """A layer's part of gradients that are laid end to end, as matrices (N, O, I)."""
    weight = rows_NP[:, layout[f"{name}.weight".lstrip(".")]].view(len(rows_NP), layer.weight.shape[0], -1)
    if layer.bias is None:
        return weight
    return torch.cat([weight, rows_NP[:, layout[f"{name}.bias".lstrip(".")]][..., None]], dim=2)


def _matrix(weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return weight.flatten(1) if bias is None else torch.cat([weight.flatten(1), bias[:, None]], dim=1)


def _turned(matrix_OI: Tensor, basis) -> Tensor:
    inputs_II, outputs_OO = basis
    return outputs_OO.T @ matrix_OI @ inputs_II


@contextmanager
def _read(layers, receive):
    """While open, `receive(name, inputs_RI, grads_RO)` for every backward pass through a layer; a row is a position."""

    def hook(name):
        def forward(module, args, output):
            inputs_RI = _positions(module, args[0].detach())
            output.register_hook(lambda grad: receive(name, inputs_RI, _outputs(module, grad)))

        return forward

    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _positions(module: nn.Module, inputs: Tensor) -> Tensor:
    if isinstance(module, nn.Conv2d):
        inputs = F.unfold(inputs, module.kernel_size, module.dilation, module.padding, module.stride).transpose(1, 2)
    rows = inputs.reshape(-1, inputs.shape[-1])
    return rows if module.bias is None else torch.cat([rows, torch.ones(len(rows), 1)], dim=1)


def _outputs(module: nn.Module, grad: Tensor) -> Tensor:
    return grad.flatten(2).transpose(1, 2).flatten(0, 1) if isinstance(module, nn.Conv2d) else grad.flatten(0, -2)
