"""Files of evidence: what is written reads back as the same, and everything wrong with a file is named at once."""

import csv
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from evidence_samples import ANN, DAY, LATER, PROOF, TODAY, full_records, ids, registry_of_two
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import Problem, Record
from byline.registry import (
    Acquisition,
    Ending,
    EvidenceRecord,
    Licence,
    Method,
    Registry,
    Signal,
    Snapshot,
    Use,
    Why,
    open_database,
)
from byline.registry.cells import text_of, value_of
from byline.registry.evidence_schema import COLUMNS
from byline.registry.exchange import KINDS, export_records, file_columns, import_records
from byline.registry.rows import read_rows

ONE = timedelta(1)
ENDINGS = ("csv", "jsonl")


@pytest.fixture
def registry(database: sa.Engine, tmp_path: Path) -> Registry:
    return registry_of_two(database, tmp_path)


def kind_of(record: EvidenceRecord) -> str:
    return next(name for name, kind in KINDS.items() if kind is type(record))


def written(registry: Registry, database: sa.Engine, kind: str, path: Path) -> Path:
    export_records(database, kind, registry.evidence.history(KINDS[kind]), path)
    return path


def faults(problems: list[Problem]) -> list[tuple[str, int]]:
    return [(problem.code, problem.at.line) for problem in problems]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_is_written_and_read_into_another_register_as_the_same(
    registry: Registry, database: sa.Engine, tmp_path: Path, ending: str
) -> None:
    records = full_records(ids(registry)["Ode"])
    registry.evidence.add(records, TODAY)
    other_engine = open_database(tmp_path / "other.db")
    (tmp_path / "other").mkdir()
    other = registry_of_two(other_engine, tmp_path / "other")
    for record in sorted(records, key=lambda record: isinstance(record, Ending)):
        kind = kind_of(record)
        path = written(registry, database, kind, tmp_path / f"{kind}.{ending}")
        assert import_records(other_engine, kind, path, TODAY + 9 * ONE) == (1, 1, [])
        again = written(other, other_engine, kind, tmp_path / "other" / path.name)
        assert again.read_bytes() == path.read_bytes()
        assert import_records(other_engine, kind, path, TODAY + 9 * ONE) == (0, 1, [])
    for kind in KINDS.values():
        assert other.evidence.history(kind) == registry.evidence.history(kind) != ()
    other_engine.dispose()
    assert not list(tmp_path.rglob("*.part"))


words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
moments = st.datetimes(date_min := datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from(
    [UTC, timezone(timedelta(hours=-5, minutes=-30))]))  # fmt: skip
signals = st.builds(
    Signal,
    about=st.just("*"),
    observed_at=moments,
    source=words.map(str.strip).filter(bool),
    path=words.map(str.strip).filter(bool),
    raw=words,
    rule=words,
    line=st.integers(0, 10**6),
    canonical=st.dictionaries(st.sampled_from(["tdm", "train.gen", "index"]), st.sampled_from(["allow", "deny"])).map(
        lambda found: tuple(found.items())
    ),
    duties=st.lists(words, max_size=3).map(tuple),
    notes=st.lists(words, max_size=3).map(tuple),
    signer=words.map(str.strip),
)


@settings(max_examples=150, deadline=None)
@given(signals, st.sampled_from(ENDINGS))
def test_any_signal_survives_a_file(tmp_path_factory: pytest.TempPathFactory, record: Signal, ending: str) -> None:
    from byline.registry.evidence import Entry
    from byline.registry.exchange import write_rows

    path = tmp_path_factory.getbasetemp() / f"signal.{ending}"
    header = [column.name for column in COLUMNS[Signal]]
    write_rows(path, header, [{name: getattr(record, name) for name in header}])
    (row,), problems = read_rows(path, file_columns("signals"))
    assert problems == []
    values = {c.name: value_of(c, row[c.name], lambda name: name) for c in COLUMNS[Signal] if row[c.name]}
    back = Signal(**values)
    assert back == record and back.id == record.id
    assert Record.digest(record) == record.digest()  # the fast digest is the canonical one
    assert Entry(record, record.id, record.id, DAY, "", None).record is record


@given(st.lists(words, max_size=4))
def test_any_list_survives_a_cell(parts: list[str]) -> None:
    column = next(column for column in COLUMNS[Signal] if column.name == "notes")
    cell = text_of(tuple(parts))
    assert (value_of(column, cell, lambda name: name) if cell else ()) == tuple(parts)


