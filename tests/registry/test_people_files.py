"""Files of facts about people: read whole, all faults told with their line, and nothing recorded if there is one."""

import csv
import json
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from byline.core import PPM, party_id, sha256_hex
from byline.registry import (
    Claim,
    Dispute,
    Ground,
    Merge,
    People,
    Registry,
    Resolution,
    Succession,
    Withdrawal,
    read_catalogue,
    read_people,
    record_id,
)

TODAY, PROOF = date(2026, 5, 6), "cd" * 32
ANN, BOB, HEIR = party_id("Ann"), party_id("Bob"), party_id("Hospital")
CATALOGUE = (
    "path,title,contributor,role,created,source,licence,account\n"
    "ode.txt,Ode,Ann;Bob,author;author,1901-02-03,,CC0-1.0,Ann\n"
    "ode.txt,Lay,Bob,author,1901-02-03,,CC0-1.0,Ann\n"
    "lay.txt,Lay,Bob,author,1901-02-03,,CC0-1.0,Bob\n"
)
COLUMNS = ("kind", "person", "work", "account", "other", "share", "shares", "scheme", "number", "ground", "record",
           "effective", "evidence", "decided_by")  # fmt: skip


@pytest.fixture
def registry(database: sa.Engine, tmp_path: Path) -> Registry:
    (tmp_path / "ode.txt").write_text("Sing, o muse")
    (tmp_path / "lay.txt").write_text("Another song")
    (tmp_path / "works.csv").write_text(CATALOGUE)
    catalogue, problems = read_catalogue(tmp_path / "works.csv", None, None)
    assert problems == []
    found = Registry(database, tmp_path / "assets")
    found.add(catalogue, TODAY)
    return found


def write(path: Path, *rows: dict[str, str]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(kind: str, **cells: str) -> dict[str, str]:
    return {"kind": kind, "effective": "2026-01-02", "evidence": PROOF, **cells}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_every_kind_of_fact_is_read(registry: Registry, tmp_path: Path, ending: str) -> None:
    (tmp_path / "will.pdf").write_bytes(b"the will")
    ode = next(work.id for work in registry.works() if work.title == "Ode")
    dispute = Dispute(ode, ANN, BOB, 200_000, Ground.AUTHORSHIP, date(2026, 1, 2), PROOF)
    path = write(
        tmp_path / f"people.{ending}",
        {"kind": "party", "person": "Hospital", "effective": "2026-01-02"},
        row("succession", person="Ann", shares="Hospital=100%", decided_by="One;Two", evidence="will.pdf"),
        row("claim", person="Bob", work="Lay", account="Bob", share="0.5"),
        row("dispute", work="Ode", person="Ann", other="Bob", share="20%", ground="authorship"),
        row("resolution", record=dispute.id, shares="Bob=25%;Ann=75%", decided_by="The court"),
        row("merge", person="Hospital", other="Bob", decided_by="One"),
        row("merge", person="Hospital", decided_by="One"),
        row("identity", person="Ann", scheme="isni", number="0000000121032683"),
        row("withdrawal", record="claim:x", decided_by="One"),
    )
    found, problems = read_people(path, registry.works())
    assert problems == [] and found.parties == ("Hospital",) and len(found.at) == 8
    succession, claim, read, resolution, merge, undone, _, withdrawal = found.records
    will = sha256_hex(b"the will")
    assert succession == Succession(ANN, ((HEIR, PPM),), date(2026, 1, 2), will, ("One", "Two"))
    assert isinstance(claim, Claim) and claim.ppm == PPM // 2 and claim.admitted_by == ""
    assert read == dispute and record_id(read) == dispute.id
    assert isinstance(resolution, Resolution) and resolution.lines == ((BOB, 250_000), (ANN, 750_000))
    assert isinstance(merge, Merge) and merge.into == BOB and isinstance(undone, Merge) and undone.into is None
    assert isinstance(withdrawal, Withdrawal)


def test_all_faults_are_told_with_their_lines(registry: Registry, tmp_path: Path) -> None:
    path = write(
        tmp_path / "people.csv",
        row("marriage", person="Ann"),
        row("claim", person="Bob", work="Lay", share="50%"),
        row("claim", person="Bob", work="None", share="50%"),
        row("claim", person="Bob", work="Ode", share="150%"),
        row("claim", person="Bob", work="Ode", share="50%", evidence="missing.pdf"),
        row("claim", person="Bob", work="Ode", share="50%", evidence=""),
        row("claim", person="Bob", work="Ode", share="50%", effective="soon"),
        row("claim", work="Ode", share="50%"),
        row("dispute", work="Ode", person="Ann", other="Bob", share="20%", ground="envy"),
        row("succession", person="Ann", shares="Hospital", decided_by="One;Two"),
        row("succession", person="Ann", shares="Hospital=100%", decided_by="One"),
        row("identity", person="Ann", scheme="isni", number="0000000121032684"),
    )
    found, problems = read_people(path, registry.works())
    assert found.records == () and [problem.at.line for problem in problems] == list(range(2, 14))
    assert {problem.code for problem in problems} == {"bad-fact", "no-evidence", "bad-decision", "bad-identifier"}
    assert read_people(write(tmp_path / "none.csv"), registry.works())[1][0].code == "empty-file"
    assert read_people(tmp_path / "missing.csv", registry.works())[1][0].code == "missing-file"


def test_a_file_is_recorded_whole_or_not_at_all(registry: Registry, database: sa.Engine) -> None:
    people = People(database, registry)
    good = Succession(ANN, ((HEIR, PPM),), TODAY, PROOF, ("One", "Two"))
    bad = Withdrawal("claim:none", TODAY, "One")
    circle = Succession(HEIR, ((ANN, PPM),), TODAY, PROOF, ("One", "Two"))
    added = people.add_all(["Hospital"], [good, bad, circle], TODAY)
    assert [(at, fault.code) for at, fault in added.faults] == [(1, "no-such-record"), (2, "circular-succession")]
    assert (added.records, added.parties) == (0, 0)
    assert people.known().records == () and HEIR not in {party.id for party in registry.parties()}
    added = people.add_all(["Hospital"], [good], TODAY)
    assert added.ids == (record_id(good),) and (added.records, added.parties, added.faults) == (1, 1, ())
    again = people.add_all(["Hospital"], [good], TODAY)
    assert again.ids == added.ids and (again.records, again.parties) == (0, 0)
