"""Asking about one work says what asking about all of them says."""

from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa
from evidence_samples import DAY, LATER, TODAY, ids, registry_of_two

from byline.core import Decision, Role, Verdict, WorkId, party_id
from byline.registry import Credit, Ending, Registry, Why, read_catalogue

SPLITS = (
    "title,account,contributor,share,effective\n"
    "Ode,,Ann,60%,2001-01-01\nOde,,Bob,30%,2001-01-01\nOde,,Ann,50%,2003-01-01\nLay,,Bob,10%,2002-01-01\n"
)


def registry_with_splits(database: sa.Engine, folder: Path) -> Registry:
    registry = registry_of_two(database, folder)
    (folder / "splits.csv").write_text(SPLITS)
    catalogue, problems = read_catalogue(folder / "works.csv", folder / "splits.csv", None)
    assert problems == []
    registry.add(catalogue, DAY)
    return registry


def test_the_split_of_one_work(database: sa.Engine, tmp_path: Path) -> None:
    registry = registry_with_splits(database, tmp_path)
    credit = Credit(ids(registry)["Lay"], party_id("Ann"), Role.EDITOR, date(2001, 6, 1))
    registry.evidence.add([credit], TODAY)
    registry.evidence.add([Ending(credit.id, Why.REVOKED, date(2001, 9, 1))], TODAY)
    seen = set()
    for day in (date(2000, 1, 1), *(date(2001, 1, 1) + timedelta(120 * n) for n in range(9))):
        splits = registry.splits_on(day)
        for work in registry.works():
            assert registry.split_of(work.id, day) == splits[work.id]
            seen.add(splits[work.id].lines)
    assert len(seen) == 5


def test_works_of_a_title_and_the_decision_on_one(database: sa.Engine, tmp_path: Path) -> None:
    registry = registry_with_splits(database, tmp_path)
    (ode,) = registry.works_titled("Ode")
    assert ode == registry.work(WorkId(ids(registry)["Ode"])) and registry.works_titled("ode") == ()
    assert registry.decision(ode.id) is None
    for verdict, day in ((Verdict.ADMIT, DAY), (Verdict.REFUSE, LATER)):
        registry.save_decisions([Decision(work.id, verdict, "a-rule", "", ()) for work in registry.works()], day)
        assert registry.decision(ode.id) == next(each for each in registry.decisions() if each.work == ode.id)
    assert registry.decision(WorkId("work:none")) is None
