"""What one payee is told: a sentence, the total, every line with its formula and numbers, and where all money went."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from byline.core import PPB, PPM, Party, RevenueEvent, Share, WorkId
from byline.ledger.formula import decimal_text, formula
from byline.ledger.lines import NEW, Basis, Line, Settlement, payable, unclaimed

KIND = "byline-earnings-1"

# ISO 4217: minor digits of the currencies that do not have two.
_NO_MINOR = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
_THREE_MINOR = "BHD IQD JOD KWD LYD OMR TND".split()


def minor_digits(currency: str) -> int:
    """Digits after the point in which `currency` is paid (ISO 4217; two for currencies not listed there)."""
    return 0 if currency in _NO_MINOR else 3 if currency in _THREE_MINOR else 2


def amount_text(nano: int, currency: str) -> str:
    """Amount for people, such as "10.12 EUR": whole minor units, rounded towards zero."""
    digits = minor_digits(currency)
    minor = abs(nano) // 10 ** (9 - digits)
    major, rest = divmod(minor, 10**digits)
    sign = "-" if nano < 0 and minor else ""
    return f"{sign}{major}{f'.{rest:0{digits}d}' if digits else ''} {currency}"


def remainder_nano(nano: int, currency: str) -> int:
    """What `amount_text` leaves out; it stays in the payee's own account."""
    unit: int = 10 ** (9 - minor_digits(currency))
    return abs(nano) % unit * (1 if nano >= 0 else -1)


def statement(party: Party, settlement: Settlement, titles: Mapping[WorkId, str]) -> dict[str, Any]:
    """Statement of `party`: canonical-JSON-able, amounts as text in nano-units. A party without lines gets zeros."""
    mine = [line for line in settlement.lines if line.account == payable(party.id)]
    total = sum(line.nano for line in mine)
    events = {event.id: event for event in settlement.events}
    shares = {share.id: share for share in settlement.shares.lines}
    return {
        "kind": KIND,
        "summary": _summary(party, settlement, mine),
        "payee": party.to_json(),
        "settlement": settlement.id,
        "currency": settlement.currency,
        "received": {
            "from": min(event.received for event in settlement.events).isoformat(),
            "to": max(event.received for event in settlement.events).isoformat(),
            "events": len(settlement.events),
        },
        "total": {
            "nano": str(total),
            "text": amount_text(total, settlement.currency),
            "remainder_nano": str(remainder_nano(total, settlement.currency)),
        },
        "lines": [
            {
                **_line(line, events[line.event], settlement, shares.get(line.cluster or "")),
                "title": titles.get(line.work, "") if line.work else "",
            }
            for line in mine
        ],
        "waiting": list(_waiting(mine, settlement, titles)),
        "terms": terms_told(settlement),
        "conservation": {f"{name}_nano": str(nano) for name, nano in settlement.totals().items()},
    }


def earnings_faults(body: Mapping[str, Any]) -> list[str]:
    """Sums of a statement that do not come out, each as a sentence; empty if all do, or if it is no statement."""
    if body.get("kind") != KIND:
        return []
    total, flow = body["total"], {name: int(nano) for name, nano in body["conservation"].items()}
    added = sum(int(line["amount_nano"]) for line in body["lines"])
    out = flow["allocated_nano"] + flow["held_nano"] + flow["commission_nano"]
    faults = []
    if added != int(total["nano"]):
        faults.append(f"the lines add up to {added} nano, the total says {total['nano']}")
    if total["text"] != amount_text(added, body["currency"]):
        faults.append(f"{added} nano is {amount_text(added, body['currency'])}, the total says {total['text']}")
    if flow["received_nano"] != out:
        faults.append(f"{flow['received_nano']} nano received, {out} nano accounted for")
    return faults


# --- the parts ------------------------------------------------------------------------------------------------


def _summary(party: Party, settlement: Settlement, mine: list[Line]) -> str:
    currency, count = settlement.currency, len(settlement.events)
    received = amount_text(settlement.totals()["received"], currency)
    source = f"{received} received in {count} {'payment' if count == 1 else 'payments'}"
    if not mine:
        return f"{party.name} is due nothing of the {source}: no work of theirs holds a share in it."
    works = len({line.work for line in mine})
    by_measure = sum(line.nano for line in mine if line.basis is Basis.ATTRIBUTION)
    lam = decimal_text(settlement.terms.reliability.lambda_ppm, PPM)
    return (
        f"{party.name} is due {amount_text(sum(line.nano for line in mine), currency)} of the {source}, "
        f"for {works} {'work' if works == 1 else 'works'}: {amount_text(by_measure, currency)} by measured influence, "
        f"the rest by the agreed rule. The measurement has reliability {lam} (0 = none, 1 = perfect)."
    )


def terms_told(settlement: Settlement) -> dict[str, Any]:
    """The policy, the measured reliability and the shares that a settlement went by, with their digests."""
    policy, reliability, shares = settlement.terms.policy, settlement.terms.reliability, settlement.shares
    return {
        "policy": policy.to_json(),
        "policy_sha256": policy.digest(),
        "reliability": reliability.to_json(),
        "reliability_published": settlement.terms.published.isoformat(),
        "reliability_evidence_sha256": reliability.evidence,
        "attribution": {"method": shares.method, "run": shares.run, "subject": shares.subject},
        "attribution_sha256": shares.digest(),
        "interval_level_ppm": shares.level_ppm,
        "unattributed_ppb": shares.unattributed_ppb,
        "rule": "net × [τ × prior + (1 − τ) × (λ × attribution + (1 − λ) × prior)]",
    }


def _line(line: Line, event: RevenueEvent, settlement: Settlement, share: Share | None) -> dict[str, Any]:
    measured = share if line.basis is Basis.ATTRIBUTION else None
    weight, whole = line.share
    return {
        "event": event.id,
        "received": event.received.isoformat(),
        "received_nano": event.amount_nano,
        "work": line.work,
        "cluster": line.cluster,
        "basis": line.basis.value,
        "share_ppb": weight * PPB // whole,
        "interval_ppb": [measured.low_ppb, measured.high_ppb] if measured else None,
        "lambda_ppm": settlement.terms.reliability.lambda_ppm,
        "split_ppm": line.split_ppm,
        "amount_nano": line.amount_nano,
        "cluster_nano": line.cluster_nano,
        "formula": formula(line, event, settlement),
    }


def _waiting(mine: list[Line], settlement: Settlement, titles: Mapping[WorkId, str]) -> Iterator[dict[str, str]]:
    """Money of the payee's works that nobody is paid yet; it waits in an account of the work."""
    new = {work for works in settlement.on_probation().values() for work in works}
    mine_by_account = {unclaimed(line.work): line.work for line in mine if line.work}
    sums = Counter({account: 0 for account in sorted(mine_by_account)})
    for line in settlement.lines:
        if line.account in mine_by_account:
            sums[line.account] += line.nano
    for account, nano in sums.items():
        if nano:
            work = mine_by_account[account]
            why = NEW if work in new else "no split names it"
            yield {"work": work, "title": titles.get(work, ""), "amount_nano": str(nano), "why": why}
