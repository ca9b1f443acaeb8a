"""The register of evidence on both databases: two kinds of days, chains that never fork, nothing edited."""

from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from evidence_samples import ANN, BOB, DAY, LATER, PRESS, PROOF, TODAY, full_records, ids, registry_of_two

from byline.core import ClusterId, Manifest, ManifestEntry, ManifestId, RegistryError, WorkId
from byline.registry import (
    Acquisition,
    Consent,
    Ending,
    Grant,
    LegalDecision,
    Licence,
    Method,
    Registry,
    Subject,
    Use,
    Why,
)
from byline.registry.evidence_schema import TABLES

ONE = timedelta(1)


@pytest.fixture
def registry(database: sa.Engine, tmp_path: Path) -> Registry:
    return registry_of_two(database, tmp_path)


def licence(about: str, expression: str, effective: date = DAY, supersedes: str = "", until: date | None = None):
    return Licence(about, expression, effective, until, supersedes=supersedes)


def standing(registry: Registry, on: date, as_of: date | None = None, about: str | None = None) -> list[str]:
    scopes = None if about is None else [about]
    return [one.expression for one in registry.evidence.in_force(Licence, on, as_of, about=scopes)]


def refused(call, *args) -> str:
    with pytest.raises(RegistryError) as caught:
        call(*args)
    return caught.value.code


def test_the_samples_are_of_every_kind_and_no_field_is_left_at_its_default(registry: Registry) -> None:
    records = full_records(ids(registry)["Ode"])
    assert {type(record) for record in records} == set(TABLES)
    for record in records:
        for field in fields(record):
            left = getattr(record, field.name) == field.default and field.name not in ("supersedes", "problem")
            assert not left, f"{record.KIND}.{field.name}"


def test_every_kind_comes_back_as_it_was_recorded(registry: Registry) -> None:
    records = full_records(ids(registry)["Ode"])
    added = registry.evidence.add(records, TODAY)
    assert set(added) == {record.id for record in records}
    for record in records:
        (entry,) = registry.evidence.history(type(record))
        assert (entry.record, entry.id, entry.recorded) == (record, record.id, TODAY)
        assert type(record).from_json(record.to_json()) == record
        assert registry.evidence.in_force(type(record), DAY - ONE) == ()
    assert registry.evidence.add(records, TODAY + ONE) == ()


def test_nothing_is_known_before_it_was_recorded(registry: Registry) -> None:
    registry.evidence.add([licence("*", "A")], TODAY)
    assert standing(registry, DAY) == ["A"] == standing(registry, LATER, TODAY)
    assert standing(registry, DAY, TODAY - ONE) == [] == standing(registry, DAY - ONE)


def test_a_change_from_a_day_on_and_a_correction_of_the_past(registry: Registry) -> None:
    a = licence("*", "A")
    b = licence("*", "B", LATER, a.id)
    registry.evidence.add([a], TODAY)
    registry.evidence.add([b], TODAY + ONE)
    assert (standing(registry, LATER - ONE), standing(registry, LATER)) == (["A"], ["B"])
    assert standing(registry, LATER, TODAY) == ["A"]
    c = licence("*", "C", DAY + ONE, b.id)
    registry.evidence.add([c], TODAY + 2 * ONE)
    assert standing(registry, DAY) == ["A"]
    assert standing(registry, DAY + ONE) == standing(registry, LATER) == ["C"]
    assert standing(registry, LATER, TODAY + ONE) == ["B"]
    assert [entry.superseded_by for entry in registry.evidence.history(Licence)] == [b.id, c.id, ""]
    assert [entry.superseded_by for entry in registry.evidence.history(Licence, as_of=TODAY)] == [""]


def test_a_record_that_was_superseded_by_one_about_something_else_does_not_come_back(registry: Registry) -> None:
    ode, lay = ids(registry)["Ode"], ids(registry)["Lay"]
    a = licence(ode, "A")
    registry.evidence.add([a, licence(lay, "B", supersedes=a.id)], TODAY)
    assert standing(registry, DAY, about=ode) == [] and standing(registry, DAY, about=lay) == ["B"]


def test_what_ran_out_does_not_uncover_what_it_superseded(registry: Registry) -> None:
    a = licence("*", "A")
    registry.evidence.add([a, licence("*", "B", LATER, a.id, LATER + ONE)], TODAY)
    assert standing(registry, LATER + ONE) == ["B"] and standing(registry, LATER + 2 * ONE) == []


