"""Typed ids. An id is opaque text with a kind before the colon; it never is a row number.

`work_id` and `example_id` are derived from content, so re-ordering or de-duplicating a data set changes none.
"""

from typing import NewType

from byline.core.hashing import digest

PartyId = NewType("PartyId", str)  # "party:..."    a person, estate or organisation
AccountId = NewType("AccountId", str)  # "account:..."  who submitted a work
WorkId = NewType("WorkId", str)  # "work:..."     a protected creation
ClusterId = NewType("ClusterId", str)  # "cluster:..."  near-identical works: the unit of credit
ExampleId = NewType("ExampleId", str)  # "ex:..."       (work, span, content): one item the optimizer saw
QueryId = NewType("QueryId", str)  # "query:..."    an output whose origin is asked
ManifestId = NewType("ManifestId", str)  # "manifest:..." frozen list of admitted works
RunId = NewType("RunId", str)  # "run:..."      one recorded training
EventId = NewType("EventId", str)  # "event:..."    money received


def make_id(kind: str, *parts: str | int) -> str:
    """`kind:` and the first 20 hex digits of the SHA-256 of the parts (80 bits: no collision below 10**11 ids)."""
    return f"{kind}:{digest(list(parts))[:20]}"


def party_id(name: str) -> PartyId:
    return PartyId(make_id("party", name))


def account_id(name: str) -> AccountId:
    return AccountId(make_id("account", name))


def work_id(account: AccountId, title: str, content_sha256: str) -> WorkId:
    return WorkId(make_id("work", account, title, content_sha256))


def cluster_id(canonical: WorkId) -> ClusterId:
    """A cluster is named after its canonical (earliest evidenced) work."""
    return ClusterId(make_id("cluster", canonical))


def example_id(work: WorkId, start: int, end: int, content_sha256: str) -> ExampleId:
    """`start`, `end`: the span in the work, in characters of its normalised text (end not included)."""
    return ExampleId(make_id("ex", work, start, end, content_sha256))


def query_id(text: str, kind: str) -> QueryId:
    return QueryId(make_id("query", kind, text))
