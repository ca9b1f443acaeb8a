"""Everything about a notice as JSON: history, what it reaches, each trained model, clocks, challenges, conflicts."""

from datetime import date
from typing import TYPE_CHECKING, Any

from byline.app.notices import models, receipt_path, trainings
from byline.core import WorkId
from byline.registry import Dossier, NoticeKind, Papers, Reach, TargetKind, What, challenge, clocks, next_due

if TYPE_CHECKING:
    from byline.app.home import Home


def told(home: "Home", dossier: Dossier, on: date, reach: Reach) -> dict[str, Any]:
    """Everything about a notice, as JSON."""
    papers, due = home.notices.papers(dossier.notice.id), next_due(dossier)
    owed = models(trainings(home), reach.works)
    return {
        **dossier.notice.to_json(),
        "by": papers.by if papers else None,
        "contact": papers.contact if papers else None,
        "reason": papers.reason if papers else None,
        "level": str(dossier.level()),
        "status": dossier.state(on),
        "in_force": dossier.in_force(on),
        "history": [{"what": "received", "at": dossier.notice.received.isoformat()}, *_history(dossier)],
        "works": list(reach.works),
        "similar": [{"work": near.work, "bits": near.bits} for near in reach.similar],
        "models": owed,
        "next_due": due.to_json() if due else None,
        "clocks": [clock.to_json() for clock in clocks(dossier)],
        "challenges": _challenges(dossier, papers),
        "conflicts": conflicts(home, dossier, on, set(reach.works)),
        "receipt": str(receipt_path(home, dossier.notice.id)) if papers else None,
        "leaf": int(logged.because) if (logged := dossier.receipt()) else None,
    }


def _history(dossier: Dossier) -> list[dict[str, Any]]:
    return [
        {"what": str(each.what), "at": each.at.isoformat(), "level": str(each.level), "because": each.because,
         "decided_by": each.decided_by}
        for each in dossier.changes
        if each.what is not What.LOGGED
    ]  # fmt: skip


def _challenges(dossier: Dossier, papers: Papers | None) -> dict[str, str]:
    """What the person must show, and where."""
    if papers is None:
        return {}
    found = {"contact": challenge(papers, "contact"), "withdraw": challenge(papers, "withdraw")}
    if dossier.notice.target.kind in (TargetKind.DOMAIN, TargetKind.COLLECTION):
        found["domain"] = challenge(papers, "domain")
    return found


def conflicts(home: "Home", dossier: Dossier, on: date, works: set[WorkId]) -> list[str]:
    """Claims of other people to works that this notice reaches. Neither is preferred: the no holds meanwhile."""
    mine, reached, found = home.notices.papers(dossier.notice.id), home.reached(), []
    for other in home.notices.all():
        if other.notice.id == dossier.notice.id or not other.in_force(on):
            continue
        if NoticeKind.CLAIM not in (other.notice.kind, dossier.notice.kind):
            continue
        theirs = home.notices.papers(other.notice.id)
        if mine and theirs and mine.by == theirs.by:
            continue
        if works & set(reached.by(other.notice.target).works):
            found.append(other.notice.id)
    return found
