"""Shares of a run of one's own: its subject's queries are the period, its contributors are credited.

The players are examples, each for itself; a contributor is the sum of its examples' credits, so names gain nothing.
Nothing is paid from here: there is no manifest, and no works are known. Near-copies are not found either; whoever wants
them to count once puts them under one contributor.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.app.carried import METHOD, channel_of
from byline.app.engine.case import Case
from byline.app.engine.period import PERIOD
from byline.app.game import Credits, How, credits_of, weights_of
from byline.app.home import write_json
from byline.app.model import Progress, silent
from byline.app.period import calibration_of, credited, period_told, stream_spread
from byline.attribution import Channelled, GaussNewtonTransport, group_scores, one_channel, open_run
from byline.core import ScoreTable

# Suffixes: N training examples, C contributors

Floats = npt.NDArray[np.float64]


def attribute_run(
    run: Path, case: Case, folder: Path, how: How, threshold: float, progress: Progress = silent
) -> dict[str, Any]:
    """Share and uniqueness of every contributor in the sum of the queries. Kept as attribution.json in `folder`.

    What the model knew before recording began is not measured here, so all of it is divided (`outside` is 0).
    Raises: AppError("no-blend"), AttributionError.
    """
    weights = weights_of(calibration_of({"run": case.run, "method": METHOD}, folder)) if how.blend else None
    tables = [_scores(case, weights, resample, progress) for resample in (None, *range(how.streams))]
    names = [case.credits[example] for example in tables[0].example_ids]
    found, choice = group_scores(tables[0], names), how.choice(weights)
    examples = group_scores(tables[0], tables[0].example_ids)
    each = credits_of(choice, open_run(run).store, tables[0], tables[0].example_ids, examples.sums_G)
    effects = {"run": case.run, "method": METHOD, "clusters": list(found.names)} | credited(
        found, _summed(each, examples.names, case, found.names), choice, stream_spread(tables[1:], names)
    )
    effects |= {"noise_from": "the spread of single examples", "threshold": threshold, "outside": 0.0}
    told = {"run": case.run, "queries": list(case.outputs)} | period_told(effects, folder)
    write_json(folder / "attribution.json", told)
    return told


def _scores(case: Case, weights: Channelled | None, resample: int | None, progress: Progress) -> ScoreTable:
    channels = channel_of(case.model) if weights else one_channel
    found = GaussNewtonTransport(channels, resample=resample).score(
        case.model,
        case.task,
        case.trajectory,
        {PERIOD: tuple(case.outputs.values())},
        case.measure,
        lambda done, of: progress("carrying the period back through training", done, of),
    )
    return weights.mix(found.channels) if weights else found.total


def _summed(each: Credits, examples: Sequence[str], case: Case, names: Sequence[str]) -> Credits:
    """Credits of examples as those of contributors. Orders are drawn for all examples at once, so their errors add up
    at most like numbers, not like squares: this errs upwards."""
    index_N = np.searchsorted(np.array(names, dtype=object).astype(str), [case.credits[e] for e in examples])

    def total(values_N: Floats) -> Floats:
        return np.bincount(index_N, values_N, len(names)).astype(np.float64)

    return Credits(total(each.share_G), total(each.unique_G), total(each.orders_G), each.stretch, each.explained)
