"""Filings say what the records say, ask a person for the rest, and invent nothing."""

import html.parser
import json
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from corpora import FROZEN, TODAY, an_answer, corpus_of, every_answer, material
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import DisclosureError
from byline.disclosure.filings import (
    AB2013,
    CN,
    EU,
    FACTS,
    LIA,
    REGIMES,
    Answer,
    Filing,
    Kind,
    State,
    check_filing,
    diff_filings,
    domains,
    domains_csv,
    make_filing,
    markdown,
    read_filing,
    registered_domain,
    shortfalls,
    status,
)
from byline.disclosure.filings import (
    html as as_html,
)

BY = "Jane Officer"
regimes = pytest.mark.parametrize("regime", REGIMES.values(), ids=REGIMES)


def answer(value, on=TODAY):
    return Answer(value, BY, on)


def filed(regime, corpus, **answers):
    return make_filing(regime, corpus, {name: answer(value) for name, value in answers.items()}, TODAY)


# --- nothing is invented --------------------------------------------------------------------------------------------


@regimes
def test_a_field_is_known_from_the_records_or_open(regime, unknown):
    filing = make_filing(regime, unknown, {}, TODAY)
    assert State.PERSON not in {field.state for field in filing.fields}
    for field in filing.fields:
        assert (field.value is None) == (field.state is not State.RECORDS) and field.because
    assert filing.draft and "DRAFT" in status(filing)


@regimes
def test_with_every_question_answered_it_is_complete_and_says_who_answered(regime, unknown, known):
    for corpus in (unknown, known):
        answers = every_answer(regime, corpus)
        filing = make_filing(regime, corpus, answers, TODAY)
        assert [field.item.id for field in filing.open] == []
        told = [field for field in filing.fields if field.state is State.PERSON]
        assert told and all(BY in field.because and "2026-11-22" in field.because for field in told)


METHODS = ["crawl", "sensor", "annotation", "purchase", "crowdsourcing", "user_upload", "public_dataset", "synthetic"]
USED = {"2.1": {"public_dataset"}, "2.3": {"crawl"}, "2.4.services": {"user_upload"}, "2.5": {"synthetic"}}


@given(methods=st.lists(st.sampled_from([*METHODS, "unknown"]), min_size=1, max_size=8), base=st.integers(0, 1))
def test_no_is_said_only_where_all_is_known(methods, base):
    corpus = corpus_of([material(n, method=method) for n, method in enumerate(methods)], base_tokens=base)
    values = make_filing(EU, corpus, {}, TODAY).values
    for name, meant in USED.items():
        if meant & set(methods):
            assert values[name] is True
        elif "unknown" in methods or base:
            assert name not in values
        else:
            assert values[name] is False


def test_what_was_read_before_recording_is_said(unknown):
    eu = filed(EU, unknown)
    assert eu.values["2.6"] is True and "999 tokens" in str(eu.values["2.6.records"])
    assert filed(AB2013, unknown).values["1.unregistered"] is True
    assert any(field.item.id == "2.6.description" for field in eu.open)


def test_no_last_day_is_told_while_something_has_none(known):
    later = replace(known, base_tokens=1)
    assert "1.3.acquired" in filed(EU, known).values and "10" in filed(AB2013, known).values
    assert "1.3.acquired" not in filed(EU, later).values and "10" not in filed(AB2013, later).values


def test_a_claim_of_public_domain_shows_nothing(unknown):
    assert "5" not in filed(AB2013, unknown).values
    licensed = corpus_of([material(1)])
    assert filed(AB2013, licensed).values["5"] is True and filed(AB2013, licensed).values["6"] is True
    dedicated = corpus_of([material(1, licence="CC0-1.0")])
    assert filed(AB2013, dedicated).values["5"] is False and filed(AB2013, dedicated).values["6"] is False


def test_an_audit_that_found_nothing_is_no_no(known):
    nothing, some = replace(known, personal=(), personal_by="a"), replace(known, personal=(("email", 2),))
    assert "7" not in filed(AB2013, nothing).values and "7" not in filed(AB2013, known).values
    assert filed(AB2013, some).values["7"] is True


def test_all_headings_of_the_template_are_there():
    sections = {item.section.partition(" ")[0] for item in EU.items} - {""}
    wanted = "1.1 1.2 1.3 2.1 2.2.1 2.2.2 2.3 2.4 2.5 2.6 3.1 3.2 3.3"
    assert sections == set(wanted.split())
    heads = sorted({int(m[1]) for item in AB2013.items if (m := re.match(r"\((\d+)\)", item.section))})
    assert heads == list(range(1, 13))


