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

from byline.app.blend import Queries, Source
from byline.app.carried import METHOD
from byline.app.engine.case import Case
from byline.app.engine.period import PERIOD
from byline.app.game import Credits, How, credits_of, weights_of
from byline.app.home import write_json
from byline.app.model import Progress, silent
from byline.app.period import calibration_of, credited, joined_effects, period_told, stream_spread
from byline.attribution import GaussNewtonTransport, group_scores, open_run
from byline.core import AppError, ScoreTable
from byline.evaluation import Channelled

# Suffixes: N training examples, C contributors

Floats = npt.NDArray[np.float64]


def attribute_run(
    run: Path, case: Case, folder: Path, how: How, threshold: float, progress: Progress = silent
) -> dict[str, Any]:
    """Share and uniqueness of every contributor in the sum of the queries. Kept as attribution.json in `folder`.

    What the model knew before recording began is not measured here, so all of it is divided (`outside` is 0).
    Raises: AppError("no-blend", "words-not-attacked"), AttributionError.
    """
    if how.words:
        says = "a run of your own cannot be attacked, so nothing is known of what words would pay whoever writes them"
        raise AppError("words-not-attacked", says, "leave --words out; the audit shows the words' channel alone")
    weights = weights_of(calibration_of({"run": case.run, "method": METHOD}, folder)) if how.joins else None
    tables, channels = _carried(case, weights, how.streams, progress)
    names = [case.credits[example] for example in tables[0].example_ids]
    found, choice = group_scores(tables[0], names), how.choice(weights)
    examples = group_scores(tables[0], tables[0].example_ids)
    each = credits_of(choice, open_run(run).store, tables[0], tables[0].example_ids, examples.sums_G)
    effects = {"run": case.run, "method": METHOD, "clusters": list(found.names)} | credited(
        found, _summed(each, examples.names, case, found.names), choice, stream_spread(tables[1:], names)
    )
    effects |= {"noise_from": "the spread of single examples", "threshold": threshold, "outside": 0.0}
    effects |= joined_effects(weights, channels, names)
    told = {"run": case.run, "queries": list(case.outputs)} | period_told(effects, folder)
    write_json(folder / "attribution.json", told)
    return told


def _carried(
    case: Case, weights: Channelled | None, streams: int, progress: Progress
) -> tuple[list[ScoreTable], dict[str, ScoreTable]]:
    """Scores of the sum of the queries, then the same from resampled batches; and the channels, if some are joined."""
    source = Source(case.model, case.task, case.trajectory, case.measure)
    queries = {PERIOD: tuple(case.outputs.values())}
    if weights is None:
        return [_plain(source, queries, resample, progress) for resample in (None, *range(streams))], {}
    mixed = [source.mixed(weights, queries, progress, resample) for resample in (None, *range(streams))]
    return [table for table, _ in mixed], mixed[0][1]


def _plain(source: Source, queries: Queries, resample: int | None, progress: Progress) -> ScoreTable:
    found = GaussNewtonTransport(resample=resample).score(
        source.model,
        source.task,
        source.trajectory,
        queries,
        source.measure,
        lambda done, of: progress("carrying the period back through training", done, of),
    )
    return found.total


def _summed(each: Credits, examples: Sequence[str], case: Case, names: Sequence[str]) -> Credits:
    """Credits of examples as those of contributors. Orders are drawn for all examples at once, so their errors add up
    at most like numbers, not like squares: this errs upwards."""
    index_N = np.searchsorted(np.array(names, dtype=object).astype(str), [case.credits[e] for e in examples])

    def total(values_N: Floats) -> Floats:
        return np.bincount(index_N, values_N, len(names)).astype(np.float64)

    return Credits(total(each.share_G), total(each.unique_G), total(each.orders_G), each.stretch, each.explained)
