"""Facts from what other parts of Byline know: the licence of a work, the signals around it, the checks before a run."""

from collections.abc import Mapping
from datetime import datetime

from byline.core import GateError
from byline.gate.law.vocabulary import WORLD, Value
from byline.gate.licence import licence_terms

RESERVING = ("deny", "conditional")
TRAINING = ("tdm", "train.gen", "train.other")
"""Categories whose reservation stands against training."""

_READINGS = {"allow", "deny", "conditional", "unknown"}


def licence_facts(licence: str) -> dict[str, Value]:
    """What a licence expression establishes; nothing for one that is not in the table.

    A dedication to the public holds everywhere. A work said to be in the public domain is not shown to be so
    anywhere: terms of protection differ by place, and that is for the officer to establish.
    """
    terms = licence_terms(licence)
    if terms is None or terms.public_domain == "claimed":
        return {}
    facts: dict[str, Value] = {
        "licence_train": terms.train,
        "licence_reproduce": terms.reproduce,
        "licence_commercial": terms.commercial,
        "licence_attribution": terms.attribution,
        "licence_share_alike": terms.share_alike,
        "licence_restricts_use": bool(terms.restrictions),
    }
    return facts | ({"public_domain_in": frozenset({WORLD})} if terms.public_domain == "dedicated" else {})


def signal_facts(readings: Mapping[str, str], complete: bool) -> dict[str, Value]:
    """`reserved` from the resolved reading of each category: allow, deny, conditional or unknown.

    `complete`: every carrier that could have spoken was read, and none failed. Only then is silence "not reserved";
    that is not an allowance, but all that EU art. 4 asks for. With a carrier unread or failed, silence says nothing.
    Raises: GateError("bad-reading").
    """
    strange = sorted(set(readings.values()) - _READINGS)
    if strange:
        raise GateError("bad-reading", f"{', '.join(strange)} is no reading", f"one of {', '.join(sorted(_READINGS))}")
    found = [readings.get(category, "unknown") for category in TRAINING]
    if any(reading in RESERVING for reading in found):
        return {"reserved": True}
    return {"reserved": False} if complete or all(reading == "allow" for reading in found) else {}


def run_facts(rechecked: datetime | None, starts: datetime) -> dict[str, Value]:
    """Facts at the start of a run: how old the second reading of the signals is, in whole hours, rounded up.

    Without one, or with one dated after the start, the age is not known. Raises: GateError("bad-reading") for times
    without a zone.
    """
    if starts.tzinfo is None or (rechecked is not None and rechecked.tzinfo is None):
        raise GateError("bad-reading", "a time has no zone", "pass datetime.now(timezone.utc)")
    if rechecked is None or rechecked > starts:
        return {"phase": "run"}
    return {"phase": "run", "recheck_age_h": -int((rechecked - starts).total_seconds() // 3600)}
