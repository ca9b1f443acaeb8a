"""Taps: what is read off a layer while the user's own backward pass runs.

A linear layer's weight gradient is, for one example, the sum over its positions of (gradient at the output) times
(activation at the input). A tap keeps the input at forward time and, when the gradient of the output arrives, writes
the projected sum of every example of the batch at once: no second backward, no loop over examples, no vmap.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from byline.capture.projector import Projector
from byline.core import CaptureError, Record

# Suffixes: B rows of a batch, T positions, O outputs, I inputs, K features


@dataclass(frozen=True, slots=True)
class Uncaptured(Record):
    """A trained parameter whose gradient is not recorded, and why."""

    parameter: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Tap:
    """One captured layer: its module, and the two sides of its projection."""

    name: str
    module: nn.Module
    weight: nn.Parameter
    transposed: bool  # HF Conv1D keeps (in, out), nn.Linear (out, in)
    left_OK: Tensor
    right_IK: Tensor

    @property
    def width(self) -> int:
        return self.left_OK.shape[1] * self.right_IK.shape[1]

    def project(self, input_BTI: Tensor, grad_BTO: Tensor, scale: "Scale | None") -> Tensor:
        """Features (B, K), float32: per-example weight gradients, scaled from both sides, projected, flattened."""
        inputs, grads = input_BTI.float(), grad_BTO.float()
        left, right = self.left_OK.to(grads.device), self.right_IK.to(inputs.device)
        if scale is not None:
            left, right = scale.out_O[:, None] * left, scale.in_I[:, None] * right
        inputs, grads = inputs @ right, grads @ left
        return torch.einsum("btk,btl->bkl", grads, inputs).flatten(1)


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Per-output and per-input factors by which a layer's gradient is multiplied before it is projected."""

    out_O: Tensor
    in_I: Tensor


def find_taps(model: nn.Module, projector: Projector) -> tuple[tuple[Tap, ...], tuple[Uncaptured, ...]]:
    """Every trained nn.Linear and HF Conv1D as a tap, and every trained parameter that no tap covers, with the reason.

    Raises: CaptureError("nothing-to-capture") if the model has no such layer.
    """
    taps = tuple(_taps(model, projector))
    if not taps:
        raise CaptureError(
            "nothing-to-capture", f"{type(model).__name__} has no trained Linear or Conv1D layer", "check requires_grad"
        )
    return taps, tuple(_uncaptured(model, {id(tap.weight): tap for tap in taps}))


def _taps(model: nn.Module, projector: Projector) -> Iterator[Tap]:
    for name, module in model.named_modules():
        transposed = _is_conv1d(module)
        if not (isinstance(module, nn.Linear) or transposed):
            continue
        weight = module.weight
        if isinstance(weight, nn.Parameter) and weight.requires_grad:
            outputs, inputs = reversed(weight.shape) if transposed else weight.shape
            left, right = projector.side(name, "out", outputs), projector.side(name, "in", inputs)
            yield Tap(name or "model", module, weight, transposed, left, right)


def _is_conv1d(module: nn.Module) -> bool:
    """transformers' Conv1D, recognised by shape: capture must not import transformers."""
    return type(module).__name__ == "Conv1D" and hasattr(module, "nf") and getattr(module, "weight", None) is not None


def _uncaptured(model: nn.Module, taps: dict[int, Tap]) -> Iterator[Uncaptured]:
    owners: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owners.setdefault(id(parameter), []).append(name)
    for name, parameter in model.named_parameters():
        names = owners[id(parameter)]
        if not parameter.requires_grad:
            continue
        if id(parameter) not in taps:
            yield Uncaptured(name, parameter.numel(), "not the weight of a Linear or Conv1D layer")
        elif len(names) > 1:
            other = [n for n in names if n != f"{taps[id(parameter)].name}.weight"]
            yield Uncaptured(", ".join(other), 0, f"tied to {taps[id(parameter)].name}.weight: only its use there")


@contextmanager
def tapped(taps: Iterable[Tap], receive: Callable[[Tap, Tensor, Tensor], None]) -> Iterator[None]:
    """While open, call `receive(tap, input_BTI, grad_BTO)` whenever a backward pass reaches a tapped layer.

    Forward passes without gradients are ignored. `receive` is called once per forward of the layer; a layer used twice
    is reported twice. The hooks return nothing, so training is bit-identical with and without them.
    """
    handles = [tap.module.register_forward_hook(_forward_hook(tap, receive)) for tap in taps]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _forward_hook(
    tap: Tap, receive: Callable[[Tap, Tensor, Tensor], None]
) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        if not (torch.is_grad_enabled() and output.requires_grad):
            return
        inputs = _as_BTD(args[0].detach())
        output.register_hook(lambda grad: receive(tap, inputs, _as_BTD(grad.detach())))  # type: ignore[no-untyped-call]

    return hook


def _as_BTD(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(1) if tensor.ndim == 2 else tensor.flatten(1, -2)
