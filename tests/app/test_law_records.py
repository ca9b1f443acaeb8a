"""The gate takes its facts from the registry: signals that were kept, acquisitions, grants, consents, audits; and a run
that starts asks again. Through the program's own commands where one reaches, on works without a training."""

from datetime import UTC, date, datetime, timedelta

import pytest
from tiny_project import byline, write_csv

from byline.app.home import Home
from byline.app.law import Asked, corpus
from byline.app.law_records import recorded_facts
from byline.app.looks import looks, reserved_works
from byline.app.run_start import refuse_run
from byline.core import AppError, Role
from byline.registry import Acquisition, Consent, Credit, Ending, Grant, Licence, Method, Robots, Subject, Use, Why

SITE = "https://example.org"
TODAY = date.today()
TEXTS = {
    "River": "The river carries the boats past the mill and the miller waves from the old stone bridge at noon.",
    "Stars": "Over the hill the comet drew a white line, and she wrote its place into the book of the observatory.",
    "Bread": "Flour, salt, water and a night of patience: the baker told nobody else what went into the loaves.",
}
NOT = ("piracy_source", "tpm_circumvented", "tos_forbids", "personal_data", "special_category", "minor",
       "consent_withdrawn", "objection_open", "cmi_removed")  # fmt: skip
USE = ("purpose=commercial", "placed_in=EU", "synthesises_people=no", *(f"{name}=no" for name in NOT))
ASSUMED = tuple(word for use in USE for word in ("--assume", use))


@pytest.fixture
def home(tmp_path):
    """Three registered works of one site, under a licence that permits everything."""
    rows = []
    for title, text in TEXTS.items():
        (tmp_path / f"{title}.txt").write_text(text, encoding="utf-8")
        rows.append([f"{title}.txt", title, f"{title} Author", "author", "2020-01-01", f"{SITE}/{title.lower()}",
                     "CC-BY-4.0"])  # fmt: skip
    columns = ["path", "title", "contributor", "role", "created", "source", "licence"]
    write_csv(tmp_path / "works.csv", columns, *rows)
    assert byline("register", tmp_path / "works.csv", "--home", tmp_path / "home").code == 0
    return Home.open(tmp_path / "home")


def work_of(home, title):
    return next(work for work in home.works.values() if work.title == title)


def mirror(folder, robots=None, page="<html></html>"):
    """A folder that mirrors the site: a page per work."""
    folder.mkdir(exist_ok=True)
    for title in TEXTS:
        (folder / title.lower()).write_text(page, encoding="utf-8")
    if robots is not None:
        (folder / "robots.txt").write_text(robots, encoding="utf-8")
    return folder


def keep(home, place, *words):
    ran = byline("signals", place, "--keep", *words, "--home", home.path, "--json")
    assert ran.code == 0, ran.err
    return ran.last["kept"]


def refused(home, *words):
    ran = byline("check", *words, "--home", home.path, "--json")
    assert ran.code == 0, ran.err
    return {home.works[each["work"]].title: each["rule"] for each in ran.last["refused"]}


def facts_of(home, title, *jurisdictions, **more):
    found, problems = corpus(home, Asked(jurisdictions or ("EU",), TODAY, **more))
    assert problems == []
    return found.table.row(found.index(title))


def test_a_reservation_that_was_seen_refuses_and_a_grant_lifts_it(home, tmp_path):
    assert refused(home) == {}
    site = mirror(tmp_path / "site", "User-agent: *\nContent-Usage: /river train-ai=n\n")
    kept = keep(home, site, "--site", SITE)
    assert len(kept["works"]) == 3 and kept["unmatched"] == []
    assert refused(home) == {"River": "reserved"}
    assert facts_of(home, "River")["reserved"] is True
    river = work_of(home, "River")
    giver = river.contributions[0].party
    home.registry.evidence.add([Grant(river.id, giver, "Us", (Use.SEARCH,), ("WORLD",), TODAY)], TODAY)
    assert refused(home) == {"River": "reserved"}
    every = tuple(Use)[:6]
    home.registry.evidence.add([Grant(river.id, giver, "Us", every, ("WORLD",), TODAY, contract="C-1")], TODAY)
    assert refused(home) == {}
    facts = facts_of(home, "River")
    assert facts["grant"] is True and facts["grant_in"] == {"WORLD"}
    assert facts["reserved"] is True  # as the publisher said; the packs weigh the grant, by place and day


