"""The register on both databases: everything or nothing, nothing twice, nothing edited."""

import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from evidence_samples import full_records

from byline.core import (
    PPM,
    ClusterId,
    Decision,
    Manifest,
    ManifestEntry,
    ManifestId,
    RegistryError,
    Split,
    Verdict,
    WorkId,
    party_id,
)
from byline.registry import (
    Catalogue,
    Counts,
    Looked,
    Merge,
    People,
    Registry,
    Review,
    open_database,
    read_catalogue,
    schema,
)

TODAY = date(2024, 5, 6)
WORKS = "path,title,contributor,role,created,source,licence,account\n"
SPLITS = "title,contributor,share,effective\n"
OPT_OUTS = "contributor,title,effective,recorded,reason\n"
ROWS = (
    "ode.txt,Ode,Ann;Bob;Bob;Cid,author;editor;translator;editor,1901-02-03,shelf,CC0-1.0,\n"
    "saga.txt,Saga,Cid,author,1950-01-01,,,\n"
    "saga.txt,Saga again,Dan,author,1850-01-01,,,\n"
)


@pytest.fixture
def registry(database: sa.Engine, tmp_path: Path) -> Registry:
    return Registry(database, tmp_path / "assets")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "ode.txt").write_text("Sing, o muse")
    (folder / "saga.txt").write_bytes("\ufeffÞat var\r\nsnemma".encode())
    return folder


def catalogue(folder: Path, works: str = ROWS, splits: str = "", opt_outs: str = "") -> Catalogue:
    paths = [folder / name for name in ("works.csv", "splits.csv", "opt-outs.csv")]
    for path, text in zip(paths, (WORKS + works, SPLITS + splits, OPT_OUTS + opt_outs), strict=True):
        path.write_text(text)
    read, problems = read_catalogue(*paths)
    assert problems == []
    return read


def ids(registry: Registry) -> dict[str, WorkId]:
    return {work.title: work.id for work in registry.works()}


def contents(database: sa.Engine) -> dict[str, int]:
    with database.connect() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in schema.metadata.sorted_tables
        }


def test_migrations_make_the_tables_that_the_code_reads(registry: Registry, database: sa.Engine) -> None:
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "registry_version"})
        assert compare_metadata(context, schema.metadata) == []


def test_what_is_added_is_what_is_asked_for(registry: Registry, folder: Path) -> None:
    given = catalogue(folder, opt_outs="Ann,Ode,2001-01-01,2001-01-02,no\nCid,,2002-01-01,2001-01-02,\n")
    assert registry.add(given, TODAY) == Counts(parties=4, works=3, splits=0, opt_outs=2)
    assert registry.works() == tuple(sorted((entry.work for entry in given.works), key=lambda work: work.id))
    assert registry.parties() == tuple(sorted(given.parties, key=lambda party: party.id))
    assert registry.accounts() == dict(given.accounts)
    work = given.works[1].work
    assert registry.work(work.id) == work
    assert registry.text(work.id) == "Þat var\r\nsnemma"
    order = registry.registration_order()
    assert sorted(order, key=order.__getitem__) == [entry.work.id for entry in given.works]
    assert set(registry.opt_outs(date(2100, 1, 1))) == set(given.opt_outs)
    by_title = ids(registry)
    assert registry.opted_out_works(date(2000, 12, 31)) == ()
    assert registry.opted_out_works(date(2001, 1, 1)) == (by_title["Ode"],)
    assert registry.opted_out_works(date(2002, 1, 1)) == tuple(sorted([by_title["Ode"], by_title["Saga"]]))


def test_adding_again_adds_nothing(registry: Registry, database: sa.Engine, folder: Path) -> None:
    given = catalogue(folder, ROWS, "Saga,Cid,50%,2001-01-01\n", "Ann,,2001-01-01,2001-01-02,no\n")
    registry.add(given, TODAY)
    before = contents(database)
    assert registry.add(given, date(2025, 1, 1)) == Counts(0, 0, 0, 0)
    assert contents(database) == before


