"""The period's shares: what a cluster's sum must clear before it is paid, and where the intervals come from.

`byline attribute` keeps the sums, their noise and what came from outside; the table that money goes by follows from
them. Its intervals come from the errors that were measured (examples, batch streams, another seed) until `byline audit`
has retrained without at least ten contributors: then they are conformal, as wide as the audit's misses ask for, and the
table is made again. The errors by source are told beside either; what was not measured is null, never zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.app.carried import log_likelihood
from byline.app.credit import NOBODY, without_nobody
from byline.app.game import Choice, Credits, credits_of
from byline.app.home import read_json, read_kept, write_json
from byline.app.model import Progress, Training
from byline.attribution import (
    Errors,
    GaussNewtonTransport,
    GroupScores,
    ShareRule,
    from_half_widths,
    group_scores,
    query_floors,
    read_trajectory,
    seed_errors,
    share_table,
    spread_errors,
    volume_proof,
    with_errors,
    with_floors,
)
from byline.core import PPB, AppError, ScoreTable, ShareTable
from byline.evaluation import Channelled
from byline.training import LanguageTask, Query, generate, single_thread

# Suffixes: G clusters, N training examples

Floats = npt.NDArray[np.float64]
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


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """The period's scores: one functional over all examples; `streams` are the same from resampled batches. `outputs`
    make the period, and `outside` is the part of them that came from elsewhere."""

    scores: ScoreTable
    streams: Sequence[ScoreTable]
    outside: float
    outputs: int


def period_effects(
    training: Training,
    carried: Carried,
    clusters: Sequence[str],
    hurdle: Hurdle,
    choice: Choice,
    progress: Progress,
) -> dict[str, Any]:
    """What the table follows from: per cluster the sum and its noise; the threshold; the part from outside."""
    scores = carried.scores
    found = group_scores(scores, clusters)
    if hurdle.nulls:
        null_scores = _null_scores(training, hurdle.nulls, scores.example_ids, progress)
        found = with_floors(found, query_floors(null_scores, clusters, np.ones(carried.outputs)))
    threshold = volume_proof(len(found.names)) if hurdle.errors is None else hurdle.errors
    credits = credits_of(choice, training.run.store, scores, clusters, found.sums_G)
    told = {"run": training.run.id, "method": scores.method, "clusters": list(found.names)}
    return (
        told
        | credited(found, credits, choice, stream_spread(carried.streams, clusters))
        | {
            "noise_from": f"{hurdle.nulls} passages of the base model" if hurdle.nulls else SPREAD,
            "threshold": threshold,
            "outside": carried.outside,
        }
    )


def stream_spread(streams: Sequence[ScoreTable], clusters: Sequence[str]) -> Floats | None:
    """Errors of the sums that come from the sampling of batches; None if no stream was carried."""
    return spread_errors(streams, clusters) if streams else None


def credited(found: GroupScores, credits: Credits, choice: Choice, streams_G: Floats | None) -> dict[str, Any]:
    """Sums as the chosen game credits them, beside what the linear one says, and their errors. Errors of sums are
    stretched as the sums were; with those of the batches stand those of the orders that a game was walked in."""
    told_streams = None if streams_G is None else np.hypot(credits.stretch * streams_G, credits.orders_G).tolist()
    return {
        "game": choice.to_json(),
        "game_sha256": choice.digest(),
        "sums": credits.share_G.tolist(),
        "unique": credits.unique_G.tolist(),
        "linear": found.sums_G.tolist(),
        "errors": (credits.stretch * found.errors_G).tolist(),
        "floors": (credits.stretch * found.noise_G).tolist(),
        "streams": told_streams,
        "orders": credits.orders_G.tolist(),
        "stretch": credits.stretch,
        "explained": credits.explained,
    }


def joined_effects(
    weights: Channelled | None, channels: Mapping[str, ScoreTable], groups: Sequence[str]
) -> dict[str, Any]:
    """What was joined, and each channel's own sums, in the order of the groups' names; nothing if nothing was."""
    if weights is None:
        return {}
    sums = {name: group_scores(table, groups).sums_G.tolist() for name, table in channels.items()}
    return {"blend": weights.to_json(), "channels": sums}


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
    found, rule = _found(effects)
    errors = errors_of(effects, calibration)
    if _conformal(calibration):
        known = calibration or {}
        errors_G = errors.examples_G
        scales_G = np.maximum(errors_G, FLOOR * errors_G.mean())
        half_G = known["radius"] * scales_G / abs(known["slope"])
        found = with_errors(found, from_half_widths(half_G, known["level"]), rule)
    elif errors.streams_G is not None or errors.seed_G is not None:
        found = with_errors(found, errors.total_G, rule)
    method, run, outside = effects["method"], effects["run"], effects["outside"]
    subject = choice_of(effects).subject
    return without_nobody(share_table(found, subject, "cluster", method, run, outside=outside, rule=rule))


def _found(effects: Mapping[str, Any]) -> tuple[GroupScores, ShareRule]:
    names, sums_G, errors_G = effects["clusters"], np.array(effects["sums"]), np.array(effects["errors"])
    rule = ShareRule(threshold=effects["threshold"])
    return with_floors(GroupScores.drawn(names, sums_G, errors_G, rule), np.array(effects["floors"])), rule


def choice_of(effects: Mapping[str, Any]) -> Choice:
    """The choice that an attribution was made by; the plain one for those that were kept before there was a choice."""
    told = effects.get("game")
    return Choice.from_json(told) if told is not None else Choice()


def errors_of(effects: Mapping[str, Any], calibration: Mapping[str, Any] | None) -> Errors:
    """By source. That of the seed is known if the audit retrained under other seeds."""
    streams, rho = effects.get("streams"), (calibration or {}).get("rho")
    return Errors(
        np.array(effects["errors"]),
        None if streams is None else np.array(streams),
        seed_errors(_found(effects)[0], rho) if rho is not None else None,
    )


def _conformal(calibration: Mapping[str, Any] | None) -> bool:
    return calibration is not None and "radius" in calibration and calibration["slope"] != 0


def period_told(effects: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Of attribution.json: the table, what it follows from, and what its intervals are."""
    known = calibration_of(effects, folder)
    table, errors = period_table(effects, known), errors_of(effects, known)
    return {
        "period": table.to_json(),
        "period_effects": dict(effects),
        "period_intervals": _how(errors, known),
        "period_errors": errors.parts(),
        "period_numbers": numbers(effects, table, errors),
    }


