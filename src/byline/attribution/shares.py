"""From scores of examples to shares of works or contributors, with an interval on each and an explicit rest.

The game is linear: a group's value is the sum of its examples' scores, so that Shapley, Banzhaf and every other
semivalue say the same, and no regrouping of examples makes value or loses it. What is not linear is the clip, so it
comes last: scores are summed per group over all queries of the subject before the positive part is taken, because
clipping per output or per example would pay noise and reward splitting. A group's sum must stand clear of its noise:
the share is (sum - threshold * noise), cut at zero, over the total of all positive sums. The noise is either handed in
(`nulls`), or the standard error of the sum: sqrt(n) times the spread of single examples within groups, pooled over all
groups, so that a group of one example does not escape it. What the thresholds take away, and what came from outside the
recorded training (a base model), is the unattributed rest. Negative sums are kept as scores and never paid.

Shares do not change if all scores are multiplied by one number: a common calibration slope cancels. The outside part is
a ratio as well. Slopes that differ between groups would not cancel, and would pay for merging; they belong to effects
that are stated in nats (`scaled`), not to shares.

What splitting a group into pieces can gain. Let a be its sum and e its noise, a_i and e_i those of the pieces, and k
the threshold. If e is at most the sum of the e_i (so for the floors of `nulls`, and for sqrt(n) at a fixed spread), the
numerator gains at most the sum of (k e_i - a_i) over the pieces that go unpaid: the clipped mass of those pieces, which
is their negative mass if k = 0, and nothing if every piece is paid. The pooled spread itself moves with the grouping;
then the gain is at most what the threshold took from the whole plus the negative mass of the pieces. Either is divided
by a total that splitting can only raise. Groups are therefore clusters of works, fixed before training, never names:
`contributor_table` adds up whole shares of clusters, and there splitting over names gains exactly nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from byline.core import PPB, PPM, AttributionError, ScoreTable, Share, ShareTable, quantise, sha256_hex

# Suffixes: Q queries, N training examples, G groups, C contributors, D draws

Floats = npt.NDArray[np.float64]
Owners = Mapping[str, Mapping[str, float]]  # of each cluster: its contributors and their weights


@dataclass(frozen=True, slots=True)
class ShareRule:
    """`threshold` in units of a group's noise; `level` of the intervals; they come from `draws` of the groups' sums."""

    threshold: float = 1.0
    level: float = 0.9
    draws: int = 400
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class GroupScores:
    """Signed scores of the groups for one subject, their standard errors, and draws of the sums with those errors.

    `floors_G`: the noise that a sum must clear, if it is not the standard error.
    """

    names: tuple[str, ...]
    sums_G: Floats
    errors_G: Floats
    draws_DG: Floats
    floors_G: Floats | None = None

    @classmethod
    def drawn(cls, names: Sequence[str], sums_G: Floats, errors_G: Floats, rule: ShareRule) -> Self:
        """Draws of a group come from a generator of the group's own, seeded by its name: the names of other groups do
        not change them."""
        noise_DG = np.stack([_noise(rule, name) for name in names], axis=1)
        return cls(tuple(names), sums_G, errors_G, sums_G + errors_G * noise_DG)

    @property
    def noise_G(self) -> Floats:
        return self.errors_G if self.floors_G is None else self.floors_G


@dataclass(frozen=True, slots=True)
class Mass:
    """Where the sums of one subject went, in the unit of the scores: paid + thresholded = positive; negative mass is
    not paid and not taken from anybody."""

    positive: float
    negative: float
    thresholded: float

    @property
    def paid(self) -> float:
        return self.positive - self.thresholded

    def unattributed(self, outside: float = 0.0) -> tuple[float, float]:
        """The unattributed part of the whole in [0, 1], taken apart: from outside, and below the thresholds (all of
        the inside if no sum is positive)."""
        outside = _part(outside)
        return outside, (1 - outside) * (self.thresholded / self.positive if self.positive > 0 else 1.0)


def group_scores(
    scores: ScoreTable, groups: Sequence[str], weights_Q: Floats | None = None, rule: ShareRule | None = None
) -> GroupScores:
    """Sum scores over queries (weighted) and over the examples of each group; `groups[n]` names the group of n.

    Sums over examples are exactly rounded: the order in which works came in changes not one bit.
    Raises: AttributionError("bad-groups").
    """
    names, index_N = group_index(scores, groups)
    scores_N = weighted(scores, weights_Q)
    members = [scores_N[at] for at in _members(index_N, len(names))]
    sums_G = np.array([math.fsum(own) for own in members])
    errors_G = np.sqrt([len(own) for own in members]) * _spread(members, sums_G)
    return GroupScores.drawn(names, sums_G, errors_G, rule or ShareRule())


def group_index(scores: ScoreTable, groups: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    """Names of the groups, sorted, and the group of each example. Raises: AttributionError("bad-groups")."""
    if not groups or len(groups) != len(scores.example_ids):
        raise AttributionError(
            "bad-groups", f"{len(groups)} groups for {len(scores.example_ids)} examples", "name one group per example"
        )
    names, index_N = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    return tuple(str(name) for name in names), index_N


def weighted(scores: ScoreTable, weights_Q: Floats | None = None) -> Floats:
    """scores_N summed over queries, each with its weight (1); an example's sum does not depend on where it stands."""
    scores_N: Floats = np.zeros(len(scores.example_ids))
    for q, row_N in enumerate(scores.scores_QN):
        scores_N += (1.0 if weights_Q is None else float(weights_Q[q])) * row_N.astype(np.float64)
    return scores_N


