"""Records about people on both databases: added once, never edited, checked against each other, known from a day on."""

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from byline.core import PPM, RegistryError, party_id
from byline.registry import (
    Claim,
    Dispute,
    Ground,
    Identity,
    Merge,
    People,
    Registry,
    Resolution,
    Succession,
    Withdrawal,
    read_catalogue,
)

TODAY, PROOF = date(2026, 5, 6), "cd" * 32
ANN, BOB, HEIR = party_id("Ann"), party_id("Bob"), party_id("Hospital")
CATALOGUE = (
    "path,title,contributor,role,created,source,licence\n"
    "ode.txt,Ode,Ann;Bob,author;author,1901-02-03,,CC0-1.0\n"
    "ode.txt,Lay,Bob,author,1901-02-03,,CC0-1.0\n"
)


@pytest.fixture
def people(database: sa.Engine, tmp_path: Path) -> People:
    (tmp_path / "ode.txt").write_text("Sing, o muse")
    (tmp_path / "works.csv").write_text(CATALOGUE)
    catalogue, problems = read_catalogue(tmp_path / "works.csv", None, None)
    assert problems == []
    registry = Registry(database, tmp_path / "assets")
    registry.add(catalogue, TODAY)
    return People(database, registry)


def ode(people: People) -> str:
    return next(w.id for w in people._registry.works() if w.title == "Ode")


def shares(people: People, on: date, as_of: date | None = None) -> dict[str, int]:
    return dict(people.divisions_on(on, as_of)[ode(people)].lines)


def test_an_heir_is_added_and_a_succession_is_known_from_the_day_it_was_recorded(people: People) -> None:
    succession = Succession(ANN, ((HEIR, PPM),), date(2026, 1, 1), PROOF, ("One", "Two"))
    with pytest.raises(RegistryError) as caught:
        people.add(succession, TODAY)
    assert caught.value.code == "unknown-party"
    assert people.add_party("Hospital").id == HEIR and people.add_party("Hospital").id == HEIR
    name = people.add(succession, TODAY)
    assert people.add(succession, TODAY + timedelta(9)) == name and len(people.known().records) == 1
    half = PPM // 2
    assert shares(people, date(2025, 12, 31)) == {ANN: half, BOB: half}
    assert shares(people, date(2026, 1, 1)) == {HEIR: half, BOB: half}
    assert shares(people, date(2026, 1, 1), as_of=TODAY - timedelta(1)) == {ANN: half, BOB: half}
    with pytest.raises(RegistryError) as caught:
        people.add(Succession(HEIR, ((ANN, PPM),), date(2026, 2, 1), PROOF, ("One", "Two")), TODAY)
    assert caught.value.code == "circular-succession" and len(people.known().records) == 1


def test_disputes_are_opened_listed_and_decided_once(people: People) -> None:
    dispute = Dispute(ode(people), ANN, BOB, 100_000, Ground.AUTHORSHIP, TODAY, PROOF)
    name = people.add(dispute, TODAY)
    assert name == dispute.id and people.open_disputes(TODAY) == (dispute,)
    assert people.open_disputes(TODAY - timedelta(1)) == ()
    assert shares(people, TODAY) == {ANN: 400_000, BOB: 500_000}
    people.add(Resolution(name, ((BOB, PPM),), TODAY, "Arbiter", PROOF), TODAY)
    assert people.open_disputes(TODAY) == () and shares(people, TODAY) == {ANN: 400_000, BOB: 600_000}
    with pytest.raises(RegistryError) as caught:
        people.add(Resolution(name, ((ANN, PPM),), TODAY, "Arbiter", PROOF), TODAY)
    assert caught.value.code == "already-resolved"


def test_identities_and_merges_are_kept_with_their_evidence(people: People) -> None:
    number = Identity(ANN, "ISNI", "000000012281955X", TODAY, PROOF)
    people.add(number, TODAY)
    assert people.identities(ANN) == (number,) and people.identities(BOB) == ()
    people.add(Merge(BOB, ANN, TODAY, "Reviewer", PROOF), TODAY)
    assert shares(people, TODAY) == {ANN: PPM}
    with pytest.raises(RegistryError) as caught:
        people.add(Merge(ANN, BOB, TODAY, "Reviewer", PROOF), TODAY)
    assert caught.value.code == "circular-merge"
    people.add(Merge(BOB, None, TODAY, "Reviewer", PROOF), TODAY + timedelta(3))
    assert shares(people, TODAY, as_of=TODAY) == {ANN: PPM} and len(shares(people, TODAY)) == 2


def test_what_refers_to_nothing_is_refused(people: People) -> None:
    for record, code in (
        (Withdrawal("claim:nothing", TODAY, "Reviewer"), "no-such-record"),
        (Resolution("dispute:nothing", ((ANN, PPM),), TODAY, "Reviewer", PROOF), "no-such-record"),
        (Claim(ANN, "work:nothing", 5, TODAY, PROOF), "no-such-work"),
        (Claim("party:nobody", ode(people), 5, TODAY, PROOF), "unknown-party"),
    ):
        with pytest.raises(RegistryError) as caught:
            people.add(record, TODAY)
        assert caught.value.code == code
    assert people.known().records == ()


def test_records_are_never_edited(people: People, database: sa.Engine) -> None:
    people.add(Claim(ANN, ode(people), 5, TODAY, PROOF), TODAY)
    for change in ("UPDATE people_records SET body = ''", "DELETE FROM people_records"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.begin() as connection:
            connection.exec_driver_sql(change)
