"""Retrainings that were made elsewhere, for the weights of channels: under other seeds, on other machines.

What an audit retrains is the recorded run walked again, with its own weights and order. Whoever asks what the *recipe*
makes, whatever the seed, has retrained with fresh seeds, and hands in what that showed, one JSON object a line:

    {"left_out": ["example id", ...], "values": {"name of a query": 1.25, ...}}

Values are the subject's measure, of every query. Lines that left out the same are averaged, so that no retraining is
judged by weights that were fitted to it under another seed.
"""

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import AppError, Problem, Source, sha256_hex

# Suffixes: O outputs, P retrainings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """`left_out` of each retraining and values_PO of the outputs; `lines` of the file, and its `sha256`."""

    left_out: tuple[frozenset[str], ...]
    values_PO: Floats
    lines: int
    sha256: str

    def told(self) -> dict[str, Any]:
        return {"retrainings": len(self.left_out), "lines": self.lines, "sha256": self.sha256}


def read_given(path: Path, outputs: Sequence[str], known: Collection[str]) -> tuple[Given | None, list[Problem]]:
    """All faults at once. `known`: examples that the run read. Raises: AppError("no-file")."""
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise AppError("no-file", f"{path}: {fault.strerror}", "check the path") from fault
    found: dict[frozenset[str], list[list[float]]] = {}
    problems, lines = [], 0
    examples = frozenset(known)
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        if line.strip():
            lines += 1
            faults, left_out, values_O = _read(line, outputs, examples)
            problems += [Problem(code, Source(path.name, number), says) for code, says in faults]
            found.setdefault(left_out, []).append(values_O)
    if problems or not found:
        empty = [Problem("bad-retraining", Source(path.name, 0), "no retrainings")]
        return None, problems or empty
    values_PO = np.array([np.mean(rows, axis=0) for rows in found.values()])
    return Given(tuple(found), values_PO, lines, sha256_hex(raw)), []


def _read(
    line: str, outputs: Sequence[str], known: frozenset[str]
) -> tuple[list[tuple[str, str]], frozenset[str], list[float]]:
    try:
        told = json.loads(line)
        left_out, values = frozenset(map(str, told["left_out"])), dict(told["values"])
    except (ValueError, KeyError, TypeError) as fault:
        return [("bad-retraining", f"not an object with left_out and values: {fault}")], frozenset(), []
    faults = []
    if strangers := sorted(left_out - known):
        faults.append(("unknown-example", f"the run read no example {strangers[0]}, and {len(strangers) - 1} more"))
    bad = [name for name in outputs if not _is_number(values.get(name))]
    if bad:
        faults.append(("bad-retraining", f"no finite value of {bad[0]}, and of {len(bad) - 1} more"))
    return faults, left_out, [] if bad else [float(values[name]) for name in outputs]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
