"""A few works of a register: what the shelf finds is what looking at all of them finds, on both databases."""

import random
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from byline.core import Contribution, Role, Work, account_id, party_id, sha256_hex, work_id
from byline.registry import PartyNames, Registry, Shelf, Works, domain_of, schema, writing
from byline.registry import register as register_module
from byline.registry import terms as terms_module
from byline.registry.register_rows import add_works, insert_rows
from byline.registry.rights import Credit
from byline.registry.terms import MOST_WORDS, TermKind, add_name_terms, domain_term, terms, words_of

NAMES = ("Ada Moore", "Émile Zola", "Ben Okoro", "井上 靖", "ada lovelace", "!!!")
TITLES = ("The River", "River book", "the rivers of time", "Nachtstück", "NACHT", "夜の川", "A-river_by (night)", "…")
SOURCES = ("https://books.example.org/a", "https://example.org/b", "https://notexample.org/c", "shelf 12", "")
DAY = date(2026, 1, 1)
ACCOUNT = account_id("somebody")


def works_of_chance(count=60, seed=0):
    draw = random.Random(seed)
    for number in range(count):
        title = f"{draw.choice(TITLES)} {number % 7}" if number % 3 else f"{draw.choice(TITLES)} {number}"
        digest = sha256_hex(str(number).encode())
        people = draw.sample(NAMES, draw.randint(1, 3))
        parts = tuple(Contribution(party_id(name), Role.AUTHOR) for name in people)
        title = f"{title}{' ' * (number // 7)}x"  # an account gives each title once
        made = date(1900 + draw.randrange(90), 1, 1)
        yield Work(
            work_id(ACCOUNT, title, digest), title, "text", ACCOUNT, parts, made, draw.choice(SOURCES), "", digest
        )


def fill(engine, works):
    with writing(engine) as connection:
        insert_rows(connection, schema.accounts, [{"id": ACCOUNT, "name": "somebody"}])
        insert_rows(connection, schema.parties, [{"id": party_id(name), "name": name} for name in NAMES])
        add_name_terms(connection, [(party_id(name), name) for name in NAMES])
        add_works(connection, works, DAY)


@pytest.fixture
def registry(database, tmp_path):
    found = Registry(database, tmp_path / "assets")
    fill(database, list(works_of_chance()))
    later = found.works()[5]
    found.evidence.add([Credit(later.id, party_id("!!!"), Role.TRANSLATOR, DAY)], DAY)
    return found


@pytest.fixture
def shelf(database, registry):
    return Shelf(database, registry)


def has_words(text, asked):
    own = words_of(text)
    return all(any(word.startswith(each) for word in own) for each in words_of(asked)[:MOST_WORDS])


@pytest.fixture(params=[(1_000, 5_000), (3, 5_000), (3, 4), (0, 1)], ids=str)
def bounds(request, monkeypatch):
    """Few works are as many: every way to look is taken."""
    for name, bound in zip(("FEW", "MANY"), request.param, strict=True):
        monkeypatch.setattr(terms_module, name, bound)


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize(
    "asked", ["river", "RIVER book", "riv", "nacht", "nachtstu\u0308ck", "川", "夜", "night by", "the river x", "iver"]
)
def test_titles_are_found_by_how_their_words_begin(registry, shelf, asked):
    wanted = {work.id for work in registry.works() if has_words(work.title, asked)}
    found = shelf.titled(asked, 1000)
    assert {work.id for work in found.works} == wanted and found.count == len(wanted)
    assert [work.id for work in shelf.after("", 1000, asked)] == sorted(wanted)
    assert bool(wanted) == (asked != "iver")


def test_a_domain_has_all_below_it_and_none_beside_it(registry, shelf):
    for domain in ("example.org", "books.example.org", "org", "xample.org"):
        wanted = {w.id for w in registry.works() if f".{domain_of(w.source)}".endswith(f".{domain}")}
        assert {work.id for work in shelf.from_domain(domain, 1000).works} == wanted
        assert shelf.from_domain(domain, 1).count == len(wanted)
    assert domain_term("example.org") == "org.example."


