"""Every figure of a certificate against its function, and every reason that forbids one."""

import dataclasses
import json
from datetime import date

import numpy as np
import pytest

from byline.core import EvaluationError, canonical_json
from byline.evaluation import (
    Bars,
    Certificate,
    DropEvidence,
    Evidence,
    LocoEvidence,
    Metasmoothness,
    certify,
    lds,
    noise_ceiling,
    pearson,
    share_distance,
    slope,
    spearman,
)

DAY = date(2026, 12, 1)
C, Q, M, R = 6, 5, 24, 2


def drop(part, noise=0.05, subsets=M, repetitions=R):
    generator = np.random.default_rng(int(part * 100))
    true_QM = generator.normal(size=(Q, subsets))
    audit_QM = true_QM + noise * generator.normal(size=true_QM.shape)
    engine_QM = true_QM + generator.normal(size=true_QM.shape)
    return DropEvidence(part, engine_QM, audit_QM, true_QM + 0.1 * generator.normal(size=(repetitions, Q, subsets)))


def evidence(smooth=0.995, drops=(0.02, 0.1), contributors=C, **others):
    generator = np.random.default_rng(7)
    actual_CQ = generator.normal(size=(contributors, Q))
    engine_CQ = 0.6 * actual_CQ + 0.2 * generator.normal(size=actual_CQ.shape)
    names = tuple(f"c{n}" for n in range(contributors))
    loco = LocoEvidence(names, actual_CQ, engine_CQ, engine_CQ - 1, engine_CQ + 1)
    made = Evidence(
        run="run:1",
        engine="transport",
        audit="metagradient",
        metasmoothness=Metasmoothness(smooth, 0.01, 0),
        drops=tuple(drop(d) if isinstance(d, float) else d for d in drops),
        loco=loco,
        engine_scores_CQ=generator.normal(size=(9, Q)) + 1,
        audit_scores_CQ=generator.normal(size=(9, Q)) + 1,
        seeds=(0, 1),
    )
    return dataclasses.replace(made, **others)


def test_figures_are_those_of_their_functions():
    given = evidence()
    found = certify(given, DAY, draws=50)
    assert found.certified and found.reasons == () and found.largest_drop == "0.100000"
    for part, measured in zip(given.drops, found.drops, strict=True):
        mean_QM = part.actual_RQM.mean(0)
        assert measured.engine_lds == f"{lds(part.engine_QM, mean_QM, draws=50).mean:.6f}"
        assert measured.audit_se == f"{lds(part.audit_QM, mean_QM, draws=50).se:.6f}"
        assert measured.ceiling == f"{noise_ceiling(part.actual_RQM).of_mean:.6f}"
        assert (measured.subsets, measured.queries, measured.repetitions) == (M, Q, R)
    flat = given.loco.engine_CQ.ravel(), given.loco.actual_CQ.ravel()
    wanted = tuple(f"{statistic(*flat):.6f}" for statistic in (spearman, pearson, slope))
    assert (found.loco.spearman, found.loco.pearson, found.loco.slope) == wanted
    inside = [abs(a - e) <= 1 for a, e in zip(given.loco.actual_CQ.flat, given.loco.engine_CQ.flat, strict=True)]
    assert found.loco.coverage == f"{sum(inside) / len(inside):.6f}"
    assert float(found.distance_low) <= float(found.distance) <= float(found.distance_high)
    assert found.retrainings == 2 * R * M + C + 3


def test_a_certificate_is_canonical_and_round_trips():
    found = certify(evidence(), DAY, draws=20)
    again = Certificate.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found and again.digest() == found.digest() == certify(evidence(), DAY, draws=20).digest()
    assert b"0.995000" in canonical_json(found.to_json())
    later = certify(evidence(), date(2026, 12, 2), draws=20)
    assert later.digest() != found.digest() and later.evidence == found.evidence


def test_the_evidence_is_bound():
    given = evidence()
    moved = given.audit_scores_CQ.copy()
    moved[0, 0] += 1e-9
    other = dataclasses.replace(given, audit_scores_CQ=moved)
    assert certify(other, DAY, draws=20).evidence != certify(given, DAY, draws=20).evidence


