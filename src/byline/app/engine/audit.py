"""How wrong the engine that pays is on one recorded run: exact walks, retrainings, and a certificate.

    certificate = audit(training_case(training, 10), Dials(subsets=24), date.today(), folder)

In this order, and each part kept in the training's folder as soon as it is made, so that a stopped audit goes on:
metasmoothness (below the gate it ends there); the exact metagradient of the period, that is of the sum over the outputs
of the last `byline attribute`, and of a few of these outputs alone; retrainings without contributors and without random
parts of the examples. docs/audit.md says what the certificate means.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from byline.app.carried import BODY, HEAD, METHOD
from byline.app.engine.bank import Retrained, values
from byline.app.engine.case import WHOLE, Case, Queries, check_whole
from byline.app.engine.cost import ALONE, LEFT_OUT, SUBSETS, TOGETHER
from byline.app.engine.evidence import Effects, calibration, intervals, share_columns
from byline.app.engine.given import Given
from byline.app.engine.joined import blends, seed_reliability
from byline.app.engine.joined import told as joined
from byline.app.engine.period import PERIOD, queries_of
from byline.app.home import read_json, write_json
from byline.app.model import Progress, silent
from byline.attribution import Metagradient, Task, Trajectory, Transported, retrainer, visited
from byline.core import AppError, AttributionError, ScoreTable, digest
from byline.evaluation import (
    Certificate,
    Channelled,
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
from byline.training import single_thread

# Suffixes: Q queries, O outputs, N training examples, M subsets, C contributors

Floats = npt.NDArray[np.float64]
LEVEL = 0.9  # of intervals


@dataclass(frozen=True, slots=True)
class Dials:
    """`contributors` left out one by one; `subsets` left out at random; `outputs` audited alone, beside the period;
    `anyway`: go on below the gate, to see the figures of a certificate that will not certify; `seeds`: how many other
    orders of the examples everybody is left out under as well, to learn what the order does."""

    contributors: int = LEFT_OUT
    subsets: int = SUBSETS
    outputs: int = ALONE
    seed: int = 0
    anyway: bool = False
    seeds: int = 0


def audit(
    case: Case, dials: Dials, today: date, folder: Path, progress: Progress = silent, given: Given | None = None
) -> Certificate:
    """Kept as certificate.json in `folder`. `given`: retrainings made elsewhere, to fit weights of channels on instead
    of the audit's own; the certificate does not look at them.

    Raises: AppError("below-gate", "unknown-engine", "retraining-differs"); AttributionError("no-beginning",
    "replay-differs") for a training that cannot be walked again; EvaluationError("too-few-pairs") for fewer than 3
    subsets.
    """
    with single_thread():
        work = _Audit(case, dials, progress, given)
        smooth = work.smoothness()
        drop = smoothness_gate(smooth.score).largest_drop
        if not drop and not dials.anyway:
            raise _below(smooth)
        certificate = certify(work.evidence(smooth, drop or 0.1), today)
        write_json(folder / "calibration.json", work.calibration)
    write_json(folder / "certificate.json", certificate.to_json())
    return certificate


def _below(smooth: Metasmoothness) -> AppError:
    allowed = smoothness_gate(smooth.score)
    return AppError("below-gate", f"nothing can be certified: {allowed.because}", f"{allowed.fix} (or --anyway)")


class _Audit:
    """One run, the outputs of its period and the queries made of them."""

    def __init__(self, case: Case, dials: Dials, progress: Progress, given: Given | None = None) -> None:
        self.case, self.dials, self.progress, self.given = case, dials, progress, given
        self.queries = queries_of(case.outputs, dials.outputs)
        self.calibration: dict[str, Any] = {}  # of intervals, channels and seeds, once there is evidence
        self.ids = visited(case.trajectory)  # every training example, in the order of the exact scores

    # --- the three parts ----------------------------------------------------------------------------------------

    def smoothness(self) -> Metasmoothness:
        path = self.case.folder / "smoothness.json"
        if not path.is_file():
            found = measure_smoothness(
                self.case.model, self.case.task, self.case.trajectory, self.progress, self.dials.seed
            )
            write_json(path, {"score": found.score, "h": found.h, "seed": found.seed})
        told = read_json(path, "byline audit, after deleting it", ("score", "h", "seed"))
        return Metasmoothness(told["score"], told["h"], told["seed"])

    def scores(self, method: str, make: Callable[[Queries], ScoreTable]) -> ScoreTable:
        """scores_QN of all queries by one method; each row is kept."""
        kept = [method, *(f"{METHOD}/{name}" for name in (HEAD, BODY) if method == METHOD and self.case.channels)]
        missing = {
            name: query for name, query in self.queries.items() if not all(self._row(m, name).is_file() for m in kept)
        }
        parts = list(missing.items())
        for at in range(0, len(parts), TOGETHER):
            self.progress(f"scores by {method}", len(self.queries) - len(parts) + at, len(self.queries))
            self._keep(method, make(dict(parts[at : at + TOGETHER])))
        self.progress(f"scores by {method}", len(self.queries), len(self.queries))
        return self._kept(method)

    def _keep(self, method: str, table: ScoreTable) -> None:
        place = {example: n for n, example in enumerate(table.example_ids)}
        order = [place[example] for example in self.ids]
        for name, row_N in zip(table.query_ids, table.scores_QN, strict=True):
            write_json(self._row(method, name), {"scores": [float(score) for score in row_N[order]]})

    def _kept(self, method: str) -> ScoreTable:
        rows = [self._read(self._row(method, name)) for name in self.queries]
        return ScoreTable(np.array(rows, dtype=np.float32), tuple(self.queries), self.ids, method)

    def retrained(self, drop: float) -> dict[str, Retrained]:
        """Outcomes by key: the whole training, each contributor left out, each random subset left out."""
        wanted = {WHOLE: frozenset[str](), **self.case.contributors, **self._subsets(drop)}
        outcomes = self.case.bank.fill(wanted, self.progress)
        check_whole(self.case, outcomes[WHOLE])
        return outcomes

    # --- evidence -----------------------------------------------------------------------------------------------

    def evidence(self, smooth: Metasmoothness, drop: float) -> Evidence:
        exact = Metagradient(together=TOGETHER)
        audit = self.scores(exact.method, lambda queries: self._exact(exact, queries))
        engine = self.scores(self.case.engine, self._engine)
        outcomes = self.retrained(drop)
        effects = self._effects(engine, outcomes)
        low_CQ, high_CQ, how = intervals(effects, LEVEL)
        self.calibration = {"run": self.case.run, "method": engine.method}
        self.calibration |= calibration(effects, LEVEL) | self._joined(drop, engine.method, outcomes)
        credits = [self.case.credits[example] for example in self.ids]
        alone = [name for name in self.queries if name != PERIOD]
        return Evidence(
            run=self.case.run,
            engine=engine.method,
            audit=audit.method,
            metasmoothness=smooth,
            drops=(self._drop(drop, engine, audit, outcomes),),
            loco=LocoEvidence(effects.names, effects.actual_CQ, effects.predicted_CQ, low_CQ, high_CQ, LEVEL),
            engine_scores_CQ=share_columns(engine, credits, alone),
            audit_scores_CQ=share_columns(audit, credits, alone),
            seeds=self.case.seeds,
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

    def _joined(self, drop: float, method: str, outcomes: Mapping[str, Retrained]) -> dict[str, Any]:
        """Blends of the paying method's channels and of those beside it, and the reliability between seeds, as far as
        they were asked."""
        rho = None
        found: dict[str, Channelled] = {}
        without: dict[str, str] = {}
        if self.case.channels is not None and method == METHOD:
            tables, without = self._channels()
            left_out, lost_QP = self._lost(drop, outcomes)
            found = blends(tables, left_out, lost_QP, len(self.case.outputs))
        if self.dials.seeds:
            rho = seed_reliability(self.case, outcomes, self.dials.seeds, self.progress)
        elsewhere = {} if self.given is None else {"given": self.given.told()}
        return joined(found, rho, self.dials.seeds, without) | elsewhere

    def _lost(self, drop: float, outcomes: Mapping[str, Retrained]) -> tuple[list[frozenset[str]], Floats]:
        """What retrainings left out, and what the queries lost by it: those that were given, else the audit's own. Of
        the former only differences count: there need not be one with everybody in it."""
        if self.given is not None:
            return list(self.given.left_out), -self._of_queries(self.given.values_PO).T
        subsets = self._subsets(drop)
        whole_Q1 = self._of_queries(values([outcomes[WHOLE]])).T
        without_QP = self._of_queries(values([outcomes[key] for key in subsets])).T
        return list(subsets.values()), whole_Q1 - without_QP

    def _channels(self) -> tuple[dict[str, ScoreTable], dict[str, str]]:
        """Scores of every channel; and which could not be had, and why."""
        tables, without = {name: self._kept(f"{METHOD}/{name}") for name in (HEAD, BODY)}, {}
        for name, make in self.case.beside.items():
            try:
                tables[name] = self.scores(name, lambda queries, make=make: make(queries, self.progress))  # type: ignore[misc]
            except AttributionError as fault:
                without[name] = fault.message
        return tables, without

    def _effects(self, engine: ScoreTable, outcomes: Mapping[str, Retrained]) -> Effects:
        left_out = self.case.contributors
        whole_Q = self._of_queries(values([outcomes[WHOLE]]))[0]
        without_CQ = self._of_queries(values([outcomes[key] for key in left_out]))
        names = tuple(self.case.names[key] for key in left_out)
        return Effects.of(names, list(left_out.values()), engine, whole_Q - without_CQ)

    def _period_note(self, engine: ScoreTable, audit: ScoreTable, credits: Sequence[str]) -> tuple[str, ...]:
        if PERIOD not in self.queries:
            return ()
        apart, _ = share_distance(*(share_columns(table, credits, [PERIOD]) for table in (engine, audit)), draws=1)
        return (
            f"over the whole period, the sum of {len(self.case.outputs)} outputs, the distance is {apart:.6f}; "
            f"the certificate's own is over {len(self.queries) - 1} of these outputs, evenly spread",
        )

    # --- parts --------------------------------------------------------------------------------------------------

    def _exact(self, exact: Metagradient, queries: Queries) -> ScoreTable:
        if not hasattr(exact, "starts_"):
            self.progress("walking the training again", 0, 1)
            exact.fit(self.case.model, self.case.task, self.case.trajectory)
            self.progress("walking the training again", 1, 1)
        return exact.score(queries, self.case.measure)

    def _engine(self, queries: Queries) -> ScoreTable:
        """By the method that pays: of a training of ours, the one of the last `byline attribute`."""
        if self.case.engine not in self.case.scorers:
            says = f"the audit does not know the method {self.case.engine}"
            raise AppError("unknown-engine", says, "byline attribute again")
        if self.case.channels is None or self.case.engine != METHOD:
            return self.case.scorers[self.case.engine](queries)
        channels = self.case.channels(queries)  # for the price of their sum
        for name, table in channels.items():
            self._keep(f"{METHOD}/{name}", table)
        return Transported(channels, 0).total

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
        column = {name: o for o, name in enumerate(self.case.outputs)}
        members = {PERIOD: list(self.case.outputs)}
        picked = [values_MO[:, [column[o] for o in members.get(name, [name])]].sum(1) for name in self.queries]
        return np.stack(picked, axis=1)

    def _read(self, path: Path) -> list[float]:
        told = read_json(path, "byline audit, after deleting it", ("scores",))["scores"]
        if len(told) != len(self.ids):
            raise AppError("unreadable", f"{path} has {len(told)} scores", "delete it, then byline audit again")
        return [float(score) for score in told]

    def _row(self, method: str, query: str) -> Path:
        return self.case.folder / "scores" / f"{digest([method, query])[:20]}.json"


def measure_smoothness(
    model: nn.Module, task: Task, trajectory: Trajectory, progress: Progress = silent, seed: int = 0
) -> Metasmoothness:
    """Three exact walks of the recorded run under moved weights of all examples."""
    walked = retrainer(model, task, trajectory)
    done = 0

    def train(weights_N: Floats) -> Floats:
        nonlocal done
        progress("metasmoothness", done, 3)
        found = walked(weights_N)
        done += 1
        progress("metasmoothness", done, 3)
        return found

    return metasmoothness(train, len(visited(trajectory)), seed=seed)
