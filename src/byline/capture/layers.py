"""Layers whose weight gradient is a sum over positions of (gradient at the output) times (activation at the input).

Each kind knows how to read one call of a layer: which dimension counts the rows, and what the two factors become once
they are projected, without ever building the factors themselves: no one-hot rows of an embedding, no unfolded patches
of a convolution.

Suffixes: B rows of a batch, T positions, O outputs, I inputs, K and L features of the two sides, G groups
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

LONG = 4  # positions, per feature of a side, from which gradients are summed over positions before projecting


class Layer(Protocol):
    """How a kind of layer is read. `transposed`: its weight is kept as (inputs, outputs). `early`: its inputs may be
    projected as soon as they are seen, by a matrix product and into nothing larger."""

    transposed: bool
    early: bool

    def inputs(self, tensor: Tensor) -> Tensor:
        """What went in, rows first."""
        ...

    def grads(self, tensor: Tensor) -> Tensor:
        """The gradient of what came out, rows first."""
        ...

    def project(self, inputs: Tensor, right_IL: Tensor) -> Tensor:
        """What went in, projected at every position: (B, T, L), of a convolution (B, G, L, T)."""
        ...

    def features(self, projected: Tensor, grads: Tensor, left_OK: Tensor) -> Tensor:
        """Every row's weight gradient as outputs by inputs, projected from both sides: (B, K, L). Float32."""
        ...


class Dense:
    """nn.Linear and transformers' Conv1D: (B, ..., I) in, (B, ..., O) out. A single vector is a batch of one."""

    early = True

    def __init__(self, transposed: bool = False) -> None:
        self.transposed = transposed

    def inputs(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(len(tensor) if tensor.ndim > 1 else 1, -1, tensor.shape[-1])

    grads = inputs

    def project(self, inputs: Tensor, right_IL: Tensor) -> Tensor:
        return inputs @ right_IL

    def features(self, projected: Tensor, grads: Tensor, left_OK: Tensor) -> Tensor:
        return _summed(projected, grads, left_OK)


class Lookup:
    """nn.Embedding: the input of a position is a one-hot row, so its projection is a row of the matrix. Ids without
    positions, (B,), are one per row. Positions that hold the padding index have no gradient."""

    transposed, early = True, False

    def __init__(self, padding: int | None) -> None:
        self.padding = padding

    def inputs(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(len(tensor) if tensor.ndim else 1, -1)

    def grads(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(len(tensor) if tensor.ndim > 1 else 1, -1, tensor.shape[-1])

    def project(self, inputs: Tensor, right_IL: Tensor) -> Tensor:
        picked_BTL = right_IL[inputs]
        if self.padding is not None:
            picked_BTL = picked_BTL.masked_fill((inputs == self.padding)[..., None], 0)
        return picked_BTL

    def features(self, projected: Tensor, grads: Tensor, left_OK: Tensor) -> Tensor:
        return _summed(projected, grads, left_OK)


class Convolution:
    """nn.Conv1d, 2d and 3d: the patches are projected by a convolution whose filters are the columns of the matrix, so
    stride, dilation, padding and its mode are the layer's own. What the groups bring is added."""

    transposed, early = False, False  # the projections of all patches can be larger than what went in

    def __init__(self, module: _ConvNd) -> None:
        self._module = module

    def inputs(self, tensor: Tensor) -> Tensor:
        return tensor if tensor.ndim == len(self._module.kernel_size) + 2 else tensor[None]

    grads = inputs

    def project(self, inputs: Tensor, right_IL: Tensor) -> Tensor:
        groups = self._module.groups
        filters = right_IL.T.reshape(-1, inputs.shape[1] // groups, *self._module.kernel_size)
        filters = filters.repeat(groups, *[1] * (filters.ndim - 1))
        patches: Tensor = self._module._conv_forward(inputs, filters, None)
        return patches.reshape(len(inputs), groups, right_IL.shape[1], -1)

    def features(self, projected: Tensor, grads: Tensor, left_OK: Tensor) -> Tensor:
        groups = self._module.groups
        left_GKO = left_OK.T.reshape(left_OK.shape[1], groups, -1).transpose(0, 1)
        outputs_BGKT = left_GKO @ grads.reshape(len(grads), groups, left_GKO.shape[2], -1)
        return (outputs_BGKT @ projected.transpose(2, 3)).sum(1)


def _summed(projected_BTL: Tensor, grads_BTO: Tensor, left_OK: Tensor) -> Tensor:
    """(B, K, L): sum over positions of (grads @ left) times projected.

    Of long rows the sum is made first: it reads the gradients once, which is all that it costs.
    """
    projected_BLT = projected_BTL.transpose(1, 2)
    if projected_BTL.shape[1] < LONG * left_OK.shape[1]:
        return torch.bmm(projected_BLT, grads_BTO @ left_OK).transpose(1, 2)
    return (torch.bmm(projected_BLT, grads_BTO) @ left_OK).transpose(1, 2)


def layer_of(module: nn.Module) -> Layer | str | None:
    """How `module` is read; the reason, if it is of a kind that is read but cannot be; None for any other module.

    Only a forward pass of torch's own is trusted: a subclass that overrides it may do something else with the weight.
    """
    for kind in (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d):
        if isinstance(module, kind):
            if type(module).forward is not kind.forward:
                return f"{type(module).__name__} has a forward pass of its own"
            return _torch_layer(module)
    # transformers' Conv1D, recognised by name and shape: capture must not import transformers
    named = any(base.__name__ == "Conv1D" for base in type(module).__mro__)
    return Dense(transposed=True) if named and hasattr(module, "nf") else None


def _torch_layer(module: nn.Module) -> Layer | str:
    if isinstance(module, NonDynamicallyQuantizableLinear):
        return "nn.MultiheadAttention uses it without calling it"
    if isinstance(module, nn.Embedding):
        return _embedding(module)
    return Convolution(module) if isinstance(module, _ConvNd) else Dense()


def _embedding(module: nn.Embedding) -> Layer | str:
    if module.sparse:
        return "an embedding with sparse gradients"
    if module.scale_grad_by_freq:
        return "an embedding that divides its gradient by the frequency of tokens in the batch"
    if module.max_norm is not None:
        return "an embedding that changes its weight in the forward pass (max_norm)"
    return Lookup(module.padding_idx)