def test_all_problems_of_a_file_at_once_and_nothing_added(
    registry: Registry, database: sa.Engine, tmp_path: Path
) -> None:
    old = Licence("*", "MIT", DAY)
    registry.evidence.add([old], TODAY)
    path = tmp_path / "licences.csv"
    path.write_text(
        "about,expression,effective,until,facts,supersedes,recorded,id\n"
        "Ode,CC0-1.0,2024-01-01,,,,,\n"  # 2 fine
        "Odd,CC0-1.0,2024-01-01,,,,,\n"
        "party:Zoe,CC0-1.0,2024-01-01,,,,,\n"
        "account:press,CC0-1.0,today,,,,,\n"  # 5
        "domain:exa mple,,2024-01-01,2023-01-01,,,,\n"
        "*,MIT,2024-01-01,,commercial,,,\n"
        "*,MIT,2024-01-01,,a=b;a=c,,,\n"
        "*,MIT,2024-01-01,,,licence:none,,\n"
        f"*,MIT,2024-01-01,,,{old.id},,\n"  # 10 fine
        f"*,BSD,2024-01-01,,,{old.id},,\n"
        "*,MIT,2024-01-02,,,,2027-01-01,\n"
        "*,MIT,2024-01-03,,,,2020-01-01,\n"
        "*,MIT,2024-01-04,,,,,licence:altered\n"
        "work:none,MIT,2024-01-01,,,,,\n"  # 15
        "Ode,MIT\n"
        ",MIT,,,,,,\n"
    )
    added, rows, problems = import_records(database, "licences", path, TODAY)
    assert (added, rows) == (0, 15)
    assert faults(problems) == [
        ("no-such-work", 3), ("unknown-party", 4), ("bad-value", 5), ("bad-about", 6), ("empty-field", 6),
        ("bad-value", 7), ("bad-facts", 8), ("no-such-record", 9), ("already-superseded", 11), ("bad-recorded", 12),
        ("clock-back", 13), ("id-differs", 14), ("no-such-work", 15), ("bad-row", 16), ("bad-about", 17),
        ("empty-field", 17),
    ]  # fmt: skip
    assert [entry.record for entry in registry.evidence.history(Licence)] == [old]


def test_what_superseded_a_faulty_row_is_not_a_second_fault(
    registry: Registry, database: sa.Engine, tmp_path: Path
) -> None:
    first = Licence("*", "A", DAY)
    registry.evidence.add([first, Licence("*", "B", LATER, supersedes=first.id)], TODAY)
    path = written(registry, database, "licences", tmp_path / "l.csv")
    path.write_text(path.read_text().replace(",A,", ",Z,"))
    other = open_database(tmp_path / "other.db")
    Registry(other, tmp_path / "none")
    _, _, problems = import_records(other, "licences", path, TODAY)
    assert faults(problems) == [("id-differs", 2)]
    other.dispose()


