"""Taps: what is read off a layer while the user's own backward pass runs.

The weight gradient of a linear layer, a convolution or an embedding is, for one example, the sum over its positions of
(gradient at the output) times (activation at the input). A tap keeps the input at forward time, projected if it can be
already, and, when the gradient of the output arrives, writes the projected sum of every example of the batch at once:
no second backward, no loop over examples, no vmap. Layers that share one weight are one tap, and what they bring is
added. `byline.capture.calls` listens to the layers.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from byline.capture.layers import Layer, layer_of
from byline.capture.projector import Projector
from byline.capture.ranks import plain, plain_name
from byline.core import CaptureError, Record

# Suffixes: B rows of a batch, T positions, O outputs, I inputs, K features


@dataclass(frozen=True, slots=True)
class Uncaptured(Record):
    """A trained parameter whose gradient is not recorded, and why."""

    parameter: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Per-output and per-input factors by which a layer's gradient is multiplied before it is projected."""

    out_O: Tensor
    in_I: Tensor


@dataclass(slots=True, eq=False)
class Sides:
    """The two sides of a projection, scaled, on the device where they are needed: kept until the scale changes."""

    scale: Scale | None = None
    left_OK: Tensor | None = None
    right_IK: Tensor | None = None

    def of(self, tap: "Tap", scale: Scale | None, device: torch.device) -> tuple[Tensor, Tensor]:
        left, right = self.left_OK, self.right_IK
        if left is None or right is None or scale is not self.scale or left.device != device:
            left = _scaled(tap.left_OK, None if scale is None else scale.out_O, device)
            right = _scaled(tap.right_IK, None if scale is None else scale.in_I, device)
            self.scale, self.left_OK, self.right_IK = scale, left, right
        return left, right


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """What went into one call of a layer, projected, and the matrix that its gradient is to be projected by."""

    inputs: Tensor  # as `Layer.project` gives it
    side: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Tap:
    """One captured weight: its layer (several, if layers share the weight), and the two sides of its projection.

    The weight's gradient is read as a matrix of outputs by inputs; of a convolution, inputs are the numbers of a patch;
    of an embedding, tokens are the inputs, unless it shares its weight with an output layer, whose outputs they are.
    """

    name: str
    modules: tuple[nn.Module, ...]
    weight: nn.Parameter
    transposed: bool  # HF Conv1D and nn.Embedding keep (in, out), nn.Linear (out, in)
    left_OK: Tensor
    right_IK: Tensor
    layer: Layer  # how calls of `modules[0]` are read; `tapped` hands over taps that know which module was called
    _sides: Sides = field(default_factory=Sides, init=False)

    @property
    def width(self) -> int:
        return self.left_OK.shape[1] * self.right_IK.shape[1]

    def matrix(self, tensor: Tensor) -> Tensor:
        """A tensor of the weight's shape (its gradient, its second moment) as outputs by inputs: (O, I)."""
        return tensor.T if self.transposed else tensor.flatten(1)

    @property
    def turned(self) -> bool:
        """Whether the layer uses the weight the other way round than the one that the tap has its name from."""
        return self.layer.transposed != self.transposed

    def project(self, inputs: Tensor, grads: Tensor, scale: Scale | None) -> Tensor:
        """Features (B, K), float32: per-example weight gradients, scaled from both sides, projected, flattened."""
        return self.meet(self.begin(inputs, scale), grads)

    def begin(self, inputs: Tensor, scale: Scale | None) -> Projected:
        """The half of `project` that needs no gradients yet."""
        near, far = self.sides(scale, inputs.device)
        with no_autocast(inputs.device.type):
            return Projected(self.layer.project(as_float(inputs), near), far)

    def meet(self, projected: Projected, grads: Tensor) -> Tensor:
        """The other half."""
        with no_autocast(grads.device.type):
            features_BKL = self.layer.features(projected.inputs, grads.float(), projected.side)
            return (features_BKL.transpose(1, 2) if self.turned else features_BKL).flatten(1)

    def sides(self, scale: Scale | None, device: torch.device) -> tuple[Tensor, Tensor]:
        """The scaled matrices by which the layer's inputs and the gradients of its outputs are projected."""
        left, right = self._sides.of(self, scale, device)
        return (left, right) if self.turned else (right, left)


def as_float(inputs: Tensor) -> Tensor:
    """Float32, but token ids as they are."""
    return inputs.float() if inputs.is_floating_point() else inputs


