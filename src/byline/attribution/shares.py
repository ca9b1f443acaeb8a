"""From scores of examples to shares of works or contributors, with an interval on each and an explicit rest.

Aggregate first, clip last: scores are summed per group over all queries of the subject before the positive part is
taken, because clipping per output or per example would pay noise and reward splitting. A group's sum must stand clear
of its sampling error: the share is (sum - threshold * standard error), cut at zero, over the total of all positive
sums. The error of a sum of n examples is sqrt(n) times the spread of single examples within groups, pooled over all
groups: so a group of one example does not escape it, and examples spread over many names have to clear more, not less.
What the thresholds take away, and what came from outside the recorded training (a base model), is the unattributed
rest. Negative sums are kept as scores and never paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byline.core import PPB, PPM, AttributionError, ScoreTable, Share, ShareTable, quantise, sha256_hex

# Suffixes: Q queries, N training examples, G groups, D draws

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ShareRule:
    """`threshold` in standard errors; `level` of the intervals, which come from `draws` of the groups' sums."""

    threshold: float = 1.0
    level: float = 0.9
    draws: int = 400
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class GroupScores:
    """Signed scores of the groups for one subject, their standard errors, and draws of the sums with those errors."""

    names: tuple[str, ...]
    sums_G: Floats
    errors_G: Floats
    draws_DG: Floats


def group_scores(
    scores: ScoreTable, groups: Sequence[str], weights_Q: Floats | None = None, rule: ShareRule | None = None
) -> GroupScores:
    """Sum scores over queries (weighted) and over the examples of each group; `groups[n]` names the group of n.

    Draws of a group come from a generator of the group's own, seeded by its name: neither the order of the examples nor
    the names of other groups change them. Raises: AttributionError("bad-groups").
    """
    rule = rule or ShareRule()
    if len(groups) != len(scores.example_ids):
        raise AttributionError("bad-groups", f"{len(groups)} groups for {len(scores.example_ids)} examples")
    weights_Q = np.ones(len(scores.query_ids)) if weights_Q is None else weights_Q
    scores_N = weights_Q @ scores.scores_QN.astype(np.float64)
    names, index_N = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums_G: Floats = np.bincount(index_N, weights=scores_N, minlength=len(names)).astype(np.float64)
    sizes_G = np.bincount(index_N, minlength=len(names))
    errors_G = np.sqrt(sizes_G) * _spread(scores_N, index_N, sums_G / sizes_G)
    noise_DG = np.stack([_noise(rule, str(name)) for name in names], axis=1)
    return GroupScores(tuple(str(n) for n in names), sums_G, errors_G, sums_G + errors_G * noise_DG)


def _spread(scores_N: Floats, index_N: npt.NDArray[np.intp], means_G: Floats) -> float:
    """Pooled standard deviation of single examples around their group's mean; around the common mean if no group has
    two examples."""
    freedom = len(scores_N) - len(means_G)
    if freedom == 0:
        return float(scores_N.std())
    return float(np.sqrt(np.sum((scores_N - means_G[index_N]) ** 2) / freedom))


def _noise(rule: ShareRule, name: str) -> Floats:
    generator = np.random.default_rng([rule.seed, int(sha256_hex(name.encode())[:16], 16)])
    return generator.standard_normal(rule.draws)


def share_table(
    found: GroupScores,
    subject: str,
    unit: str,
    method: str,
    run: str,
    *,
    outside: float = 0.0,
    rule: ShareRule | None = None,
) -> ShareTable:
    """Shares in parts per billion, intervals from the draws, and the unattributed rest.

    `outside` in [0, 1]: part of the subject that came from elsewhere than the recorded training.
    """
    rule = rule or ShareRule()
    inside = 1 - min(max(outside, 0.0), 1.0)
    taken_G = inside * _thresholded(found.sums_G, found.errors_G, rule.threshold)
    drawn_DG = inside * np.stack([_thresholded(draw_G, found.errors_G, rule.threshold) for draw_G in found.draws_DG])
    low_G, high_G = np.quantile(drawn_DG, [(1 - rule.level) / 2, (1 + rule.level) / 2], axis=0)
    parts = quantise([*taken_G, max(0.0, 1 - taken_G.sum())], PPB)
    lines = tuple(
        Share(name, ppb, min(ppb, _ppb(low)), max(ppb, _ppb(high)))
        for name, ppb, low, high in zip(found.names, parts, low_G, high_G, strict=False)
    )
    return ShareTable(subject, unit, method, run, round(rule.level * PPM), lines, PPB - sum(line.ppb for line in lines))


def _thresholded(sums_G: Floats, errors_G: Floats, threshold: float) -> Floats:
    total = np.maximum(sums_G, 0).sum()
    if total == 0:
        return np.zeros_like(sums_G)
    taken_G: Floats = np.maximum(sums_G - threshold * errors_G, 0) / total
    return taken_G


def _ppb(part: float) -> int:
    return round(min(max(part, 0.0), 1.0) * PPB)