def _how(errors: Errors, known: Mapping[str, Any] | None) -> str:
    if _conformal(known):
        return f"conformal, from the audit's {(known or {})['contributors']} contributors left out"
    more = {"the sampling of batches": errors.streams_G, "other seeds": errors.seed_G}
    return " and ".join([SPREAD, *(name for name, error_G in more.items() if error_G is not None)])


def numbers(effects: Mapping[str, Any], table: ShareTable, errors: Errors) -> list[dict[str, Any]]:
    """Of each cluster, both numbers and the errors by source, in parts per billion of the period.

    `unique_ppb` is what would be lost without the cluster alone, as far as it clears the same threshold as the share;
    it is not paid and does not add up to the whole. Errors are standard errors of the sums; null is unknown.
    """
    sums_G = np.array(effects["sums"])
    whole = float(np.maximum(sums_G, 0).sum())
    scale = PPB * (1 - min(max(effects["outside"], 0.0), 1.0)) / whole if whole > 0 else 0.0
    hurdles_G = effects["threshold"] * np.array(effects["floors"])
    unique_G = np.maximum(np.array(effects.get("unique", effects["sums"])) - hurdles_G, 0)
    lines = {line.id: line for line in table.lines}
    return [
        lines[name].to_json()
        | {"unique_ppb": round(scale * float(unique_G[g]))}
        | {
            f"{source}_ppb": None if error_G is None else round(scale * float(error_G[g]))
            for source, error_G in errors.by_source.items()
        }
        for g, name in enumerate(effects["clusters"])
        if name != NOBODY
    ]


def calibration_of(effects: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """What an audit of this run and method kept, if there is one."""
    path = folder / "calibration.json"
    if not path.is_file():
        return None
    told: dict[str, Any] = read_json(path, "byline audit again", ("run", "method"))
    return told if (told["run"], told["method"]) == (effects["run"], effects["method"]) else None


def recalibrate(training: Training) -> bool:
    """Make the period's table again with what the audit has found since. False if there is nothing new to say."""
    folder = training.home.training(training.name)
    told = read_kept(training.home, training.name, "attribution")
    effects = told.get("period_effects")
    if effects is None or calibration_of(effects, folder) is None:
        return False
    write_json(folder / "attribution.json", told | period_told(effects, folder))
    return True
