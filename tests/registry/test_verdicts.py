"""Where works stand, by page; what people decided of held works; both are added to and never edited."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from test_shelf import DAY, fill, works_of_chance

from byline.core import Decision, Verdict
from byline.registry import Looked, Registry, Review, schema, writing
from byline.registry import register as register_module
from byline.registry import verdicts as module
from byline.registry.register_rows import insert_rows

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def registry(database, tmp_path):
    found = Registry(database, tmp_path / "assets")
    fill(database, list(works_of_chance()))
    return found


def decide(registry, works, rule="", day=DAY):
    verdict = Verdict.REFUSE if rule else Verdict.ADMIT
    made = [Decision(work, verdict, rule or "admitted", f"because {rule}", ()) for work in works]
    registry.save_decisions(made, day)
    return made


@pytest.mark.parametrize("chunk", [10_000, 7])
def test_the_newest_decision_is_where_a_work_stands(registry, monkeypatch, chunk):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    ids = [work.id for work in registry.works()]
    assert registry.verdicts.undecided(0, 5)[0] == len(ids)
    decide(registry, ids[:40], "near-copy")
    decide(registry, ids[:10])
    decide(registry, ids[10:15], "no-order")
    assert registry.verdicts.refused_by() == {"near-copy": 25, "no-order": 5}
    count, some = registry.verdicts.undecided(0, 5)
    order = registry.registration_order()
    assert count == len(ids) - 40 and list(some) == sorted(ids[40:], key=order.get)[:5]
    pages = [registry.verdicts.refused(["near-copy"], skip, 10) for skip in (0, 10, 20, 30)]
    assert [each.work for page in pages for each in page] == sorted(ids[15:40])
    newest = {each.work: each for each in registry.decisions()}
    assert all(newest[each.work] == each for page in pages for each in page)
    assert registry.verdicts.newest([ids[3], ids[50], ids[12]]) == (newest[ids[3]], newest[ids[12]])


def test_held_works_wait_until_somebody_has_looked(registry):
    ids = sorted(work.id for work in registry.works())
    decide(registry, ids[:6], "no-order")
    decide(registry, ids[6:8], "like-a-model")
    rules = ("like-a-model", "no-order")
    assert registry.verdicts.held(rules, False, 0, 3)[0] == 8
    first = Review(ids[0], Looked.KEPT, "no-order", "names", "Olga", AT, "salt")
    registry.verdicts.add(first)
    assert [each.work for each in registry.verdicts.held(rules, False, 0, 50)[1]] == ids[1:8]
    assert registry.verdicts.held(rules, True, 0, 50)[0] == 1
    later = Review(ids[0], Looked.RELEASED, "no-order", "a register of ships", "Otto", AT, "pepper")
    registry.verdicts.add(later)
    other = Review(ids[1], Looked.KEPT, "no-order", "x", "Olga", AT, "s")
    registry.verdicts.add(other)
    assert registry.verdicts.reviews(ids[0]) == (first, later)
    assert registry.verdicts.last_reviews() == (other, later) and registry.verdicts.last_reviews(1, 1) == (later,)


def test_reviews_cannot_be_changed(registry, database):
    work = registry.works()[0].id
    registry.verdicts.add(Review(work, Looked.KEPT, "no-order", "x", "Olga", AT, "s"))
    for change in ("UPDATE reviews SET looked = 'released'", "DELETE FROM reviews"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.begin() as connection:
            connection.execute(sa.text(change))


def test_an_older_register_knows_where_its_works_stand(database, tmp_path):
    config = Config()
    config.set_main_option("script_location", str(Path(register_module.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {"version_table": "registry_version"}
    with writing(database) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "r0006")
        works = [{"id": f"work:{n}", "title": f"River {n}", "kind": "text", "account": "account:1", "created": DAY,
                  "source": "", "licence": "", "sha256": str(n), "registered": DAY} for n in range(4)]  # fmt: skip
        insert_rows(connection, schema.accounts, [{"id": "account:1", "name": "x"}])
        insert_rows(connection, schema.works, works)
        for work, rule in (("work:0", "near-copy"), ("work:1", "no-order"), ("work:0", ""), ("work:2", "near-copy")):
            decision = Decision(work, Verdict.REFUSE if rule else Verdict.ADMIT, rule or "admitted", "x", ())
            row = {"work": work, "recorded": DAY, "body": json.dumps(decision.to_json())}
            insert_rows(connection, schema.decisions, [row])
    verdicts = Registry(database, tmp_path / "assets").verdicts
    assert verdicts.refused_by() == {"near-copy": 1, "no-order": 1}
    assert verdicts.undecided(0, 9) == (1, ("work:3",)) and verdicts.last_reviews() == ()