@pytest.mark.parametrize(("why", "left"), [(Why.REVOKED, []), (Why.WITHDRAWN, []), (Why.MISTAKEN, ["A"])])
def test_an_ending_ends_and_a_mistake_never_was(registry: Registry, why: Why, left: list[str]) -> None:
    a = licence("*", "A")
    b = licence("*", "B", DAY + ONE, a.id)
    registry.evidence.add([a, b], TODAY)
    registry.evidence.add([Ending(b.id, why, LATER)], TODAY + ONE)
    assert standing(registry, LATER) == left
    assert standing(registry, LATER, TODAY) == ["B"]
    assert standing(registry, LATER - ONE) == (["A"] if why is Why.MISTAKEN else ["B"])
    assert registry.evidence.history(Licence)[1].ended == Ending(b.id, why, LATER)
    renewed = licence("*", "C", LATER + ONE, b.id)
    registry.evidence.add([renewed], TODAY + ONE)
    assert standing(registry, LATER + ONE) == ["C"]


def test_scopes_reach_a_work_through_its_account_its_people_its_domain(registry: Registry) -> None:
    works = {work.title: work for work in registry.works()}
    scopes = {
        works["Ode"].id: "Ode", works["Lay"].id: "Lay", PRESS: "Lay", ANN: "Ode", BOB: "Ode;Lay",
        "domain:poems.example.org": "Ode", "domain:org": "Ode", "domain:other.example.org": "",
        "domain:shelf": "", "*": "Ode;Lay",
    }  # fmt: skip
    registry.evidence.add([licence(scope, f"L-{n}") for n, scope in enumerate(scopes)], TODAY)
    found = registry.evidence.of_works(Licence, list(works.values()), DAY)
    for title, work in works.items():
        wanted = {f"L-{n}" for n, reached in enumerate(scopes.values()) if title in reached.split(";")}
        one = registry.evidence.of_work(Licence, work, DAY)
        assert {each.expression for each in one} == wanted == {each.expression for each in found[work.id]}
    assert found[works["Ode"].id][0].expression == "L-0"  # the closest first
    assert registry.evidence.of_works(Licence, [works["Ode"]], DAY - ONE) == {}


def test_what_refers_to_nothing_is_refused_and_leaves_nothing(registry: Registry) -> None:
    add, good = registry.evidence.add, licence("*", "A")
    grant = Grant("*", ANN, "Operator", (Use.TDM,), ("EU",), DAY)
    for record, code in (
        (licence("work:none", "A"), "no-such-work"),
        (licence("party:none", "A"), "unknown-party"),
        (licence("account:none", "A"), "unknown-account"),
        (replace(grant, grantor="party:none"), "unknown-party"),
        (replace(grant, grantor="Ann"), "unknown-party"),
        (licence("*", "A", supersedes="licence:none"), "no-such-record"),
        (replace(grant, supersedes=good.id), "no-such-record"),
        (Ending("licence:none", Why.REVOKED, DAY), "no-such-record"),
    ):
        assert refused(add, [good, record], TODAY) == code
    assert registry.evidence.history(Licence) == ()


def test_chains_do_not_fork_and_nothing_ends_twice(registry: Registry) -> None:
    add, a = registry.evidence.add, licence("*", "A")
    b, c = licence("*", "B", supersedes=a.id), licence("*", "C", supersedes=a.id)
    assert refused(add, [a, b, c], TODAY) == "already-superseded"
    add([a, b], TODAY)
    assert refused(add, [c], TODAY) == "already-superseded"
    endings = [Ending(b.id, why, DAY) for why in (Why.REVOKED, Why.EXPIRED)]
    assert refused(add, endings, TODAY) == "already-ended"
    add(endings[:1], TODAY)
    assert refused(add, endings[1:], TODAY) == "already-ended"