def _members(index_N: npt.NDArray[np.intp], groups: int) -> list[npt.NDArray[np.intp]]:
    order = np.argsort(index_N, kind="stable")
    return np.split(order, np.cumsum(np.bincount(index_N, minlength=groups))[:-1])


def _spread(members: Sequence[Floats], sums_G: Floats) -> float:
    """Pooled standard deviation of single examples around their group's mean; around the common mean if no group has
    two examples."""
    freedom = sum(map(len, members)) - len(members)
    if freedom == 0:
        return math.sqrt(_squares(np.concatenate(members), math.fsum(sums_G) / len(members)) / len(members))
    squares = [_squares(own, total / len(own)) for own, total in zip(members, sums_G, strict=True)]
    return math.sqrt(math.fsum(squares) / freedom)


def _squares(values_N: Floats, mean: float) -> float:
    return math.fsum((values_N - mean) ** 2)


def _noise(rule: ShareRule, name: str) -> Floats:
    generator = np.random.default_rng([rule.seed, int(sha256_hex(name.encode())[:16], 16)])
    return generator.standard_normal(rule.draws)


def with_floors(found: GroupScores, floors_G: Floats) -> GroupScores:
    """The same sums, to be paid above `threshold * floors_G` (see `nulls`) instead of above their standard errors.

    Raises: AttributionError("bad-errors").
    """
    return replace(found, floors_G=_checked(found, floors_G))


def with_errors(found: GroupScores, errors_G: Floats, rule: ShareRule | None = None) -> GroupScores:
    """The same sums with other standard errors, and so other intervals (see `intervals`). What has to be cleared stays
    as it was: an interval that is measured to be wider changes what is known, not who is paid.

    Raises: AttributionError("bad-errors").
    """
    made = GroupScores.drawn(found.names, found.sums_G, _checked(found, errors_G), rule or ShareRule())
    return replace(made, floors_G=found.noise_G)


def scaled(found: GroupScores, factors_G: Floats) -> GroupScores:
    """Effects in nats after calibration: sums and everything that goes with them times each group's slope.

    For effects that are stated, not for shares: slopes that differ by size would pay for merging.
    Raises: AttributionError("bad-errors").
    """
    f_G = _checked(found, factors_G)
    floors_G = None if found.floors_G is None else found.floors_G * f_G
    return GroupScores(found.names, found.sums_G * f_G, found.errors_G * f_G, found.draws_DG * f_G, floors_G)


