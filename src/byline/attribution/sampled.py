"""Random vectors at a model's outputs whose covariance is the Hessian of a row's loss there.

The Gauss-Newton matrix of a model is the covariance of gradients that such vectors cause. A task that knows its loss
draws them itself (`Task.sampled`): of a cross-entropy, the gradient for a label that the model draws. For any other
loss they are made here: standard normal noise times the square root of the loss's Hessian in the outputs, which takes a
few products with that Hessian (Lanczos) and no pass through the model.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from byline.attribution.task import Task

# Suffixes: B rows of a batch, D outputs of a row laid end to end, K steps of Lanczos

STEPS = 24  # exact from as many on as the Hessian has different eigenvalues
DEAD = 1e-7  # of the largest eigenvalue: what is left of a direction below it is rounding


def sampled_loss(task: Task, outputs: Tensor, batch: Any, generators: Sequence[torch.Generator]) -> Tensor:
    """A scalar whose gradient in the outputs of row b is such a vector, drawn from generator b: which rows share a
    batch changes no draw. Labels of the batch are not looked at."""
    draw = getattr(task, "sampled", None)
    if draw is not None:
        return torch.stack([draw(outputs[b : b + 1], generator) for b, generator in enumerate(generators)]).sum()
    noise = torch.stack([torch.randn(outputs.shape[1:], generator=generator) for generator in generators])
    return (outputs * rooted(task, outputs.detach(), batch, noise.to(outputs.device)).to(outputs)).sum()


def rooted(task: Task, outputs: Tensor, batch: Any, noise: Tensor) -> Tensor:
    """H^(1/2) times `noise` for the Hessian H of each row's loss in its outputs; float64, shape as the outputs."""
    product = _hessian(task, outputs.double(), batch)
    size_B1 = noise.double().flatten(1).norm(dim=1, keepdim=True).clamp_min(1e-300)
    basis = [noise.double().flatten(1) / size_B1]
    diagonal, beside = [], []
    for _ in range(min(STEPS, basis[0].shape[1])):
        found_BD = product(basis[-1].view(outputs.shape)).flatten(1)
        diagonal.append((found_BD * basis[-1]).sum(1))
        for _ in range(2):  # twice, against rounding
            for known_BD in basis:
                found_BD = found_BD - (found_BD * known_BD).sum(1, keepdim=True) * known_BD
        left_B = found_BD.norm(dim=1)
        left_B = torch.where(left_B > DEAD * torch.stack(diagonal).abs().amax(0), left_B, torch.zeros(()).to(left_B))
        beside.append(left_B)
        basis.append(torch.where(left_B[:, None] > 0, found_BD / left_B.clamp_min(1e-300)[:, None], 0.0))
    small_BKK = torch.diag_embed(torch.stack(diagonal, 1))
    off_BK = torch.stack(beside[:-1], 1) if len(beside) > 1 else small_BKK.new_zeros(len(small_BKK), 0)
    small_BKK = small_BKK + torch.diag_embed(off_BK, 1) + torch.diag_embed(off_BK, -1)
    values_BK, turn_BKK = torch.linalg.eigh(small_BKK)
    parts_BK = (turn_BKK * (values_BK.clamp_min(0).sqrt() * turn_BKK[:, 0, :])[:, None, :]).sum(2) * size_B1
    return torch.einsum("bk,kbd->bd", parts_BK, torch.stack(basis[:-1])).view(outputs.shape)


def _hessian(task: Task, outputs: Tensor, batch: Any) -> Callable[[Tensor], Tensor]:
    """Products with the Hessian of the summed losses; rows do not mix. Of a loss whose slope does not move, or that
    torch cannot differentiate twice: zeros."""
    with torch.enable_grad():
        free = outputs.detach().requires_grad_()
        slope = torch.autograd.grad(task.losses(free, batch).sum(), free, create_graph=True)[0]

    def product(vector: Tensor) -> Tensor:
        if not slope.requires_grad:
            return torch.zeros_like(vector)
        found: Tensor = torch.autograd.grad(slope, free, vector, retain_graph=True, materialize_grads=True)[0]
        return found

    return product
