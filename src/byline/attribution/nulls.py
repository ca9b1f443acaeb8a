"""What scores look like where there is nothing to find: the noise that a group's sum must clear before it is paid.

Both floors are seminorms of the group's scores, or concave in its size: the floors of pieces add up to at least the
floor of the whole, so that splitting never lowers what has to be cleared (`shares` gives the bound).
"""

import math
from collections.abc import Sequence

import numpy as np

from byline.attribution.shares import Floats, group_index, weighted
from byline.core import AttributionError, ScoreTable

# Suffixes: Q queries, K null queries, N training examples, G groups


def query_floors(nulls: ScoreTable, groups: Sequence[str], weights_Q: Floats) -> Floats:
    """floors_G from queries that nobody here can have influenced, such as outputs of a model trained on other works.

    nulls: scores of K null queries; weights_Q: weights of the subject's own queries -> floors_G, in the unit of the
    subject's sums: the root mean square of a subject made of null queries with these weights. What varies from null
    query to null query adds up as the root of the sum of squared weights; what is the same on all of them adds up as
    their sum, for a steady score where there can be no influence is bias, and volume must not turn it into money.
    It is taken of sums per group, so cutting works into more examples changes nothing; the pooled spread of single
    examples cannot say that. A spread from few null queries is itself uncertain: 20 or more give it to about a sixth.
    Raises: AttributionError("too-few-nulls") below 2, ("bad-groups").
    """
    if len(nulls.query_ids) < 2:
        raise AttributionError("too-few-nulls", f"{len(nulls.query_ids)} null queries", "score at least 2, better 20")
    names, index_N = group_index(nulls, groups)
    sums_KG = np.stack([np.bincount(index_N, row_N, len(names)) for row_N in nulls.scores_QN.astype(np.float64)])
    steady_G, spread_G = sums_KG.mean(0), sums_KG.std(0, ddof=1)
    floors_G: Floats = np.hypot(np.sum(weights_Q) * steady_G, np.linalg.norm(weights_Q) * spread_G)
    return floors_G


def label_floors(scores: ScoreTable, groups: Sequence[str], weights_Q: Floats | None = None) -> Floats:
    """floors_G from permuted labels: the standard deviation of a group's sum if the group names were dealt out anew.

    Exact, without permuting: n of N values drawn without replacement sum up with variance n (N - n) / N * S^2, S^2 the
    sample variance of all N. Real effects are in S too, so this errs upwards. It is concave in n, 0 at 0 and N.
    Raises: AttributionError("bad-groups").
    """
    names, index_N = group_index(scores, groups)
    scores_N = weighted(scores, weights_Q)
    total, sizes_G = len(scores_N), np.bincount(index_N, minlength=len(names))
    spread = float(scores_N.std(ddof=1)) if total > 1 else 0.0
    floors_G: Floats = np.sqrt(sizes_G * (total - sizes_G) / total) * spread
    return floors_G


def volume_proof(groups: int) -> float:
    """The threshold at which adding groups of pure noise stops to pay: sqrt(2 ln G), at least 1.

    At a fixed threshold k, G groups of Gaussian noise s are paid about G s E[(z - k)+], however large G is made by
    uploading junk. At this one the expectation over all of them together is at most s / (sqrt(2 pi) (1 + 2 ln G)), less
    than a tenth of one group's noise from G = 5 on. The price: small groups with real influence stay below it too, and
    what they lose is unattributed. Source: the universal soft threshold of Donoho and Johnstone (1994).
    """
    return max(1.0, math.sqrt(2 * math.log(max(groups, 1))))
