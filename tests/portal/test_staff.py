"""An auditor's and an officer's day: what they see and decide."""

import re

import pytest
from portal_project import ADA, TITLES, sign_month, signed_in

from byline.app.portal.accounts import Role


@pytest.fixture
def auditor(app):
    return signed_in(app, "auditor@example.org", Role.AUDITOR)


@pytest.fixture
def officer(app):
    return signed_in(app, "officer@example.org", Role.OFFICER)


# --- auditor ----------------------------------------------------------------------------------------------------


def test_an_auditor_walks_from_a_balance_to_the_evidence_by_links_alone(auditor):
    page = auditor.look("/audit").text
    for step in (f"/audit/payees/{ADA}", f"/audit/payees/{ADA}/eur/2026-09", f"/audit/payees/{ADA}/eur/2026-09/line/1"):
        assert f'href="{step}"' in page
        page = auditor.look(step).text
    assert "The payment" in page and "The sum" in page and "Contest" not in page


def test_balances_together_are_nought(auditor):
    page = auditor.look("/audit").text
    assert re.search(r"together</th><td class=\"r\">0\.00 EUR", page) and "owed to payees" in page


def test_computing_again_finds_what_was_altered(auditor, home):
    import sqlalchemy as sa

    assert "every hash, sum and division holds" in auditor.fill("/audit/check").text
    with home.journal.engine.begin() as connection:
        names = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.execute(sa.text(f"DROP TRIGGER {name}"))
        connection.execute(sa.text("UPDATE ledger_leg SET amount_nano = amount_nano + 1 WHERE entry = 1"))
    answer = auditor.fill("/audit/check").text
    assert "holds.</strong>" not in answer and "problems</strong>" in answer
    assert "does not hold" in auditor.look("/audit/entries/1").text


def test_entries_and_the_trail_are_shown_without_names_of_visitors(auditor, ada):
    ada.fill("/no", of=TITLES[0], by="Ada Moore")
    assert "event:1" in auditor.look("/audit/entries").text
    assert "Its fingerprint holds" in auditor.look("/audit/entries/1").text
    assert auditor.look("/audit/entries/99").status_code == 404
    trail = auditor.look("/audit/trail").text
    assert "gave opt-out" in trail and "in the log" in trail and "NOT" not in trail and "ada@" not in trail


# --- officer ----------------------------------------------------------------------------------------------------


@pytest.fixture
def notice(ada):
    return ada.fill("/no", of=TITLES[0], by="Ada Moore").headers["location"].partition("?")[0]


def test_an_officer_decides_with_a_name_and_a_reason(officer, notice, ada, app):
    page = officer.look("/office").text
    assert f"/office{notice}" in page and "River book" in page
    assert officer.fill(f"/office{notice}", decide="upheld", by="Olga Officer").status_code == 422  # no reason
    assert officer.fill(f"/office{notice}", because="seen", by="Olga Officer").status_code == 422  # no decision
    assert officer.fill(f"/office{notice}", decide="upheld", because="seen").status_code == 422  # no name
    answer = officer.fill(f"/office{notice}", decide="upheld", because="It is plainly hers", by="Olga Officer")
    assert answer.status_code == 303
    assert "It is plainly hers" in ada.look(notice).text and "upheld" in ada.look(notice).text
    assert app.state.portal.trail.lines()[-1].did == "decided: upheld"


def test_a_check_of_identity_needs_the_document_and_keeps_its_fingerprint_only(officer, notice, home):
    asked = {"decide": "identity", "because": "passport", "by": "Olga Officer"}
    assert officer.fill(f"/office{notice}", **asked).status_code == 422
    passport = b"PASSPORT SCAN 4711"
    assert officer.fill(f"/office{notice}", files={"file": ("p.pdf", passport)}, **asked).status_code == 303
    assert "checked: identity" in officer.look(f"/office{notice}").text
    assert [path for path in home.path.rglob("*") if path.is_file() and passport in path.read_bytes()] == []


def test_whoever_gave_it_here_has_shown_their_address(officer, notice, ada, home):
    from byline.app.notices import give, moment
    from byline.registry import Defaults, NoticeKind, Target, TargetKind

    asked = {"decide": "contact", "by": "Olga Officer"}
    assert officer.fill(f"/office{notice}", **asked).status_code == 303
    assert "checked: contact" in officer.look(f"/office{notice}").text
    wish = Defaults("Zoe", moment().date()).wish(Target(TargetKind.DOMAIN, "zoe.example"))
    (other,) = give(home, NoticeKind.OPT_OUT, [wish], moment())  # on the command line, where nobody signed in
    assert officer.fill(f"/office/notices/{other.dossier.notice.id}", **asked).status_code == 422
    assert ada.fill(f"{notice}/withdraw").status_code == 303  # checked or not, it stays hers


def test_a_site_is_shown_to_be_theirs_by_words_that_only_they_are_told(officer, ada, ben):
    page = ada.fill("/no", of="books.example.org", by="Ada Moore").headers["location"].partition("?")[0]
    words = re.search(r"byline-verify=[0-9a-f]{32}", ada.look(page).text)[0]
    assert words not in officer.look(f"/office{page}").text and ben.look(page).status_code == 404
    asked = {"decide": "domain", "by": "Olga Officer"}
    assert officer.fill(f"/office{page}", shown="byline-verify=0", **asked).status_code == 422
    assert officer.fill(f"/office{page}", shown=f'"{words}"', **asked).status_code == 303
    assert "checked: domain" in officer.look(f"/office{page}").text


def test_nobody_decides_on_their_own_notice(app):
    both = signed_in(app, "both@example.org", Role.OFFICER)
    mine = both.fill("/no", of=TITLES[1], by="Ben").headers["location"].partition("?")[0]
    answer = both.fill(f"/office{mine}", decide="upheld", because="I say so", by="Ben")
    assert answer.status_code == 409 and "somebody else decides" in answer.text.lower()


def test_a_contested_line_is_answered_once(officer, ada, app):
    ada.fill("/statements/eur/2026-09/line/1", says="too little")
    question = app.state.portal.accounts.questions()[0].id
    assert "too little" in officer.look("/office").text
    assert officer.fill(f"/office/questions/{question}", says="It follows the agreed rule.").status_code == 303
    assert "It follows the agreed rule." in ada.look("/me").text
    assert officer.fill(f"/office/questions/{question}", says="again").status_code == 404


def test_a_signed_month_is_marked(auditor, home):
    sign_month(home)
    assert "signed</span>" in auditor.look(f"/audit/payees/{ADA}").text