def test_no_evidence_file_and_no_assumption_hides_a_reservation(home, tmp_path):
    keep(home, mirror(tmp_path / "site", "User-agent: GPTBot\nDisallow: /\n"), "--site", SITE)
    evidence = write_csv(tmp_path / "e.csv", ["title", "reserved"], ["River", "no"], ["*", "no"])
    asked = {"evidence": evidence, "assuming": ("reserved=no",)}
    assert facts_of(home, "River", **asked)["reserved"] is True
    assert facts_of(home, "River", **asked, supposing=("reserved=no",))["reserved"] is False  # a supposed world may


def test_silence_counts_only_after_a_complete_look_without_problems(home, tmp_path):
    keep(home, mirror(tmp_path / "site"), "--site", SITE)
    assert "reserved" not in facts_of(home, "River")
    keep(home, mirror(tmp_path / "site"), "--site", SITE, "--complete")
    assert facts_of(home, "River")["reserved"] is False
    keep(home, mirror(tmp_path / "site", "User-agent: *\nContent-Usage: ((((\n"), "--site", SITE, "--complete")
    (look,) = looks(home, [work_of(home, "River")], TODAY).values()
    assert "reserved" not in facts_of(home, "River") and "unknown" in look.readings.values()


def test_a_complete_look_replaces_what_was_seen_and_a_partial_one_only_its_places(home, tmp_path):
    reserving = mirror(tmp_path / "one", "User-agent: *\nContent-Usage: train-ai=n\n")
    keep(home, reserving, "--site", SITE)
    free = mirror(tmp_path / "two")
    keep(home, free, "--site", SITE)  # does not hold robots.txt, which therefore still speaks
    assert set(refused(home)) == set(TEXTS)
    keep(home, free, "--site", SITE, "--complete")
    assert refused(home) == {}
    keep(home, reserving, "--site", SITE)
    assert set(refused(home)) == set(TEXTS)


def test_works_are_recognised_by_their_bytes_or_by_name(home, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "whatever").write_text(TEXTS["Stars"], encoding="utf-8")
    (folder / "other").write_text("Something else.", encoding="utf-8")
    (folder / "robots.txt").write_text("User-agent: *\nContent-Usage: train-ai=n\n", encoding="utf-8")
    kept = keep(home, folder)
    assert kept["works"] == [work_of(home, "Stars").id] and [*map(str, kept["unmatched"])] == [str(folder / "other")]
    assert refused(home) == {"Stars": "reserved"}
    kept = keep(home, folder / "robots.txt", "--about", "Bread")
    assert kept["works"] == [work_of(home, "Bread").id]
    ran = byline("signals", folder / "other", "--keep", "--home", home.path)
    assert ran.code == 1 and "[no-such-work-here]" in ran.err
    ran = byline("signals", folder / "other", "--complete", "--home", home.path)
    assert ran.code == 1 and "[nothing-kept]" in ran.err
    keep(home, folder / "robots.txt", "--about", "domain:example.org")
    assert set(refused(home)) == set(TEXTS)


def test_an_acquisition_a_licence_and_an_audit_become_facts(home):
    river, bread = work_of(home, "River"), work_of(home, "Bread")
    papers = {"collector": "OurBot", "evidence": "w.warc", "evidence_sha256": "0" * 64, "source": river.source}
    at = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
    known = (("lawful_access", "yes"), ("piracy_source", "no"))
    home.registry.evidence.add(
        [
            Acquisition(river.id, Method.CRAWL, TODAY, fetched_at=at, robots=Robots.ALLOWED, facts=known, **papers),
            Acquisition("*", Method.PUBLIC_DATASET, TODAY, source="a data set"),
            Licence(bread.id, "CC-BY-NC-4.0", TODAY),
        ],
        TODAY,
    )
    facts = facts_of(home, "River")
    assert (facts["method"], facts["lawful_access"], facts["access_refused"]) == ("crawl", True, False)
    assert facts["fetch_records"] is True and facts["licence_commercial"] is True
    assert facts_of(home, "Stars")["method"] == "public_dataset"
    assert facts_of(home, "Bread")["licence_commercial"] is False