@regimes
def test_items_have_ids_of_their_own_and_conditions_that_come_before(regime):
    ids = [item.id for item in regime.items]
    assert len(set(ids)) == len(ids) and regime.subject in ids
    for at, item in enumerate(regime.items):
        assert not item.only_if or ids.index(item.only_if) < at
        assert not item.only_if or regime.item(item.only_if).kind is Kind.YES_NO


@regimes
def test_the_records_speak_only_of_items_that_are_there(regime, known, unknown):
    audited = replace(known, personal=(("email", 2),), personal_by="an audit", signals=(("tdmrep", 4),))
    for corpus in (known, unknown, audited):
        derived = regime.derive(corpus, {})
        assert set(derived) <= {item.id for item in regime.items}
        for name, each in derived.items():
            assert each.because and not isinstance(each.value, float)
            if regime.item(name).kind is Kind.YES_NO:
                assert isinstance(each.value, bool)


# --- domains --------------------------------------------------------------------------------------------------------


@given(sizes=st.lists(st.integers(1, 50), max_size=60), small=st.booleans())
def test_the_top_domains_are_the_largest(sizes, small):
    works = [material(n, bytes=size, domain=f"d{n}.example") for n, size in enumerate(sizes)]
    rows = domains(works, small)
    listed = [row for row in rows if row.listed]
    least = -(-len(sizes) * (5 if small else 10) // 100)
    assert [row.bytes for row in rows] == sorted(sizes, reverse=True)
    assert len(listed) >= min(least, len(sizes)) and sum(r.share_ppm for r in rows) <= 1_000_000
    if listed:  # ties with the last are in, and nobody smaller
        assert {row.bytes for row in rows if not row.listed}.isdisjoint({row.bytes for row in listed})
        assert sum(row.bytes > listed[-1].bytes for row in rows) < max(least, 1)


def test_a_small_enterprise_lists_a_thousand_at_most():
    works = [material(n, bytes=100_000 - n, domain=f"d{n}.example") for n in range(30_000)]
    assert sum(row.listed for row in domains(works, True)) == 1000
    assert sum(row.listed for row in domains(works)) == 3000


def test_works_of_one_domain_are_added():
    rows = domains([material(1, bytes=5, domain="a.example"), material(2, bytes=7, domain="a.example")])
    assert [(row.domain, row.works, row.bytes, row.share_ppm) for row in rows] == [("a.example", 2, 12, 1_000_000)]


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("https://art.example.co.uk/1", "example.co.uk"),
        ("http://WWW.Example.ORG./x", "example.org"),
        ("https://a.github.io/", "a.github.io"),
        ("https://127.0.0.1/x", ""),
        ("https://[::1", ""),
        ("shelf 12", ""),
        ("", ""),
    ],
)
def test_a_registered_domain_is_the_one_that_somebody_registered(address, domain):
    assert registered_domain(address) == domain


def test_a_spreadsheet_runs_nothing_from_the_list():
    rows = domains([material(1, domain="=cmd.example")])
    assert domains_csv(rows).splitlines()[1].startswith("'=cmd")


def test_the_summary_lists_the_domains_of_what_was_crawled(known):
    rows = filed(EU, known).values["2.3.domains"]
    assert [row["domain"] for row in rows] == ["site20.example", "site19.example"]
    small = filed(EU, known, **{"2.3.sme": True}).values["2.3.domains"]
    assert [row["domain"] for row in small] == ["site20.example"]


def test_crawlers_and_what_robots_txt_said_come_from_the_acquisitions(known):
    assert "2.3.crawlers" not in filed(EU, known).values  # the collectors are not on record
    seen = corpus_of([material(n, collector="ExampleBot", robots="allowed") for n in range(3)])
    values = filed(EU, seen).values
    assert values["2.3.crawlers"] == ["ExampleBot"] and values["2.3.records"] == "allowed: 3"
    assert values["2.3.period"] == "2026-10-01 to 2026-10-01"


# --- the filing and the records --------------------


@regimes
def test_a_filing_agrees_with_the_records_it_was_made_from(regime, known, unknown):
    for corpus in (known, unknown):
        filing = make_filing(regime, corpus, every_answer(regime, corpus), TODAY)
        assert check_filing(Filing.from_json(json.loads(json.dumps(filing.to_json())), REGIMES), corpus) == []


