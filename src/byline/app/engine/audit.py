"""How wrong the engine that pays is on one training of ours: exact walks, retrainings, and a certificate.

    certificate = audit(training, Dials(subsets=24), today=date.today())

In this order, and each part kept in the training's folder as soon as it is made, so that a stopped audit goes on:
metasmoothness (below the gate it ends there); the exact metagradient of the period, that is of the sum over the outputs
of the last `byline attribute`, and of a few of these outputs alone; retrainings without contributors and without random
parts of the examples. docs/audit.md says what the certificate means.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byline.app.answers import examples_of
from byline.app.carried import log_likelihood
from byline.app.engine.bank import Bank, Retrained, values
from byline.app.engine.cost import ALONE, LEFT_OUT, SUBSETS, TOGETHER
from byline.app.engine.evidence import Effects, intervals, share_columns
from byline.app.engine.period import PERIOD, outputs_of, queries_of
from byline.app.home import read_json, read_kept, write_json
from byline.app.model import Progress, Training, silent
from byline.app.passages import most_recorded
from byline.attribution import GaussNewtonTransport, Metagradient, Trajectory, read_trajectory, retrainer, visited
from byline.core import AppError, ScoreTable, WorkId, digest
from byline.evaluation import (
    Certificate,
    DropEvidence,
    Evidence,
    LocoEvidence,
    Metasmoothness,
    certify,
    metasmoothness,
    share_distance,
    smoothness_gate,
    subset_predictions,
)
from byline.training import LanguageTask, Query, single_thread

# Suffixes: Q queries, O outputs, N training examples, M subsets, C contributors

Floats = npt.NDArray[np.float64]
WHOLE = "whole"  # key of the retraining that leaves nobody out
LEVEL = 0.9  # of intervals


@dataclass(frozen=True, slots=True)
class Dials:
    """`contributors` left out one by one; `subsets` left out at random; `outputs` audited alone, beside the period;
    `anyway`: go on below the gate, to see the figures of a certificate that will not certify."""

    contributors: int = LEFT_OUT
    subsets: int = SUBSETS
    outputs: int = ALONE
    seed: int = 0
    anyway: bool = False


def audit(training: Training, dials: Dials, today: date, progress: Progress = silent) -> Certificate:
    """Kept as certificate.json of the training.

    Raises: AppError("not-made-yet") before `byline attribute`, ("below-gate"), ("unknown-engine"),
    ("retraining-differs"); AttributionError("no-trajectory", "no-beginning", "replay-differs") for a training that
    cannot be walked again; EvaluationError("too-few-pairs") for fewer than 3 subsets.
    """
    with single_thread():
        work = _Audit(training, dials, progress)
        smooth = work.smoothness()
        drop = smoothness_gate(smooth.score).largest_drop
        if not drop and not dials.anyway:
            raise _below(smooth)
        certificate = certify(work.evidence(smooth, drop or 0.1), today)
    write_json(training.home.training(training.name) / "certificate.json", certificate.to_json())
    return certificate


def _below(smooth: Metasmoothness) -> AppError:
    allowed = smoothness_gate(smooth.score)
    return AppError("below-gate", f"nothing can be certified: {allowed.because}", f"{allowed.fix} (or --anyway)")


class _Audit:
    """One training, the outputs of its period and the queries made of them."""

    def __init__(self, training: Training, dials: Dials, progress: Progress) -> None:
        self.training, self.dials, self.progress = training, dials, progress
        told = read_kept(training.home, training.name, "attribution")
        self.engine = str(told["period"]["method"])  # the one that pays
        self.outputs = outputs_of(told, training)
        self.queries = queries_of(self.outputs, dials.outputs)
        folder = training.home.training(training.name)
        key = digest([training.run.id, [[list(q.tokens), q.start] for q in self.outputs.values()]])
        self.folder = folder / "audit" / key[:16]
        self.bank = Bank(self.folder / "bank.jsonl", folder, tuple(self.outputs.values()))

    @cached_property
    def trajectory(self) -> Trajectory:
        return read_trajectory(self.training.run.store)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Every training example, in the order of the exact scores."""
        return visited(self.trajectory)

    # --- the three parts ----------------------------------------------------------------------------------------

    def smoothness(self) -> Metasmoothness:
        path = self.folder / "smoothness.json"
        if not path.is_file():
            found = measure_smoothness(self.training, self.trajectory, self.progress, self.dials.seed)
            write_json(path, {"score": found.score, "h": found.h, "seed": found.seed})
        told = read_json(path, "byline audit, after deleting it", ("score", "h", "seed"))
        return Metasmoothness(told["score"], told["h"], told["seed"])

    def scores(self, method: str, make: Callable[[dict[str, tuple[Query, ...]]], ScoreTable]) -> ScoreTable:
        """scores_QN of all queries by one method; each row is kept."""
        missing = {name: query for name, query in self.queries.items() if not self._row(method, name).is_file()}
        parts = list(missing.items())
        for at in range(0, len(parts), TOGETHER):
            self.progress(f"scores by {method}", len(self.queries) - len(parts) + at, len(self.queries))
            table = make(dict(parts[at : at + TOGETHER]))
            order = [table.example_ids.index(example) for example in self.ids]
            for name, row_N in zip(table.query_ids, table.scores_QN, strict=True):
                write_json(self._row(method, name), {"scores": [float(score) for score in row_N[order]]})
        self.progress(f"scores by {method}", len(self.queries), len(self.queries))
        rows = [self._read(self._row(method, name)) for name in self.queries]
        return ScoreTable(np.array(rows, dtype=np.float32), tuple(self.queries), self.ids, method)

    def retrained(self, drop: float) -> dict[str, Retrained]:
        """Outcomes by key: the whole training, each contributor left out, each random subset left out."""
        wanted = {WHOLE: frozenset[str](), **self._contributors(), **self._subsets(drop)}
        outcomes = self.bank.fill(wanted, self.progress)
        if outcomes[WHOLE].weights != self.training.run.store.blob("weights_sha256").tobytes().hex():
            raise AppError(
                "retraining-differs",
                "the training, repeated with everybody in it, did not end with the recorded weights",
                "audit with the package versions and the kind of machine that trained",
            )
        return outcomes

    # --- evidence -----------------------------------------------------------------------------------------------

    def evidence(self, smooth: Metasmoothness, drop: float) -> Evidence:
        exact = Metagradient(together=TOGETHER)
        audit = self.scores(exact.method, lambda queries: self._exact(exact, queries))
        engine = self.scores(self.engine, self._engine)
        outcomes = self.retrained(drop)
        effects = self._effects(engine, outcomes)
        low_CQ, high_CQ, how = intervals(effects, LEVEL)
        credits = [self.training.credit(work) for work in self._works()]
        alone = [name for name in self.queries if name != PERIOD]
        return Evidence(
            run=self.training.run.id,
            engine=engine.method,
            audit=audit.method,
            metasmoothness=smooth,
            drops=(self._drop(drop, engine, audit, outcomes),),
            loco=LocoEvidence(effects.names, effects.actual_CQ, effects.predicted_CQ, low_CQ, high_CQ, LEVEL),
            engine_scores_CQ=share_columns(engine, credits, alone),
            audit_scores_CQ=share_columns(audit, credits, alone),
            seeds=(self.training.recipe.seed,),
            notes=(how, *self._period_note(engine, audit, credits)),
        )

    def _drop(
        self, drop: float, engine: ScoreTable, audit: ScoreTable, outcomes: Mapping[str, Retrained]
    ) -> DropEvidence:
        subsets = self._subsets(drop)
        kept_MN = np.array([[float(example not in out) for example in self.ids] for out in subsets.values()])
        actual_QM = self._of_queries(values([outcomes[key] for key in subsets])).T
        engine_QM, audit_QM = (subset_predictions(t.scores_QN.astype(np.float64), kept_MN) for t in (engine, audit))
        left_out = len(next(iter(subsets.values()))) / len(self.ids)
        return DropEvidence(left_out, engine_QM, audit_QM, actual_QM[None])

    def _effects(self, engine: ScoreTable, outcomes: Mapping[str, Retrained]) -> Effects:
        left_out = self._contributors()
        whole_Q = self._of_queries(values([outcomes[WHOLE]]))[0]
        without_CQ = self._of_queries(values([outcomes[key] for key in left_out]))
        names = tuple(self._names()[key] for key in left_out)
        return Effects.of(names, list(left_out.values()), engine, whole_Q - without_CQ)

    def _period_note(self, engine: ScoreTable, audit: ScoreTable, credits: Sequence[str]) -> tuple[str, ...]:
        if PERIOD not in self.queries:
            return ()
        apart, _ = share_distance(*(share_columns(table, credits, [PERIOD]) for table in (engine, audit)), draws=1)
        return (
            f"over the whole period, the sum of {len(self.outputs)} outputs, the distance is {apart:.6f}; "
            f"the certificate's own is over {len(self.queries) - 1} of these outputs, evenly spread",
        )

    # --- parts --------------------------------------------------------------------------------------------------

    def _exact(self, exact: Metagradient, queries: Mapping[str, tuple[Query, ...]]) -> ScoreTable:
        if not hasattr(exact, "starts_"):
            self.progress("walking the training again", 0, 1)
            exact.fit(self.training.model("base"), LanguageTask.of(self.training.corpus), self.trajectory)
            self.progress("walking the training again", 1, 1)
        return exact.score(queries, log_likelihood)

    def _engine(self, queries: Mapping[str, tuple[Query, ...]]) -> ScoreTable:
        """By the method that the last `byline attribute` used: it is the one that pays."""
        training = self.training
        if self.engine == training.sketch.method:
            return training.run.score(training.model(), queries, log_likelihood, training.sketch)
        if self.engine == GaussNewtonTransport().method:
            task = LanguageTask.of(training.corpus)
            made = GaussNewtonTransport().score(training.model(), task, self.trajectory, queries, log_likelihood)
            return made.total
        raise AppError("unknown-engine", f"the audit does not know the method {self.engine}", "byline attribute again")

    def _contributors(self) -> dict[str, frozenset[str]]:
        parties = most_recorded(self.training, self.dials.contributors)
        return {f"contributor/{party}": frozenset(examples_of(self.training, party)) for party in parties}

    def _names(self) -> dict[str, str]:
        return {f"contributor/{party}": name for party, name in self.training.home.names.items()}

    def _subsets(self, drop: float) -> dict[str, frozenset[str]]:
        """Examples left out; subset n does not depend on how many are drawn."""
        count = max(1, int(drop * len(self.ids) + 1e-9))
        chosen = {
            f"drop/{drop}/{self.dials.seed}/{n}": np.random.default_rng([self.dials.seed, n]).choice(
                len(self.ids), count, replace=False
            )
            for n in range(self.dials.subsets)
        }
        return {key: frozenset(self.ids[i] for i in rows) for key, rows in chosen.items()}

    def _of_queries(self, values_MO: Floats) -> Floats:
        """values_MQ: a query's value is the sum of its outputs'."""
        column = {query: o for o, query in enumerate(self.outputs.values())}
        picked = [values_MO[:, [column[output] for output in query]].sum(1) for query in self.queries.values()]
        return np.stack(picked, axis=1)

    def _works(self) -> list[WorkId]:
        work_of = {str(example.id): example.work for example in self.training.corpus.examples}
        return [work_of[example] for example in self.ids]

    def _read(self, path: Path) -> list[float]:
        told = read_json(path, "byline audit, after deleting it", ("scores",))["scores"]
        if len(told) != len(self.ids):
            raise AppError("unreadable", f"{path} has {len(told)} scores", "delete it, then byline audit again")
        return [float(score) for score in told]

    def _row(self, method: str, query: str) -> Path:
        return self.folder / "scores" / f"{digest([method, query])[:20]}.json"


def measure_smoothness(
    training: Training, trajectory: Trajectory, progress: Progress = silent, seed: int = 0
) -> Metasmoothness:
    """Three exact walks of the recorded run under moved weights of all examples."""
    walked = retrainer(training.model("base"), LanguageTask.of(training.corpus), trajectory)
    done = 0

    def train(weights_N: Floats) -> Floats:
        nonlocal done
        progress("metasmoothness", done, 3)
        found = walked(weights_N)
        done += 1
        progress("metasmoothness", done, 3)
        return found

    return metasmoothness(train, len(visited(trajectory)), seed=seed)