def test_records_that_contradict_each_other_establish_nothing(home):
    river = work_of(home, "River")
    once = [Acquisition(river.id, Method.CRAWL, TODAY, river.source, facts=(("lawful_access", answer),))
            for answer in ("yes", "no")]  # fmt: skip
    home.registry.evidence.add(once, TODAY)
    facts = facts_of(home, "River")
    assert facts["method"] == "crawl" and "lawful_access" not in facts


def test_a_licence_that_ended_leaves_none(home):
    river = work_of(home, "River")
    licence = Licence(river.id, "MIT", TODAY - timedelta(days=9))
    (name,) = home.registry.evidence.add([licence], TODAY)
    assert facts_of(home, "River")["licence_train"] == "permits"
    home.registry.evidence.add([Ending(name, Why.REVOKED, TODAY)], TODAY)
    assert "licence_train" not in facts_of(home, "River")  # nor does the catalogue's CC-BY come back


def test_a_consent_counts_when_everybody_heard_has_given_it_and_not_after_it_was_withdrawn(home):
    river = work_of(home, "River")
    speakers = [work_of(home, title).contributions[0].party for title in ("Stars", "Bread")]
    evidence = home.registry.evidence
    evidence.add([Credit(river.id, party, Role.VOICE, TODAY) for party in speakers], TODAY)

    def given(party):
        return Consent(party, river.id, (Subject.VOICE,), (Use.VOICE_SYNTHESIS,), "Us", TODAY)

    evidence.add([given(speakers[0])], TODAY)
    assert facts_of(home, "River")["consent_ai_voice"] is False  # not on file: the other speaker's
    (second,) = evidence.add([given(speakers[1])], TODAY)
    assert facts_of(home, "River")["consent_ai_voice"] is True
    evidence.add([Ending(second, Why.WITHDRAWN, TODAY)], TODAY)
    facts = facts_of(home, "River")
    assert facts["consent_ai_voice"] is False and facts["consent_withdrawn"] is True


def test_what_an_audit_finds_stands_over_an_assumption_and_finding_nothing_establishes_nothing(home, tmp_path):
    (tmp_path / "letter.txt").write_text("Write to ada.moore@example.org, 手机 13800138000.", encoding="utf-8")
    write_csv(
        tmp_path / "more.csv",
        ["path", "title", "contributor", "role", "created", "source", "licence"],
        ["letter.txt", "Letter", "A Writer", "author", "2020-01-01", "a drawer", "CC-BY-4.0"],
    )
    assert byline("register", tmp_path / "more.csv", "--home", home.path).code == 0
    assert "personal_data" not in facts_of(home, "Letter")
    ran = byline("pii", "--home", home.path, "--json")
    assert ran.code == 0 and ran.last["counts"] == {"cn_mobile": 1, "email": 1} and ran.last["audited"] == 4
    assert "ada.moore" not in ran.out and "13800138000" not in ran.out
    fresh = Home.open(home.path)
    assert facts_of(fresh, "Letter", assuming=("personal_data=no",))["personal_data"] is True
    assert "personal_data" not in facts_of(fresh, "River")
    evidence = write_csv(tmp_path / "e.csv", ["title", "personal_data"], ["Letter", "no"])
    assert facts_of(fresh, "Letter", evidence=evidence)["personal_data"] is False  # the officer looked at this work


def test_a_fact_in_a_record_that_is_none_is_a_problem(home):
    river = work_of(home, "River")
    bad = Acquisition(river.id, Method.CRAWL, TODAY, river.source, facts=(("colour", "red"), ("minor", "maybe")))
    (name,) = home.registry.evidence.add([bad], TODAY)
    ran = byline("check", "--jurisdiction", "EU", "--home", home.path, "--json")
    assert ran.code == 1
    assert [(each["code"], each["at"]["file"]) for each in ran.last["problems"]] == [
        ("unknown-fact", name), ("bad-fact", name)
    ]  # fmt: skip


# --- at the start of a run --------------------------------------------------------------------------------------