CHANGES = {
    "works": lambda c: replace(c, works=c.works[:-1]),
    "manifest_frozen": lambda c: replace(c, frozen=c.frozen - timedelta(days=1)),
    "tokens": lambda c: replace(c, tokens=c.tokens + 1),
    "base_tokens": lambda c: replace(c, base_tokens=5),
    "bytes": lambda c: replace(c, works=(replace(c.works[0], bytes=1), *c.works[1:])),
    "modalities": lambda c: replace(c, works=(replace(c.works[0], modality="image"), *c.works[1:])),
    "methods": lambda c: replace(c, works=(replace(c.works[0], method="sensor"), *c.works[1:])),
    "licences": lambda c: replace(c, works=(replace(c.works[0], licence="MIT"), *c.works[1:])),
    "works_refused": lambda c: replace(c, refused=()),
    "manifest_root": lambda c: replace(c, root="cd" * 32),
    "acquired_last": lambda c: replace(c, works=(replace(c.works[0], acquired=FROZEN), *c.works[1:])),
}


@pytest.mark.parametrize("what", CHANGES)
@regimes
def test_a_filing_that_no_longer_fits_the_records_is_told_where(regime, what, known):
    filing = make_filing(regime, known, every_answer(regime, known), TODAY)
    found = {fault.field for fault in check_filing(filing, CHANGES[what](known))}
    assert f"facts.{what}" in found


@regimes
def test_a_field_that_was_altered_by_hand_is_found(regime, known):
    filing = make_filing(regime, known, every_answer(regime, known), TODAY)
    told = filing.to_json()
    for at, field in enumerate(told["fields"]):
        if field["state"] != "records" or field["id"] in ("version", "first_made", "last_update"):
            continue
        changed = json.loads(json.dumps(told))
        value = field["value"]
        changed["fields"][at]["value"] = (not value) if isinstance(value, bool) else "something else"
        altered = Filing.from_json(changed, REGIMES)
        assert field["id"] in {fault.field for fault in check_filing(altered, known)}
        assert altered.digest() != filing.digest()


CONTRADICTIONS = [
    (EU, "2.3", False),
    (EU, "2.5", False),
    (EU, "2.6", False),
    (EU, "1.3.image", True),
    (EU, "1.3.text.size", "more than 10 trillion tokens"),
    (EU, "1.2.placed", "2026-10-31"),
    (EU, "1.2.placed", "2026-11-04"),
    (EU, "2.2.2.modalities", ["video"]),
    (EU, "2.4.description", "the records exclude uploads"),
    (AB2013, "3.works", 24),
    (AB2013, "11", "2026-11-06"),
    (AB2013, "12", False),
    (CN, "2.works", 1),
    (CN, "5.manual_inspected", 41),
    (LIA, "reviewed", "2025-10-31"),
]


@pytest.mark.parametrize(("regime", "name", "value"), CONTRADICTIONS)
def test_an_answer_that_the_records_exclude_is_refused(regime, name, value, known):
    with pytest.raises(DisclosureError, match=re.escape(name)) as refused:
        make_filing(regime, known, {name: answer(value)}, TODAY)
    assert refused.value.code == "filing-disagrees"


def test_all_disagreements_are_told_at_once(known):
    with pytest.raises(DisclosureError, match="in 3 points"):
        make_filing(EU, known, {n: answer(False) for n in ("2.3", "2.5", "2.6")}, TODAY)


def test_nobody_answers_tomorrow(known):
    with pytest.raises(DisclosureError, match="answered on"):
        make_filing(EU, known, {"3.2": answer("A list.", TODAY + timedelta(days=1))}, TODAY)


def test_saying_the_same_again_is_the_same_filing(known):
    one = filed(EU, known)
    assert make_filing(EU, known, {}, TODAY + timedelta(days=9), one) is one
    other = make_filing(EU, known, {"3.2": answer("A list.")}, TODAY, one)
    assert other.version == 2 and other.supersedes == one.digest()
    later = make_filing(EU, known, {}, TODAY + timedelta(days=9), other)
    assert later.version == 3 and later.values["first_made"] == str(TODAY) != later.values["last_update"]


def test_a_diff_names_what_changed_and_nothing_else(known):
    one = filed(EU, known)
    other = make_filing(EU, replace(known, tokens=2 * 10**9), {"3.2": answer("A list.")}, TODAY, one)
    assert [change.name for change in diff_filings(one, other)] == ["facts.tokens", "version", "1.3.text.size", "3.2"]
    assert diff_filings(one, one) == []
    with pytest.raises(DisclosureError, match="other of ab2013"):
        diff_filings(one, filed(AB2013, known))


def test_a_filing_of_an_older_form_is_read_and_superseded(known):
    """Forms grow. What was filed is never lost for it."""
    told = filed(EU, known).to_json()
    older = [field for field in told["fields"] if field["id"] != "2.3.records"]
    older.append(older[-1] | {"id": "9.9", "asks": "What was asked once", "state": "person", "value": "x"})
    old = Filing.from_json(told | {"fields": older}, REGIMES)
    new = make_filing(EU, known, {}, TODAY, old)
    assert new.version == 2 and {c.name for c in diff_filings(old, new)} == {"version", "2.3.records", "9.9"}
    assert "What was asked once" in markdown(old)