def test_people_write_titles_and_names_and_a_short_form(
    registry: Registry, database: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "grants.csv"
    path.write_text(
        "about,grantor,grantee,uses,territory,effective,revocable,amount_nano,currency\n"
        " Ode ,Ann,Operator,train.gen; tdm,EU;US,2024-02-01,NO,5,EUR\n"
        "domain:HTTPS://WWW.Example.ORG/x,Ann,Operator,index,WORLD,2024-02-01,,,\n"
        "party:Bob,Bob,Operator,index,WORLD,2024-02-01,true,,\n"
    )
    assert import_records(database, "grants", path, TODAY) == (3, 3, [])
    first, second, third = (entry.record for entry in registry.evidence.history(KINDS["grants"]))
    assert first.about == ids(registry)["Ode"] and first.grantor == ANN and first.uses == (Use.TRAIN_GEN, Use.TDM)
    assert (first.revocable, first.amount_nano, second.revocable, third.revocable) == (False, "5", True, True)
    assert second.about == "domain:www.example.org" and third.about.startswith("party:")


@pytest.mark.parametrize(
    ("kind", "line", "code"),
    [
        ("acquisitions", {"about": "*", "method": "stolen", "effective": "2024-01-01", "source": "x"}, "bad-value"),
        ("acquisitions", {"about": "*", "method": "crawl", "effective": 20240101.5, "source": "x"}, "bad-value"),
        ("acquisitions", {"about": ["*"], "method": [], "effective": None, "source": "x"}, "empty-field"),
        ("acquisitions", {"about": "*", "method": "crawl", "effective": "2024-01-01"}, "missing-column"),
        ("licences", {"about": "*", "expression": "MIT", "effective": "2024-01-01", "colour": 1}, "unknown-column"),
        ("licences", {"about": "*", "expression": "a\0b", "effective": "2024-01-01"}, "bad-text"),
        ("licences", {"about": "*", "expression": "MIT", "effective": "2024-01-01", "facts": ['"']}, "bad-value"),
        ("snapshots", {"manifest": "m", "manifest_root": PROOF, "effective": "2024-01-01", "works": "1e3",
                       "refused": 0}, "bad-value"),
        ("endings", {"record": "grant:1", "why": "withdrawn", "effective": "2024-01-01"}, "no-such-record"),
    ],
)  # fmt: skip
def test_bad_json_lines(registry: Registry, database: sa.Engine, tmp_path: Path, kind, line, code) -> None:
    path = tmp_path / "file.jsonl"
    path.write_text("\n" + json.dumps(line) + "\n")
    added, _, problems = import_records(database, kind, path, TODAY)
    assert added == 0 and faults(problems)[0] == (code, 2)
    assert registry.evidence.history(KINDS[kind]) == ()


def test_a_truncated_file_of_every_kind_adds_nothing(registry: Registry, database: sa.Engine, tmp_path: Path) -> None:
    records = full_records(ids(registry)["Ode"])
    for record in records:
        kind = kind_of(record)
        path = tmp_path / f"{kind}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(column.name for column in COLUMNS[type(record)])
            writer.writerow(text_of(getattr(record, column.name)) for column in COLUMNS[type(record)])
        path.write_bytes(path.read_bytes()[:-40])
        added, _, problems = import_records(database, kind, path, TODAY)
        assert added == 0 and problems
        assert registry.evidence.history(type(record)) == ()


def test_recorded_days_of_a_moved_register_are_kept_and_never_run_back(
    registry: Registry, database: sa.Engine, tmp_path: Path
) -> None:
    records = [Acquisition("*", Method.SENSOR, DAY, f"roof {n}") for n in range(3)]
    for n, record in enumerate(records):
        registry.evidence.add([record], TODAY + n * ONE)
    path = written(registry, database, "acquisitions", tmp_path / "a.csv")
    other = open_database(tmp_path / "other.db")
    moved = Registry(other, tmp_path / "none")
    assert import_records(other, "acquisitions", path, date(2030, 1, 1)) == (3, 3, [])
    assert moved.evidence.history(Acquisition) == registry.evidence.history(Acquisition)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    third = open_database(tmp_path / "third.db")
    Registry(third, tmp_path / "none")
    _, _, problems = import_records(third, "acquisitions", path, date(2030, 1, 1))
    assert faults(problems) == [("clock-back", 3), ("clock-back", 4)]
    other.dispose()
    third.dispose()


def test_endings_name_records_of_any_kind(registry: Registry, database: sa.Engine, tmp_path: Path) -> None:
    run = full_records("*")[-1]
    registry.evidence.add([run, replace(full_records("*")[8], works=5)], TODAY)
    path = tmp_path / "endings.csv"
    path.write_text(f"record,why,effective,because\n{run.id},mistaken,2024-02-01, typed twice \n")
    assert import_records(database, "endings", path, TODAY) == (1, 1, [])
    assert registry.evidence.in_force(type(run), LATER) == ()
    assert len(registry.evidence.in_force(Snapshot, LATER)) == 1
    (ending,) = registry.evidence.history(Ending)
    assert ending.record == Ending(run.id, Why.MISTAKEN, DAY, " typed twice ")


GOOD = (
    "about,expression,effective,until,facts,stated_in\n"
    '*,MIT,2024-01-01,,"train=permits;commercial=yes",\n'
    'domain:example.org,"LicenseRef-""a"" b",2024-02-01,2025-01-01,,\n'
)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 4), st.binary(max_size=6), st.sampled_from(ENDINGS))
def test_a_damaged_file_is_told_or_is_a_file(
    tmp_path_factory: pytest.TempPathFactory, at: int, cut: int, put: bytes, ending: str
) -> None:
    """Whatever happens to the bytes of a file: no crash, and either problems and nothing added, or records."""
    path = tmp_path_factory.getbasetemp() / f"damaged.{ending}"
    good = GOOD.encode() if ending == "csv" else b'{"about": "*", "expression": "MIT", "effective": "2024-01-01"}\n' * 3
    at = min(at, len(good) - 1)
    path.write_bytes(good[:at] + put + good[at + cut :])
    added, rows, problems = import_records(damaged_register(tmp_path_factory), "licences", path, TODAY)
    assert not (added and problems) and added <= rows


def damaged_register(factory: pytest.TempPathFactory, kept: list[sa.Engine] = []) -> sa.Engine:  # noqa: B006
    """One for all damaged files; adding to it is what is tested."""
    if not kept:
        folder = factory.mktemp("damaged")
        kept.append(open_database(folder / "byline.db"))
        registry_of_two(kept[0], folder)
    return kept[0]