def test_a_run_is_refused_when_a_work_was_reserved_after_the_freeze(home, tmp_path):
    assert byline("freeze", "--home", home.path).code == 0
    manifest = home.registry.latest_manifest()
    refuse_run(home, manifest)
    keep(home, mirror(tmp_path / "site", "User-agent: *\nContent-Usage: /river train-ai=n\n"), "--site", SITE)
    with pytest.raises(AppError, match="River") as fault:
        refuse_run(home, manifest)
    assert fault.value.code == "reserved-since"
    ran = byline("train", "--effort", "tiny", "--home", home.path)
    assert ran.code == 1 and "[reserved-since]" in ran.err and not (home.path / "trainings" / "main").exists()
    assert byline("freeze", "--home", home.path, "--json").last["works"] == 2
    refuse_run(home, home.registry.latest_manifest())


def frozen_under_eu_law(home, tmp_path, licence):
    """Works that may be mined in the EU because nobody reserved them, or that a licence frees."""
    evidence = home.registry.evidence
    known = (("lawful_access", "yes"), ("signal_age_h", "3"))
    papers = {"collector": "OurBot", "evidence": "w.warc", "evidence_sha256": "0" * 64}
    now = datetime.now(UTC)
    evidence.add(
        [
            Acquisition(work.id, Method.CRAWL, now.date(), work.source, fetched_at=now, robots=Robots.ALLOWED,
                        facts=known, **papers)
            for work in home.works.values()
        ],
        TODAY,
    )  # fmt: skip
    evidence.add([Licence(work.id, licence, TODAY) for work in home.works.values()], TODAY)
    keep(home, mirror(tmp_path / "site"), "--site", SITE, "--complete")
    ran = byline("freeze", "--jurisdiction", "EU", *ASSUMED, "--home", home.path, "--json")
    assert ran.code == 0 and ran.last["works"] == 3, ran.out
    return Home.open(home.path), home.registry.latest_manifest()


def test_under_eu_law_the_reservation_is_read_again_within_a_day_before_the_run(home, tmp_path):
    home, manifest = frozen_under_eu_law(home, tmp_path, "LicenseRef-PublicDomain")  # a claim: no licence
    now = datetime.now(UTC)
    refuse_run(home, manifest, now)
    with pytest.raises(AppError, match="within 24 hours") as fault:
        refuse_run(home, manifest, now + timedelta(hours=26))
    assert fault.value.code == "law-since" and "3 works" in fault.value.message
    reserving = mirror(tmp_path / "later", "User-agent: *\nContent-Usage: /river train-ai=n\n")
    keep(home, reserving, "--site", SITE, "--complete")
    with pytest.raises(AppError, match="River: EU: ") as fault:
        refuse_run(home, manifest, datetime.now(UTC))
    assert fault.value.code == "law-since" and fault.value.message.startswith("1 works")


def test_a_free_licence_needs_no_second_look_and_a_withdrawn_grant_ends_the_permission(home, tmp_path):
    home, manifest = frozen_under_eu_law(home, tmp_path, "CC0-1.0")
    refuse_run(home, manifest, datetime.now(UTC) + timedelta(days=30))
    entries = home.registry.evidence.history(Licence)
    home.registry.evidence.add([Ending(entries[0].id, Why.MISTAKEN, TODAY)], TODAY)
    with pytest.raises(AppError) as fault:
        refuse_run(home, manifest, datetime.now(UTC) + timedelta(days=30))
    assert fault.value.code == "law-since" and "1 works" in fault.value.message


def test_rulings_are_recorded_once_and_superseded_when_they_change(home):
    from byline.registry import LegalDecision

    words = ("check", "--jurisdiction", "EU,JP", *ASSUMED, "--home", home.path)
    assert byline(*words).code == 0
    first = home.registry.evidence.history(LegalDecision)
    assert len(first) == 6 and byline(*words).code == 0
    assert len(home.registry.evidence.history(LegalDecision)) == 6
    assert byline(*words, "--assume", "piracy_source=yes").code == 0
    standing = home.registry.evidence.in_force(LegalDecision, TODAY)
    assert {each.outcome for each in standing} == {"deny"} and len(standing) == 6
    assert all(each.rules and each.pack and len(each.facts_sha256) == 64 for each in standing)


def test_nobody_seen_nobody_reserved(home):
    assert reserved_works(home, list(home.works.values()), TODAY) == {}
    assert recorded_facts(home, list(home.works.values()), TODAY).facts == {}
