"""What an audit found, in one record that can be hashed, signed and checked: how far attribution can be trusted here.

    certificate = certify(evidence, issued=date(2026, 12, 1))
    certificate.certified, certificate.reasons, certificate.digest()

Everything is computed from plain arrays, so whoever holds the retrainings can compute it again. A certificate is always
issued; when something speaks against trusting the figures it says "not certified" and why, and gives the figures all
the same. docs/audit.md says what it does and does not say. Numbers are text: no float enters a hashed record.
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from byline.core import EvaluationError, Record, sha256_hex
from byline.evaluation.correlation import Floats, Interval, bootstrap_pairs, pearson, slope, spearman
from byline.evaluation.lds import lds, noise_ceiling
from byline.evaluation.metasmoothness import Metasmoothness, smoothness_gate

UNKNOWN = "unknown"

# Suffixes: Q queries, M retrained subsets, C contributors left out, R repetitions (seeds)


@dataclass(frozen=True, slots=True, eq=False)
class DropEvidence:
    """Retrainings without a random part of the examples. `actual_RQM`: outcome of each repetition (seed), query and
    subset; `engine_QM` and `audit_QM`: what the engine's and the audit's scores predict (`subset_predictions`)."""

    drop: float  # part of the examples left out, e.g. 0.1
    engine_QM: Floats
    audit_QM: Floats
    actual_RQM: Floats


@dataclass(frozen=True, slots=True, eq=False)
class LocoEvidence:
    """Retrainings without each of some contributors: what every query lost, what the engine predicted, and the limits
    of its intervals at `level`."""

    contributors: tuple[str, ...]
    actual_CQ: Floats
    engine_CQ: Floats
    low_CQ: Floats
    high_CQ: Floats
    level: float = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that a certificate is computed from. `engine_scores_CQ` and `audit_scores_CQ`: signed scores of every
    contributor (all of them, not only those left out) for the queries of the period, whose shares are compared."""

    run: str
    engine: str  # name of the method that pays
    audit: str  # name of the method that it is held against
    metasmoothness: Metasmoothness
    drops: tuple[DropEvidence, ...]
    loco: LocoEvidence
    engine_scores_CQ: Floats
    audit_scores_CQ: Floats
    seeds: tuple[int, ...]
    notes: tuple[str, ...] = ()  # what a reader must know, e.g. that a smaller twin was audited


@dataclass(frozen=True, slots=True)
class Bars:
    """What must hold for "certified"; conventions, written out in the certificate.

    `audit_lds`: least LDS of the audit's scores, as part of the ceiling, by largest drop to which it applies."""

    audit_lds: tuple[tuple[float, float], ...] = field(default=((0.02, 0.95), (0.1, 0.85)))
    subsets: int = 20  # fewest per drop
    contributors: int = 5  # fewest left out


@dataclass(frozen=True, slots=True)
class DropFinding(Record):
    """`ceiling` is what a perfect method would read against these retrainings; "unknown" if each was made once. That is
    right for a deterministic replay of one run, whose ceiling is 1, and for nothing else."""

    drop: str
    subsets: int
    queries: int
    repetitions: int
    engine_lds: str
    engine_se: str
    audit_lds: str
    audit_se: str
    ceiling: str


@dataclass(frozen=True, slots=True)
class LocoFinding(Record):
    """Agreement of the engine with leaving out contributors. `slope` 1 is calibrated, above 1 the engine
    underestimates. `coverage`: part of the changes inside the engine's intervals, whose nominal level is `level`."""

    contributors: int
    queries: int
    spearman: str
    low: str
    high: str
    pearson: str
    slope: str
    coverage: str
    level: str


@dataclass(frozen=True, slots=True)
class Certificate(Record):
    """Verdict first. `largest_drop` is what metasmoothness allows; `distance` is the total variation between the
    contributors' shares by the engine and by the audit, with its 95 % interval over queries."""

    run: str
    issued: date
    certified: bool
    reasons: tuple[str, ...]  # against certification; empty if certified
    notes: tuple[str, ...]
    engine: str
    audit: str
    metasmoothness: str
    metasmoothness_h: str
    largest_drop: str
    gate: str  # the rule that gave largest_drop, as a sentence
    drops: tuple[DropFinding, ...]
    loco: LocoFinding
    distance: str
    distance_low: str
    distance_high: str
    retrainings: int
    seeds: tuple[int, ...]
    bars: tuple[str, ...]
    evidence: str  # SHA-256 of the arrays from which the figures follow

    def __post_init__(self) -> None:
        if self.certified == bool(self.reasons):
            raise EvaluationError(
                "bad-certificate",
                f"the certificate of {self.run} says certified={self.certified} and gives {len(self.reasons)} reasons",
                "it was altered: ask for the certificate as it was issued",
            )


