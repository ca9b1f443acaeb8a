"""One record of each kind of evidence with every field filled, and a registry to keep them in."""

from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa

from byline.core import Role, account_id, party_id
from byline.registry import (
    Acquisition,
    Consent,
    Credit,
    Ending,
    EvidenceRecord,
    Grant,
    LegalDecision,
    Licence,
    Method,
    Registry,
    Robots,
    Signal,
    Snapshot,
    Subject,
    TrainingRun,
    Use,
    Why,
    read_catalogue,
)

TODAY, DAY, LATER = date(2026, 5, 6), date(2024, 2, 1), date(2025, 2, 1)
ANN, BOB = party_id("Ann"), party_id("Bob")
PRESS = account_id("press")
PROOF, OTHER = "ab" * 32, "cd" * 32
CATALOGUE = (
    "path,title,contributor,role,created,source,licence,account\n"
    "ode.txt,Ode,Ann;Bob,author;translator,1901-02-03,https://www.Poems.example.org/ode?x=1,CC0-1.0,\n"
    "lay.txt,Lay,Bob,author,1902-02-03,shelf 4,,press\n"
)


def registry_of_two(database: sa.Engine, folder: Path) -> Registry:
    """A registry with the works Ode and Lay."""
    (folder / "ode.txt").write_text("Sing, o muse")
    (folder / "lay.txt").write_text("Of arms and the man")
    (folder / "works.csv").write_text(CATALOGUE)
    catalogue, problems = read_catalogue(folder / "works.csv", None, None)
    assert problems == []
    registry = Registry(database, folder / "assets")
    registry.add(catalogue, DAY)
    return registry


def ids(registry: Registry) -> dict[str, str]:
    return {work.title: work.id for work in registry.works()}


def full_records(work: str) -> tuple[EvidenceRecord, ...]:
    """Every kind, every field filled."""
    facts = (("lawful_access", "yes"), ("tos_forbids", "no"))
    seen = datetime(2024, 2, 1, 13, 5, tzinfo=UTC)
    consent = Consent(
        ANN, "*", (Subject.VOICE, Subject.LIKENESS), (Use.TRAIN_GEN, Use.VOICE_SYNTHESIS), "Operator", DAY, LATER,
        ("EU", "JP"), "signed", "en", PROOF, OTHER, facts,
    )  # fmt: skip
    return (
        Acquisition(
            work, Method.CRAWL, DAY, "https://example.org/ode", LATER, seen, "ExampleBot", Robots.ALLOWED, "set 1.2",
            "contract 7", "crawl-1.warc.gz", PROOF, facts,
        ),
        Licence(work, "LicenseRef-press", DAY, LATER, "https://example.org/l", "imprint", PROOF, "Cleo", facts),
        Grant(
            f"party:{ANN.removeprefix('party:')}", ANN, "Operator", (Use.TDM, Use.TRAIN_GEN), ("EU", "US"), DAY, LATER,
            False, "12000000000", "EUR", "per year", "contract 8", PROOF, facts,
        ),
        consent,
        Credit(work, BOB, Role.VOICE, DAY, PROOF),
        Ending(consent.id, Why.WITHDRAWN, LATER, "asked, «please»", PROOF),
        Signal(
            "domain:example.org", seen, "https://example.org/robots.txt", "/ode?x=1", "robots.txt", "content-usage",
            "aipref-vocab-08", "Content-Usage: train-ai=n", "group *", 7, (("train.gen", "deny"), ("tdm", "unknown")),
            "allow", PROOF, "image", ("pay",), ("a note",), "Signer", "valid", "",
        ),
        LegalDecision(
            work, "EU", Use.TRAIN_GEN, "review", DAY, "2026.11", ("eu-4-3", "eu-6"), "it is reserved; ask", PROOF,
            OTHER, "strict", ("attribute",), ("grant",), LATER,
        ),
        Snapshot("manifest:1", PROOF, DAY, 2, 1, "autumn", OTHER, "origin\n5\nroot", ("set 1.2",)),
        TrainingRun("run:1", "main", "byline-lm", "manifest:1", PROOF, DAY, LATER, "origin\n5", OTHER, "commercial",
                    "1.2"),
    )  # fmt: skip
