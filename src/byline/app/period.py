"""The period's shares: what a cluster's sum must clear before it is paid, and where the intervals come from.

`byline attribute` keeps the sums, their noise and what came from outside; the table that money goes by follows from
them. Its intervals come from the spread of single examples until `byline audit` has retrained without at least ten
contributors: then they are conformal, as wide as the audit's misses ask for, and the table is made again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from byline.app.carried import log_likelihood
from byline.app.credit import without_nobody
from byline.app.home import read_json, read_kept, write_json
from byline.app.model import Progress, Training
from byline.attribution import (
    GaussNewtonTransport,
    GroupScores,
    ShareRule,
    from_half_widths,
    group_scores,
    query_floors,
    read_trajectory,
    share_table,
    volume_proof,
    with_errors,
    with_floors,
)
from byline.core import AppError, ScoreTable, ShareTable
from byline.training import LanguageTask, Query, generate, single_thread

# Suffixes: G clusters, N training examples

SPREAD = "the spread of single examples"
VOLUME_PROOF = "volume-proof"
FLOOR = 0.1  # of the mean standard error: no scale of a conformal interval is smaller


@dataclass(frozen=True, slots=True)
class Hurdle:
    """What a cluster's sum must clear: `errors` times its noise (None: as many as make junk volume pay nothing). The
    noise is the standard error of the sum; with `nulls`, what so many passages of the base model, which no contributor
    can have influenced, score."""

    errors: float | None = 1.0
    nulls: int = 0

    @classmethod
    def of(cls, told: str, nulls: int) -> "Hurdle":
        """Raises: AppError("bad-threshold")."""
        if told == VOLUME_PROOF:
            return cls(None, nulls)
        try:
            errors = float(told)
        except ValueError:
            errors = -1.0
        if not 0 <= errors < 1000 or nulls == 1:
            says = f"a threshold of {told} with {nulls} null passages"
            raise AppError("bad-threshold", says, f"give a number of standard errors, or {VOLUME_PROOF}; 0 or 2+ nulls")
        return cls(errors, nulls)


def period_effects(
    training: Training,
    scores: ScoreTable,
    clusters: Sequence[str],
    outside: float,
    outputs: int,
    hurdle: Hurdle,
    progress: Progress,
) -> dict[str, Any]:
    """What the table follows from: per cluster the sum and its noise; the threshold; the part from outside."""
    found = group_scores(scores, clusters)
    if hurdle.nulls:
        null_scores = _null_scores(training, hurdle.nulls, scores.example_ids, progress)
        found = with_floors(found, query_floors(null_scores, clusters, np.ones(outputs)))
    threshold = volume_proof(len(found.names)) if hurdle.errors is None else hurdle.errors
    return {
        "run": training.run.id,
        "method": scores.method,
        "clusters": list(found.names),
        "sums": found.sums_G.tolist(),
        "errors": found.errors_G.tolist(),
        "floors": found.noise_G.tolist(),
        "noise_from": f"{hurdle.nulls} passages of the base model" if hurdle.nulls else SPREAD,
        "threshold": threshold,
        "outside": outside,
    }


def _null_scores(training: Training, count: int, example_ids: Sequence[str], progress: Progress) -> ScoreTable:
    """Scores of passages that the base model wrote, each opened by another word of its own."""
    base = training.model("base")
    draw = np.random.default_rng([training.recipe.seed, count])
    openings = draw.choice(training.recipe.vocabulary, count, replace=False).tolist()
    length = training.recipe.sequence
    queries = {
        f"null {n}": (Query(tuple(generate(base, [token], length - 1, seed=n)), 1),) for n, token in enumerate(openings)
    }
    with single_thread():
        found = GaussNewtonTransport().score(
            training.model(),
            LanguageTask.of(training.corpus),
            read_trajectory(training.run.store),
            queries,
            log_likelihood,
            lambda done, of: progress("carrying passages of the base model back", done, of),
        )
    table = found.total
    place = {example: n for n, example in enumerate(table.example_ids)}
    order = [place[example] for example in example_ids]
    return ScoreTable(table.scores_QN[:, order], table.query_ids, tuple(example_ids), table.method)


def period_table(effects: Mapping[str, Any], calibration: Mapping[str, Any] | None) -> ShareTable:
    """The table that money goes by. `calibration`: what the audit kept, if it speaks of this run and method."""
    names, sums_G, errors_G = effects["clusters"], np.array(effects["sums"]), np.array(effects["errors"])
    rule = ShareRule(threshold=effects["threshold"])
    found = with_floors(GroupScores.drawn(names, sums_G, errors_G, rule), np.array(effects["floors"]))
    if calibration is not None:
        scales_G = np.maximum(errors_G, FLOOR * errors_G.mean())
        half_G = calibration["radius"] * scales_G / abs(calibration["slope"])
        found = with_errors(found, from_half_widths(half_G, calibration["level"]), rule)
    method, run, outside = effects["method"], effects["run"], effects["outside"]
    return without_nobody(share_table(found, "period", "cluster", method, run, outside=outside, rule=rule))


def period_told(effects: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Of attribution.json: the table, what it follows from, and what its intervals are."""
    known = calibration_of(effects, folder)
    how = SPREAD if known is None else f"conformal, from the audit's {known['contributors']} contributors left out"
    table = period_table(effects, known)
    return {"period": table.to_json(), "period_effects": dict(effects), "period_intervals": how}


def calibration_of(effects: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """What an audit of this run and method kept, if there is one."""
    path = folder / "calibration.json"
    if not path.is_file():
        return None
    told: dict[str, Any] = read_json(path, "byline audit again", ("run", "method", "slope", "radius", "level"))
    fits = (told["run"], told["method"]) == (effects["run"], effects["method"]) and told["slope"] != 0
    return told if fits else None


def recalibrate(training: Training) -> bool:
    """Make the period's table again with what the audit has found since. False if there is nothing new to say."""
    folder = training.home.training(training.name)
    told = read_kept(training.home, training.name, "attribution")
    effects = told.get("period_effects")
    if effects is None or calibration_of(effects, folder) is None:
        return False
    write_json(folder / "attribution.json", told | period_told(effects, folder))
    return True
