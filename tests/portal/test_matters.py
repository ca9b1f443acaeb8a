"""Splits that are proposed, heirs that are named, disputes from the claim to the outcome; with receipts."""

from datetime import date

import pytest
from portal_project import ADA, BEN, TITLES, only_work, signed_in

from byline.app.portal.accounts import Role
from byline.app.portal.matters import people_of
from byline.core import PPM
from byline.disclosure import verify_file
from byline.registry import Succession, divide_work


@pytest.fixture
def officer(app):
    return signed_in(app, "officer@example.org", Role.OFFICER)


@pytest.fixture
def other_officer(app):
    return signed_in(app, "second@example.org", Role.OFFICER)


def begun(answer):
    """The matter that a form has begun."""
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


def divided(home, title, on=date(2026, 11, 2)):
    work = home.registry.work(only_work(home, title))
    return divide_work(work, home.registry.split_of(work.id, on), people_of(home).known(), on)


def shares(**names):
    fields = {}
    for at, (name, share) in enumerate(names.items(), 1):
        fields |= {f"name-{at}": name.replace("_", " "), f"share-{at}": share}
    return fields


# --- splits -------------------------------------------------------------------------------------------------------


@pytest.fixture
def split(ada, home):
    asked = shares(Ada_Moore="70", Ben_Okoro="30")
    work = only_work(home, TITLES[0])
    return begun(ada.fill("/splits/new", work=work, effective="2026-11-01", because="we wrote it together",
                          by="Ada Moore", **asked))  # fmt: skip


def test_a_split_is_in_force_once_all_have_agreed(split, ada, ben, home, tmp_path):
    assert dict(divided(home, TITLES[0]).lines) == {ADA: PPM}
    assert "has not answered" in ada.look(split).text
    assert "Your answer is asked for" in ben.look("/me").text and "we wrote it together" in ben.look(split).text
    assert ben.fill(split, act="agree", by="Ben Okoro").status_code == 303
    assert dict(divided(home, TITLES[0]).lines) == {ADA: 700_000, BEN: 300_000}
    assert "Agreed by all, and in force" in ada.look(split).text
    receipt = ada.look(f"{split}/receipts/1")
    (tmp_path / "receipt.json").write_bytes(receipt.content)
    assert verify_file(tmp_path / "receipt.json", home.key.public).ok
    assert ben.fill(split, act="disagree", because="no", by="Ben").status_code == 409  # it is over


def test_who_has_no_part_neither_proposes_nor_sees_it(split, app, home, ben):
    eve = signed_in(app, "eve@example.org")
    work = only_work(home, TITLES[0])
    assert eve.look(f"/splits/new?work={work}").status_code == 404
    assert eve.look(split).status_code == eve.fill(split, act="agree").status_code == 404
    assert eve.look(f"{split}/receipts/1").status_code == 404
    assert ben.look(f"/splits/new?work={work}").status_code == 404  # named in it, and has no part yet
    assert ben.fill(split, act="withdraw").status_code == 422


def test_what_is_claimed_twice_is_shown_and_waits_when_an_officer_records_it(split, ben, officer, ada, home):
    assert ben.fill(split, act="disagree", by="Ben Okoro").status_code == 422
    assert ben.fill(split, act="disagree", because="half is mine", part="50", by="Ben Okoro").status_code == 303
    shown = ada.look(split).text
    assert "Together that is more than the whole" in shown and "half is mine" in shown
    assert "20\u00a0%" in shown.partition("contested")[2]
    assert divided(home, TITLES[0]).holds == ()
    assert officer.fill(f"/office{split}", act="hold", by="Olga").status_code == 303
    found = divided(home, TITLES[0])
    assert dict(found.lines) == {ADA: 500_000, BEN: 300_000} and found.holds[0].ppm == 200_000
    assert officer.fill(f"/office{split}", act="hold").status_code == 303  # again changes nothing
    assert divided(home, TITLES[0]) == found


