"""Data Provenance Metadata: the OASIS specification that grew from the Data & Trust Alliance's standards.

Source: oasis-tcs/dps, metadata specification 1.0, JSON schema as of July 2026 (a committee draft: names may change).
"""

import uuid
from collections.abc import Mapping
from typing import Any

from byline.disclosure.filings.corpus import Corpus
from byline.disclosure.filings.derive import VERSION, period, protected
from byline.disclosure.filings.filing import Filing, Regime
from byline.disclosure.filings.items import Answer, Derived, Item, Kind

SCHEMA = "https://docs.oasis-open.org/dps/prov-meta/v1.0/schema/data-provenance.json"
NAMESPACE = uuid.UUID("6d1c3f0a-2b57-5a55-9a39-3f1b0d6a7c11")
METHODS = {
    "crawl": "web-scraping-crawling",
    "sensor": "sensor-and-iot-output",
    "annotation": "primary-user-source",
    "purchase": "feeds",
    "crowdsourcing": "primary-user-source",
    "user_upload": "user-generated-content",
    "public_dataset": "syndication",
    "synthetic": "machine-generated-mlops-synthetic",
}
"""Families of the standard's method codes that our ways of acquisition fall under; the full code list is longer."""
PURPOSES = ("ai-pre-training", "ai-alignment", "ai-evaluation", "ai-synthetic")

SET, SOURCE, PROVENANCE, USE = "Set", "Source", "Provenance", "Use"
LIST = Kind.LIST

ITEMS = (
    *VERSION,
    Item("publisher.name", SET, "Publisher of this metadata"),
    Item("publisher.namespace", SET, "Address under the publisher's control", Kind.ADDRESS),
    Item("publisher.contact", SET, "How to reach the publisher", optional=True),
    Item("source.name", SOURCE, "Name of the dataset"),
    Item("source.content", SOURCE, "What the data are"),
    Item("source.purpose", SOURCE, "What they are recommended for"),
    Item("source.scope", SOURCE, "Limits of the data", optional=True),
    Item("source.issuer", SOURCE, "Legal name of who is responsible for the dataset"),
    Item("source.location", SOURCE, "Address of this metadata", Kind.ADDRESS),
    Item("provenance.countries", PROVENANCE, "Countries in which the data were collected", LIST),
    Item("provenance.date", PROVENANCE, "Day on which the dataset was compiled", Kind.DATE),
    Item("provenance.period", PROVENANCE, "Period of collection", optional=True),
    Item("provenance.methods", PROVENANCE, "Ways of collection", LIST),
    Item("provenance.format", PROVENANCE, "Kinds of data", LIST),
    Item("use.purposes", USE, f"Intended use, of {', '.join(PURPOSES)}", LIST),
    Item("use.licences", USE, "Licences of the works", LIST),
    Item("use.consents", USE, "Where consents are documented", LIST, optional=True),
    Item("use.personal", USE, "Is it classified as holding personal data?", Kind.YES_NO, optional=True),
    Item("use.privacy", USE, "Tools used to protect personal data", LIST, optional=True),
    Item("use.processing", USE, "Countries in which it may be processed", LIST, optional=True),
    Item("use.storage", USE, "Countries in which it may be stored", LIST, optional=True),
    Item("use.copyright", USE, "Copyright", LIST),
    Item("use.patent", USE, "Patents", LIST, optional=True),
    Item("use.trademark", USE, "Trademarks", LIST, optional=True),
)


def derive(corpus: Corpus, answers: Mapping[str, Answer]) -> dict[str, Derived]:
    found = {
        "provenance.date": Derived(corpus.frozen.isoformat(), f"{corpus.manifest} was frozen"),
        "provenance.format": Derived(list(corpus.modalities), f"works of {corpus.manifest}"),
        "use.licences": Derived([name or "none stated" for name in corpus.counted("licence")], "licences of the works"),
    }
    if period(corpus.works):
        found["provenance.period"] = Derived(period(corpus.works), "acquisitions of all works")
    if corpus.methods_known:
        found["provenance.methods"] = Derived(sorted(corpus.counted("method")), "acquisitions of all works")
    covered = protected(corpus)
    if covered is not None:
        says = "works protected by copyright, under the licences named" if covered.value else "none"
        found["use.copyright"] = Derived([says], covered.because)
    if corpus.personal is not None and any(count for _, count in corpus.personal):
        found["use.personal"] = Derived(True, corpus.personal_by)
    return found


