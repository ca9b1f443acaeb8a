"""Works, corpora and answers to make filings of."""

from datetime import date

from byline.disclosure.filings import Answer, Corpus, Kind, Material

TODAY = date(2026, 11, 22)
FROZEN = date(2026, 11, 1)


def material(number, **more):
    told = {
        "work": f"work:{number:020d}",
        "title": f"Work {number}",
        "modality": "text",
        "bytes": 1000 + number,
        "licence": "CC-BY-4.0",
        "source": f"https://www.site{number}.example/{number}",
        "domain": f"site{number}.example",
        "created": date(2020, 1, 1),
        "sha256": f"{number:064x}",
        "method": "crawl",
        "acquired": date(2026, 10, 1),
    }
    return Material(**(told | more))


def corpus_of(works, **more):
    told = {
        "name": "main",
        "run": "run:0123456789",
        "manifest": "manifest:0123456789",
        "root": "ab" * 32,
        "frozen": FROZEN,
        "works": tuple(works),
        "refused": (("opt-out", 3), ("near-copy", 1)),
        "examples": 40,
        "tokens": 5120,
        "base_tokens": 0,
        "parameters": 1000,
        "trained": date(2026, 11, 5),
    }
    return Corpus(**(told | more))


def an_answer(item):
    """Something that fits the item."""
    return {
        Kind.TEXT: f"Words about {item.id}.",
        Kind.YES_NO: True,
        Kind.DATE: "2026-11-20",
        Kind.MONTH: "2026-10",
        Kind.NUMBER: 7,
        Kind.LIST: ["text"],
        Kind.ADDRESS: f"https://example.com/{item.id}",
        Kind.CHOICE: item.options[0] if item.options else "",
    }[item.kind]


def every_answer(regime, corpus):
    """Answers to all that the records leave open."""
    from byline.disclosure.filings import make_filing

    fields = make_filing(regime, corpus, {}, TODAY).fields
    asked = [field.item for field in fields if field.value is None and field.item.kind is not Kind.TABLE]
    applicable = [item for item in asked if all(f.item.id != item.id or f.state != "not-applicable" for f in fields)]
    told = {item.id: Answer(an_answer(item), "Jane Officer", TODAY) for item in applicable}
    if regime.name == "eu":
        for name in ("2.1", "2.3", "2.4.services", "2.5"):
            if name in told:
                told[name] = Answer(False, "Jane Officer", TODAY)
                for key in [key for key in told if key.startswith(f"{name.partition('.s')[0]}.") and key != name]:
                    if key not in ("2.4.model", "2.4.comments", "2.4.services"):
                        del told[key]
    if regime.name == "spdx":
        told["concluded"] = Answer("CC-BY-4.0", "Jane Officer", TODAY)
    return told