LEAVES = st.none() | st.booleans() | st.integers() | st.text()


@settings(max_examples=60, deadline=None)
@given(junk=st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_no_filing_is_refused(junk, tmp_path_factory):
    path = tmp_path_factory.mktemp("junk") / "filing.json"
    path.write_text(json.dumps(junk), encoding="utf-8")
    with pytest.raises(DisclosureError, match="not a filing"):
        read_filing(path, REGIMES)


@pytest.mark.parametrize("key", ["format", "regime", "version", "made", "facts", "fields", "supersedes"])
def test_a_filing_with_a_broken_part_is_refused(key, known, tmp_path):
    told = filed(EU, known).to_json()
    for broken in (None, [], "x", {"a": 1}):
        if key == "supersedes" and broken == "x":
            continue
        path = tmp_path / "filing.json"
        path.write_text(json.dumps(told | {key: broken}), encoding="utf-8")
        with pytest.raises(DisclosureError, match="not a filing"):
            read_filing(path, REGIMES)


# --- for people -----------------------------------------------------------------------------------------------------


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = set()

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)


@given(text=st.text(min_size=1, max_size=40).filter(str.strip))
@settings(max_examples=80, deadline=None)
def test_what_people_write_becomes_no_markup(text):
    hostile = f"<script>alert(1)</script>{text}|](javascript:x)\n# head"
    corpus = corpus_of([material(1, licence=hostile, source=hostile, domain="")])
    filing = make_filing(AB2013, corpus, {"system": answer(hostile)}, TODAY)
    page = Tags()
    page.feed(as_html(filing))
    assert "script" not in page.seen and "a" not in page.seen
    told = markdown(filing)
    assert "<script>" not in told and not any(line.startswith("# head") for line in told.splitlines())
    assert all(line.count("|") - line.count("\\|") in (0, 3, 4) for line in told.splitlines() if line.startswith("|"))


@regimes
def test_both_pages_hold_every_field(regime, known):
    filing = make_filing(regime, known, {}, TODAY)
    assert set(filing.facts) == set(FACTS)
    for item in regime.items:
        assert f'id="f-{item.id}"' in as_html(filing) and f"({item.id})" in markdown(filing)
    assert "http" not in as_html(filing).partition("</style>")[0]


def test_a_month_is_written_as_the_template_has_it(known):
    assert "10/2026" in markdown(filed(EU, known)) and filed(EU, known).values["1.3.acquired"] == "2026-10"


# --- China, United Kingdom --------------------


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ((4000, 200, 4000, 3840, 1000, 980), []),
        ((4000, 201, 4000, 3840, 1000, 980), ["5 % of the sample"]),
        ((4000, 0, 3999, 3999, 1000, 980), ["4,000 items"]),
        ((4000, 0, 4000, 3839, 1000, 980), ["96 %"]),
        ((4000, 0, 4000, 4000, 999, 999), ["10 %"]),
        ((4000, 0, 4000, 4000, 1000, 979), ["98 %"]),
    ],
)
def test_the_numbers_of_the_standard_are_held_exactly(numbers, says):
    names = ("source_sampled", "source_illegal", "manual_inspected", "manual_passed", "auto_inspected", "auto_passed")
    values = {f"5.{name}": number for name, number in zip(names, numbers, strict=True)}
    found = shortfalls(values, 10_000)
    assert len(found) == len(says) and all(part in told for part, told in zip(says, found, strict=True))


def test_the_annex_has_a_row_for_each_source_and_says_what_is_not_on_record(known, unknown):
    rows = filed(CN, known).values["2.table"]
    assert sum(row["works"] for row in rows) == len(known.works) and rows[0]["share_ppm"] > 0
    assert {row["authorisation"] for row in rows} == {"none on record", "contract 7"}
    assert filed(CN, unknown).values["2.records"] is False and "2.records" not in filed(CN, known).values


def test_the_assessment_is_the_form_that_the_gate_reads(known):
    from byline.gate.law import read_form

    complete = make_filing(LIA, known, every_answer(LIA, known), TODAY)
    assert read_form(LIA.document(complete, known)).facts() == {"lia_outcome": "pass", "lia_until": date(2027, 11, 20)}
    draft = make_filing(LIA, known, {}, TODAY)
    assert read_form(LIA.document(draft, known)).facts() == {"lia_outcome": "none"}


def test_an_answer_of_every_kind_fits():
    kinds = {item.kind for regime in REGIMES.values() for item in regime.items} - {Kind.TABLE}
    for regime in REGIMES.values():
        for item in regime.items:
            if item.kind in kinds:
                assert an_answer(item) not in ("", None)
