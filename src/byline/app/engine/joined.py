"""What an audit fits and keeps beside its certificate: a blend of channels, and how far another seed moves effects.

Both go into calibration.json, for `byline attribute --blend` and for the errors of shares. The channels of the blend
that may divide money are those of the transport: its last layer and the rest. Words never are: whoever writes them
chooses them.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.app.engine.bank import Retrained, values
from byline.app.engine.case import WHOLE, Case
from byline.app.model import Progress
from byline.attribution import FEWEST, Channelled, fit_channels
from byline.core import AppError, ScoreTable
from byline.evaluation import pearson

# Suffixes: Q queries, O outputs, N training examples, P retrainings, C contributors, R seeds

Floats = npt.NDArray[np.float64]
LEAST = 0.01  # of the reliability between seeds: below it nothing but the seed is seen


def blend(channels: Mapping[str, ScoreTable], left_out: Sequence[frozenset[str]], lost_QP: Floats) -> Channelled | None:
    """Weights of the channels by what retrainings without random subsets lost; None if they are too few."""
    if len(left_out) < FEWEST:
        return None
    predicted = {name: _lost(table, left_out) for name, table in channels.items()}
    return fit_channels(predicted, lost_QP)


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


def told(found: Channelled | None, rho: float | None, seeds: int) -> dict[str, Any]:
    """For calibration.json."""
    blended = {} if found is None else {"blend": found.to_json()}
    return blended | ({} if rho is None else {"rho": rho, "seeds": seeds + 1})