def test_nobody_can_have_known_it_earlier(registry: Registry) -> None:
    registry.evidence.add([licence("*", "A")], TODAY)
    assert refused(registry.evidence.add, [licence("*", "B")], TODAY - ONE) == "clock-back"
    registry.evidence.add([Acquisition("*", Method.SENSOR, DAY, "roof")], TODAY - ONE)  # its own table, its own clock


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: licence("", "A"), "bad-about"),
        (lambda: licence("Ode", "A"), "bad-about"),
        (lambda: licence("domain:Example.org", "A"), "bad-about"),
        (lambda: licence("domain:https://example.org", "A"), "bad-about"),
        (lambda: licence("work: 1", "A"), "bad-about"),
        (lambda: licence("*", ""), "empty-field"),
        (lambda: licence("*", " MIT"), "bad-text"),
        (lambda: licence("*", "M\0IT"), "bad-text"),
        (lambda: LegalDecision("*", "EU", Use.TDM, "deny", DAY, "1", ("\ud800",)), "bad-text"),
        (lambda: replace(full_records("*")[6], canonical=(("tdm", "Deny"),)), "bad-facts"),
        (lambda: replace(full_records("*")[6], canonical=(("tdm", "deny"), ("tdm", "allow"))), "bad-facts"),
        (lambda: licence("*", "A", LATER, until=DAY), "bad-dates"),
        (lambda: Licence("*", "A", DAY, text_sha256="AB" * 32), "bad-digest"),
        (lambda: Licence("*", "A", DAY, facts=(("a", "1"), ("a", "2"))), "bad-facts"),
        (lambda: Licence("*", "A", DAY, facts=(("a", "1;b=2"),)), "bad-facts"),
        (lambda: Licence("*", "A", DAY, facts=(("A b", "1"),)), "bad-facts"),
        (lambda: Grant("*", ANN, "", (Use.TDM,), ("EU",), DAY), "empty-field"),
        (lambda: Grant("*", ANN, "X", (), ("EU",), DAY), "empty-field"),
        (lambda: Grant("*", ANN, "X", (Use.TDM,), (), DAY), "empty-field"),
        (lambda: Grant("*", ANN, "X", (Use.TDM,), ("EU",), DAY, amount_nano="5"), "bad-amount"),
        (lambda: Grant("*", ANN, "X", (Use.TDM,), ("EU",), DAY, amount_nano="0.5", currency="EUR"), "bad-amount"),
        (lambda: Grant("*", ANN, "X", (Use.TDM,), ("EU",), DAY, amount_nano="-5", currency="EUR"), "bad-amount"),
        (lambda: Consent(ANN, "*", (), (Use.TDM,), "X", DAY), "empty-field"),
        (lambda: Consent(ANN, "*", (Subject.VOICE,), (), "X", DAY), "empty-field"),
        (lambda: Acquisition("*", Method.CRAWL, DAY, ""), "empty-field"),
        (lambda: Acquisition("*", Method.CRAWL, DAY, "x", DAY - ONE), "bad-dates"),
    ],
)
def test_a_record_that_cannot_be_is_not_made(make, code: str) -> None:
    assert refused(make) == code


@pytest.mark.parametrize("change", ["UPDATE {} SET id = ''", "DELETE FROM {}"])
def test_no_row_of_evidence_can_be_edited(registry: Registry, database: sa.Engine, change: str) -> None:
    registry.evidence.add(full_records(ids(registry)["Ode"]), TODAY)
    for table in TABLES.values():
        with database.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=f"append-only: {table.name}"):
            connection.exec_driver_sql(change.format(table.name))


def test_a_consent_names_its_person_and_a_withdrawal_is_seen_from_its_day(registry: Registry) -> None:
    consent = Consent(BOB, "*", (Subject.VOICE,), (Use.VOICE_SYNTHESIS,), "Operator", DAY)
    registry.evidence.add([consent], TODAY)
    registry.evidence.add([Ending(consent.id, Why.WITHDRAWN, LATER)], TODAY)
    lay = next(work for work in registry.works() if work.title == "Lay")
    assert registry.evidence.of_work(Consent, lay, LATER - ONE) == (consent,)
    assert registry.evidence.of_work(Consent, lay, LATER) == ()


def test_which_manifests_a_work_stands_in(registry: Registry) -> None:
    ode, lay = WorkId(ids(registry)["Ode"]), WorkId(ids(registry)["Lay"])
    for number, works in enumerate([(ode, lay), (lay,), ()]):
        entries = tuple(ManifestEntry(work, PROOF, ClusterId("cluster:1")) for work in works)
        for _ in range(2):
            registry.save_manifest(Manifest(ManifestId(f"manifest:{number}"), DAY, entries, (), PROOF))
    assert registry.evidence.manifests_with(ode) == ("manifest:0",)
    assert registry.evidence.manifests_with(lay) == ("manifest:0", "manifest:1")