NOT_CERTIFIED = {
    "is below 0.95": evidence(smooth=0.5),
    "left out 2% of the examples or less": evidence(smooth=0.97, drops=(0.1,)),
    "left out 10% of the examples or less": evidence(drops=(0.5,)),
    "only 10 subsets": evidence(drops=(drop(0.1, subsets=10),)),
    "only 4 contributors": evidence(contributors=4),
    "10% drop: the audit reaches": evidence(drops=(0.02, drop(0.1, noise=3.0))),
    "2% drop: the audit reaches": evidence(drops=(drop(0.02, noise=0.6), 0.1)),
    "do not agree": evidence(
        drops=(dataclasses.replace(drop(0.1), actual_RQM=np.stack([np.eye(Q, M), -np.eye(Q, M)])),)
    ),
}


@pytest.mark.parametrize("reason", NOT_CERTIFIED)
def test_not_certified_says_why_and_gives_the_figures(reason):
    found = certify(NOT_CERTIFIED[reason], DAY, draws=20)
    assert not found.certified and len(found.reasons) == 1 and reason in found.reasons[0]
    assert found.drops and found.loco.spearman and found.distance


def test_a_drop_that_the_gate_does_not_allow_is_shown_and_not_judged():
    found = certify(evidence(smooth=0.97, drops=(0.02, drop(0.5, noise=9.0))), DAY, draws=20)
    assert found.certified and found.largest_drop == "0.020000" and len(found.drops) == 2


def test_a_single_repetition_has_no_ceiling():
    found = certify(evidence(drops=(drop(0.1, repetitions=1),)), DAY, draws=20)
    assert found.certified and found.drops[0].ceiling == "unknown"


def test_other_bars_are_written_down():
    found = certify(evidence(drops=(0.1,)), DAY, Bars(audit_lds=((0.1, 0.999),), subsets=3), draws=20)
    assert not found.certified and "0.999 is needed" in found.reasons[0]
    assert found.bars[0] == "audit LDS / ceiling >= 0.999 up to drop 0.1"


def test_an_altered_verdict_is_noticed():
    found = certify(evidence(smooth=0.5), DAY, draws=20).to_json()
    with pytest.raises(EvaluationError) as fault:
        Certificate.from_json({**found, "certified": True})
    assert fault.value.code == "bad-certificate"


def test_the_distance_of_shares():
    """Sums over queries first, then the positive part: 3, 1, -1 against 1, 1, 2."""
    first = np.array([[2.0, 1.0], [2.0, -1.0], [-3.0, 2.0]])
    second = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    distance, interval = share_distance(first, second)
    assert distance == pytest.approx((abs(3 / 4 - 1 / 4) + abs(1 / 4 - 1 / 4) + 1 / 2) / 2)
    assert 0 <= interval.low <= interval.high <= 1
    assert share_distance(first, 7 * first)[0] == pytest.approx(0)
    assert share_distance(first, -np.abs(first))[0] == 1.0
    assert share_distance(-np.abs(first), -np.abs(first))[0] == 0.0
    order = [2, 0, 1]
    assert share_distance(first[order], second[order])[0] == pytest.approx(distance)


def test_arrays_that_do_not_fit_are_refused():
    given = evidence()
    short = dataclasses.replace(given.loco, low_CQ=np.zeros((2, 2)))
    broken = dataclasses.replace(given.loco, engine_CQ=np.full((C, Q), np.nan))
    for code, wrong in [
        ("shape-mismatch", dataclasses.replace(given, loco=short)),
        ("not-finite", dataclasses.replace(given, loco=broken)),
        ("shape-mismatch", dataclasses.replace(given, audit_scores_CQ=np.zeros((2, Q)))),
        ("not-finite", dataclasses.replace(given, audit_scores_CQ=np.full((9, Q), np.inf))),
    ]:
        with pytest.raises(EvaluationError) as fault:
            certify(wrong, DAY, draws=20)
        assert fault.value.code == code
