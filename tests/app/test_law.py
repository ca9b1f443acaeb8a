"""`byline check --jurisdiction`, `whatif` and `freeze` on a tiny project, without a training."""

import json

import pytest
from tiny_project import byline, write_catalogue, write_csv

CLEAN = {
    "method": "crawl", "lawful_access": "yes", "tpm_circumvented": "no", "piracy_source": "no", "tos_forbids": "no",
    "access_refused": "no", "reserved": "no", "fetch_records": "yes", "signal_age_h": "3", "personal_data": "no",
    "special_category": "no", "minor": "no", "consent_withdrawn": "no", "objection_open": "no", "cmi_removed": "no",
}  # fmt: skip
USE = ("--assume", "purpose=commercial", "--assume", "placed_in=EU", "--assume", "synthesises_people=no")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A registered catalogue; evidence by which `Ben 1` comes from a pirate source and the rest is clean."""
    folder = write_catalogue(tmp_path_factory.mktemp("law"))
    ran = byline("register", folder / "works.csv", "--opt-outs", folder / "opt-outs.csv", "--home", folder / "home")
    assert ran.code == 0
    pirated = ["Ben 1", *("yes" if name == "piracy_source" else "" for name in CLEAN)]
    write_csv(folder / "evidence.csv", ["title", *CLEAN], ["*", *CLEAN.values()], pirated)
    return folder


def asked(place, command, *words, use=USE):
    return byline(command, *words, "--evidence", place / "evidence.csv", *use, "--home", place / "home", "--json")


def test_check_under_two_jurisdictions(place):
    ran = asked(place, "check", "--jurisdiction", "EU,us")
    told = ran.last
    assert ran.code == 0 and told["admitted"] == 6
    rules = {each["because"]: each["rule"] for each in told["refused"]}
    assert sorted(rules.values()) == ["law-deny", "opt-out"]
    assert told["law"]["outcomes"] == {"deny": 2, "allow-with-duties": 6}
    assert told["law"]["jurisdictions"]["US"]["outcomes"] == {"deny": 2, "allow": 6}
    assert all(each["status"] == "unreviewed draft" for each in told["law"]["jurisdictions"].values())


def test_a_work_is_explained_with_citations_and_what_is_missing(place):
    ran = asked(place, "check", "--jurisdiction", "EU", "--explain", "Ben 1")
    (ruling,) = ran.last["explained"]["rulings"]
    assert ruling["outcome"] == "deny" and ruling["hopeless"] and ruling["missing"] == []
    assert [reason["rule"] for reason in ruling["reasons"]] == ["eu-pirated-source"]
    assert ruling["reasons"][0]["cite"][0].startswith("Dir. (EU) 2019/790 art. 4(1)")
    less = write_csv(place / "less.csv", ["title", *CLEAN], ["*", *(v for n, v in CLEAN.items())])
    less.write_text(less.read_text().replace(",3,", ",,"))
    ran = byline("check", "--jurisdiction", "EU", "--evidence", less, *USE, "--explain", "Ada 1", "--home",
                 place / "home", "--json")  # fmt: skip
    (ruling,) = ran.last["explained"]["rulings"]
    assert [[step["fact"] for step in way] for way in ruling["missing"]] == [["signal_age_h"]]
    said = byline(
        "check", "--jurisdiction", "EU", "--evidence", less, *USE, "--explain", "Ada 1", "--home", place / "home"
    )
    assert "signal_age_h = at most 24" in said.out and "unreviewed drafts" in said.out


def test_what_flips_elsewhere(place):
    given = ("--given", "copied_in=EU;UK", "--given", "purpose=commercial", "--given", "synthesises_people=no")
    given += ("--given", "placed_in=none")
    same = asked(place, "whatif", "--jurisdiction", "EU", "--instead", "UK", use=given)
    assert same.code == 0 and same.last["flipped"] == 0  # CC0 is free in both
    other = asked(place, "whatif", "--jurisdiction", "EU", "--assume", "tpm_circumvented=yes", use=given)
    assert other.last["flipped"] == 6 and other.last["then"] == {"deny": 8}
    overlay = place / "mine.yaml"
    overlay.write_text(
        "jurisdiction: EU\ntitle: Mine\nversion: '1'\nstatus: unreviewed draft\nreviewed_by: null\nrules:\n"
        "  - {id: eu-mine, effect: review, when: {method: crawl}, because: 'So.', cite: ['x | policy'], evidence: [x],"
        " effective_from: 2027-01-01}\n"
    )
    words = ("whatif", "--jurisdiction", "EU", "--pack", overlay, "--on", "2026-11-22")
    assert asked(place, *words, use=given).last["flipped"] == 0
    later = asked(place, *words, "--then", "2027-01-01", use=given).last
    assert later["flipped"] == 6 and {flip["after"] for flip in later["flips"]} == {"review"}
    assert [flip["rules"] for flip in later["flips"]] == [["eu-mine"]]


def test_freeze_holds_to_the_law_that_is_asked(place):
    ran = asked(place, "freeze", "--jurisdiction", "EU")
    assert ran.code == 0 and (ran.last["works"], ran.last["refused"]) == (6, 2)


def test_a_form_gives_facts_and_an_incomplete_one_is_refused(place):
    counts = {"source_sampled": 100, "source_illegal": 0, "corpus_items": 10, "manual_inspected": 4000,
              "manual_passed": 4000, "auto_inspected": 10, "auto_passed": 10, "raters": ["r"],
              "sample_ids": "s"}  # fmt: skip
    path = place / "sample.json"
    path.write_text(json.dumps({"form": "sample"} | counts))
    ran = asked(place, "check", "--jurisdiction", "CN", "--form", path, "--assume", "collection_records=yes")
    assert ran.last["law"]["outcomes"] == {"deny": 2, "allow": 6}
    path.write_text(json.dumps({"form": "sample"} | counts | {"raters": []}))
    refused = asked(place, "check", "--jurisdiction", "CN", "--form", path)
    assert refused.code == 1 and "[bad-form-file]" in refused.err and "raters" in refused.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("check", "--jurisdiction", "FR"), "no-such-jurisdiction"),
        (("check", "--strict"), "no-jurisdiction"),
        (("whatif",), "no-jurisdiction"),
        (("whatif", "--jurisdiction", "EU"), "same-world"),
        (("check", "--jurisdiction", "EU", "--explain", "None"), "no-such-title"),
        (("check", "--jurisdiction", "EU", "--assume", "minor"), "bad-assumption"),
        (("check", "--jurisdiction", "EU", "--assume", "colour=red"), "unknown-fact"),
    ],
)
def test_misuse_is_named(place, words, code):
    ran = byline(*words, "--home", place / "home")
    assert ran.code == 1 and f"[{code}]" in ran.err


def test_all_faults_of_the_evidence_are_told_at_once(place):
    bad = write_csv(place / "bad.csv", ["title", "method", "minor"], ["Ada 9", "crawl", "no"], ["Ada 1", "theft", "x"])
    ran = byline("check", "--jurisdiction", "EU", "--evidence", bad, "--home", place / "home", "--json")
    assert ran.code == 1
    assert [(each["code"], each["at"]["line"]) for each in ran.last["problems"]] == [
        ("unknown-work", 2), ("bad-fact", 3), ("bad-fact", 3)
    ]  # fmt: skip


def test_without_a_jurisdiction_the_gate_is_as_it_was(place):
    ran = byline("check", "--home", place / "home", "--json")
    assert ran.last["admitted"] == 7 and "law" not in ran.last
