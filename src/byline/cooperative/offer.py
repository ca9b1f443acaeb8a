"""A licence that members offer together, and how a crawler reads it: Really Simple Licensing (RSL) 1.0.

An offer never overrides a "no": a work is offered only if every one of its contributors is a member and none of them
has opted out; a work that somebody said no for is named in the document with a prohibition, so that the collective
offer cannot be read to cover it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from byline.core import CooperativeError, PartyId, Record, Work, WorkId

NAMESPACE = "https://rslstandard.org/rsl"
USES = ("all", "ai-all", "ai-train", "ai-input", "ai-index", "search")
PAYMENTS = ("purchase", "subscription", "training", "crawl", "use", "contribution", "attribution", "free")
REPORTS = ("telemetry", "provenance", "audit")
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Offer(Record):
    """Uses that are permitted, for what payment, and the reports that a licensee owes. `amount` in major units as text;
    `terms`: address of the contract. Raises: CooperativeError("bad-offer")."""

    permits: tuple[str, ...]
    payment: str
    amount: str
    currency: str
    terms: str
    reports: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        strange = sorted({*self.permits} - {*USES}) + sorted({*self.reports} - {*REPORTS})
        if strange or not self.permits or self.payment not in PAYMENTS:
            says = f"an offer of {' '.join(self.permits) or 'nothing'} for {self.payment}"
            fix = f"uses: {' '.join(USES)}; payment: {' '.join(PAYMENTS)}; reports: {' '.join(REPORTS)}"
            raise CooperativeError("bad-offer", says, fix)
        priced = bool(_AMOUNT.fullmatch(self.amount)) and bool(re.fullmatch("[A-Z]{3}", self.currency))
        if (self.payment == "free" and self.amount + self.currency) or (self.payment != "free" and not priced):
            says = f"{self.payment} for {self.amount!r} {self.currency!r}"
            raise CooperativeError("bad-offer", says, "write 0.02 and EUR; for free, leave both empty")
        if not _is_web(self.terms):
            raise CooperativeError("bad-offer", f"terms at {self.terms!r}", "give the https address of the contract")


@dataclass(frozen=True, slots=True)
class Covered(Record):
    """Works that an offer covers, works that somebody said no for, and works with contributors who are no members."""

    offered: tuple[WorkId, ...]
    refused: tuple[WorkId, ...]
    outside: tuple[WorkId, ...]


def covered(works: Iterable[Work], members: Iterable[PartyId], opted_out: Iterable[WorkId]) -> Covered:
    """All works, by id, each in one of the three."""
    inside, no = set(members), set(opted_out)
    found: dict[str, list[WorkId]] = {"offered": [], "refused": [], "outside": []}
    for work in sorted(works, key=lambda one: one.id):
        theirs = {part.party for part in work.contributions}
        kind = "refused" if work.id in no else "offered" if theirs and theirs <= inside else "outside"
        found[kind].append(work.id)
    return Covered(**{kind: tuple(ids) for kind, ids in found.items()})


def rsl(offer: Offer, place: Covered, works: Sequence[Work], base: str) -> bytes:
    """The document. `base`: the address under which works without one of their own are found, by id.

    Raises: CooperativeError("bad-offer") if the base is no https address.
    """
    if not _is_web(base):
        raise CooperativeError("bad-offer", f"works at {base!r}", "give the https address of the catalogue")
    where = {work.id: work_url(work, base) for work in works}
    parts = [_content(where[name], _permission(offer)) for name in place.offered]
    parts += [_content(where[name], ['<prohibits type="usage">all</prohibits>']) for name in place.refused]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<rsl xmlns={quoteattr(NAMESPACE)}>", *parts, "</rsl>", ""]
    return "\n".join(lines).encode()


def work_url(work: Work, base: str) -> str:
    return work.source if _is_web(work.source) else f"{base.rstrip('/')}/{work.id.replace(':', '/')}"


def _content(url: str, lines: Sequence[str]) -> str:
    inner = "".join(f"      {line}\n" for line in lines)
    return f"  <content url={quoteattr(url)}>\n    <license>\n{inner}    </license>\n  </content>"


def _permission(offer: Offer) -> list[str]:
    price = f"<amount currency={quoteattr(offer.currency)}>{escape(offer.amount)}</amount>" if offer.amount else ""
    return [
        f'<permits type="usage">{escape(" ".join(offer.permits))}</permits>',
        f"<payment type={quoteattr(offer.payment)}><custom>{escape(offer.terms)}</custom>{price}</payment>",
        *(f"<reporting type={quoteattr(kind)} endpoint={quoteattr(offer.terms)}/>" for kind in offer.reports),
    ]


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and not re.search(r"[\s<>\"\x00-\x1f]", url)