def no_autocast(device: str) -> AbstractContextManager[object]:
    """Features are made in float32, also where the user's backward pass runs under autocast."""
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def _scaled(side_DK: Tensor, scale_D: Tensor | None, device: torch.device) -> Tensor:
    side_DK = side_DK.to(device)
    return side_DK if scale_D is None else scale_D.to(device)[:, None] * side_DK


def find_taps(model: nn.Module, projector: Projector) -> tuple[tuple[Tap, ...], tuple[Uncaptured, ...]]:
    """Every trained Linear, HF Conv1D, Conv1d to 3d and Embedding as a tap, and every trained parameter that no tap
    covers, with the reason. Wrappers (DistributedDataParallel, torch.compile, activation checkpointing) change no name.

    Raises: CaptureError("nothing-to-capture") if the model has no such layer, CaptureError("no-such-layer") if the
    projector is to skip one that is not there.
    """
    model = plain(model)
    found, reasons = _layers(model, projector)
    taps = tuple(_tap(name, modules, projector) for name, modules in found)
    if not taps:
        raise CaptureError(
            "nothing-to-capture",
            f"{type(model).__name__} has no trained Linear, Conv or Embedding layer that can be read",
            "check requires_grad",
        )
    return taps, tuple(_uncaptured(model, taps, reasons))


def _layers(model: nn.Module, projector: Projector) -> tuple[list[tuple[str, list[nn.Module]]], dict[str, str]]:
    """Name and modules of every weight that can be read, and why others of such layers cannot, by parameter."""
    found: dict[int, list[tuple[str, nn.Module]]] = {}
    reasons: dict[str, str] = {}
    kinds = [(plain_name(name), module, layer_of(module)) for name, module in model.named_modules()]
    kinds = [item for item in kinds if item[2] is not None]
    if strangers := sorted(set(projector.skip) - {name for name, _, _ in kinds}):
        raise CaptureError(
            "no-such-layer", f"the model has no layer {strangers[0]!r} to skip", "name one of its layers"
        )
    for name, module, layer in kinds:
        weight = getattr(module, "weight", None)
        if name in projector.skip or isinstance(layer, str):
            reasons[_weight_of(name)] = layer if isinstance(layer, str) else "left out by the projector's skip"
        elif isinstance(weight, nn.Parameter) and weight.requires_grad:
            found.setdefault(id(weight), []).append((name, module))
    return [_named(group) for group in found.values()], reasons


def _named(group: list[tuple[str, nn.Module]]) -> tuple[str, list[nn.Module]]:
    """Layers that share a weight go by the name of the first, an embedding by that of the layer it is tied to."""
    group = sorted(group, key=lambda item: isinstance(item[1], nn.Embedding))
    return group[0][0], [module for _, module in group]


def _tap(name: str, modules: list[nn.Module], projector: Projector) -> Tap:
    weight, layer = modules[0].weight, read_layer(modules[0])
    if not isinstance(weight, nn.Parameter):
        raise CaptureError("nothing-to-capture", f"{name}.weight is not a parameter", "check requires_grad")
    outputs, inputs = weight.shape[0], weight.shape[1:].numel()
    if layer.transposed:
        outputs, inputs = inputs, outputs
    left, right = projector.side(name, "out", outputs), projector.side(name, "in", inputs)
    return Tap(name or "model", tuple(modules), weight, layer.transposed, left, right, layer)


def read_layer(module: nn.Module) -> Layer:
    layer = layer_of(module)
    if layer is None or isinstance(layer, str):
        raise CaptureError("nothing-to-capture", f"{type(module).__name__} cannot be read", "check requires_grad")
    return layer


def _weight_of(name: str) -> str:
    return f"{name}.weight".lstrip(".")


def _uncaptured(model: nn.Module, taps: tuple[Tap, ...], reasons: dict[str, str]) -> Iterator[Uncaptured]:
    layers = {id(module) for tap in taps for module in tap.modules}
    modules = model.named_modules(remove_duplicate=False)
    read = {_weight_of(plain_name(name)) for name, module in modules if id(module) in layers}
    uses: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        uses.setdefault(id(parameter), []).append(plain_name(name))
    for name, parameter in model.named_parameters():
        unread = [use for use in uses[id(parameter)] if use not in read]
        tied = [use for use in uses[id(parameter)] if use in read]
        if not parameter.requires_grad or not unread:
            continue
        reason = reasons.get(unread[0], "not the weight of a Linear, Conv or Embedding layer")
        if tied:
            yield Uncaptured(", ".join(unread), 0, f"{reason}; tied to {tied[0]}: only its use there is recorded")
        else:
            yield Uncaptured(plain_name(name), parameter.numel(), reason)