def _checked(found: GroupScores, values_G: Floats) -> Floats:
    values_G = np.asarray(values_G, dtype=np.float64)
    if values_G.shape != found.sums_G.shape or not np.isfinite(values_G).all() or (values_G < 0).any():
        raise AttributionError(
            "bad-errors",
            f"{values_G.shape} values for {len(found.names)} groups, or one is negative or not finite",
            "give one finite, non-negative number per group, in the order of the names",
        )
    return values_G


def mass(found: GroupScores, rule: ShareRule | None = None) -> Mass:
    """What was there, what was negative, and what the thresholds took."""
    rule = rule or ShareRule()
    positive, negative = (float(np.maximum(sign * found.sums_G, 0).sum()) for sign in (1, -1))
    kept = float(np.maximum(found.sums_G - rule.threshold * found.noise_G, 0).sum())
    return Mass(positive, negative, positive - kept)


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
    taken_G, drawn_DG = _taken(found, outside, rule)
    parts = quantise([*taken_G, max(0.0, 1 - taken_G.sum())], PPB)[:-1]
    return ShareTable(
        subject,
        unit,
        method,
        run,
        round(rule.level * PPM),
        _lines(found.names, parts, drawn_DG, rule),
        PPB - sum(parts),
    )


def contributor_table(
    found: GroupScores,
    owners: Owners,
    subject: str,
    method: str,
    run: str,
    *,
    outside: float = 0.0,
    rule: ShareRule | None = None,
) -> ShareTable:
    """Shares of contributors: each cluster's share divided by its owners' weights, then added up, in whole parts per
    billion. `found` is per cluster. To put one's clusters under many names, or many under one, changes no cluster's
    share, and so no total of names.

    Raises: AttributionError("no-owner") if a cluster has no owner of positive weight.
    """
    rule = rule or ShareRule()
    clusters = share_table(found, subject, "cluster", method, run, outside=outside, rule=rule)
    names = sorted({name for cluster in found.names for name in owners.get(cluster, {})})
    weights_GC = np.array([[owners.get(cluster, {}).get(name, 0.0) for name in names] for cluster in found.names])
    for cluster, row_C in zip(found.names, weights_GC, strict=True):
        if not (row_C.size and row_C.min() >= 0 and 0 < row_C.sum() < np.inf):
            raise AttributionError("no-owner", f"cluster {cluster} has no owner of positive weight", "name its owners")
    parts_GC = [quantise(row_C, line.ppb) for row_C, line in zip(weights_GC, clusters.lines, strict=True)]
    drawn_DC = _taken(found, outside, rule)[1] @ (weights_GC / weights_GC.sum(1, keepdims=True))
    lines = _lines(names, [sum(column) for column in zip(*parts_GC, strict=True)], drawn_DC, rule)
    return replace(clusters, unit="contributor", lines=lines)


def _taken(found: GroupScores, outside: float, rule: ShareRule) -> tuple[Floats, Floats]:
    """Part of the whole that each group takes, (G,) by its sums and (D, G) by the draws of them."""
    inside, hurdles_G = 1 - _part(outside), rule.threshold * found.noise_G
    return inside * _thresholded(found.sums_G, hurdles_G), inside * _thresholded(found.draws_DG, hurdles_G)


def _thresholded(sums_XG: Floats, hurdles_G: Floats) -> Floats:
    total_X1 = np.maximum(sums_XG, 0).sum(-1, keepdims=True)
    taken_XG: Floats = np.maximum(sums_XG - hurdles_G, 0) / np.where(total_X1 > 0, total_X1, 1.0)
    return taken_XG


def _lines(names: Sequence[str], parts: Sequence[int], drawn_DG: Floats, rule: ShareRule) -> tuple[Share, ...]:
    low_G, high_G = np.quantile(drawn_DG, [(1 - rule.level) / 2, (1 + rule.level) / 2], axis=0)
    return tuple(
        Share(name, ppb, min(ppb, _ppb(low)), max(ppb, _ppb(high)))
        for name, ppb, low, high in zip(names, parts, low_G, high_G, strict=True)
    )


def _part(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _ppb(part: float) -> int:
    return round(_part(part) * PPB)
