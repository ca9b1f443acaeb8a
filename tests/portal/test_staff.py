"""An auditor's, an officer's, an operator's and a cooperative's day: what they see, decide and book."""

import html
import re

import pytest
from portal_project import ADA, BEN, TITLES, only_work, sign_month, signed_in

from byline.app.coop import Coop, found, make_proposal, propose, read_statutes
from byline.app.home import write_json
from byline.app.portal.accounts import Role
from byline.cooperative import Effect, MemberClass, Membership, Step
from byline.core import Share, ShareTable, cluster_id

PAYMENTS = "received,licensee,amount,currency\n2026-10-20,Another <Co>,100.00,EUR\n"


@pytest.fixture
def auditor(app):
    return signed_in(app, "auditor@example.org", Role.AUDITOR)


@pytest.fixture
def officer(app):
    return signed_in(app, "officer@example.org", Role.OFFICER)


@pytest.fixture
def operator(app):
    return signed_in(app, "operator@example.org", Role.OPERATOR)


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


# --- operator ---------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(home):
    """What `byline attribute` would have kept, on the works of the frozen list."""
    manifest = home.registry.latest_manifest()
    ids = [only_work(home, title) for title in TITLES]
    lines = tuple(Share(str(cluster_id(work)), 200_000_000, 0, 400_000_000) for work in ids)
    shares = ShareTable("period", "cluster", "m", "run:1", 900_000, lines, 400_000_000)
    folder = home.path / "trainings" / "main"
    write_json(folder / "attribution.json", {"passages": [], "period": shares.to_json()})
    training = {"run": "run:1", "manifest": manifest.id, "name": "main", "losses": [], "heldout": 1, "unigram": 2,
                "hardware": "x"}  # fmt: skip
    write_json(folder / "training.json", training)


def hidden(page):
    found = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("settle/commit")[2]))
    return {name: html.unescape(value) for name, value in found.items() if name != "token"}


def test_money_is_shown_before_it_is_booked_and_booked_once(operator, measured, home, app):
    before = home.journal.head()
    shown = operator.fill("/operate/settle", name="main", payments=PAYMENTS).text
    assert "100.00 EUR received" in shown and "Ben Okoro" in shown
    assert home.journal.head() == before
    asked = hidden(shown)
    assert operator.fill("/operate/settle/commit", **asked).headers["location"] == "/operate"
    assert home.journal.head().size == before.size + 1 and home.journal.check() == []
    assert operator.fill("/operate/settle/commit", **asked).status_code == 303
    assert home.journal.head().size == before.size + 1
    assert "in the journal already" in operator.fill("/operate/settle", name="main", payments=PAYMENTS).text
    assert "Another &lt;Co&gt;" in operator.look("/operate").text
    assert [line.did for line in app.state.portal.trail.lines()][-2:] == ["booked", "had booked before"]


def test_nothing_is_booked_that_was_not_shown(operator, measured, home):
    before, asked = home.journal.head(), hidden(operator.fill("/operate/settle", name="main", payments=PAYMENTS).text)
    more = asked | {"payments": PAYMENTS.replace("100.00", "900.00")}
    assert operator.fill("/operate/settle/commit", **more).status_code == 409
    assert home.journal.head() == before


@pytest.mark.parametrize("payments", ["", "received,licensee\n", PAYMENTS.replace("100.00", "-1"), "x" * 200_000])
def test_faults_of_a_table_are_named_and_nothing_is_booked(operator, measured, home, payments):
    before = home.journal.head()
    answer = operator.fill("/operate/settle", name="main", payments=payments)
    assert answer.status_code == 422 and "byline-payments-" not in answer.text
    assert home.journal.head() == before


@pytest.mark.parametrize("name", ["../main", "none", ""])
def test_no_training_is_a_path(operator, measured, name):
    assert operator.fill("/operate/settle", name=name, payments=PAYMENTS).status_code == 422


def test_an_operator_says_who_may_enter(operator, app, home):
    operator.look("/operate/people")
    answer = operator.fill("/operate/people", email="New@example.org", roles=["auditor", "emperor"], payee="Ben Okoro")
    assert answer.status_code == 303
    page = operator.look("/operate/people").text
    assert "new@example.org" in page and "auditor, contributor; reads the statements of Ben Okoro" in page
    person = next(each for each in app.state.portal.accounts.people() if each.email == "new@example.org")
    assert person.party == BEN and person.roles == {Role.AUDITOR, Role.CONTRIBUTOR}
    assert len(list((home.path / "outbox").glob("*.eml"))) == 1
    assert operator.fill("/operate/people", email="a@example.org", payee="Nobody Atall").status_code == 422


def test_a_payout_is_one_that_the_book_knows(operator, home):
    (home.path / "payouts").mkdir()
    (home.path / "payouts" / "batch:1.xml").write_text("<secret/>")
    assert operator.look("/operate/payouts/batch:1").status_code == 404


# --- cooperative ------------------------------------------------------------------------------------------------


def test_a_cooperative_sees_its_proposals_and_what_they_would_change(app, home, clock):
    browser = signed_in(app, "coop@example.org", Role.COOPERATIVE)
    assert "no cooperative here yet" in browser.look("/coop").text
    day = clock().date()
    record, _ = found(home, "Writers together", "main", read_statutes(None), day)
    coop = Coop.open(home, "Writers together")
    for party in (ADA, BEN):
        coop.book.admit(Membership(record.id, party, Step.JOINED, MemberClass.PERSON, day, "us", "ab" * 32), day)
    from datetime import timedelta

    from byline.app.money_files import STANDARD_POLICY

    opens = day + timedelta(7)
    told = {"Half": STANDARD_POLICY.to_json()}
    made = make_proposal(coop, "Half", "Pay half.", Effect.POLICY, told, opens, opens + timedelta(7), day)
    propose(coop, made, day)
    page = browser.look("/coop").text
    assert "Writers together" in page and "not open yet" in page and "Ada Moore" in page
    shown = browser.look(f"/coop/{made.id}").text
    assert "Pay half." in shown and "0 of 2 have voted" in shown
    assert browser.look("/coop/proposal:none").status_code == 404


def test_a_signed_month_is_marked(auditor, home):
    sign_month(home)
    assert "signed</span>" in auditor.look(f"/audit/payees/{ADA}").text
