"""The arithmetic of one line of a settlement, with its numbers filled in, for anybody to do again."""

from byline.core import PPB, PPM, RevenueEvent
from byline.ledger.division import deductions, sums_of, traced
from byline.ledger.lines import Basis, Line, Settlement
from byline.ledger.terms import Unattributed


def formula(line: Line, event: RevenueEvent, settlement: Settlement) -> str:
    """The arithmetic of one line: event -> cluster, then cluster -> payee. Each result is within one whole nano-unit
    of the left side per division made, because parts are rounded so that they add up exactly."""
    own, all_works = line.in_cluster
    return (
        f"{_to_cluster(line, event, settlement)} = {line.cluster_nano}; "
        f"{line.cluster_nano} × {own} / {all_works} × {decimal_text(line.split_ppm, PPM)} = {line.amount_nano}"
    )


def decimal_text(number: int, whole: int) -> str:
    """`number / whole` in exact decimals; `whole` is a power of ten."""
    digits = len(str(whole)) - 1
    return f"{number // whole}.{number % whole:0{digits}d}".rstrip("0").removesuffix(".")


def _to_cluster(line: Line, event: RevenueEvent, settlement: Settlement) -> str:
    policy, lam = settlement.terms.policy, decimal_text(settlement.terms.reliability.lambda_ppm, PPM)
    net, tau = event.nano - sum(deductions(event, settlement)), decimal_text(policy.train_share_ppm, PPM)
    weight, whole = line.share
    sums = sums_of(settlement, event.id)
    if line.basis in (Basis.FLAT, Basis.TOLL):
        return f"{net} × {weight} / {whole}"
    if sums and line.basis is Basis.ATTRIBUTION:
        return f"{sums.outputs} outputs, each (price − deductions) × (1 − {tau}) × {lam} × its share, added up"
    if sums:
        to_prior = int(sums.prior_nano)
        to_prior += int(sums.unattributed_nano) if policy.unattributed is Unattributed.PRIOR else 0
        return f"{sums.training_nano if line.basis is Basis.TRAINING else to_prior} × {weight} / {whole}"
    factor = {
        Basis.TRAINING: f"{tau}",
        Basis.PRIOR: f"(1 − {tau}) × (1 − {lam}{_untraced(settlement)})",
        Basis.ATTRIBUTION: f"(1 − {tau}) × {lam}",
    }[line.basis]
    return f"{net} × {factor} × {weight} / {whole}"


def _untraced(settlement: Settlement) -> str:
    if settlement.terms.policy.unattributed is not Unattributed.PRIOR:
        return ""
    lam = decimal_text(settlement.terms.reliability.lambda_ppm, PPM)
    return f" + {lam} × {decimal_text(traced(settlement)[1], PPB)}"