def test_who_agreed_on_paper_is_recorded_by_an_officer_with_the_document(ada, officer, home):
    asked = shares(Ada_Moore="60", A_Translator="40")
    work = only_work(home, TITLES[0])
    split = begun(ada.fill("/splits/new", work=work, effective="2026-11-01", by="Ada Moore", **asked))
    assert "New here" in ada.look(split).text
    page = officer.look(f"/office{split}").text
    party = page.partition('name="party" value="')[2].partition('"')[0]
    refused = officer.fill(f"/office{split}", party=party, by="Olga")
    assert refused.status_code == 422 and "was not sent" in refused.text
    sent = {"file": ("a.pdf", b"SIGNED BY BOTH")}
    assert officer.fill(f"/office{split}", sent, party=party, document="agreement", by="Olga").status_code == 303
    assert sorted(ppm for _, ppm in divided(home, TITLES[0]).lines) == [400_000, 600_000]
    assert [p for p in home.path.rglob("*") if p.is_file() and b"SIGNED BY BOTH" in p.read_bytes()] == []


def test_one_person_has_one_share_however_the_name_is_written(ada, home):
    asked = {"work": only_work(home, TITLES[0]), "effective": "2026-11-01", "by": "Ada"}
    answer = ada.fill("/splits/new", **asked, **shares(Ada_Moore="50", ADA__MOORE="30"))
    assert answer.status_code == 422 and "stands here twice" in answer.text


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({}, "nobody is named"),
        ({"Ada": "60", "Ben": "60"}, "together that is 120 per cent"),
        ({"Ada": "0"}, "is no share"),
        ({"Ada": "-3"}, "is no share"),
        ({"Ada": "1e9"}, "is no share"),
        ({"Ada": "NaN"}, "is no share"),
        ({"Ada": ""}, "nothing is written"),
    ],
)
def test_a_fault_in_shares_stands_beside_it_and_nothing_is_recorded(ada, home, names, says):
    before = len(home.log.entries())
    work = only_work(home, TITLES[0])
    answer = ada.fill(
        "/splits/new", work=work, effective="2026-13-01", by="Ada", because="keep this", **shares(**names)
    )
    assert answer.status_code == 422 and says in answer.text.lower() and "keep this" in answer.text
    assert "is no day" in answer.text and 'aria-describedby="effective-fault"' in answer.text
    assert len(home.log.entries()) == before


# --- heirs --------------------------------------------------------------------------------------------------------

WILL = {"file": ("will.pdf", b"LAST WILL OF ADA MOORE")}


def test_heirs_count_once_two_officers_have_seen_the_document(ada, officer, other_officer, home):
    asked = {"whose": "Ada Moore", "effective": "2026-11-01", "document": "will of 3 May 2020", "by": "Ada Moore"}
    heirs = begun(ada.fill("/heirs/new", WILL, **asked, **shares(A_Hospital="60", Ann_Lee="30")))
    assert divided(home, TITLES[0]).lines == ((ADA, PPM),)
    wrong = officer.fill(f"/office{heirs}", {"file": ("x", b"other")}, act="approve", by="Olga")
    assert wrong.status_code == 422 and "another file" in wrong.text
    assert officer.fill(f"/office{heirs}", WILL, act="approve", by="Olga").status_code == 303
    assert officer.fill(f"/office{heirs}", WILL, act="approve").status_code == 409
    assert divided(home, TITLES[0]).lines == ((ADA, PPM),)
    assert other_officer.fill(f"/office{heirs}", WILL, act="approve", by="Otto").status_code == 303
    found = divided(home, TITLES[0])
    assert sorted(ppm for _, ppm in found.lines) == [300_000, 600_000] and found.unclaimed_ppm == 100_000
    (record,) = people_of(home).known().of(Succession)
    assert set(record.approved_by) == {"Olga", "Otto"}
    assert "Confirmed, and in force" in ada.look(heirs).text


def test_whoever_names_heirs_names_a_document_and_somebody_known(ada, home):
    answer = ada.fill("/heirs/new", whose="Nobody", effective="2026-11-01", by="Ada", **shares(Ann="100"))
    assert answer.status_code == 422
    for says in ("has made no work", "no document was sent"):
        assert says in answer.text.lower()
    mine = ada.fill("/heirs/new", WILL, whose="Ada Moore", effective="2026-11-01", document="will", by="Ada",
                    **shares(Ada_Moore="100"))  # fmt: skip
    assert mine.status_code == 422 and "comes after themselves" in mine.text
    assert "Choose the file once more" in mine.text


