"""What one passage would bring whom at a stated price: the rule of money on the sketches' shares, as an estimate.

Nothing of it is posted. The sketches' own measured agreement with retraining stands in the place of lambda: they agree
with it less than the engine that pays does, so more of the money follows the agreed rule.
"""

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from byline.app.coop_effects import policy_for
from byline.app.credit import own_stakes
from byline.app.home import read_kept
from byline.app.money import splits_in_force
from byline.app.money_files import STANDARD_POLICY
from byline.core import PPM, AppError, EventId, LedgerError, Reliability, RevenueEvent, ShareTable
from byline.ledger import COMMISSION, COMMONS, RESERVE, Basis, Mode, Policy, Settlement, Terms, settle

if TYPE_CHECKING:
    from byline.app.model import Training

PAYEES = 10  # shown by name


def priced(
    training: "Training", method: str, shares: dict[str, Any], nano: int, currency: str, day: date
) -> dict[str, Any] | None:
    """The price divided, or None where no measurement says how far the sketches can be trusted, or where the agreed
    policy divides nothing by influence."""
    try:
        told = read_kept(training.home, training.name, "evaluation")
    except AppError:
        return None
    reliability = sketch_reliability(told, method)
    published = date.fromisoformat(told["measured"])
    policy = _policy(training, nano, currency, day)
    if reliability is None or policy is None:
        return None
    paid = max(day, published + timedelta(1), policy.effective + timedelta(1))
    event = RevenueEvent(EventId("event:playground"), "whoever buys this passage", str(nano), currency, paid)
    works = {entry.work for entry in training.manifest.entries}
    try:
        settlement = settle(
            [event],
            ShareTable.from_json(shares),
            own_stakes(training.home, training.manifest, policy),
            splits_in_force(training.home, works, [event]),
            Terms(policy, reliability, published),
        )
    except LedgerError:
        return None
    return shown(training, settlement) | {"paying_lambda": told["reliability"]["lambda_ppm"]}


def sketch_reliability(told: dict[str, Any], method: str) -> Reliability | None:
    """The rank correlation of this method with retraining as its lambda, within 0 and 1."""
    found = next((each for each in told["methods"] if each["method"] == method), None)
    if found is None or any(found[name] is None for name in ("spearman", "low", "high")):
        return None
    of, low, high = (round(PPM * min(max(float(found[name]), 0.0), 1.0)) for name in ("spearman", "low", "high"))
    kept = Reliability.from_json(told["reliability"])
    return Reliability(kept.run, method, of, min(low, of), max(high, of), kept.pairs, kept.evidence)


def _policy(training: "Training", nano: int, currency: str, day: date) -> Policy | None:
    event = RevenueEvent(EventId("event:playground"), "whoever buys this passage", str(nano), currency, day)
    try:
        voted = policy_for(training.home, training.name, [event])
    except AppError:
        return None
    policy = voted or STANDARD_POLICY
    return policy if policy.mode is Mode.SHARES else None


# --- in numbers -------------------------------------------------------------------------------------------------


def shown(training: "Training", settlement: Settlement) -> dict[str, Any]:
    from byline.app.report.flow import flow_chart
    from byline.app.view import flow_edges, owed_by_basis

    owed = owed_by_basis(settlement.lines)
    ranked = sorted(owed.items(), key=lambda item: (-sum(item[1].values()), training.home.names[item[0]]))
    rest = [parts for _, parts in ranked[PAYEES:]]
    edges = list(flow_edges(training.home, settlement, owed, shown=6))
    return {
        "currency": settlement.currency,
        "nano": int(settlement.events[0].amount_nano),
        "lambda": settlement.terms.reliability.lambda_ppm,
        "policy": settlement.terms.policy,
        "steps": steps(settlement),
        "payees": [
            {"name": training.home.names[party], "id": party, "nano": sum(parts.values()), **_by_basis(parts)}
            for party, parts in ranked[:PAYEES]
        ],
        "others": {"count": len(rest), "nano": sum(sum(parts.values()) for parts in rest)},
        "waiting": sum(line.nano for line in settlement.lines if line.account.startswith("held:unclaimed")),
        "flow": flow_chart(edges, settlement.currency),
    }


def _by_basis(parts: dict[Basis, int]) -> dict[str, int]:
    return {basis.value: parts[basis] for basis in (Basis.ATTRIBUTION, Basis.TRAINING, Basis.PRIOR)}


def steps(settlement: Settlement) -> dict[str, int]:
    """Nano-units by purpose; they add up to the price, to the last one."""
    sums: Counter[str] = Counter(commission=0, reserve=0, commons=0, attribution=0, training=0, prior=0)
    accounts = {COMMISSION: "commission", RESERVE: "reserve", COMMONS: "commons"}
    for line in settlement.lines:
        sums[accounts.get(line.account, line.basis.value)] += line.nano
    return dict(sums)
