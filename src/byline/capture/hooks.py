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
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

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
    """One captured weight: its layer (several, if layers share the weight), and the two sides of its projection."""

    name: str
    modules: tuple[nn.Module, ...]
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
    layers = _layers(model)
    taps = tuple(_tap(modules, name, projector) for name, modules in layers)
    if not taps:
        raise CaptureError(
            "nothing-to-capture", f"{type(model).__name__} has no trained Linear or Conv1D layer", "check requires_grad"
        )
    return taps, tuple(_uncaptured(model, taps))


def _layers(model: nn.Module) -> list[tuple[str, list[nn.Module]]]:
    """Name and module of every trained layer that can be read; modules that share a weight stand together."""
    found: dict[int, tuple[str, list[nn.Module]]] = {}
    for name, module in model.named_modules():
        # nn.MultiheadAttention uses the weight of its out_proj without ever calling it
        readable = isinstance(module, nn.Linear) and not isinstance(module, NonDynamicallyQuantizableLinear)
        weight = module.weight if readable or _is_conv1d(module) else None
        if isinstance(weight, nn.Parameter) and weight.requires_grad:
            found.setdefault(id(weight), (name, []))[1].append(module)
    return list(found.values())


def _tap(modules: list[nn.Module], name: str, projector: Projector) -> Tap:
    weight, transposed = modules[0].weight, _is_conv1d(modules[0])
    if not isinstance(weight, nn.Parameter):
        raise CaptureError("nothing-to-capture", f"{name}.weight is not a parameter", "check requires_grad")
    outputs, inputs = reversed(weight.shape) if transposed else weight.shape
    left, right = projector.side(name, "out", outputs), projector.side(name, "in", inputs)
    return Tap(name or "model", tuple(modules), weight, transposed, left, right)


def _is_conv1d(module: nn.Module) -> bool:
    """transformers' Conv1D, recognised by shape: capture must not import transformers."""
    return type(module).__name__ == "Conv1D" and hasattr(module, "nf") and getattr(module, "weight", None) is not None


def _uncaptured(model: nn.Module, taps: tuple[Tap, ...]) -> Iterator[Uncaptured]:
    layers = {id(module) for tap in taps for module in tap.modules}
    modules = model.named_modules(remove_duplicate=False)
    read = {f"{name}.weight".lstrip(".") for name, module in modules if id(module) in layers}
    uses: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        uses.setdefault(id(parameter), []).append(name)
    for name, parameter in model.named_parameters():
        unread = [use for use in uses[id(parameter)] if use not in read]
        tied = [use for use in uses[id(parameter)] if use in read]
        if not parameter.requires_grad or not unread:
            continue
        if tied:
            yield Uncaptured(", ".join(unread), 0, f"tied to {tied[0]}: only its use there is recorded")
        else:
            yield Uncaptured(name, parameter.numel(), "not the weight of a Linear or Conv1D layer")


@contextmanager
def tapped(taps: Iterable[Tap], receive: Callable[[Tap, Tensor, Tensor], None]) -> Iterator[None]:
    """While open, call `receive(tap, input_BTI, grad_BTO)` whenever a backward pass reaches a tapped layer.

    Forward passes without gradients are ignored. `receive` is called once per forward of the layer; a layer used twice
    is reported twice. The hooks return nothing, so training is bit-identical with and without them.
    """
    handles = [
        module.register_forward_hook(_forward_hook(tap, receive), with_kwargs=True)
        for tap in taps
        for module in tap.modules
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _forward_hook(
    tap: Tap, receive: Callable[[Tap, Tensor, Tensor], None]
) -> Callable[[nn.Module, tuple[Tensor, ...], dict[str, Tensor], Tensor], None]:
    def hook(module: nn.Module, args: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor) -> None:
        if not (torch.is_grad_enabled() and output.requires_grad):
            return
        inputs = _as_BTD(next(iter((*args, *named.values()))).detach())
        output.register_hook(lambda grad: receive(tap, inputs, _as_BTD(grad.detach())))  # type: ignore[no-untyped-call]

    return hook


def _as_BTD(tensor: Tensor) -> Tensor:
    """Batch first; all dimensions between it and the last are positions. A single vector is a batch of one."""
    return tensor.reshape(len(tensor) if tensor.ndim > 1 else 1, -1, tensor.shape[-1])
