"""From the rulings of several packs on a work to the gate's one decision, with its reason in a sentence."""

from collections.abc import Sequence

from byline.core import Decision, Verdict, WorkId
from byline.gate.law.ruling import SEVERITY, Outcome, Ruling

_RULES = {Outcome.DENY: "law-deny", Outcome.REVIEW: "law-review"}


def decision_of(work: WorkId, rulings: Sequence[Ruling]) -> Decision:
    """Admitted only where every pack permits it. The evidence names the rules and the packs by their digests."""
    worst = min((ruling.outcome for ruling in rulings), key=SEVERITY.index)
    verdict = Verdict.ADMIT if worst.permits else Verdict.REFUSE
    deciding = [ruling for ruling in rulings if ruling.outcome is worst or worst.permits]
    because = " ".join(_sentence(ruling) for ruling in deciding)
    rules = [f"rule:{reason.rule}" for ruling in deciding for reason in ruling.reasons]
    packs = [f"pack:{ruling.jurisdiction}:{ruling.pack[:16]}" for ruling in rulings]
    return Decision(work, verdict, _RULES.get(worst, "law-allow"), because, (*rules, *packs))


def _sentence(ruling: Ruling) -> str:
    """The first rule that applies speaks; of a review without one, what is open is counted."""
    applying = [reason for reason in ruling.reasons if reason.applies]
    if applying:
        more = f" (and {len(applying) - 1} more)" if len(applying) > 1 and not ruling.outcome.permits else ""
        return f"{ruling.jurisdiction}: {applying[0].because}{more}"
    count = len({name for reason in ruling.reasons for name in reason.open})
    return f"{ruling.jurisdiction}: {count} facts are not established."
