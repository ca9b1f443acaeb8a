"""The line that every optimizer step leaves in the log, chained to all lines before it.

lr           learning rate of each layer's parameter group; negative where the group maximises
rates        learning rate of every parameter group, in the order of the notes' `groups`
clip         factor by which all gradients were multiplied between backward pass and step
denominator  what the sum of the rows' losses was divided by
parts        rows of each micro-batch, if there were several
scale        what the loss was multiplied by (a gradient scaler's), if that is not 1
skipped      ids of batches whose gradients were thrown away since the step before
rng          digest of torch's random generators before the step's first batch
weights      digest of the weights before the step, where it was taken
settings     of every parameter group, when they changed
chain        SHA-256 over the chain of the step before, the ids of the rows in order, and the rest of the line
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor


class StepLog:
    """The line of the step that is being made, and the chain of those before it."""

    def __init__(self, chain: str = "") -> None:
        self.chain = chain
        self._line: dict[str, Any] = {}

    @property
    def begun(self) -> bool:
        return bool(self._line)

    def note(self, **entries: Any) -> None:
        self._line |= entries

    def skip(self, example_ids: Iterable[str]) -> None:
        """A batch was run, and nothing will be learned from it."""
        self._line.setdefault("skipped", []).append(list(example_ids))

    def close(self, step: int, batches: Sequence[Sequence[str]]) -> dict[str, Any]:
        """The line of a step that was made of these micro-batches' ids; begins the next."""
        line, self._line = self._line, {}
        if len(batches) > 1:
            line["parts"] = [len(ids) for ids in batches]
        self.chain = line["chain"] = chained(self.chain, step, [name for ids in batches for name in ids], line)
        return line


def chained(previous: str, step: int, example_ids: Iterable[str], line: Mapping[str, Any]) -> str:
    """The `chain` of a line; before the first step, `previous` is the id of the run.

    Floats are hashed by their exact value, in hexadecimal. Keys "step" and "chain" of `line` do not count.
    """
    rest = {key: value for key, value in line.items() if key not in ("step", "chain")}
    text = json.dumps([previous, step, list(example_ids), _exact(rest)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def broken_link(run: str, lines: Sequence[Mapping[str, Any]], example_ids: Sequence[Sequence[str]]) -> int | None:
    """Number of the first step whose line or ids are not those that its chain was made of; None if all hold."""
    previous = run
    for step, (line, ids) in enumerate(zip(lines, example_ids, strict=True)):
        if line.get("chain") != chained(previous, step, ids, line):
            return step
        previous = line["chain"]
    return None


def random_digest(states: Mapping[str, Tensor]) -> str:
    """The first 32 digits of a SHA-256 over the states of torch's generators."""
    hashed = hashlib.sha256()
    for device in sorted(states):
        hashed.update(device.encode() + states[device].numpy().tobytes())
    return hashed.hexdigest()[:32]


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, Mapping):
        return {key: _exact(part) for key, part in value.items()}
    return [_exact(part) for part in value] if isinstance(value, list | tuple) else value
