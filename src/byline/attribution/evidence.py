"""The evidence list: examples behind an answer by two channels, the gradient and the words, blended and apart.

The two measure different things, influence and likeness, and are almost uncorrelated; together they agree better with
retraining than either. The blend is a sum of standardised channels with non-negative weights, fitted on calibration
pairs and told with the list. It orders a list for reading; it is never used for money.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from byline.core import AttributionError, ExampleId, Record
from byline.lookup import BM25

# Suffixes: Q queries, P calibration pairs per query, N examples, C channels, T all pairs

Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]

_MOST = 8  # channels: every subset of them is tried


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of the standardised channels. `pairs`: how many calibration pairs they were fitted on, 0 if none;
    `correlation` of the blend with the target over those pairs."""

    channels: tuple[str, ...]
    weights: tuple[float, ...]
    pairs: int = 0
    correlation: float = 0.0

    def mix(self, scores: Mapping[str, Floats]) -> Float64:
        """Blended scores, shape as the channels' (..., N), which are standardised over N.

        Raises: AttributionError("bad-channels") if a channel is missing or of another shape.
        """
        stacked = _stack({name: scores[name] for name in self.channels if name in scores}, self.channels)
        return np.tensordot(np.array(self.weights), stacked, axes=1)


EVEN = Blend(("gradient", "lexical"), (1.0, 1.0))


@dataclass(frozen=True, slots=True)
class Evidence(Record):
    """An example behind an answer. `gradient`: score of the shortlist; `lexical`: BM25; each in its own unit.
    `blended`: in standard deviations."""

    example: ExampleId
    blended: float
    gradient: float
    lexical: float


def standardise(scores: Floats) -> Float64:
    """(..., N) with mean 0 and standard deviation 1 over N; zeros where all are equal."""
    centred = scores.astype(np.float64) - scores.mean(axis=-1, keepdims=True, dtype=np.float64)
    spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True))
    level = np.abs(scores).max(axis=-1, keepdims=True, initial=0)
    found: Float64 = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12 * level)
    return found


def fit_blend(channels: Mapping[str, Floats], target_QP: Floats) -> Blend:
    """Non-negative least squares of the standardised target on the standardised channels, exactly.

    `channels`: name -> scores_QP of the calibration pairs, one row per query; `target_QP`: what retraining showed of
    the same pairs, positive = proponent. Each row is standardised by itself, so that no query weighs more for its unit.
    Report the blend on other pairs than these. Raises: AttributionError("bad-channels", "too-few-pairs").
    """
    stacked = _stack(channels, tuple(channels))
    if stacked.shape[1:] != np.shape(target_QP) or not np.isfinite(target_QP).all():
        says = f"channels have shape {stacked.shape[1:]}, the target {np.shape(target_QP)}"
        raise AttributionError("bad-channels", says, "give finite scores of the same pairs, one row per query")
    if target_QP.size < 10 * len(stacked):
        says = f"{target_QP.size} calibration pairs for {len(stacked)} weights"
        raise AttributionError("too-few-pairs", says, "retrain more subsets, or blend fewer channels")
    columns_TC, wanted_T = stacked.reshape(len(stacked), -1).T, standardise(target_QP).ravel()
    weights_C = nonnegative(columns_TC, wanted_T)
    return Blend(
        tuple(channels), tuple(map(float, weights_C)), target_QP.size, _agreement(columns_TC @ weights_C, wanted_T)
    )


def nonnegative(columns_TC: Float64, wanted_T: Float64) -> Float64:
    """argmin over w >= 0 of |columns w - wanted|. Few columns: the best of all subsets whose solution is positive."""
    gram_CC, right_C = columns_TC.T @ columns_TC, columns_TC.T @ wanted_T
    best_C, best = np.zeros(len(right_C)), 0.0
    for size in range(1, len(right_C) + 1):
        for subset in map(list, combinations(range(len(right_C)), size)):
            some = np.linalg.lstsq(gram_CC[np.ix_(subset, subset)], right_C[subset], rcond=None)[0]
            gain = float(right_C[subset] @ some)  # what the subset takes off the sum of squares
            if (some > 0).all() and gain > best * (1 + 1e-12):
                best_C, best = np.zeros(len(right_C)), gain
                best_C[subset] = some
    return best_C


def evidence(
    example_ids: Sequence[ExampleId], gradient_N: Floats, lexical_N: Floats, k: int, blend: Blend = EVEN
) -> tuple[Evidence, ...]:
    """The `k` examples that come first by the blend (or all, if fewer), with both channels apart; ties by id.

    Raises: AttributionError("bad-channels", "bad-count").
    """
    if k < 1:
        raise AttributionError("bad-count", f"the best {k} examples were asked for", "ask for 1 or more")
    if not len(example_ids) == len(gradient_N) == len(lexical_N):
        says = f"{len(example_ids)} examples, {len(gradient_N)} gradient scores, {len(lexical_N)} lexical scores"
        raise AttributionError("bad-channels", says, "give both channels for the same examples")
    blended_N = blend.mix({"gradient": gradient_N, "lexical": lexical_N})
    order = np.lexsort((np.asarray(example_ids, dtype=str), -blended_N))[:k]
    return tuple(
        Evidence(example_ids[n], float(blended_N[n]), float(gradient_N[n]), float(lexical_N[n])) for n in order
    )


def lexical_scores(index: BM25, text: str, example_ids: Sequence[ExampleId]) -> Float64:
    """BM25 of `text` in the order of `example_ids`; 0 for an example without a document.

    Raises: LookupFault("empty-query") if the text has no word.
    """
    score_of = dict(zip(index.ids, index.scores(text), strict=True))
    return np.array([score_of.get(example, 0.0) for example in example_ids])


def _stack(scores: Mapping[str, Floats], names: Sequence[str]) -> Float64:
    """(C, ...) of the standardised channels."""
    missing = [name for name in names if name not in scores]
    shapes = {np.shape(array) for array in scores.values()}
    if missing or len(shapes) != 1 or not 1 <= len(names) <= _MOST:
        says = f"channels {', '.join(names)}: missing {missing}, shapes {sorted(shapes)}"
        raise AttributionError("bad-channels", says, f"give 1 to {_MOST} channels of the same shape")
    if not all(np.isfinite(array).all() for array in scores.values()):
        raise AttributionError("bad-channels", "a channel has a score that is not finite", "leave the query out")
    return np.stack([standardise(np.asarray(scores[name])) for name in names])


def _agreement(a_T: Float64, b_T: Float64) -> float:
    return float(np.corrcoef(a_T, b_T)[0, 1]) if a_T.std() > 0 and b_T.std() > 0 else 0.0
