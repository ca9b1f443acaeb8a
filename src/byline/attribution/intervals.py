"""How uncertain a group's sum is, taken apart by where the uncertainty comes from.

Three parts, each a standard error per group in the unit of the scores:
- *examples*: the group's examples might have been others of their kind (`GroupScores.errors_G` of `group_scores`);
- *streams*: the engine sampled batches for its curvature products; R independent streams give R score tables;
- *seed*: another seed or data order would have given another model; an audit measures how much (`seed_errors`).

A part that nobody measured is None: it is unknown, which is another thing than zero, and the total is then a lower
bound. They describe the error, they do not bound it: what the engine gets wrong in every stream is in none of them. The
interval to publish is the conformal one, from retrained effects (`byline.evaluation`), brought here by
`from_half_widths`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from byline.attribution.shares import Floats, GroupScores, group_index, weighted
from byline.core import AttributionError, ScoreTable

# Suffixes: R streams, Q queries, N training examples, G groups


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Standard errors of the groups' sums, by source; None where it was not measured."""

    examples_G: Floats
    streams_G: Floats | None = None
    seed_G: Floats | None = None

    @property
    def by_source(self) -> dict[str, Floats | None]:
        return {"examples": self.examples_G, "streams": self.streams_G, "seed": self.seed_G}

    @property
    def total_G(self) -> Floats:
        """Of the sources that were measured."""
        squares_SG = [error_G**2 for error_G in self.by_source.values() if error_G is not None]
        return np.asarray(np.sqrt(np.sum(squares_SG, axis=0)))

    def parts(self) -> dict[str, float | None]:
        """Each measured source's part of the measured variance, summed over groups; they add up to 1, or are all 0."""
        squares = {name: None if e is None else float(e @ e) for name, e in self.by_source.items()}
        total = sum(square for square in squares.values() if square is not None)
        return {n: None if s is None else s / total if total > 0 else 0.0 for n, s in squares.items()}


def mean_table(tables: Sequence[ScoreTable]) -> ScoreTable:
    """The mean of score tables from independent streams. Raises: AttributionError("streams-differ")."""
    first = _alike(tables)
    mean_QN = np.stack([table.scores_QN for table in tables]).mean(0, dtype=np.float64).astype(np.float32)
    return ScoreTable(mean_QN, first.query_ids, first.example_ids, first.method)


def stream_errors(tables: Sequence[ScoreTable], groups: Sequence[str], weights_Q: Floats | None = None) -> Floats:
    """streams_G: standard error of the mean over R independent streams, of each group's sum.

    From R = 4 it is itself uncertain by about 40 %. Raises: AttributionError("streams-differ", "bad-groups").
    """
    first = _alike(tables)
    names, index_N = group_index(first, groups)
    sums_RG = np.stack([np.bincount(index_N, weighted(table, weights_Q), len(names)) for table in tables])
    errors_G: Floats = sums_RG.std(0, ddof=1) / math.sqrt(len(tables))
    return errors_G


def spread_errors(tables: Sequence[ScoreTable], groups: Sequence[str], weights_Q: Floats | None = None) -> Floats:
    """streams_G of one table that all batches went into, from R resamplings of their rows (`GaussNewtonTransport` with
    `resample`): the spread of the resampled sums around their own mean says how far the one table is off.

    Differs from `stream_errors`: there the answer is the mean of the tables, here it is none of them.
    Raises: AttributionError("streams-differ", "bad-groups").
    """
    return stream_errors(tables, groups, weights_Q) * math.sqrt(len(tables))


def _alike(tables: Sequence[ScoreTable]) -> ScoreTable:
    ids = {(table.query_ids, table.example_ids, table.method) for table in tables}
    if len(tables) < 2 or len(ids) != 1:
        raise AttributionError(
            "streams-differ",
            f"{len(tables)} tables with {len(ids)} sets of ids and methods",
            "give two or more tables of the same queries, examples and method, each from batches of its own",
        )
    return tables[0]


def seed_errors(found: GroupScores, rho: float) -> Floats:
    """seed_G from the reliability rho in (0, 1] of retraining: the correlation, over the same subsets, of effects that
    were retrained with different seeds.

    rho = var(effect) / (var(effect) + var(seed)), so var(seed) = (1 - rho) / rho * var(effect), with the variance of
    the groups' sums in place of var(effect). The same for all groups: a seed moves a model no less because few examples
    changed. Zero for a single group, whose sums have no variance. Raises: AttributionError("bad-rho").
    """
    if not 0 < rho <= 1:
        raise AttributionError("bad-rho", f"rho {rho} is not in (0, 1]", "give the audit's reliability")
    return np.full(len(found.names), math.sqrt((1 - rho) / rho) * float(found.sums_G.std()))


def from_half_widths(half_G: Floats, level: float) -> Floats:
    """errors_G of the normal distribution whose intervals at `level` have these half widths.

    So a conformal interval of the effects becomes draws of the sums, and those an interval of the shares.
    """
    return np.asarray(half_G, dtype=np.float64) / NormalDist().inv_cdf((1 + level) / 2)
