"""What an audit fits and keeps beside its certificate: a blend of channels, and how far another seed moves effects.

Both go into calibration.json, for `byline attribute --blend` and for the errors of shares. Two blends are fitted: of
the channels of influence (the transport's last layer, its rest, EK-FAC), and of these and the words. Words divide money
only after attacks: whoever writes them chooses them.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.app.blend import PLAIN, WORDS
from byline.app.engine.bank import Retrained, values
from byline.app.engine.case import WHOLE, Case
from byline.app.engine.period import PERIOD
from byline.app.model import Progress
from byline.core import AppError, ScoreTable
from byline.evaluation import FEWEST, Channelled, fit_channels, pearson

# Suffixes: Q queries, O outputs, N training examples, P retrainings, C contributors, R seeds

Floats = npt.NDArray[np.float64]
LEAST = 0.01  # of the reliability between seeds: below it nothing but the seed is seen


def blends(
    channels: Mapping[str, ScoreTable], left_out: Sequence[frozenset[str]], lost_QP: Floats, outputs: int
) -> dict[str, Channelled]:
    """Weights of the channels by what retrainings without random subsets lost, without the words ("blend") and with
    them ("blend_words"). The period is taken apart from the outputs that were asked alone (`apart`): weights must not
    be judged on what they were fitted to. Nothing if retrainings or outputs are too few. `outputs` of the period."""
    parts_RQ = apart(next(iter(channels.values())).query_ids, outputs)
    if len(left_out) < FEWEST or len(parts_RQ) < 2:
        return {}
    predicted = {name: parts_RQ @ _lost(table, left_out) for name, table in channels.items()}
    influence = {name: rows for name, rows in predicted.items() if name != WORDS}
    found = {"blend": fit_channels(influence, parts_RQ @ lost_QP, PLAIN)}
    if WORDS in predicted:
        found["blend_words"] = fit_channels(predicted, parts_RQ @ lost_QP, PLAIN)
    return found


def apart(query_ids: Sequence[str], outputs: int) -> Floats:
    """parts_RQ: queries that have no output in common, as sums of those that were asked. The period is the sum of all
    outputs: what is left of it without those asked alone is one more query, if anything is left."""
    parts_QQ = np.eye(len(query_ids))
    if PERIOD not in query_ids:
        return parts_QQ
    row = list(query_ids).index(PERIOD)
    parts_QQ[row] = np.where(np.arange(len(query_ids)) == row, 1.0, -1.0)
    return parts_QQ if outputs > len(query_ids) - 1 else np.delete(parts_QQ, row, axis=0)


def _lost(table: ScoreTable, left_out: Sequence[frozenset[str]]) -> Floats:
    out_PN = np.array([[float(example in out) for example in table.example_ids] for out in left_out])
    return np.asarray(table.scores_QN.astype(np.float64) @ out_PN.T)


def seed_reliability(case: Case, known: Mapping[str, Retrained], seeds: int, progress: Progress) -> float:
    """Correlation of the contributors' effects on the outputs between two seeds, mean over all pairs of seeds; the
    recorded one is among them. At least LEAST. Raises: AppError("no-other-seed")."""
    if case.under is None:
        says = "a run of your own is replayed in its recorded order, and in no other"
        raise AppError("no-other-seed", says, "leave --seeds out; what comes from the seed stays unknown")
    first = max(case.seeds, default=0) + 1
    wanted = {WHOLE: frozenset[str](), **case.contributors}
    outcomes = [known] + [case.under(seed).fill(wanted, progress) for seed in range(first, first + seeds)]
    effects_RCO = [values([each[WHOLE]]) - values([each[key] for key in case.contributors]) for each in outcomes]
    found = [pearson(one.ravel(), two.ravel()) for one, two in combinations(effects_RCO, 2)]
    return max(LEAST, float(np.mean(found)))


def told(
    found: Mapping[str, Channelled], rho: float | None, seeds: int, without: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """For calibration.json. `without`: channels that could not be scored, and why."""
    blended: dict[str, Any] = {name: each.to_json() for name, each in found.items()}
    blended |= {"without": dict(without)} if without else {}
    return blended | ({} if rho is None else {"rho": rho, "seeds": seeds + 1})
