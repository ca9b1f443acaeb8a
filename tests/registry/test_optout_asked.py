"""What the database is asked about a notice is what reading all works would say, on both databases."""

import pytest
from test_shelf import ACCOUNT, DAY, NAMES, SOURCES, fill, works_of_chance

from byline.core import Manifest as Frozen
from byline.core import ManifestEntry, account_id, cluster_id, party_id
from byline.registry import Asked, Names, Reached, Registry, Shelf, Target, TargetKind, asked_names, read_target
from byline.registry import optout_asked as module
from byline.registry.optout_iscc import Units
from byline.registry.rights import Credit, Role

WHOLE = ("https://books.example.org", "https://books.example.org/a", "https://BOOKS.example.org/a", "https://exam",
         "https://example.org/b/", "shelf", "shelf 12", "100%_x")  # fmt: skip
DOMAINS = ("example.org", "books.example.org", "notexample.org", "org", "shelf 12", "12", "xample.org")


@pytest.fixture
def registry(database, tmp_path):
    found = Registry(database, tmp_path / "assets")
    fill(database, list(works_of_chance()))
    later = found.works()[5]
    found.evidence.add([Credit(later.id, party_id("!!!"), Role.TRANSLATOR, DAY)], DAY)
    return found


def no_codes(work):
    return Units("", f"ISCC:{work.sha256[:12].upper()}")


def targets(registry):
    works = registry.works()
    yield from (Target(TargetKind.WORK, work.id) for work in works[:9])
    yield from (Target(TargetKind.FILE, work.sha256) for work in works[:9])
    yield from (Target(TargetKind.CONTRIBUTOR, party_id(name)) for name in (*NAMES, "Nobody"))
    yield from (Target(TargetKind.ACCOUNT, name) for name in (ACCOUNT, account_id("nobody")))
    yield from (Target(TargetKind.DOMAIN, name) for name in DOMAINS)
    yield from (Target(TargetKind.COLLECTION, prefix) for prefix in (*WHOLE, *filter(None, SOURCES)))
    yield from (Target(TargetKind.WORK, "work:none"), Target(TargetKind.FILE, "0" * 64))


@pytest.mark.parametrize("patience", [1_000, 3])
def test_a_target_reaches_the_same_works_whichever_way_it_is_asked(registry, database, monkeypatch, patience):
    monkeypatch.setattr(module, "PATIENCE", patience)
    everything = Reached(registry.works(), no_codes)
    asked = Asked(database, registry, Shelf(database, registry), no_codes)
    found = 0
    for target in targets(registry):
        assert asked.by(target) == everything.by(target), target
        found += len(asked.by(target).works)
    assert found > 100


def test_names_that_are_asked_are_those_that_are_read(registry, database):
    read = Names.of(registry.works(), registry.accounts(), registry.parties())
    asked = asked_names(database, registry)
    titles = [work.title for work in registry.works()]
    for text in (*titles, *NAMES, "contributor:Ada Moore", "account:somebody", "domain:example.org", "Nothing", "",
                 *(work.id for work in registry.works()[:5]), ACCOUNT, party_id("Ada Moore")):  # fmt: skip
        assert said(text, asked) == said(text, read), text
    assert dict(asked.titles) == {title: tuple(sorted(ids)) for title, ids in read.titles.items()}


def said(text, names):
    from byline.core import RegistryError

    try:
        return read_target(text, names)
    except RegistryError as fault:
        return fault.code, fault.message


def test_which_works_stand_in_a_manifest_is_asked_and_not_read(registry):
    works = registry.works()
    entries = tuple(ManifestEntry(work.id, work.sha256, cluster_id(work.id)) for work in works[:20])
    frozen = Frozen("manifest:1", DAY, entries, (), "ab" * 32)
    registry.save_manifest(frozen)
    assert registry.has_manifest("manifest:1") and not registry.has_manifest("manifest:2")
    assert registry.manifest_works("manifest:1", [work.id for work in works[15:30]]) == [w.id for w in works[15:20]]
    assert registry.manifest_works("manifest:2", [works[0].id]) == []