def test_heirs_in_a_circle_are_confirmed_by_nobody(ada, ben, officer, other_officer, home):
    for browser, whose, heir in ((ada, "Ada Moore", "Ben_Okoro"), (ben, "Ben Okoro", "Ada_Moore")):
        asked = {"whose": whose, "effective": "2026-11-01", "document": "will", "by": whose}
        heirs = begun(browser.fill("/heirs/new", WILL, **asked, **shares(**{heir: "100"})))
        officer.fill(f"/office{heirs}", WILL, act="approve", by="Olga")
        last = other_officer.fill(f"/office{heirs}", WILL, act="approve", by="Otto")
    assert last.status_code == 422 and len(people_of(home).known().of(Succession)) == 1
    assert "one officer has confirmed it" in ben.look("/matters").text


def test_whose_heirs_are_named_sees_it_and_objects(ada, ben, officer):
    asked = {"whose": "Ben Okoro", "effective": "2026-11-01", "document": "a letter", "by": "Ada Moore"}
    heirs = begun(ada.fill("/heirs/new", WILL, **asked, **shares(Ada_Moore="100")))
    assert heirs in ben.look("/matters").text
    assert ada.fill(heirs, act="object", because="x").status_code == 422
    assert ben.fill(heirs, act="object", because="I am alive").status_code == 303
    assert "I am alive" in officer.look(f"/office{heirs}").text


def test_an_officer_rejects_with_a_reason(ada, officer):
    asked = {"whose": "Ben Okoro", "effective": "2026-11-01", "document": "a letter", "by": "Ada Moore"}
    heirs = begun(ada.fill("/heirs/new", WILL, **asked, **shares(Ada_Moore="100")))
    assert officer.fill(f"/office{heirs}", act="reject", by="Olga").status_code == 422
    assert officer.fill(f"/office{heirs}", act="reject", because="Ben is alive", by="Olga").status_code == 303
    assert "Ben is alive" in ada.look(heirs).text and "rejected" in ada.look("/matters").text


# --- disputes -----------------------------------------------------------------------------------------------------


@pytest.fixture
def dispute(ada, home):
    work = only_work(home, TITLES[2])
    line = "/statements/eur/2026-09/line/1"
    page = ada.look(f"/disputes/new?work={work}&line={line}").text
    assert "Ben Okoro, who has 100" in page and f'href="{line}"' in page
    return begun(ada.fill("/disputes/new", work=work, line=line, party=BEN, part="30", ground="authorship",
                          since="2026-09-01", because="I wrote two of its five parts", by="Ada Moore"))  # fmt: skip


def test_a_whole_dispute_from_the_claim_to_the_outcome(dispute, ada, ben, officer, home):
    assert "Nothing waits yet" in ada.look(dispute).text and divided(home, TITLES[2]).holds == ()
    assert "Your answer is asked for" in ben.look("/me").text
    assert ben.fill(dispute, because="She wrote none of it", by="Ben Okoro").status_code == 303
    assert f"/office{dispute}" in officer.look("/office").text
    assert "She wrote none of it" in officer.look(f"/office{dispute}").text
    take = {"act": "take-up", "because": "Both have papers", "by": "Olga Officer"}
    assert officer.fill(f"/office{dispute}", **take).status_code == 303
    assert divided(home, TITLES[2]).holds[0].ppm == 300_000
    for browser in (ada, ben):
        assert "30\u00a0% of the work waits" in browser.look(dispute).text
    before = home.journal.head()
    page = officer.look(f"/office{dispute}").text
    shown = page.partition('name="shown" value="')[2].partition('"')[0]
    assert officer.fill(f"/office{dispute}", act="book", shown="0" * 64).status_code == 409
    assert home.journal.head() == before
    assert officer.fill(f"/office{dispute}", act="book", shown=shown).status_code == 303
    assert "wait for this work in all" in ada.look(dispute).text.replace("waits", "wait")
    assert home.journal.head() != before and home.journal.check() == []
    decide = {"act": "decide", "part": "50", "because": "One of two parts"}
    assert officer.fill(f"/office{dispute}", **decide).status_code == 303
    assert dict(divided(home, TITLES[2]).lines) == {ADA: 150_000, BEN: 850_000}
    for browser in (ada, ben):
        assert "One of two parts" in browser.look(dispute).text and "decided" in browser.look("/matters").text
    assert officer.fill(f"/office{dispute}", **decide).status_code == 409


