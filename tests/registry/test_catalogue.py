"""Catalogue files: what is read from them, and that every fault is named with its line, all at once."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import PPM, Contribution, OptOut, Problem, Role, Split, account_id, party_id, sha256_hex
from byline.registry import Catalogue, read_catalogue
from byline.registry.catalogue import parse_share

WORKS = "path,title,contributor,role,created,source,licence,account\n"
SPLITS = "title,account,contributor,share,effective\n"
OPT_OUTS = "contributor,title,effective,recorded,reason\n"
ODE = "ode.txt,Ode,Ann;Bob,author;translator,1901-02-03,shelf 4,CC0-1.0,\n"
SAGA = "saga.txt,Saga,Cid,author,1950-01-01,,,press\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ode.txt").write_bytes(b"\xef\xbb\xbfSing, o muse")
    (tmp_path / "saga.txt").write_bytes("Þat var snemma\n".encode())
    return tmp_path


def read(
    folder: Path, works: str | bytes, splits: str | None = None, opt_outs: str | None = None
) -> tuple[Catalogue, list[Problem]]:
    paths: list[Path | None] = []
    for name, text in (("works.csv", works), ("splits.csv", splits), ("opt-outs.csv", opt_outs)):
        path = folder / name
        if text is not None:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(path if text is not None else None)
    assert paths[0] is not None
    return read_catalogue(paths[0], paths[1], paths[2])


def faults(problems: list[Problem]) -> list[tuple[str, str, int]]:
    return [(problem.code, Path(problem.at.file).name, problem.at.line) for problem in problems]


def test_a_good_catalogue(folder: Path) -> None:
    splits = SPLITS + "Ode,,Ann,60%,2001-01-01\nOde,,Bob,0.3333,2001-01-01\nOde,,Bob,100 %,2002-01-01\n"
    opt_outs = OPT_OUTS + 'Cid,,2020-01-01,2019-12-31,"no, thank you"\nBob,Ode,2021-01-01,2021-01-01,\n'
    catalogue, problems = read(folder, WORKS + ODE + SAGA, splits, opt_outs)
    assert problems == []
    ode, saga = (entry.work for entry in catalogue.works)
    assert ode.contributions == (
        Contribution(party_id("Ann"), Role.AUTHOR),
        Contribution(party_id("Bob"), Role.TRANSLATOR),
    )
    assert (ode.account, ode.created, ode.source, ode.licence) == (
        account_id("Ann"),
        date(1901, 2, 3),
        "shelf 4",
        "CC0-1.0",
    )
    assert ode.sha256 == sha256_hex(b"\xef\xbb\xbfSing, o muse")
    assert (saga.account, saga.licence) == (account_id("press"), "")
    assert {party.name for party in catalogue.parties} == {"Ann", "Bob", "Cid"}
    assert dict(catalogue.accounts) == {account_id("Ann"): "Ann", account_id("press"): "press"}
    first = tuple(sorted([(party_id("Ann"), 600_000), (party_id("Bob"), 333_300)]))
    assert catalogue.splits == (
        Split(ode.id, first, date(2001, 1, 1)),
        Split(ode.id, ((party_id("Bob"), PPM),), date(2002, 1, 1)),
    )
    assert catalogue.opt_outs == (
        OptOut(party_id("Cid"), None, date(2020, 1, 1), date(2019, 12, 31), "no, thank you"),
        OptOut(party_id("Bob"), ode.id, date(2021, 1, 1), date(2021, 1, 1), ""),
    )


def test_json_lines_say_the_same_as_csv(folder: Path) -> None:
    names = WORKS.strip().split(",")
    rows = [dict(zip(names, line.strip().split(","), strict=True)) for line in (ODE, SAGA)]
    rows[0] |= {"contributor": ["Ann", "Bob"], "role": ["author", "translator"], "account": None}
    (folder / "works.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    (folder / "splits.jsonl").write_text(
        '{"title": "Ode", "contributor": "Ann", "share": 0.3, "effective": "2001-01-01"}'
    )
    from_json, problems = read_catalogue(folder / "works.jsonl", folder / "splits.jsonl", None)
    from_csv, _ = read(folder, WORKS + ODE + SAGA, SPLITS + "Ode,,Ann,30%,2001-01-01\n")
    assert problems == []
    assert [entry.work for entry in from_json.works] == [entry.work for entry in from_csv.works]
    assert from_json.splits == from_csv.splits


def test_all_problems_of_a_works_file_at_once(folder: Path) -> None:
    (folder / "latin.txt").write_bytes(b"one\ntwo\xe9")
    (folder / "blank.txt").write_text(" \n--\n")
    works = WORKS + (
        "gone.txt,A,Ann,author,1901-01-01,,,\n"  # 2
        "latin.txt,B,Ann,author,1901-01-01,,,\n"
        "blank.txt,C,Ann,author,1901-01-01,,,\n"
        "ode.txt,D,,author,1901-01-01,,,\n"  # 5
        'ode.txt,"E\ne",Ann,poet,1901-01-01,,,\n'  # 6 and 7
        "ode.txt,F,Ann,author,1901-13-01,,,\n"
        "ode.txt,G,Ann;Bob,author,1901-01-01,,,\n"
        "ode.txt,,Ann,author,1901-01-01,,,\n"  # 10
        "ode.txt,H\n"
        "ode.txt,I,Ann;Ann,author;author,1901-01-01,,,\n"
        "ode.txt,J,Ann,author,1901-01-01,,,\n"
        "ode.txt,J,Ann,author,1901-01-01,,,\n"
        "saga.txt,J,Ann,author,1901-01-01,,,\n"  # 15
        ",K,Ann;;Bob,baker,today,,,\n"
    )
    catalogue, problems = read(folder, works)
    assert [(code, line) for code, _, line in faults(problems)] == [
        ("bad-row", 11),
        ("file-missing", 2),
        ("encoding", 3),
        ("empty-text", 4),
        ("no-contributor", 5),
        ("unknown-role", 6),
        ("bad-date", 8),
        ("role-count", 9),
        ("no-title", 10),
        ("contributor-twice", 12),
        ("duplicate-work", 14),
        ("title-taken", 15),
        ("no-contributor", 16),
        ("bad-date", 16),
        ("file-missing", 16),
    ]
    assert [entry.work.title for entry in catalogue.works] == ["J"]
    says = {problem.at.line: problem.says for problem in problems}
    assert "latin.txt" in says[3] and "0xe9 at offset 7 (line 2)" in says[3]
    assert "poet" in says[6] and "translator" in says[6]
    assert "works.csv:13" in says[14] and "works.csv:13" in says[15]


def test_all_problems_of_splits_and_opt_outs_at_once(folder: Path) -> None:
    works = WORKS + ODE + SAGA + "saga.txt,Ode,Cid,author,1950-01-01,,,\n" + "gone.txt,Lost,Ann,author,1950-01-01,,,\n"
    splits = SPLITS + (
        "Ode,Ann,Ann,70%,2001-01-01\n"  # 2
        "Ode,Ann,Bob,0.345,2001-01-01\n"
        "Ode,Ann,Dan,10%,2001-01-01\n"
        "Odd,Ann,Ann,10%,2001-01-01\n"  # 5
        "Ode,,Ann,10%,2001-01-01\n"
        "Ode,Zoe,Ann,10%,2001-01-01\n"
        "Saga,,Cid,60,2001-01-01\n"
        "Saga,,Cid,0.12345678,2001-01-01\n"
        "Saga,,Cid,some,2001-01-01\n"  # 10
        "Saga,,Cid,0%,2001-01-01\n"
        "Saga,,Cid,5%,soon\n"
        "Saga,,Cid,5%,2003-01-01\n"
        "Saga,,Cid,5%,2003-01-01\n"
        "Lost,,Ann,5%,2003-01-01\n"  # 15: reported once, in the works file
    )
    opt_outs = OPT_OUTS + "Dan,,2001-01-01,2001-01-01,\nAnn,Saga,2001-01-01,2001-01-01,\nAnn,Odd,2001-01-01,x,\n"
    catalogue, problems = read(folder, works, splits, opt_outs)
    assert sorted(faults(problems), key=lambda fault: (fault[1], fault[2])) == [
        ("unknown-contributor", "opt-outs.csv", 2),
        ("unknown-work", "opt-outs.csv", 3),
        ("bad-date", "opt-outs.csv", 4),
        ("unknown-work", "opt-outs.csv", 4),
        ("shares-over-100", "splits.csv", 3),
        ("unknown-contributor", "splits.csv", 4),
        ("unknown-work", "splits.csv", 5),
        ("ambiguous-work", "splits.csv", 6),
        ("unknown-work", "splits.csv", 7),
        ("bad-share", "splits.csv", 8),
        ("bad-share", "splits.csv", 9),
        ("bad-share", "splits.csv", 10),
        ("bad-share", "splits.csv", 11),
        ("bad-date", "splits.csv", 12),
        ("share-twice", "splits.csv", 14),
        ("file-missing", "works.csv", 5),
    ]
    assert any("add to 104.5 %" in problem.says for problem in problems)
    assert catalogue.splits == ()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", [("empty-catalogue", 0)]),
        (WORKS, [("empty-catalogue", 0)]),
        ("title,path,colour\n", [("unknown-column", 1), *[("missing-column", 1)] * 5]),
        (WORKS.encode() + b"ode.txt,\xff", [("encoding", 0)]),
        (WORKS + 'ode.txt,"Ode\n', [("bad-row", 2)]),
    ],
)
def test_a_file_that_is_no_catalogue(folder: Path, content: str | bytes, expected: list[tuple[str, int]]) -> None:
    catalogue, problems = read(folder, content)
    assert [(code, line) for code, _, line in faults(problems)] == expected
    assert catalogue.works == ()


def test_files_that_are_not_there(folder: Path) -> None:
    _, problems = read_catalogue(folder / "a.csv", folder / "b.csv", folder / "c.jsonl")
    assert faults(problems) == [("missing-file", name, 0) for name in ("a.csv", "b.csv", "c.jsonl")]


@pytest.mark.parametrize("line", ["{", "[1]", "[" * 100_000, '{"title": "A"}'])
def test_bad_json_lines(folder: Path, line: str) -> None:
    (folder / "works.jsonl").write_text("\n" + line + "\n")
    _, problems = read_catalogue(folder / "works.jsonl", None, None)
    assert problems
    assert {problem.at.line for problem in problems} == {2}


def test_offset_of_a_bad_byte_counts_the_byte_order_mark(folder: Path) -> None:
    _, problems = read(folder, b"\xef\xbb\xbfpath\n\xff")
    assert "offset 8 (line 2)" in problems[0].says


@given(st.integers(1, PPM))
def test_every_part_per_million_can_be_written_and_is_read_exactly(ppm: int) -> None:
    assert parse_share(f"{ppm // 10_000}.{ppm % 10_000:04d}%") == ppm
    assert parse_share(f"{ppm // PPM}.{ppm % PPM:06d}") == ppm


@pytest.mark.parametrize(
    "text", ["", "%", "-5%", "NaN", "inf", "1e9999999", "1e-9999999", "100.0001%", "0.60000000000000000000000000000001"]
)
def test_what_is_no_share(text: str) -> None:
    assert parse_share(text) is None