def document(filing: Filing, corpus: Corpus) -> dict[str, Any]:
    """The metadata as JSON; a property whose field is open is not there, so an unfinished one does not validate."""
    return {
        "$schema": SCHEMA,
        "set": _set(filing, corpus),
        "source": _source(filing, corpus),
        "provenance": _provenance(filing, corpus),
        "use": _use(filing),
    }


def _set(filing: Filing, corpus: Corpus) -> dict[str, Any]:
    at, first = (f"{day}T00:00:00Z" for day in (filing.made.isoformat(), filing.text("first_made")))
    history = [{"date": first, "number": "1", "summary": "Made from the register."}]
    if filing.version > 1:
        history.append({"date": at, "number": str(filing.version), "summary": "Made again from the register."})
    publisher = {
        "name": filing.text("publisher.name"),
        "namespace": filing.text("publisher.namespace"),
        "contact-details": filing.text("publisher.contact"),
    }
    return {
        "category": "dp_base",
        "language": "en",
        "schema-version": "1.0",
        "publisher": _stated(publisher),
        "label": filing.text("source.name") or corpus.manifest,
        "tracking": {
            "id": corpus.manifest,
            "current-release-date": at,
            "initial-release-date": first,
            "generator": {"date": at, "engine": {"name": "Byline"}},
            "revision-history": history,
            "status": "draft" if filing.draft else "final",
            "version": str(filing.version),
        },
    }


def _source(filing: Filing, corpus: Corpus) -> dict[str, Any]:
    about = {name: filing.text(f"source.{name}") for name in ("content", "purpose", "scope")}
    issuer = filing.text("source.issuer")
    tree = {"tree-hashes": [{"algorithm": "sha256", "value": corpus.root}], "path": corpus.manifest}
    told = {
        "about": _stated(about),
        "id": {"hashes": [tree], "uuids": [str(uuid.uuid5(NAMESPACE, corpus.manifest + corpus.root))]},
        "issuer": [{"legal-name": issuer}] if issuer else "",
        "location": filing.text("source.location"),
        "name": filing.text("source.name"),
        "data-version": str(filing.version),
    }
    return _stated(told)


def _provenance(filing: Filing, corpus: Corpus) -> dict[str, Any]:
    methods = _list(filing, "provenance.methods")
    told: dict[str, Any] = {
        "origin-geography": _countries(filing, "provenance.countries"),
        "date": filing.text("provenance.date"),
        "generation-method": [{"code": METHODS.get(name, name), "description": name} for name in methods],
        "format": _list(filing, "provenance.format"),
    }
    start, _, end = filing.text("provenance.period").partition(" to ")
    if end:
        told["generation-period"] = {"start": f"{start}T00:00:00Z", "end": f"{end}T00:00:00Z"}
    return _stated(told)


def _use(filing: Filing) -> dict[str, Any]:
    told: dict[str, Any] = {
        "intended-purpose": [{"code": code, "description": code} for code in _list(filing, "use.purposes")],
        "license": _list(filing, "use.licences"),
        "consents": _list(filing, "use.consents"),
        "processing-included": _countries(filing, "use.processing"),
        "storage-allowed": _countries(filing, "use.storage"),
        "privacy-enhancing": [{"tool-used": tool} for tool in _list(filing, "use.privacy")],
    }
    told |= {name: _list(filing, f"use.{name}") for name in ("copyright", "patent", "trademark")}
    if "use.personal" in filing.values:
        personal = filing.values["use.personal"]
        told["classification"] = [{"regulation": {"code": "personal-data"}, "evaluated": personal}]
    return _stated(told)


def _stated(told: Mapping[str, Any]) -> dict[str, Any]:
    """Without what nobody has stated."""
    return {name: value for name, value in told.items() if value not in ("", [], {})}


def _list(filing: Filing, name: str) -> list[str]:
    value = filing.values.get(name, [])
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _countries(filing: Filing, name: str) -> list[dict[str, str]]:
    return [{"country": country} for country in dict.fromkeys(_list(filing, name))]


DPS = Regime(
    "dps",
    "Data provenance metadata",
    "OASIS Data Provenance Metadata 1.0 (committee draft of 2026), after the Data & Trust Alliance's standards 1.0.0",
    ITEMS,
    "source.name",
    derive,
    document=document,
    file="data-provenance.json",
)
