"""The catalogue written to files and registered again elsewhere: the same works, people, splits and opt-outs."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from evidence_samples import DAY, TODAY, ids, registry_of_two

from byline.core import PPM, Contribution, RegistryError, Role, party_id
from byline.registry import Counts, Credit, Registry, open_database, read_catalogue

WORKS = (
    "path,title,contributor,role,created,source,licence,account\n"
    '"ode.txt","Ode, «the first»\nor ""second""",Ann;Bob,author;translator,1901-02-03,https://example.org/ode,CC0-1.0,\n'
    "lay.txt,Lay,Bob,photographer,1902-02-03,shelf 4,,press\n"
    "lay.txt,Rune,Ann;Cid,subject;annotator,1903-01-01,,MIT OR Apache-2.0,\n"
)
SPLITS = (
    "title,account,contributor,share,effective\n"
    "Lay,,Bob,33.3333%,2001-01-01\nLay,,Bob,70%,2002-01-01\nRune,,Cid,0.000001,2001-01-01\nRune,,Ann,0.5,2001-01-01\n"
)
OPT_OUTS = (
    "contributor,title,effective,recorded,reason\n"
    'Cid,,2020-01-01,2019-12-31,"no, thank you"\nBob,Lay,2021-01-01,2021-01-02,\n'
)
KINDS = ("works", "splits", "opt-outs")


def registered(folder: Path, engine: sa.Engine, ending: str = "csv") -> Registry:
    catalogue, problems = read_catalogue(*(folder / f"{kind}.{ending}" for kind in KINDS))
    assert problems == []
    registry = Registry(engine, folder / "assets")
    registry.add(catalogue, DAY)
    return registry


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_register_moves_by_its_files(database: sa.Engine, tmp_path: Path, ending: str) -> None:
    (tmp_path / "ode.txt").write_bytes(b"\xef\xbb\xbfSing,\r\no muse")
    (tmp_path / "lay.txt").write_text("Of arms")
    for kind, text in zip(KINDS, (WORKS, SPLITS, OPT_OUTS), strict=True):
        (tmp_path / f"{kind}.csv").write_text(text)
    first = registered(tmp_path, database)
    away = tmp_path / "away"
    for kind, rows in zip(KINDS, (3, 4, 2), strict=True):
        assert first.export_file(kind, away / f"{kind}.{ending}") == rows
    assert first.export_file("parties", away / f"parties.{ending}") == 3
    engine = open_database(tmp_path / "second.db")
    second = registered(away, engine, ending)
    assert second.works() == first.works() and second.accounts() == first.accounts()
    assert second.parties() == first.parties()
    assert list(second.registration_order()) == list(first.registration_order())
    for day in (date(2000, 1, 1), date(2001, 1, 1), date(2002, 1, 1)):
        assert second.splits_on(day) == first.splits_on(day)
    assert second.opt_outs(date.max) == first.opt_outs(date.max)
    for work in first.works():
        assert second.text(work.id) == first.text(work.id)
    assert second.import_file("parties", away / f"parties.{ending}", TODAY) == (0, 3, [])
    engine.dispose()
    assert not list(tmp_path.rglob("*.part"))


def test_an_export_stops_at_a_text_that_was_altered(database: sa.Engine, tmp_path: Path) -> None:
    registry = registry_of_two(database, tmp_path)
    work = registry.work(ids(registry)["Ode"])
    (tmp_path / "assets" / f"{work.sha256}.txt").write_text("Sing, o mouse")
    with pytest.raises(RegistryError) as caught:
        registry.export_file("works", tmp_path / "away" / "works.csv")
    assert caught.value.code == "asset-altered"
    assert not (tmp_path / "away" / "works.csv").exists()


def test_parties_come_in_whole_or_not_at_all(database: sa.Engine, tmp_path: Path) -> None:
    registry = registry_of_two(database, tmp_path)
    path = tmp_path / "parties.csv"
    path.write_text(f"name,id\nThe Estate,\nZoe,{party_id('Ann')}\n,\nAnn,{party_id('Ann')}\n")
    added, rows, problems = registry.import_file("parties", path, TODAY)
    assert (added, rows) == (0, 4)
    assert [(p.code, p.at.line) for p in problems] == [("id-differs", 3), ("empty-field", 4)]
    path.write_text("name\nThe Estate\nAnn\nThe Estate\n")
    assert registry.import_file("parties", path, TODAY) == (1, 3, [])
    assert "The Estate" in {party.name for party in registry.parties()}
    for kind in ("works", "poems"):
        with pytest.raises(RegistryError) as caught:
            registry.import_file(kind, path, TODAY)
        assert caught.value.code == "unknown-kind"


def test_a_credit_adds_a_contributor_from_its_day_on(database: sa.Engine, tmp_path: Path) -> None:
    registry = registry_of_two(database, tmp_path)
    lay, ann = ids(registry)["Lay"], party_id("Ann")
    before = registry.work(lay)
    registry.evidence.add([Credit(lay, ann, Role.VOICE, date(2025, 1, 1))], TODAY)
    after = registry.work(lay)
    assert after.contributions == (*before.contributions, Contribution(ann, Role.VOICE))
    assert {work.id: work for work in registry.works()}[lay] == after
    assert {work.id: work for work in registry.works(date(2024, 12, 31))}[lay] == before
    assert dict(registry.splits_on(date(2024, 12, 31))[lay].lines) == {party_id("Bob"): PPM}
    assert dict(registry.splits_on(date(2025, 1, 1))[lay].lines)[ann] == PPM // 2
    catalogue, _ = read_catalogue(tmp_path / "works.csv", None, None)
    assert registry.add(catalogue, TODAY) == Counts(0, 0, 0, 0)  # what was handed in is still what was handed in


def test_who_is_shown_has_no_share_unless_one_is_agreed(database: sa.Engine, tmp_path: Path) -> None:
    registry = registry_of_two(database, tmp_path)
    works = ids(registry)
    registry.evidence.add([Credit(works["Lay"], party_id("Ann"), Role.SUBJECT, DAY)], TODAY)
    assert dict(registry.splits_on(TODAY)[works["Lay"]].lines) == {party_id("Bob"): PPM}
    assert len(registry.work(works["Lay"]).contributions) == 2
