"""The plain tables over which the rooms that compute scores and the rooms that move money meet.

`ScoreTable` holds floats, for people and for measuring. `ShareTable` and `Reliability` hold integers, because money is
computed from them and they are hashed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from byline.core.errors import CoreError
from byline.core.records import PPB, PPM, Record

# Suffixes: Q queries, N training examples, W works or clusters, C contributors


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """`scores_QN[q, n]`: how much training example n raised the log-likelihood of query q, in nats per token.

    Positive = proponent. Raises: CoreError("bad-scores") on a shape that does not fit the ids, or a NaN.
    """

    ORIENTATION: ClassVar[str] = "query,example"
    SIGN: ClassVar[str] = "positive=proponent"

    scores_QN: npt.NDArray[np.float32]
    query_ids: tuple[str, ...]
    example_ids: tuple[str, ...]
    method: str

    def __post_init__(self) -> None:
        if self.scores_QN.shape != (len(self.query_ids), len(self.example_ids)):
            raise CoreError(
                "bad-scores",
                f"scores have shape {self.scores_QN.shape}, ids say ({len(self.query_ids)}, {len(self.example_ids)})",
            )
        if not np.isfinite(self.scores_QN).all():
            raise CoreError("bad-scores", f"method {self.method!r} gave scores that are not finite")

    def sum_by(self, groups: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
        """Group names (sorted) and scores_QG summed over the examples of each group; `groups[n]` names n's group."""
        if len(groups) != len(self.example_ids):
            raise CoreError("bad-scores", f"{len(groups)} groups for {len(self.example_ids)} examples")
        names, index_N = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
        sums_QG = np.zeros((len(self.query_ids), len(names)))
        np.add.at(sums_QG.T, index_N, self.scores_QN.astype(np.float64).T)
        return tuple(str(name) for name in names), sums_QG

    def to_json(self) -> dict[str, Any]:
        return {
            "orientation": self.ORIENTATION,
            "sign": self.SIGN,
            "method": self.method,
            "query_ids": list(self.query_ids),
            "example_ids": list(self.example_ids),
            "scores_QN": [[float(x) for x in row] for row in self.scores_QN],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises: CoreError("bad-scores") if the table is torn, or was written with another orientation or sign."""
        if value.get("orientation") != cls.ORIENTATION or value.get("sign") != cls.SIGN:
            raise CoreError("bad-scores", f"table says {value.get('orientation')!r}, {value.get('sign')!r}")
        try:
            queries, examples = tuple(value["query_ids"]), tuple(value["example_ids"])
            scores_QN = np.asarray(value["scores_QN"], dtype=np.float32).reshape(len(queries), len(examples))
            return cls(scores_QN, queries, examples, value["method"])
        except (KeyError, TypeError, ValueError) as fault:
            raise CoreError("bad-scores", f"not a table of scores: {fault!r}") from fault


@dataclass(frozen=True, slots=True)
class Share(Record):
    """One line of a share table: parts per billion, with the interval [low, high] at the table's level."""

    id: str
    ppb: int
    low_ppb: int
    high_ppb: int


@dataclass(frozen=True, slots=True)
class ShareTable(Record):
    """Who one subject (an output, or a period's outputs) came from. `lines` and `unattributed_ppb` add up to 1e9.

    `unit` says what the ids are: "cluster", "work" or "contributor". Raises: CoreError("bad-shares").
    """

    subject: str
    unit: str
    method: str
    run: str
    level_ppm: int  # nominal coverage of the intervals, e.g. 900_000
    lines: tuple[Share, ...]
    unattributed_ppb: int

    def __post_init__(self) -> None:
        total = sum(line.ppb for line in self.lines) + self.unattributed_ppb
        if total != PPB or self.unattributed_ppb < 0:
            raise CoreError("bad-shares", f"shares of {self.subject} add to {total} parts per billion")
        for line in self.lines:
            if not 0 <= line.low_ppb <= line.ppb <= line.high_ppb <= PPB:
                raise CoreError("bad-shares", f"{line.id}: {line.ppb} outside [{line.low_ppb}, {line.high_ppb}]")
        if len({line.id for line in self.lines}) != len(self.lines):
            raise CoreError("bad-shares", f"shares of {self.subject} name an id twice")

    def ppb(self) -> dict[str, int]:
        return {line.id: line.ppb for line in self.lines}


@dataclass(frozen=True, slots=True)
class Reliability(Record):
    """How far a method's predictions agree with retraining on one run: lambda of the rule of money.

    `lambda_ppm` in [0, 1e6] with its interval, the number of (contributor, query) pairs behind it, and the digest of
    the measurement it was computed from.
    """

    run: str
    method: str
    lambda_ppm: int
    low_ppm: int
    high_ppm: int
    pairs: int
    evidence: str

    def __post_init__(self) -> None:
        if not 0 <= self.low_ppm <= self.lambda_ppm <= self.high_ppm <= PPM:
            raise CoreError(
                "bad-reliability", f"lambda {self.lambda_ppm} outside [{self.low_ppm}, {self.high_ppm}] or [0, 1e6]"
            )


def quantise(weights: Sequence[float], total: int) -> list[int]:
    """Integers that add up to `total`, proportional to non-negative `weights`: largest remainder, ties by position.

    This is where floats end and integers begin; money is computed after it. All-zero weights give all zeros.
    Raises: CoreError("bad-weights") on a negative or non-finite weight.
    """
    array = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(array).all() or (array < 0).any():
        raise CoreError("bad-weights", "weights must be finite and non-negative")
    if not array.any():
        return [0] * len(array)
    scaled = [int(x) for x in np.floor(array / array.max() * 2**52)]  # exact integers from here on
    whole = sum(scaled)
    parts = [x * total // whole for x in scaled]
    order = sorted(range(len(parts)), key=lambda i: (-(scaled[i] * total % whole), i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts
