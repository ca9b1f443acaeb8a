"""What flows through linear layers and convolutions at a backward pass, position by position, biases included.

A layer's weight gradient is, for one row, the sum over its positions of (gradient at the output) times (input, and a 1
for the bias). Curvature by Kronecker factors needs both sides in full, where the recorder's taps keep a projection.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from byline.core import AttributionError

# Suffixes: B rows of a batch, T positions, I inputs (and one for the bias), O outputs

Sides = dict[str, list[tuple[Tensor, Tensor]]]  # by layer: inputs_BTI and grads_BTO of every call


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """Trained Linear layers and plain Conv2d ones, by name. Raises: AttributionError("no-curvature") without any."""
    found = {name: module for name, module in model.named_modules() if _readable(module)}
    if not found:
        says = f"{type(model).__name__} has no trained Linear or Conv2d layer"
        raise AttributionError("no-curvature", says, "leave this channel out; the transport reads any layer")
    return found


def _readable(module: nn.Module) -> bool:
    if not isinstance(module, nn.Linear | nn.Conv2d) or not module.weight.requires_grad:
        return False
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 and module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return type(module).forward is nn.Linear.forward


def read(layers: Mapping[str, nn.Module], value: Callable[[], Tensor], rows: int | None) -> Sides:
    """Both sides of every layer that the gradient of `value()` reaches. `rows`: of the batch that it reads; None: all
    that is read belongs to one row, however many forward passes there are.

    Raises: AttributionError("rows-first") for a layer whose input does not have the rows of the batch first.
    """
    seen: Sides = {}
    with _hooked(layers, rows, seen), torch.enable_grad():
        found, weights = value(), [layer.get_parameter("weight") for layer in layers.values()]
        if found.requires_grad:
            torch.autograd.grad(found, weights, allow_unused=True)
    return seen


def gradient(sides: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Weight gradient of each row as a matrix (B, O, I): summed over positions and calls."""
    return torch.stack([grads_BTO.transpose(1, 2) @ inputs_BTI for inputs_BTI, grads_BTO in sides]).sum(0)


@contextmanager
def _hooked(layers: Mapping[str, nn.Module], rows: int | None, seen: Sides) -> Iterator[None]:
    handles = [layer.register_forward_hook(_hook(name, rows, seen), with_kwargs=True) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(
    name: str, rows: int | None, seen: Sides
) -> Callable[[nn.Module, tuple[Tensor, ...], dict[str, Tensor], Tensor], None]:
    def forward(module: nn.Module, args: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor) -> None:
        if not output.requires_grad:
            return
        source = next(iter((*args, *named.values())))
        inputs_BTI = _rowed(name, _inputs(module, source.detach()), rows)

        def arrived(grad: Tensor) -> None:
            seen.setdefault(name, []).append((inputs_BTI, _rowed(name, _grads(module, grad.detach()), rows)))

        output.register_hook(arrived)  # type: ignore[no-untyped-call]

    return forward


def _inputs(module: Any, inputs: Tensor) -> Tensor:
    """(..., I): patches of a convolution, and a 1 where there is a bias."""
    if isinstance(module, nn.Conv2d):
        images = inputs if inputs.ndim == 4 else inputs[None]
        size: Any = (module.kernel_size, module.dilation, module.padding, module.stride)
        inputs = F.unfold(images, *size).transpose(1, 2)
    return inputs if module.bias is None else F.pad(inputs, (0, 1), value=1.0)


def _grads(module: Any, grad: Tensor) -> Tensor:
    if not isinstance(module, nn.Conv2d):
        return grad
    return (grad if grad.ndim == 4 else grad[None]).flatten(2).transpose(1, 2)


def _rowed(name: str, positions: Tensor, rows: int | None) -> Tensor:
    """(B, T, width)."""
    if rows is None or rows == 1:
        return positions.reshape(1, -1, positions.shape[-1])
    if positions.ndim < 2 or len(positions) != rows:
        says = f"layer {name} reads a tensor of shape {tuple(positions.shape)} for {rows} rows"
        raise AttributionError("rows-first", says, "read one row at a time: EKFAC(batch=1)")
    return positions.reshape(rows, -1, positions.shape[-1])