def certify(evidence: Evidence, issued: date, bars: Bars | None = None, *, draws: int = 1000) -> Certificate:
    """Compute every figure and the verdict. Raises: EvaluationError("shape-mismatch", "not-finite", "too-few-pairs")
    for arrays that cannot be compared at all."""
    bars = bars or Bars()
    allowed = smoothness_gate(evidence.metasmoothness.score)
    drops = tuple(_drop_finding(drop, draws) for drop in evidence.drops)
    loco = _loco_finding(evidence.loco, draws)
    distance, interval = share_distance(evidence.engine_scores_CQ, evidence.audit_scores_CQ, draws=draws)
    reasons = (
        *(() if allowed.largest_drop else (f"{allowed.because}; {allowed.fix}",)),
        *_against(evidence, drops, allowed.largest_drop, bars),
    )
    return Certificate(
        run=evidence.run,
        issued=issued,
        certified=not reasons,
        reasons=reasons,
        notes=evidence.notes,
        engine=evidence.engine,
        audit=evidence.audit,
        metasmoothness=_text(evidence.metasmoothness.score),
        metasmoothness_h=_text(evidence.metasmoothness.h),
        largest_drop=_text(allowed.largest_drop),
        gate=allowed.because,
        drops=drops,
        loco=loco,
        distance=_text(distance),
        distance_low=_text(interval.low),
        distance_high=_text(interval.high),
        retrainings=_retrainings(evidence),
        seeds=evidence.seeds,
        bars=(
            *(f"audit LDS / ceiling >= {bar} up to drop {drop}" for drop, bar in bars.audit_lds),
            f"subsets >= {bars.subsets}",
            f"contributors left out >= {bars.contributors}",
        ),
        evidence=_evidence_digest(evidence),
    )


def share_distance(
    first_CQ: Floats, second_CQ: Floats, *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, Interval]:
    """Total variation between two methods' shares of the contributors, in [0, 1], and its interval over queries.

    Shares are sums over queries, negative ones cut to zero, over their total. A method without any positive sum gives
    nobody anything: the distance to it is 1. Raises: EvaluationError("shape-mismatch", "not-finite")."""
    if first_CQ.shape != second_CQ.shape or first_CQ.ndim != 2 or not first_CQ.size:
        raise EvaluationError("shape-mismatch", f"scores {first_CQ.shape} and {second_CQ.shape}")
    if not (np.isfinite(first_CQ).all() and np.isfinite(second_CQ).all()):
        raise EvaluationError("not-finite", "a score is not a finite number")
    generator = np.random.default_rng(seed)
    queries = first_CQ.shape[1]
    drawn = [generator.integers(0, queries, queries) for _ in range(draws)]
    distances = [_variation(first_CQ[:, columns], second_CQ[:, columns]) for columns in drawn]
    low, high = np.quantile(distances, [(1 - level) / 2, (1 + level) / 2])
    return _variation(first_CQ, second_CQ), Interval(float(low), float(high))


# --- parts ----------------------------------------------------------------------------------------------------


def _variation(first_CQ: Floats, second_CQ: Floats) -> float:
    first_C, second_C = (np.maximum(scores_CQ.sum(1), 0) for scores_CQ in (first_CQ, second_CQ))
    if not first_C.any() or not second_C.any():
        return 0.0 if not first_C.any() and not second_C.any() else 1.0
    return float(np.abs(first_C / first_C.sum() - second_C / second_C.sum()).sum() / 2)


def _drop_finding(evidence: DropEvidence, draws: int) -> DropFinding:
    mean_QM = evidence.actual_RQM.mean(0)
    engine, audit = (lds(found_QM, mean_QM, draws=draws) for found_QM in (evidence.engine_QM, evidence.audit_QM))
    repeated = len(evidence.actual_RQM) > 1
    return DropFinding(
        drop=_text(evidence.drop),
        subsets=mean_QM.shape[1],
        queries=mean_QM.shape[0],
        repetitions=len(evidence.actual_RQM),
        engine_lds=_text(engine.mean),
        engine_se=_text(engine.se),
        audit_lds=_text(audit.mean),
        audit_se=_text(audit.se),
        ceiling=_text(noise_ceiling(evidence.actual_RQM).of_mean) if repeated else UNKNOWN,
    )