def test_people_are_found_with_their_works(registry, shelf):
    assert [person.name for person in shelf.named("ada", 9)] == ["Ada Moore", "ada lovelace"] or [
        person.name for person in shelf.named("ada", 9)] == ["ada lovelace", "Ada Moore"]  # fmt: skip
    for name in NAMES:
        party = party_id(name)
        wanted = [work for work in registry.works() if any(part.party == party for part in work.contributions)]
        found = shelf.works_of(party, 1000)
        assert {work.id for work in found.works} == {work.id for work in wanted} and found.count == len(wanted)
        assert [w.created for w in found.works] == sorted(w.created for w in wanted)
        (person,) = (each for each in shelf.named(name, 9) if each.id == party)
        assert person.works == len(wanted)
        half, rest = (
            shelf.works_of(party, 3, "").works,
            shelf.works_of(party, 1000, sorted(w.id for w in wanted)[2]).works,
        )
        assert [work.id for work in (*half, *rest)] == sorted(work.id for work in wanted)


def test_pages_lose_none_and_have_what_the_register_has(registry, shelf):
    every = {work.id: work for work in registry.works()}
    by_title = [work for at in range(0, 70, 8) for work in shelf.by_title(at, 8)]
    assert {work.id: work for work in by_title} == every and len(by_title) == len(every) == shelf.works()
    seen, after = [], ""
    while page := shelf.after(after, 7):
        seen, after = [*seen, *page], page[-1].id
    assert seen == list(every.values())
    assert shelf.parties() == len(NAMES)


def test_mappings_read_one_and_know_all(registry, shelf):
    works, names = Works(registry, shelf), PartyNames(registry, shelf)
    one = registry.works()[7]
    assert works[one.id] == one and "work:none" not in works and works.get("work:none") is None
    assert dict(works) == {work.id: work for work in registry.works()} and len(works) == len(dict(works))
    assert "party:none" not in names and names[party_id("Ada Moore")] == "Ada Moore"
    assert dict(names) == {party.id: party.name for party in registry.parties()} and len(names) == len(NAMES)


def test_single_questions_read_single_works(registry, shelf, monkeypatch):
    monkeypatch.setattr(registry, "works", lambda *_: pytest.fail("all works were read"))
    wanted = [work.id for work in shelf.by_title(0, 10)]
    works = Works(registry, shelf)
    assert [works[work].id for work in wanted] == wanted and len(works) == 60


def test_a_search_sees_what_comes_later_and_the_stamp_tells(database, registry, shelf):
    before = registry.stamp()
    with writing(database) as connection:
        insert_rows(connection, schema.parties, [{"id": party_id("Zoe"), "name": "Zoe"}])
        add_name_terms(connection, [(party_id("Zoe"), "Zoe")])
    assert [person.name for person in shelf.named("zoe", 9)] == ["Zoe"] and registry.stamp() != before


def test_an_older_register_is_made_searchable(database, tmp_path):
    config = Config()
    config.set_main_option("script_location", str(Path(register_module.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {"version_table": "registry_version"}
    with writing(database) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "r0005")
        works = [{"id": f"work:{n}", "title": f"River {n}", "kind": "text", "account": "account:1", "created": DAY,
                  "source": "https://a.example.org/", "licence": "", "sha256": str(n), "registered": DAY}
                 for n in range(3)]  # fmt: skip
        insert_rows(connection, schema.accounts, [{"id": "account:1", "name": "x"}])
        insert_rows(connection, schema.works, works)
        insert_rows(connection, schema.parties, [{"id": "party:1", "name": "Ada Moore"}])
    shelf = Shelf(database, Registry(database, tmp_path / "assets"))
    assert len(shelf.titled("river", 9).works) == 3 == shelf.from_domain("example.org", 9).count
    assert [person.id for person in shelf.named("moore", 9)] == ["party:1"]
    with database.connect() as connection:
        assert {row.kind for row in connection.execute(sa.select(terms))} == {each.value for each in TermKind}
