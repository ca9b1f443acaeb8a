"""What the registry knows becomes what a filing says: acquisitions, licences, grants, signals, audits, runs."""

import json
from datetime import UTC, date, datetime

import pytest
from officer_project import FROZEN, a_project, trained

from byline.app.disclose import gather, newest
from byline.app.home import freeze_manifest
from byline.app.pii import audit_works
from byline.core import AppError, DisclosureError, RunId
from byline.disclosure.filings import EU
from byline.registry import Acquisition, Ending, Grant, Licence, Method, Robots, Signal, TrainingRun, Use, Why

DAY = date(2026, 11, 2)


@pytest.fixture
def home(tmp_path):
    place = a_project(tmp_path)
    trained(place, freeze_manifest(place, FROZEN))
    return place


def by_title(home):
    return {work.title: work for work in gather(home, "main").works}


def record(home, *records):
    return home.registry.evidence.add(records, DAY)


def test_without_records_nothing_is_known(home):
    corpus = gather(home, "main")
    assert {work.method for work in corpus.works} == {"unknown"} and corpus.trained is None
    assert corpus.personal is None and corpus.signals == () and not corpus.methods_known
    assert corpus.examples == 14 and corpus.tokens == 14 * 8 and corpus.base_tokens == 0
    assert dict(corpus.refused) == {"opt-out": 1} and corpus.frozen == FROZEN
    assert all(work.bytes > 0 and work.domain == "example.org" for work in corpus.works)


def test_the_closest_acquisition_speaks(home):
    ada = by_title(home)["Ada 1"].work
    record(
        home,
        Acquisition("*", Method.PUBLIC_DATASET, DAY, "https://data.example/", upstream="openbooks 1.2"),
        Acquisition(ada, Method.CRAWL, DAY, "https://x.example/", collector="Bot", robots=Robots.ALLOWED),
    )
    found = by_title(home)
    assert (found["Ada 1"].method, found["Ada 1"].collector, found["Ada 1"].robots) == ("crawl", "Bot", "allowed")
    assert (found["Ben 1"].method, found["Ben 1"].dataset) == ("public_dataset", "openbooks 1.2")
    assert found["Ben 1"].acquired == DAY and gather(home, "main").methods_known


def test_what_came_after_the_manifest_is_not_its_source(home):
    record(home, Acquisition("*", Method.CRAWL, date(2026, 11, 22), "https://x.example/"))
    assert {work.method for work in gather(home, "main").works} == {"unknown"}


def test_a_licence_on_record_stands_over_the_catalogue_and_its_end_leaves_none(home):
    ada = by_title(home)["Ada 1"].work
    (name,) = record(home, Licence(ada, "CC-BY-4.0", DAY))
    assert by_title(home)["Ada 1"].licence == "CC-BY-4.0" and by_title(home)["Ben 1"].licence == "CC0-1.0"
    record(home, Ending(name, Why.REVOKED, DAY))
    assert by_title(home)["Ada 1"].licence == ""


def test_a_grant_is_an_authorisation(home):
    work = by_title(home)["Ada 1"].work
    party = home.works[work].contributions[0].party
    record(home, Grant(work, party, "Example Models Ltd.", (Use.TRAIN_GEN,), ("WORLD",), DAY, contract="C-7"))
    assert by_title(home)["Ada 1"].authorisation == ("C-7",) and by_title(home)["Ben 1"].authorisation == ()


def test_signals_audits_and_runs_are_counted(home):
    work = by_title(home)["Ada 1"].work
    seen = Signal(work, datetime(2026, 11, 1, tzinfo=UTC), "https://x.example/", carrier="robots.txt", family="aipref")
    run = TrainingRun(RunId("run:00000000000000000000"), "main", "m", "manifest:x", "ab" * 32, date(2026, 11, 21))
    record(home, seen, run)
    audit_works(home, DAY, lambda what, done, of: None)
    corpus = gather(home, "main")
    assert corpus.signals == (("aipref", 1),) and corpus.trained == date(2026, 11, 21)
    assert corpus.personal is not None and "6 of 6 works" in corpus.personal_by


def test_a_training_that_is_not_there_is_said(home):
    with pytest.raises(AppError, match="does not exist yet"):
        gather(home, "other")


def test_a_torn_header_or_kept_filing_is_said(home):
    kept = home.path / "filings" / "eu-main-1.json"
    kept.parent.mkdir()
    kept.write_text("{", encoding="utf-8")
    with pytest.raises(DisclosureError, match="eu-main-1"):
        newest(home, EU, "main")
    (home.training("main") / "tokens.safetensors").write_bytes(b"\x05\0\0\0\0\0\0\0{oops")
    with pytest.raises(AppError, match="no header"):
        gather(home, "main")


def test_a_manifest_that_was_never_frozen_here_is_refused(home):
    path = home.training("main") / "training.json"
    told = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(told | {"manifest": "manifest:ffffffffffffffffffff"}), encoding="utf-8")
    with pytest.raises(Exception, match="never frozen"):
        gather(home, "main")
