"""Channels of scores joined by a few non-negative weights, and how much that is worth where it was not fitted.

A transport's influence through the last layer and through all before it are two channels, EK-FAC is a third, and what
words have in common a fourth. Weights are fitted by least squares to what retraining showed. The gain over the plain
channels added up, those that pay without a blend, is measured crosswise: queries and retrainings are divided into
folds, and what is said of a query on a retraining comes from weights that saw neither of the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.attribution import nonnegative, standardise
from byline.core import EvaluationError, ScoreTable
from byline.evaluation.correlation import Floats, spearman
from byline.evaluation.lds import paired

# Suffixes: Q queries, P retrainings, C channels, T pairs of both

FOLDS = 5
FEWEST = 2 * FOLDS  # retrainings
DRAWS, LEVEL = 400, 0.9  # of the gain's interval


@dataclass(frozen=True, slots=True)
class Channelled:
    """`factors` multiply the channels' own scores. All agreements are LDS: the rank correlation over retrainings, mean
    over queries. `alone`: of each channel; `added`: of the `plain` channels added up, as they pay without a blend;
    `held_out`: of the blend where it was not fitted; `gain` is the difference of the last two with its 90 % interval.
    `retrainings` and `queries` are what all of it rests on."""

    channels: tuple[str, ...]
    plain: tuple[str, ...]
    factors: tuple[float, ...]
    alone: tuple[float, ...]
    added: float
    held_out: float
    gain: float
    low: float
    high: float
    retrainings: int
    queries: int

    def to_json(self) -> dict[str, Any]:
        listed = {name: list(getattr(self, name)) for name in _LISTS}
        return {name: getattr(self, name) for name in self.__slots__} | listed

    @property
    def helps(self) -> bool:
        """Whether the gain is above zero beyond chance, and the blend says anything at all."""
        return self.low > 0 and self.held_out > 0

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Channelled":
        """Raises: EvaluationError("old-blend") for one that another version kept."""
        if missing := [name for name in cls.__slots__ if name not in told]:
            raise EvaluationError("old-blend", f"the kept blend has no {missing[0]}", "byline audit again")
        kept = {name: tuple(told[name]) for name in _LISTS}
        return cls(**{name: kept.get(name, told[name]) for name in cls.__slots__})

    def mix(self, tables: Mapping[str, ScoreTable]) -> ScoreTable:
        """The blended scores, as large in sum as the plain channels added up, so that what was measured in their unit
        (errors, intervals) stays in it. Raises: EvaluationError("bad-channels") if a channel is missing."""
        if missing := [name for name in self.channels if name not in tables]:
            raise EvaluationError("bad-channels", f"no scores of {', '.join(missing)}", "fit the blend again")
        first = tables[self.channels[0]]
        rows_CQN = np.stack([tables[name].scores_QN.astype(np.float64) for name in self.channels])
        mixed_QN = np.tensordot(np.array(self.factors), rows_CQN, 1)
        size, wanted = (float(np.abs(scores).sum()) for scores in (mixed_QN, rows_CQN[_members(self)].sum(0)))
        mixed_QN *= wanted / size if size > 0 else 1.0
        return ScoreTable(mixed_QN.astype(np.float32), first.query_ids, first.example_ids, first.method)


_LISTS = ("channels", "plain", "factors", "alone")


def _members(found: Channelled) -> list[int]:
    return [found.channels.index(name) for name in found.plain]


def fit_channels(
    predicted: Mapping[str, Floats], actual_QP: Floats, plain: Sequence[str] | None = None, seed: int = 0
) -> Channelled:
    """`predicted`: name -> (Q, P), what each channel says of P retrainings; `actual_QP` what they showed. Each query
    weighs the same, whatever its unit. No query may be part of another (a sum that holds it), or what is said of one
    has seen the other. `plain`: the channels that pay without a blend; None: all.

    Raises: EvaluationError("bad-channels"), EvaluationError("too-few-pairs") below FEWEST retrainings or 2 queries.
    """
    channels_CQP, plain = _checked(predicted, actual_QP, plain)
    members = [list(predicted).index(name) for name in plain]
    added_QP = channels_CQP[members].sum(0)
    blended_QP = _crosswise(channels_CQP, actual_QP, members, seed)
    gain = paired(blended_QP, added_QP, actual_QP, level=LEVEL, draws=DRAWS, seed=seed)
    return Channelled(
        channels=tuple(predicted),
        plain=tuple(plain),
        factors=tuple(float(f) for f in _fitted(channels_CQP, actual_QP, members)),
        alone=tuple(_lds(rows_QP, actual_QP) for rows_QP in channels_CQP),
        added=_lds(added_QP, actual_QP),
        held_out=_lds(blended_QP, actual_QP),
        gain=gain.difference,
        low=gain.interval.low,
        high=gain.interval.high,
        retrainings=actual_QP.shape[1],
        queries=len(actual_QP),
    )


def _checked(
    predicted: Mapping[str, Floats], actual_QP: Floats, plain: Sequence[str] | None
) -> tuple[Floats, Sequence[str]]:
    """Channels centred by all predictions, which know no result: means that move with each fold's factors would look
    like misses."""
    plain = tuple(predicted) if plain is None else plain
    shapes = {np.shape(rows) for rows in predicted.values()}
    finite = all(np.isfinite(rows).all() for rows in (*predicted.values(), actual_QP))
    if shapes != {actual_QP.shape} or not finite or not plain or set(plain) - set(predicted):
        says = f"channels have shapes {sorted(shapes)}, retrainings {actual_QP.shape}; or one is missing, not finite"
        raise EvaluationError("bad-channels", says, "give finite predictions of the same retrainings")
    if actual_QP.shape[1] < FEWEST or len(actual_QP) < 2:
        says = f"{actual_QP.shape[1]} retrainings and {len(actual_QP)} queries for {len(predicted)} weights"
        raise EvaluationError("too-few-pairs", says, f"retrain {FEWEST} subsets or more, and ask 2 outputs or more")
    channels_CQP = np.stack([np.asarray(rows, dtype=np.float64) for rows in predicted.values()])
    return channels_CQP - channels_CQP.mean(2, keepdims=True), plain


def _crosswise(channels_CQP: Floats, actual_QP: Floats, members: list[int], seed: int) -> Floats:
    """blended_QP: each pair by factors fitted without its query and without its retraining."""
    generator, (queries, retrainings) = np.random.default_rng(seed), actual_QP.shape
    fold_P = generator.permutation(np.arange(retrainings) % FOLDS)
    fold_Q = generator.permutation(np.arange(queries) % min(FOLDS, queries))
    blended_QP = np.empty(actual_QP.shape)
    for of_queries in range(min(FOLDS, queries)):
        for fold in range(FOLDS):
            known = np.ix_(fold_Q != of_queries, fold_P != fold)
            asked = np.ix_(fold_Q == of_queries, fold_P == fold)
            factors_C = _fitted(np.stack([rows[known] for rows in channels_CQP]), actual_QP[known], members)
            blended_QP[asked] = np.tensordot(factors_C, np.stack([rows[asked] for rows in channels_CQP]), 1)
    return blended_QP


def _lds(predicted_QP: Floats, actual_QP: Floats) -> float:
    """Mean over queries of the rank correlation over retrainings."""
    return float(np.mean([spearman(*rows) for rows in zip(predicted_QP, actual_QP, strict=True)]))


def _fitted(channels_CQP: Floats, actual_QP: Floats, members: list[int]) -> Floats:
    """Factors of the raw channels, at which the blend is as large as `members` added up; if none helps, those at 1."""
    spread_Q1 = np.maximum(actual_QP.std(1, keepdims=True), 1e-30)
    centred_CQP = (channels_CQP - channels_CQP.mean(2, keepdims=True)) / spread_Q1
    scale_C = np.maximum(np.sqrt((centred_CQP**2).mean((1, 2))), 1e-30)
    columns_TC = (centred_CQP / scale_C[:, None, None]).reshape(len(scale_C), -1).T
    factors_C = nonnegative(columns_TC, standardise(actual_QP).ravel()) / scale_C
    blended = float(np.abs(np.tensordot(factors_C, centred_CQP, 1)).sum())
    if not blended > 0:
        return np.asarray(np.isin(np.arange(len(factors_C)), members), dtype=np.float64)
    return np.asarray(factors_C * float(np.abs(centred_CQP[members].sum(0)).sum()) / blended)
