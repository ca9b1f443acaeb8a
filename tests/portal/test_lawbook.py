"""What is in force when, which works flip, what is missing: an officer compares days, readings and versions."""

import re

import pytest
from portal_project import TITLES, only_work, signed_in

from byline.app.portal.accounts import Role

PACK = """
jurisdiction: EU
title: Tomorrow
version: "9"
status: unreviewed draft
reviewed_by: null
rules:
  - id: eu-nothing-more
    effect: deny
    when: {method: crawl}
    because: Tomorrow nothing that was crawled may be used.
    cite: ["A thought | policy"]
    evidence: [acquisition]
"""


@pytest.fixture
def officer(app):
    return signed_in(app, "officer@example.org", Role.OFFICER)


def compare(officer, pack=None, **fields):
    asked = {"places": ["EU"], "on": "2026-11-01", "then": "2026-11-01"} | fields
    return officer.fill("/office/law", {"file": ("x.yaml", pack)} if pack else None, **asked)


def test_the_tables_of_rules_say_what_is_in_force_and_by_whom_they_were_reviewed(officer):
    page = officer.look("/office/law").text
    for place in ("EU", "UK", "US", "JP", "SG", "CN"):
        assert f"{place}, version" in page
    assert page.count("unreviewed draft") >= 6 and "rules in force today" in page


def test_two_days_differ_by_the_rules_that_began_between_them(officer):
    page = compare(officer, on="2021-06-01", then="2021-06-08").text
    assert "eu-art4-reservation" in page.partition("Rules that differ")[2].partition("Missing evidence")[0]
    back = compare(officer, on="2021-06-08", then="2021-06-01").text
    assert "EU: ends" in back and "EU: begins" in page and "EU: ends" not in page


def test_a_version_of_ones_own_flips_works_and_is_not_kept(officer, home):
    page = compare(officer, PACK.encode(), given="method=crawl").text
    assert "3 of 3 works flip" in page and "not allowed" in page and "eu-nothing-more" in page
    for title in ("River book", "A quiet book"):
        assert title in page
    assert [p for p in home.path.rglob("*") if p.is_file() and b"Tomorrow nothing" in p.read_bytes()] == []


def test_missing_evidence_is_counted_for_each_place(officer):
    page = compare(officer, places=["EU", "JP"], then="2027-01-01").text
    missing = page.partition("Missing evidence")[2].partition("Compare")[0]
    assert "<h3>EU</h3>" in missing and "<h3>JP</h3>" in missing
    assert re.search(r"\(3 works\)", missing)


def test_everything_behind_the_ruling_on_a_work(officer, home):
    work = only_work(home, TITLES[0])
    page = officer.look(f"/office/law/works/{work}?places=EU,US&on=2026-11-01").text
    assert "EU: " in page and "US: " in page and "What is known of it" in page and "opt_out_open" in page
    assert officer.look(f"/office/law/works/{work}?places=XX&on=never").status_code == 200
    assert officer.look("/office/law/works/work:none").status_code == 404


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"places": []}, "no place was chosen"),
        ({}, "both sides are the same"),
        ({"then": "tomorrow"}, "is no day"),
        ({"given": "nonsense", "then": "2027-01-01"}, "is not fact=value"),
        ({"given": "no_such=yes", "then": "2027-01-01"}, "is not a fact"),
        ({"pack": b"{"}, "your-version.yaml"),
        ({"pack": b"\xff\xfe"}, "is no YAML"),
        ({"pack": b"a: &a [x]\nb: [*a, *a]"}, "refers to parts of itself"),
        ({"pack": b"jurisdiction: EU"}, "Field required"),
        ({"pack": PACK.replace("EU", "UK").encode()}, "not among EU"),
        ({"pack": b"#" * 300_000}, "300,000 bytes"),
    ],
)
def test_faults_are_told_beside_their_field_and_name_no_path(officer, fields, says):
    answer = compare(officer, **fields)
    assert answer.status_code == 422 and says.lower() in answer.text.lower() and "/tmp" not in answer.text
    assert "byline-pack-" not in answer.text and 'class="fault"' in answer.text


def test_comparing_changes_nothing(officer, home):
    before = home.registry.stamp(), len(home.log.entries())
    compare(officer, then="2027-01-01")
    assert (home.registry.stamp(), len(home.log.entries())) == before
