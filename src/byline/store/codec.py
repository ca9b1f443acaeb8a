"""From features to bytes and back: int8 with one float32 scale per row and layer; ids and step logs as JSON lines.

Suffixes: N rows, K features, L layer groups.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import StoreError
from byline.store.format import Group, group_starts

Int8 = npt.NDArray[np.int8]
Float32 = npt.NDArray[np.float32]
UInt32 = npt.NDArray[np.uint32]

_TINY = np.finfo(np.float32).tiny
_BLOCK = 64  # rows whose temporaries stay in the processor's cache


def quantise(features_NK: Float32, groups: tuple[Group, ...]) -> tuple[Int8, Float32]:
    """q_NK in [-127, 127] and scales_NL: scale = absmax / 127 over the row's columns of a group, q = round(x / scale).

    |x - q * scale| <= scale / 2 up to float32 rounding. A group whose scale is below the smallest normal float32
    (1.2e-38) is stored as zeros with scale 0. Raises: StoreError("not-finite").
    """
    n = len(features_NK)
    q_NK = np.empty(features_NK.shape, dtype=np.int8)
    scales_NL = np.empty((n, len(groups)), dtype=np.float32)
    starts, widths = group_starts(groups), [group.width for group in groups]
    for i in range(0, n, _BLOCK):
        x_NK = features_NK[i : i + _BLOCK]
        scale_NL = np.maximum.reduceat(np.abs(x_NK), starts, axis=1) / np.float32(127)
        if not np.isfinite(scale_NL).all():
            row, group = np.argwhere(~np.isfinite(scale_NL))[0]
            says = f"features of row {i + row} are not finite in layer {groups[group].name!r}"
            raise StoreError("not-finite", says, "skip the step (a scaler overflow) or look for the NaN in the loss")
        dead_NL = scale_NL < _TINY
        divisor_NK = np.repeat(np.where(dead_NL, np.float32(np.inf), scale_NL), widths, axis=1)
        q_NK[i : i + _BLOCK] = np.rint(x_NK / divisor_NK)
        scales_NL[i : i + _BLOCK] = np.where(dead_NL, np.float32(0), scale_NL)
    return q_NK, scales_NL


def dequantise(q_NK: Int8, scales_NL: Float32, widths: list[int], out_NK: Float32) -> None:
    """out = q * scale, group by group; `widths` are those of the groups that `q_NK` and `scales_NL` hold."""
    for i in range(0, len(q_NK), _BLOCK):
        scale_NK = np.repeat(scales_NL[i : i + _BLOCK], widths, axis=1)
        np.multiply(q_NK[i : i + _BLOCK], scale_NK, out=out_NK[i : i + _BLOCK])


def encode_ids(ids: Iterable[str]) -> bytes:
    """One JSON string per line. Raises: StoreError("bad-id") for an empty id or one that is not Unicode text."""
    lines = []
    for name in ids:
        if not isinstance(name, str) or not name:
            raise StoreError("bad-id", f"example id {name!r} is not a text", "give one id per row of the batch")
        lines.append(json.dumps(name, ensure_ascii=False) + "\n")
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError as fault:
        raise StoreError("bad-id", f"an example id is not Unicode text: {fault}") from fault


def decode_ids(data: bytes) -> list[str]:
    """Inverse of `encode_ids`. Raises: ValueError if the bytes are not what `encode_ids` would write."""
    ids = [json.loads(line) for line in data.split(b"\n")[:-1]]
    if not all(isinstance(name, str) and name for name in ids) or encode_ids(ids) != data:
        raise ValueError("lines are not one JSON string each")
    return ids


def encode_step(step: int, record: Mapping[str, Any]) -> bytes:
    """The log line of a step: sorted keys, no spaces. Raises: StoreError("bad-record")."""
    if "step" in record:
        raise StoreError("bad-record", f"step {step}: the record has a key 'step' of its own", "rename it")
    try:
        return step_line({"step": step, **record})
    except (TypeError, ValueError) as fault:
        fix = "plain numbers, text, lists and objects; null for what is not finite"
        raise StoreError("bad-record", f"record of step {step} is not JSON: {fault}", fix) from fault


def decode_steps(data: bytes, first_step: int, count: int) -> list[dict[str, Any]]:
    """`count` step records from `first_step` on. Raises: ValueError."""
    records = [json.loads(line) for line in data.split(b"\n")[:-1]]
    if b"".join(step_line(record) for record in records) != data:
        raise ValueError("lines are not in the form that the writer gives them")
    if [record.get("step") for record in records] != list(range(first_step, first_step + count)):
        raise ValueError(f"lines are not the steps {first_step} to {first_step + count - 1}")
    return records


def step_line(record: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys and no spaces, and a line feed. Raises: TypeError, ValueError."""
    if not isinstance(record, Mapping):
        raise TypeError("not an object")
    text = json.dumps(record, allow_nan=False, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode() + b"\n"
