"""Calls of tapped layers: what went in is kept at the forward pass until the gradient of what came out arrives.

If a linear layer's scale is known, its inputs are projected at once: what is kept is then a small part of them, and
they may be overwritten afterwards. Layers that read the same tensor one after the other (queries, keys and values; gate
and up) are projected by one product, which reads it once. The matrices stay each layer's own, so nothing changes but
the time; which layers belong together is learned from their calls.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from byline.capture.hooks import Projected, Scale, Tap, as_float, no_autocast, read_layer
from byline.capture.layers import Lookup
from byline.core import CaptureError

Kept = TypeVar("Kept")
Receive = Callable[[Tap, Tensor, Tensor], None]
Hook = Callable[[nn.Module, tuple[Tensor, ...], dict[str, Tensor], Tensor], None]


@dataclass(frozen=True, slots=True, eq=False)
class Early:
    """For layers whose scale is known before their gradients: `scales` by name of the tap, looked up at each forward
    pass, and who gets their features (B, K)."""

    scales: Mapping[str, Scale | None]
    receive: Callable[[Tap, Tensor], None]


@contextmanager
def tapped(taps: Iterable[Tap], receive: Receive, early: Early | None = None) -> Iterator[None]:
    """While open, call `receive(tap, inputs, grads)` whenever a backward pass reaches a tapped layer.

    `inputs` and `grads` have the rows first and are what `tap.project` wants: of a Linear layer (B, T, I) and
    (B, T, O), of an embedding token ids (B, T), of a convolution what the layer takes and gives. With `early`, a linear
    layer that it knows a scale of is reported there instead, by features that need no projecting any more. Forward
    passes without gradients are ignored. One call is reported per forward of the layer; a layer used twice is reported
    twice. The hooks return nothing, so training is bit-identical with and without them.

    Raises, in the backward pass: CaptureError("changed-input") if an input that is not projected yet was overwritten in
    between, CaptureError("second-backward") if a second backward pass goes through one forward pass,
    CaptureError("batch-size") if an embedding was asked for the positions 0, 1, 2, ... of all rows at once.
    """
    readers = None if early is None else Readers(early.scales)
    handles = []
    for tap in taps:
        for module in tap.modules:
            heard = replace(tap, layer=read_layer(module))
            if early is not None and readers is not None and heard.layer.early:
                hook = _early_hook(heard, receive, early, readers)
            else:
                hook = _hook(heard, receive)
            handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class Readers:
    """Linear layers that read the same tensor, and the product by which their inputs are projected together."""

    def __init__(self, scales: Mapping[str, Scale | None]) -> None:
        self._scales = scales
        self._with: dict[int, list[Tap]] = {}  # the first reader of a tensor -> all that read it, in order
        self._sides: dict[int, tuple[tuple[Tensor, ...], Tensor]] = {}  # first reader -> their matrices, side by side
        self._source: Callable[[], Tensor | None] = lambda: None
        self._version = self._first = 0
        self._made: dict[int, Projected] = {}  # of the tensor read last, for those that have not asked yet

    def read(self, tap: Tap, source: Tensor) -> Projected:
        """What `tap`, whose scale is known, has read, projected."""
        if self._source() is not source or self._version != source._version:
            self._turn_to(tap, source)
        made = self._made.pop(id(tap), None)
        if made is None:
            others = self._with[self._first]
            if all(other is not tap for other in others):
                others.append(tap)
            made = tap.begin(tap.layer.inputs(source.detach()), self._scales[tap.name])
        return made

    def _turn_to(self, tap: Tap, source: Tensor) -> None:
        """Project another tensor for all that read it the last time after `tap`."""
        self._forget_absent()
        self._source, self._version, self._first = weakref.ref(source), source._version, id(tap)
        taps = [other for other in self._with.setdefault(id(tap), [tap]) if other.name in self._scales]
        if len(taps) > 1:
            sides = [other.sides(self._scales[other.name], source.device) for other in taps]
            near_IL = self._side_by_side(tuple(near for near, _ in sides))
            with no_autocast(source.device.type):
                together_BTL = tap.layer.project(as_float(tap.layer.inputs(source.detach())), near_IL)
            parts = torch.split(together_BTL, [near.shape[1] for near, _ in sides], dim=2)
            for other, part, (_, far) in zip(taps, parts, sides, strict=True):
                self._made[id(other)] = Projected(part, far)

    def _side_by_side(self, sides: tuple[Tensor, ...]) -> Tensor:
        """One matrix of several; it is kept until one of them is another."""
        known, joined = self._sides.get(self._first, ((), sides[0]))
        if len(known) != len(sides) or any(a is not b for a, b in zip(known, sides, strict=True)):
            joined = torch.cat(sides, dim=1)
            self._sides[self._first] = sides, joined
        return joined

    def _forget_absent(self) -> None:
        """Those for whom the last tensor was projected in vain do not belong to its readers."""
        if self._made:
            self._with[self._first] = [tap for tap in self._with[self._first] if id(tap) not in self._made]
            self._made.clear()


def _early_hook(tap: Tap, receive: Receive, early: Early, readers: Readers) -> Hook:
    late = _hook(tap, receive)

    def hook(module: nn.Module, args: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor) -> None:
        if tap.name not in early.scales:
            late(module, args, named, output)
        elif output.requires_grad and torch.is_grad_enabled():
            waiting = [readers.read(tap, _source(args, named))]

            def arrived(grad: Tensor) -> None:
                projected = _taken(tap, waiting)
                early.receive(tap, tap.meet(projected, tap.layer.grads(grad.detach())))

            output.register_hook(arrived)  # type: ignore[no-untyped-call]

    return hook


def _hook(tap: Tap, receive: Receive) -> Hook:
    def hook(module: nn.Module, args: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor) -> None:
        if not (output.requires_grad and torch.is_grad_enabled()):
            return
        source = _source(args, named)
        waiting = [(source.detach(), source._version)]

        def arrived(grad: Tensor) -> None:
            inputs, version = _taken(tap, waiting)
            _check_input(tap, inputs, version)
            receive(tap, tap.layer.inputs(inputs), tap.layer.grads(grad.detach()))

        output.register_hook(arrived)  # type: ignore[no-untyped-call]

    return hook


def _source(args: tuple[Tensor, ...], named: dict[str, Tensor]) -> Tensor:
    return args[0] if args else next(iter(named.values()))


def _taken(tap: Tap, waiting: list[Kept]) -> Kept:
    """What was kept of a forward pass. It is let go here: held to the end of the backward pass, as the graph would hold
    it, an input keeps memory from being used again, and that costs more time than all of the projecting."""
    if not waiting:
        raise CaptureError(
            "second-backward",
            f"a second backward pass went through the same forward pass of layer {tap.name}",
            "add the losses and call backward() once",
        )
    return waiting.pop()


def _check_input(tap: Tap, inputs: Tensor, version: int) -> None:
    # autograd checks this too, but not where autocast has made it keep a copy of its own
    if inputs._version != version:
        raise CaptureError(
            "changed-input",
            f"the input of layer {tap.name} was overwritten between its forward and its backward pass",
            "write `x = x + y` instead of `x += y` where the layer's input is changed",
        )
    if isinstance(tap.layer, Lookup) and inputs.ndim == 1 and len(inputs) > 1 and _is_range(inputs):
        raise CaptureError(
            "batch-size",
            f"layer {tap.name} was asked for the ids 0 to {len(inputs) - 1} without a batch dimension, for all rows",
            f"give each row its own positions (expand them to the batch), or Projector(skip=({tap.name!r},))",
        )


def _is_range(ids: Tensor) -> bool:
    return torch.equal(ids, torch.arange(len(ids), dtype=ids.dtype, device=ids.device))