def test_it_stands_on_the_statements_of_both_sides(dispute, ada, ben):
    page = ben.look("/statements/eur/2026-09").text
    assert "What is contested" in page and dispute in page and "claimed by Ada Moore" in page
    lines = [ben.look(f"/statements/eur/2026-09/line/{n}").text for n in range(1, 5)]
    assert any("Contested by" in line and dispute in line for line in lines)
    assert dispute in ada.look("/matters").text


def test_a_claim_is_declined_and_the_claimant_takes_one_back_while_nothing_waits(dispute, ada, officer, home):
    asked = {"act": "decline", "because": "Nothing shows it", "by": "Olga"}
    assert officer.fill(f"/office{dispute}", **asked).status_code == 303
    assert "Nothing shows it" in ada.look(dispute).text and people_of(home).known().records == ()
    work = only_work(home, TITLES[2])
    again = begun(ada.fill("/disputes/new", work=work, party=BEN, part="1", ground="share", since="2026-09-01",
                           because="again"))  # fmt: skip
    assert ada.fill(again, act="withdraw").status_code == 303
    assert officer.fill(f"/office{again}", act="take-up", because="late").status_code == 409


def test_all_faults_of_a_claim_are_told_at_once(ada, home):
    work = only_work(home, TITLES[2])
    answer = ada.fill("/disputes/new", work=work, party="party:nobody", part="400", ground="envy", since="soon",
                      because="", by="Ada")  # fmt: skip
    assert answer.status_code == 422
    more = ada.fill("/disputes/new", work=only_work(home, TITLES[0]), party=BEN, part="1", ground="share",
                    since="2026-09-01", because="x")  # fmt: skip
    assert more.status_code == 422  # Ben has no share of it
    for field in ("p1", "part", "g1", "since", "because"):
        assert f'id="{field}-fault"' in answer.text, field
    assert answer.text.count("autofocus") == 1 and 'value="400"' in answer.text
    assert ada.look("/matters").text.count("Dispute") == 0


def test_an_officer_who_has_a_side_decides_nothing(dispute, app):
    both = signed_in(app, "both@example.org", Role.OFFICER, party=BEN)
    answer = both.fill(f"/office{dispute}", act="decline", because="mine", by="Ben")
    assert answer.status_code == 409 and "somebody else decides" in answer.text.lower()
    assert "This concerns yourself" in both.look(f"/office{dispute}").text


def test_without_a_payee_nothing_is_contested(app, home):
    eve = signed_in(app, "eve@example.org")
    assert eve.look(f"/disputes/new?work={only_work(home, TITLES[2])}").status_code == 404


def test_what_came_to_nothing_is_erased_with_the_names_in_it(ada, officer, home):
    asked = {"whose": "Ada Moore", "effective": "2026-11-01", "document": "will of 3 May", "by": "Ada Moore"}
    heirs = begun(ada.fill("/heirs/new", WILL, **asked, **shares(Cousin_Zebedee="100")))
    assert ada.fill("/me/erase", sure="yes").status_code == 303
    assert officer.look(f"/office{heirs}").status_code == 404
    left = [path for path in home.path.rglob("*") if path.is_file() and b"Zebedee" in path.read_bytes()]
    assert left == []


def test_erasing_takes_the_name_and_the_words_and_leaves_what_was_decided(dispute, ada, officer, home):
    officer.fill(f"/office{dispute}", act="take-up", because="papers", by="Olga")
    assert ada.fill("/me/erase", sure="yes").status_code == 303
    left = b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())
    assert b"two of its five parts" not in left
    assert divided(home, TITLES[2]).holds[0].ppm == 300_000
    assert officer.look(f"/office{dispute}").status_code == 200