def _loco_finding(evidence: LocoEvidence, draws: int) -> LocoFinding:
    actual_CQ, engine_CQ = evidence.actual_CQ, evidence.engine_CQ
    shapes = {array.shape for array in (actual_CQ, engine_CQ, evidence.low_CQ, evidence.high_CQ)}
    if len(shapes) > 1 or len(evidence.contributors) != len(actual_CQ):
        raise EvaluationError("shape-mismatch", f"{len(evidence.contributors)} contributors, arrays {sorted(shapes)}")
    if not (np.isfinite(actual_CQ).all() and np.isfinite(engine_CQ).all()):
        raise EvaluationError("not-finite", "a prediction or a retraining is not a finite number")
    interval = bootstrap_pairs(spearman, engine_CQ, actual_CQ, draws=draws)
    return LocoFinding(
        contributors=len(actual_CQ),
        queries=actual_CQ.shape[1],
        spearman=_text(spearman(engine_CQ.ravel(), actual_CQ.ravel())),
        low=_text(interval.low),
        high=_text(interval.high),
        pearson=_text(pearson(engine_CQ.ravel(), actual_CQ.ravel())),
        slope=_text(slope(engine_CQ.ravel(), actual_CQ.ravel())),
        coverage=_text(float(((evidence.low_CQ <= actual_CQ) & (actual_CQ <= evidence.high_CQ)).mean())),
        level=_text(evidence.level),
    )


def _against(evidence: Evidence, drops: tuple[DropFinding, ...], largest: float, bars: Bars) -> list[str]:
    """What speaks against certification beside the gate itself."""
    reasons = []
    spoken = [drop for drop in drops if float(drop.drop) <= largest + 1e-9]
    if largest and not spoken:
        reasons.append(f"no retraining left out {largest:.0%} of the examples or less, the most that the gate allows")
    for drop in spoken:
        reasons += _drop_against(drop, bars)
    left_out = len(evidence.loco.contributors)
    if left_out < bars.contributors:
        reasons.append(f"only {left_out} contributors were left out, {bars.contributors} are needed")
    return reasons


def _drop_against(drop: DropFinding, bars: Bars) -> list[str]:
    name = f"{float(drop.drop):.0%} drop"
    if drop.subsets < bars.subsets:
        return [f"{name}: only {drop.subsets} subsets were retrained, {bars.subsets} are needed"]
    ceiling = 1.0 if drop.ceiling == UNKNOWN else float(drop.ceiling)
    if ceiling == 0:
        return [f"{name}: repetitions of the same retraining do not agree, so nothing can be predicted"]
    reached = float(drop.audit_lds) / ceiling
    bar = next((bar for limit, bar in bars.audit_lds if float(drop.drop) <= limit + 1e-9), 0.0)
    if reached < bar:
        return [f"{name}: the audit reaches {reached:.3f} of what retraining allows, {bar} is needed"]
    return []


def _retrainings(evidence: Evidence) -> int:
    """All trainings behind the figures beside the recorded one: subsets, contributors, metasmoothness."""
    subsets = sum(len(drop.actual_RQM) * int(drop.actual_RQM.shape[2]) for drop in evidence.drops)
    return subsets + len(evidence.loco.contributors) + evidence.metasmoothness.trainings


def _evidence_digest(evidence: Evidence) -> str:
    """Over shapes and bytes (little-endian float64) of all arrays, in the order of the fields."""
    arrays = [
        *(array for drop in evidence.drops for array in (drop.engine_QM, drop.audit_QM, drop.actual_RQM)),
        *(evidence.loco.actual_CQ, evidence.loco.engine_CQ, evidence.loco.low_CQ, evidence.loco.high_CQ),
        *(evidence.engine_scores_CQ, evidence.audit_scores_CQ),
    ]
    return sha256_hex(b"".join(str(a.shape).encode() + np.ascontiguousarray(a, dtype="<f8").tobytes() for a in arrays))


def _text(value: float) -> str:
    """Six decimals; the same text for minus zero."""
    return f"{value + 0.0:.6f}".replace("-0.000000", "0.000000")
