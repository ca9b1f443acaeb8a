"""Channels of scores joined by a few non-negative weights, and how much that is worth where it was not fitted.

A transport's influence through the last layer and through all before it are two channels; the shortlist's gradients and
the words of an example are two others. Weights are fitted by least squares to what retraining showed; the gain is
measured on the retrainings that each of five fits did not see, against the channels simply added, with an interval.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.attribution.evidence import nonnegative, standardise
from byline.attribution.shares import Floats
from byline.core import AttributionError, ScoreTable

# Suffixes: Q queries, P retrainings, C channels, T pairs of both, D draws

FOLDS = 5
FEWEST = 2 * FOLDS  # retrainings
DRAWS = 400


@dataclass(frozen=True, slots=True)
class Channelled:
    """`factors` multiply the channels' own scores. `alone`: correlation of each channel with what retraining showed,
    `added` that of all with factor 1, `held_out` that of the blend where it was not fitted; `gain` is the difference of
    the last two with its 90 % interval, `retrainings` what all of it rests on."""

    channels: tuple[str, ...]
    factors: tuple[float, ...]
    alone: tuple[float, ...]
    added: float
    held_out: float
    gain: float
    low: float
    high: float
    retrainings: int

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {
            name: list(getattr(self, name)) for name in ("channels", "factors", "alone")
        }

    @property
    def helps(self) -> bool:
        """Whether the gain is above zero beyond chance, and the blend says anything at all."""
        return self.low > 0 and self.held_out > 0

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Channelled":
        kept = {name: tuple(told[name]) for name in ("channels", "factors", "alone")}
        return cls(**{name: kept.get(name, told[name]) for name in cls.__slots__})

    def mix(self, tables: Mapping[str, ScoreTable]) -> ScoreTable:
        """The blended scores, as large in sum as the channels added up, so that what was measured in their unit
        (errors, intervals) stays in it. Raises: AttributionError("bad-channels") if a channel is missing."""
        if missing := [name for name in self.channels if name not in tables]:
            raise AttributionError("bad-channels", f"no scores of {', '.join(missing)}", "fit the blend again")
        first = tables[self.channels[0]]
        rows_CQN = np.stack([tables[name].scores_QN.astype(np.float64) for name in self.channels])
        mixed_QN, added_QN = np.tensordot(np.array(self.factors), rows_CQN, 1), rows_CQN.sum(0)
        size = float(np.abs(mixed_QN).sum())
        mixed_QN *= float(np.abs(added_QN).sum()) / size if size > 0 else 1.0
        return ScoreTable(mixed_QN.astype(np.float32), first.query_ids, first.example_ids, first.method)


def fit_channels(predicted: Mapping[str, Floats], actual_QP: Floats, seed: int = 0) -> Channelled:
    """`predicted`: name -> (Q, P), what each channel says of P retrainings; `actual_QP` what they showed. Each query
    weighs the same, whatever its unit. Raises: AttributionError("bad-channels", "too-few-pairs")."""
    channels_CQP = np.stack([np.asarray(rows, dtype=np.float64) for rows in predicted.values()])
    if channels_CQP.shape[1:] != actual_QP.shape or not (
        np.isfinite(channels_CQP).all() and np.isfinite(actual_QP).all()
    ):
        says = f"channels have shape {channels_CQP.shape[1:]}, the retrainings {actual_QP.shape}, or one is not finite"
        raise AttributionError("bad-channels", says, "give finite predictions of the same retrainings")
    if actual_QP.shape[1] < FEWEST:
        says = f"{actual_QP.shape[1]} retrainings for {len(channels_CQP)} weights"
        raise AttributionError("too-few-pairs", says, f"retrain {FEWEST} subsets or more")
    # Centred by all predictions, which know no result: means that move with each fold's factors would look like misses.
    channels_CQP = channels_CQP - channels_CQP.mean(2, keepdims=True)
    added_QP = channels_CQP.sum(0)
    fold_P = np.random.default_rng(seed).permutation(np.arange(actual_QP.shape[1]) % FOLDS)
    blended_QP = np.empty_like(actual_QP, dtype=np.float64)
    for fold in range(FOLDS):
        factors_C = _fitted(channels_CQP[..., fold_P != fold], actual_QP[:, fold_P != fold])
        blended_QP[:, fold_P == fold] = np.tensordot(factors_C, channels_CQP[..., fold_P == fold], 1)
    gains_D = _gains(blended_QP, added_QP, actual_QP, seed)
    low, high = (float(x) for x in np.quantile(gains_D, [0.05, 0.95]))
    added, held_out = agreement(added_QP, actual_QP), agreement(blended_QP, actual_QP)
    factors_C = _fitted(channels_CQP, actual_QP)
    return Channelled(
        tuple(predicted),
        tuple(float(f) for f in factors_C),
        tuple(agreement(rows_QP, actual_QP) for rows_QP in channels_CQP),
        added,
        held_out,
        held_out - added,
        low,
        high,
        actual_QP.shape[1],
    )


def agreement(predicted_QP: Floats, actual_QP: Floats) -> float:
    """Mean over queries of the correlation over retrainings; 0 for a query on which one side does not vary."""
    return float((standardise(predicted_QP) * standardise(actual_QP)).mean(1).mean())


def _fitted(channels_CQP: Floats, actual_QP: Floats) -> Floats:
    """Factors of the raw channels, at which the blend is as large as the channels added up; 1 for all if none helps."""
    spread_Q1 = np.maximum(actual_QP.std(1, keepdims=True), 1e-30)
    centred_CQP = (channels_CQP - channels_CQP.mean(2, keepdims=True)) / spread_Q1
    scale_C = np.maximum(np.sqrt((centred_CQP**2).mean((1, 2))), 1e-30)
    columns_TC = (centred_CQP / scale_C[:, None, None]).reshape(len(scale_C), -1).T
    factors_C = nonnegative(columns_TC, standardise(actual_QP).ravel()) / scale_C
    blended = float(np.abs(np.tensordot(factors_C, centred_CQP, 1)).sum())
    if not blended > 0:
        return np.ones_like(factors_C)
    return np.asarray(factors_C * float(np.abs(centred_CQP.sum(0)).sum()) / blended)


def _gains(blended_QP: Floats, added_QP: Floats, actual_QP: Floats, seed: int) -> Floats:
    """Differences of agreement when queries and retrainings are both drawn anew."""
    generator, (queries, pairs) = np.random.default_rng(seed), actual_QP.shape
    found_D = np.empty(DRAWS)
    for d in range(DRAWS):
        rows = np.ix_(generator.integers(queries, size=queries), generator.integers(pairs, size=pairs))
        found_D[d] = agreement(blended_QP[rows], actual_QP[rows]) - agreement(added_QP[rows], actual_QP[rows])
    return found_D