def test_the_split_in_force(registry: Registry, folder: Path) -> None:
    registry.add(catalogue(folder, splits="Saga,Cid,80%,2010-01-01\nSaga,Cid,70%,2005-01-01\n"), TODAY)
    saga, cid = ids(registry)["Saga"], party_id("Cid")

    def share(day: date) -> tuple[int, bool]:
        split = registry.splits_on(day)[saga]
        return dict(split.lines)[cid], split.agreed

    assert share(date(2004, 12, 31)) == (PPM, False)
    assert share(date(2005, 1, 1)) == (700_000, True)
    assert share(date(2009, 12, 31)) == (700_000, True)
    assert share(date(2010, 1, 1)) == (800_000, True)
    superseding = catalogue(folder, splits="Saga,Cid,60%,2005-01-01\n")
    assert registry.add(superseding, TODAY).splits == 1
    assert share(date(2005, 1, 1)) == (600_000, True)
    assert share(date(2010, 1, 1)) == (800_000, True)


def test_equal_shares_until_something_is_agreed(registry: Registry, folder: Path) -> None:
    registry.add(catalogue(folder), TODAY)
    split = registry.splits_on(TODAY)[ids(registry)["Ode"]]
    assert [party for party, _ in split.lines] == sorted(map(party_id, ("Ann", "Bob", "Cid")))
    assert [ppm for _, ppm in split.lines] == [333_334, 333_333, 333_333]
    assert list(registry.splits_on(TODAY)) == sorted(ids(registry).values())


def test_a_title_taken_and_a_fact_changed_are_refused_with_their_lines(
    registry: Registry, database: sa.Engine, folder: Path
) -> None:
    registry.add(catalogue(folder), TODAY)
    before, assets = contents(database), sorted(os.listdir(folder.parent / "assets"))
    (folder / "ode.txt").write_text("Sing, o other muse")
    changed = catalogue(folder, ROWS.replace("1950-01-01", "1949-01-01") + "ode.txt,New,Eve,author,1999-01-01,,,\n")
    assert [(problem.code, problem.at.line) for problem in registry.problems(changed)] == [
        ("title-taken", 2),
        ("work-differs", 3),
    ]
    with pytest.raises(RegistryError, match=r"works\.csv:2: 'Ode'.*\n.*works\.csv:3: .* other created") as caught:
        registry.add(changed, TODAY)
    assert caught.value.code == "catalogue-conflicts"
    assert contents(database) == before
    assert sorted(os.listdir(folder.parent / "assets")) == assets


def test_a_file_that_changes_after_reading_leaves_nothing_behind(
    registry: Registry, database: sa.Engine, folder: Path
) -> None:
    given = catalogue(folder)
    (folder / "saga.txt").write_text("something else")
    with pytest.raises(RegistryError, match=r"saga\.txt") as caught:
        registry.add(given, TODAY)
    assert caught.value.code == "file-changed"
    assert set(contents(database).values()) == {0}
    assert os.listdir(folder.parent / "assets") == []


def test_a_failure_of_the_database_leaves_nothing_behind(registry: Registry, database: sa.Engine, folder: Path) -> None:
    given = catalogue(folder)
    broken = Split(given.works[0].work.id, ((party_id("nobody"), 5),), TODAY)
    with pytest.raises(sa.exc.IntegrityError):
        registry.add(Catalogue(given.works, given.parties, given.accounts, (broken,), ()), TODAY)
    assert set(contents(database).values()) == {0}
    assert os.listdir(folder.parent / "assets") == []
    assert registry.add(given, TODAY).works == 3


