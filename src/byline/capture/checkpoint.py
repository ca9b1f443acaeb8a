"""States of a training that are kept on the way: weights, buffers, the optimizer's moments, random generators.

A state is one safetensors file, kept as an array of bytes beside the rows of the run. When to keep one is decided
without knowing how long the training will be: states stand at equal amounts of summed learning rate, and when there
are twice as many as wanted every other one goes and the amount doubles.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from byline.capture.ranks import plain, plain_name
from byline.core import CaptureError

FIRST = 16  # optimizer steps whose summed learning rate is the first amount between two states

Named = Mapping[str, Tensor]

_DTYPES = {  # safetensors' names
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


class Schedule:
    """Which states to keep: between `wanted` and twice as many, at equal amounts of summed learning rate, besides the
    one before the first step. Follows from the rates alone, so a resumed run decides as an unbroken one would."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self._kept: dict[int, int] = {}  # amounts passed -> steps taken
        self._steps = 0
        self._sum = 0.0
        self._amount = 0.0

    @property
    def kept(self) -> tuple[int, ...]:
        """Numbers of steps taken at which states are kept now, without the first."""
        return tuple(self._kept.values())

    def ended(self, rates: Sequence[float]) -> None:
        """A step has ended, which the parameter groups took at these learning rates; their mean counts."""
        self._steps += 1
        self._sum += sum(abs(rate) for rate in rates) / len(rates)
        if self._steps >= FIRST and self._amount == 0:
            self._amount = self._sum

    def due(self) -> tuple[bool, tuple[int, ...]]:
        """Whether to keep the state as it is now, and which of those kept before are to go. Asked once per step."""
        if self._steps == 0:
            return self.wanted > 0, ()
        passed = math.floor(self._sum / self._amount + 1e-6) if self.wanted and self._amount else 0
        if passed <= max(self._kept, default=0):
            return False, ()
        before = {*self.kept}
        self._kept[passed] = self._steps
        while len(self._kept) >= 2 * self.wanted:
            self._double()
        return self._steps in self.kept, tuple(sorted(before.difference(self.kept)))

    def _double(self) -> None:
        """Of the states between two multiples of the doubled amount the first stays; those before the first go."""
        thinned: dict[int, int] = {}
        for passed, steps in self._kept.items():
            if passed > 1:
                thinned.setdefault(passed // 2, steps)
        self._kept, self._amount = thinned, 2 * self._amount


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A training before one of its steps. `moments["exp_avg_sq"][name]` and so on; names are those of the model.

    `rng`: states of torch's generators, by device. `weights_sha256` (hex) is that of `weights_digest`.
    """

    weights: Named
    buffers: Named
    moments: Mapping[str, Named]
    rng: Named
    weights_sha256: str = ""
    taken: int = 0

    def to_array(self) -> npt.NDArray[np.uint8]:
        """The bytes of a safetensors file: tensors "weights/NAME", "buffers/NAME", "moments/MOMENT/NAME", "rng/DEVICE",
        and under "byline" the rest."""
        tensors = {
            **_prefixed("weights/", self.weights),
            **_prefixed("buffers/", self.buffers),
            **_prefixed("rng/", self.rng),
        }
        for moment, named in self.moments.items():
            tensors |= _prefixed(f"moments/{moment}/", named)
        about = {"taken": self.taken, "weights": list(self.weights), "weights_sha256": self.weights_sha256}
        return _packed(tensors, json.dumps(about))

    @classmethod
    def from_array(cls, data: npt.NDArray[np.uint8]) -> "Snapshot":
        """Inverse of `to_array`. Raises: CaptureError("bad-state") for bytes that are not a state, and if the weights
        are not those of their digest."""
        raw, fix = data.tobytes(), "start from another kept state, or record the run again"
        try:
            tensors = safetensors.torch.load(raw)
            about = json.loads(_metadata(raw)["byline"])
            found = cls._sorted(tensors, list(about["weights"]), str(about["weights_sha256"]), int(about["taken"]))
        except (SafetensorError, ValueError, KeyError, TypeError) as fault:
            raise CaptureError("bad-state", f"the bytes of a kept state cannot be read: {fault}", fix) from fault
        if tensors_digest(found.weights).hex() != found.weights_sha256:
            says = f"the weights of the state after {found.taken} steps are not those of its digest"
            raise CaptureError("bad-state", says, fix)
        return found

    @classmethod
    def _sorted(cls, tensors: Named, order: Sequence[str], weights_sha256: str, taken: int) -> "Snapshot":
        """`order`: names of the weights as the model has them."""
        kinds: dict[str, dict[str, Tensor]] = {"weights": {}, "buffers": {}, "rng": {}}
        moments: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            kind, name = key.split("/", 1)
            if kind == "moments":
                moment, name = name.split("/", 1)
                moments.setdefault(moment, {})[name] = tensor
            else:
                kinds[kind][name] = tensor
        weights = {name: kinds["weights"][name] for name in order}
        return cls(weights, kinds["buffers"], moments, kinds["rng"], weights_sha256, taken)


def take_snapshot(
    model: nn.Module, optimizers: Iterable[torch.optim.Optimizer], rng: Named, taken: int, weights_sha256: str
) -> Snapshot:
    """The training as it stands: its own tensors where they are not spread over processes, so pack it or copy it before
    the next step."""
    weights = {name: _gathered(parameter) for name, parameter in named_parameters(model).items()}
    buffers = {name: _gathered(buffer) for name, buffer in named_buffers(model).items()}
    return Snapshot(weights, buffers, _moments(model, optimizers), rng, weights_sha256, taken)


def named_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters by the names that they have in the user's own module, without wrappers."""
    return {plain_name(name): parameter for name, parameter in plain(model).named_parameters()}


def named_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Buffers, persistent or not, by the names that they have in the user's own module."""
    return {plain_name(name): buffer for name, buffer in plain(model).named_buffers()}


def weights_digest(model: nn.Module) -> bytes:
    """SHA-256 over the names, shapes and bytes of all parameters, in order."""
    return tensors_digest(named_parameters(model))


def tensors_digest(named: Named) -> bytes:
    """SHA-256 over names, shapes, types and bytes of tensors, in order."""
    state = hashlib.sha256()
    for name, parameter in named.items():
        state.update(f"{name}{tuple(parameter.shape)}{parameter.dtype}".encode())
        state.update(_gathered(parameter).cpu().reshape(-1).view(torch.uint8).numpy().data)
    return state.digest()


def random_states() -> dict[str, Tensor]:
    """States of torch's generators: the CPU's, and the current CUDA device's if CUDA is in use."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def state_name(taken: int) -> str:
    """Name of the blob that holds the state after `taken` steps."""
    return f"state.{taken:09d}"


def states_in(blob_names: Iterable[str]) -> tuple[int, ...]:
    """Numbers of steps taken at which the blobs named hold a state, ascending."""
    return tuple(sorted(int(name.removeprefix("state.")) for name in blob_names if name.startswith("state.")))


def _moments(model: nn.Module, optimizers: Iterable[torch.optim.Optimizer]) -> dict[str, dict[str, Tensor]]:
    names = {id(parameter): name for name, parameter in named_parameters(model).items()}
    moments: dict[str, dict[str, Tensor]] = {}
    for optimizer in optimizers:
        for parameter, state in optimizer.state.items():
            for moment, value in state.items():
                if isinstance(value, Tensor) and id(parameter) in names:
                    moments.setdefault(moment, {})[names[id(parameter)]] = _gathered(value)
    return moments


def _gathered(tensor: Tensor) -> Tensor:
    """All of a tensor that may be spread over processes."""
    whole: Any = tensor.detach()
    gathered: Tensor = whole.full_tensor() if hasattr(whole, "full_tensor") else whole
    return gathered


def _prefixed(prefix: str, named: Named) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in named.items()}


def _packed(tensors: Named, about: str) -> npt.NDArray[np.uint8]:
    """A safetensors file, made in one copy: eight bytes of length, the header as JSON, then the tensors, wide types
    first, so that each begins at a multiple of its own width."""
    header: dict[str, Any] = {"__metadata__": {"byline": about}}
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    packed = np.empty(8 + len(text) + end, dtype=np.uint8)
    packed[: 8 + len(text)] = np.frombuffer(len(text).to_bytes(8, "little") + text, dtype=np.uint8)
    body = torch.from_numpy(packed[8 + len(text) :])
    for name, tensor in tensors.items():
        start, end = header[name]["data_offsets"]
        body[start:end] = tensor.contiguous().reshape(-1).view(torch.uint8)
    return packed


def _metadata(raw: bytes) -> dict[str, str]:
    """The free part of a safetensors header: eight bytes of length, then JSON."""
    length = int.from_bytes(raw[:8], "little")
    found: dict[str, str] = json.loads(raw[8 : 8 + length])["__metadata__"]
    return found