def test_a_killed_process_leaves_all_or_nothing(database_url: str, folder: Path) -> None:
    """Killed after the rows are written and before they are committed."""
    catalogue(folder)
    script = f"""
        import os, signal
        from datetime import date
        from pathlib import Path
        from byline.registry import Registry, open_database, read_catalogue, register
        given, _ = read_catalogue(Path({str(folder / "works.csv")!r}), None, None)
        registry = Registry(open_database({database_url!r}), Path({str(folder.parent / "assets")!r}))
        register.add_opt_outs = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        registry.add(given, date(2024, 5, 6))
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    engine = open_database(database_url)
    registry = Registry(engine, folder.parent / "assets")
    assert registry.works() == ()
    assert registry.add(catalogue(folder), TODAY).works == 3
    assert registry.text(ids(registry)["Ode"]) == "Sing, o muse"
    engine.dispose()


@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_no_row_can_be_edited(registry: Registry, database: sa.Engine, folder: Path, change: str) -> None:
    registry.add(catalogue(folder, ROWS, "Saga,Cid,50%,2001-01-01\n", "Ann,,2001-01-01,2001-01-02,no\n"), TODAY)
    work = ids(registry)["Ode"]
    registry.save_decisions([Decision(work, Verdict.ADMIT, "admitted", "", ())], TODAY)
    entry = ManifestEntry(work, "ab", ClusterId("cluster:1"))
    registry.save_manifest(Manifest(ManifestId("manifest:1"), TODAY, (entry,), (), ""))
    registry.evidence.add(full_records(work), TODAY)
    People(database, registry).add(Merge(party_id("Ann"), None, TODAY, "Reviewer", "0" * 64), TODAY)
    registry.verdicts.add(Review(work, Looked.RELEASED, "", "read", "Olga", datetime(2026, 1, 1, tzinfo=UTC), "salt"))
    for table in schema.metadata.sorted_tables:
        if table.name.startswith("notice"):  # they have tests of their own; their papers can be erased
            continue
        if table.info.get("derived") == "decisions":  # held to them in test_verdicts.py
            continue
        column = table.columns.keys()[-1]
        with database.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=f"append-only: {table.name}"):
            connection.exec_driver_sql(change.format(table.name, column, column))


def test_texts_are_proved_by_their_digest(registry: Registry, folder: Path) -> None:
    registry.add(catalogue(folder), TODAY)
    work = registry.work(ids(registry)["Ode"])
    asset = folder.parent / "assets" / f"{work.sha256}.txt"
    asset.write_text("Sing, o mouse")
    with pytest.raises(RegistryError) as caught:
        registry.text(work.id)
    assert caught.value.code == "asset-altered"
    asset.unlink()
    with pytest.raises(RegistryError) as caught:
        registry.text(work.id)
    assert caught.value.code == "asset-missing"
    registry.add(catalogue(folder), TODAY)
    assert registry.text(work.id) == "Sing, o muse"


def test_the_newest_decision_on_each_work(registry: Registry, folder: Path) -> None:
    registry.add(catalogue(folder), TODAY)
    ode, saga = ids(registry)["Ode"], ids(registry)["Saga"]
    first = [Decision(work, Verdict.ADMIT, "admitted", "fine", ()) for work in (ode, saga)]
    second = Decision(saga, Verdict.REFUSE, "opt-out", "no", ("party:1",))
    registry.save_decisions(first, TODAY)
    registry.save_decisions([second], date(2025, 1, 1))
    assert registry.decisions() == tuple(sorted([first[0], second], key=lambda decision: decision.work))


def test_manifests_are_kept_as_they_are(registry: Registry, folder: Path) -> None:
    with pytest.raises(RegistryError) as caught:
        registry.latest_manifest()
    assert caught.value.code == "no-such-manifest"
    refused = Decision(WorkId("work:9"), Verdict.REFUSE, "opt-out", "«no»", ("party:1",))
    entry = ManifestEntry(WorkId("work:1"), "ab", ClusterId("cluster:1"))
    manifests = [Manifest(ManifestId(f"manifest:{n}"), TODAY, (entry,), (refused,), "ff") for n in (2, 1)]
    for manifest in [*manifests, manifests[0]]:
        registry.save_manifest(manifest)
    assert registry.latest_manifest() == manifests[1]
    assert registry.manifest(manifests[0].id) == manifests[0]
    with pytest.raises(RegistryError, match="manifest:3"):
        registry.manifest(ManifestId("manifest:3"))


def test_an_unknown_work(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="work:none") as caught:
        registry.text(WorkId("work:none"))
    assert caught.value.code == "no-such-work"
