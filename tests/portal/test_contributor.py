"""A contributor's day: a link in a mail, a no, its receipt, a statement down to the line, everything, and goodbye."""

import email
import io
import json
import logging
import re
import zipfile
from datetime import timedelta
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portal_project import ADA, BEN, TITLES, at, only_work, sign_month, signed_in, stranger

from byline.app.portal.accounts import read_address
from byline.app.portal.choices import read_target
from byline.app.portal.signing import inside
from byline.core import AppError, RegistryError
from byline.disclosure import verify_file
from byline.registry import Names, TargetKind


def mails(home):
    found = sorted((home.path / "outbox").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [email.message_from_bytes(path.read_bytes(), policy=default) for path in found]


def link_in(mail):
    return re.search(r"https://portal\.example\.org(/enter\?link=(\S+))", mail.get_content())


# --- signing in -------------------------------------------------------------------------------------------------


def test_a_mailed_link_signs_in_once_and_leads_on(app, home):
    browser = stranger(app)
    answer = browser.look("/no?of=work:1")
    assert answer.headers["location"] == "/sign-in?onward=%2Fno%3Fof%3Dwork%3A1"
    browser.look(answer.headers["location"])
    said = browser.fill("/sign-in", email=" Ada@Example.ORG ", onward="/no?of=work:1")
    assert "a link is on its way" in said.text
    (mail,) = mails(home)
    assert mail["To"] == "ada@example.org"
    path, secret = link_in(mail).groups()
    browser.look(path)
    browser.look(path)  # looking uses nothing up: programs look at links in mails
    assert browser.fill("/enter", link=secret).headers["location"] == "/no?of=work:1"
    assert browser.look("/me").status_code == 200
    again = stranger(app)
    assert again.fill("/enter", link=secret).status_code == 410
    assert again.look("/me").status_code == 303


def test_a_link_is_good_for_a_quarter_of_an_hour(app, clock):
    link = app.state.portal.accounts.new_link("a@example.org", "", clock())
    with at(clock, timedelta(minutes=15)):
        assert stranger(app).fill("/enter", link=link).status_code == 410


def test_a_session_ends_by_signing_out_and_after_twelve_hours(app, ada, ben, clock):
    ada.look("/me")
    assert ada.fill("/sign-out").headers["location"] == "/"
    assert ada.look("/me").status_code == 303
    with at(clock, timedelta(hours=12)):
        assert ben.look("/me").status_code == 303


def test_neither_links_nor_sessions_stand_in_the_database(app, home, ada):
    link = app.state.portal.accounts.new_link("a@example.org", "", app.state.portal.clock())
    session = ada.cookies["byline_visit"]
    content = b"".join(path.read_bytes() for path in home.path.glob("byline.db*"))
    assert link.encode() not in content and session.encode() not in content


def test_links_are_asked_for_a_few_times_only(app, home):
    browser = stranger(app)
    codes = [browser.fill("/sign-in", email="a@example.org").status_code for _ in range(6)]
    assert codes == [200] * 5 + [429] and len(mails(home)) == 5
    others = [browser.fill("/sign-in", email=f"b{n}@example.org").status_code for n in range(16)]
    assert others[-1] == 429 and others[0] == 200


def test_the_log_of_the_server_names_no_address_and_no_secret(app, caplog):
    with caplog.at_level(logging.INFO):
        browser = stranger(app)
        browser.fill("/sign-in", email="novelist@example.org")
        browser.look("/enter?link=SECRETSECRETSECRETSECRET")
        browser.fill("/search", text="my unpublished line")
    ours = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert "GET /enter 200" in ours
    assert not any(word in ours for word in ("novelist", "SECRET", "unpublished"))


@pytest.mark.parametrize("text", ["", "a", "a@b", "a b@c.de", "a@b.de\nBcc: x@y.de", "a@b.de\r\n\r\nhello", "<a@b.de>"])
def test_what_is_no_address_gets_no_mail(text):
    with pytest.raises(AppError, match="not an e-mail"):
        read_address(text + "\x00")


@given(st.text(max_size=60))
def test_an_address_never_brings_a_line_into_a_mail(text):
    try:
        address = read_address(text)
    except AppError:
        return
    assert "@" in address and not set(address) & set("\r\n\x00 <>")


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[/\\]{0,3}[a-z.:@]{0,12}(/.{0,9})?", fullmatch=True)))
def test_a_link_leads_on_to_this_portal_only(onward):
    found = inside(onward)
    assert found == "" or (found[0] == "/" and found[1:2] not in ("/", "\\") and "\n" not in found)


# --- no and yes -------------------------------------------------------------------------------------------------


def fields(page):
    """Names, kinds and values of the fields of a form, without its token."""
    main = page.partition("<main")[2].partition("</main>")[0]
    found = re.findall(r"<(?:input|textarea|select)[^>]*>", main)
    return [re.sub(r'value="[0-9a-f]{64}"', "", field) for field in found]


def test_a_no_is_the_same_form_as_a_yes(app, ada, home):
    work = only_work(home, TITLES[0])
    ada.fill("/no", of=TITLES[0], by="Ada Moore")
    no, yes = (ada.look(f"{path}?of={work}").text for path in ("/no", "/claim"))
    assert fields(no) == fields(yes) and len(fields(no)) > 8
    assert 'value="River book"' in no and 'value="Ada Moore"' in no
    assert len(no) / len(yes) == pytest.approx(1, abs=0.05)


def test_a_no_holds_at_once_with_a_receipt_that_verifies(app, ada, home, tmp_path):
    answer = ada.fill("/no", of=TITLES[0], by="Ada Moore", uses=["train.gen"], reason="mine")
    page = answer.headers["location"]
    shown = ada.look(page).text
    assert "It is in force" in shown and "recorded, and the receipt is signed" in shown and "mine" not in shown
    assert only_work(home, TITLES[0]) in home.opted_out(app.state.portal.clock().date())
    receipt = ada.look(page.partition("?")[0] + "/receipt")
    (tmp_path / "receipt.json").write_bytes(receipt.content)
    assert verify_file(tmp_path / "receipt.json", home.key.public).ok
    assert "River book" in ada.look("/me").text
    assert "kept out of new training" in stranger(app).look(f"/works/{only_work(home, TITLES[0])}").text


@pytest.mark.parametrize("path", ["/no", "/claim"])
def test_a_no_or_yes_with_faults_comes_back_as_it_was_filled_in(ada, path, home):
    answer = ada.fill(path, of="Nothing <known>", by="", uses=["search"], reason="a “reason” & more")
    assert answer.status_code == 422 and "<title>Please mend" in answer.text
    assert 'value="Nothing &lt;known&gt;"' in answer.text and 'value="a “reason” &amp; more"' in answer.text
    assert 'id="of-fault"' in answer.text and 'id="by-fault"' in answer.text and answer.text.count("autofocus") == 1
    ticked = re.findall(r'name="uses" value="([^"]+)" checked', answer.text)
    assert ticked == ["search"] and len(home.notices.all()) == 0
    token = re.search(r'name="token" value="([^"]+)"', answer.text)[1]
    ada.token = token
    assert ada.fill(path, of=TITLES[0], by="Ada Moore", uses=["search"]).status_code == 303  # mended, and sent again


def test_a_form_goes_back_to_nobody_who_may_not_see_its_page(app, ada):
    answer = stranger(app).fill("/no", of="", by="")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    assert ada.fill("/office/notices/optout:none", decide="").status_code == 403


def test_a_yes_counts_for_nothing_before_it_was_checked(ada):
    shown = ada.look(ada.fill("/claim", of=TITLES[0], by="Ada Moore").headers["location"]).text
    assert "counts once it was checked" in shown


def test_whoever_gave_it_takes_it_back(ada, ben):
    page = ada.fill("/no", of=TITLES[0], by="Ada Moore").headers["location"].partition("?")[0]
    assert ben.fill(f"{page}/withdraw").status_code == 404
    assert ada.fill(f"{page}/withdraw").status_code == 303
    assert "not in force" in ada.look(page).text
    assert ada.fill(f"{page}/withdraw").status_code == 409


def test_saying_it_under_somebody_elses_name_opens_none_of_their_papers(ada, ben):
    ada.fill("/no", of=TITLES[0], by="Ada Moore", reason="a private reason")
    answer = ben.fill("/no", of=TITLES[0], by="Ada Moore")
    assert "said before" in answer.text and "private" not in answer.text
    assert "River book" not in ben.look("/me").text


@pytest.mark.parametrize(
    "of", ["/etc/passwd", "file:/etc/passwd", "home.json", "../home.json", "sha256:x", "domain:com"]
)
def test_no_target_is_a_path(ada, of, monkeypatch, home):
    monkeypatch.chdir(home.path)
    answer = ada.fill("/no", of=of, by="Ada")
    known = of == "home.json"  # reads as a web address
    assert (answer.status_code == 303) == known
    assert "passwd" not in answer.text or "no title" in answer.text


@given(st.text(max_size=80))
def test_whatever_is_written_names_something_known_or_nothing(text):
    known = Names(frozenset({"work:1"}), {"A title": ("work:1",)})
    try:
        target = read_target(text, known)
    except RegistryError:
        return
    assert target.kind is not TargetKind.FILE or re.fullmatch("[0-9a-f]{64}", target.value)


def test_names_and_addresses_are_understood(home):
    from byline.app.notices import names

    known = names(home)
    kinds = {
        "River book": TargetKind.WORK,
        "Ada Moore": TargetKind.CONTRIBUTOR,
        "contributor:Ada Moore": TargetKind.CONTRIBUTOR,
        "example.org": TargetKind.DOMAIN,
        "https://example.org": TargetKind.DOMAIN,
        "https://example.org/": TargetKind.DOMAIN,
        "https://example.org/blog": TargetKind.COLLECTION,
        "domain:example.org": TargetKind.DOMAIN,
    }
    assert {text: read_target(text, known).kind for text in kinds} == kinds


# --- money ------------------------------------------------------------------------------------------------------


def test_a_statement_leads_from_the_balance_down_to_the_evidence(ada):
    assert "/statements/eur/2026-09" in ada.look("/me").text
    page = ada.look("/statements/eur/2026-09").text
    assert "September 2026" in page and "River book" in page and "Balance on 30 September 2026" in page
    line = ada.look("/statements/eur/2026-09/line/1").text
    assert "The payment" in line and "600.00 EUR" in line and "Model &lt;Co&gt;" in line
    assert "510000000000" in line and "0.700" in line
    assert "Why it changed since September 2026" in ada.look("/statements/eur/2026-10").text


def test_amounts_on_the_page_are_those_of_the_desk(ada, home):
    from datetime import date

    from byline.app.statements import Desk
    from byline.ledger import amount_text, read_period

    desk = Desk(home, date(2026, 11, 1))
    party = desk.payee(ADA)
    body = desk.body(party, read_period("2026-10"), "EUR")
    page = ada.look("/statements/eur/2026-10").text
    for nano in (body["opening"]["nano"], body["closing"]["nano"], body["change"]["difference_nano"]):
        assert amount_text(abs(int(nano)), "EUR") in page


def test_a_signed_statement_is_a_file_that_verifies(ada, home, tmp_path):
    assert ada.look("/statements/eur/2026-09/file/json").status_code == 404
    sign_month(home)
    for form in ("json", "html", "csv"):
        answer = ada.look(f"/statements/eur/2026-09/file/{form}")
        path = tmp_path / f"statement.{form}"
        path.write_bytes(answer.content)
        assert verify_file(path, home.key.public).ok
    assert ada.look("/statements/eur/2026-09/file/exe").status_code == 404


def test_nobody_reads_statements_without_being_the_payee(app, ben):
    assert "Ada" not in ben.look("/statements/eur/2026-09").text
    visitor = signed_in(app, "new@example.org")
    assert visitor.look("/statements/eur/2026-09").status_code == 404
    assert "not linked to a payee" in visitor.look("/statements").text


def test_a_contested_line_waits_for_an_answer(app, ada, ben):
    line = "/statements/eur/2026-09/line/1"
    assert ada.fill(line, says="That is <too> little").headers["location"] == line
    assert "That is &lt;too&gt; little" in ada.look(line).text and "Not answered yet" in ada.look("/me").text
    assert ada.fill(line, says="").status_code == 422
    assert "too" not in ben.look("/me").text
    assert app.state.portal.accounts.questions()[0].about.startswith(ADA)


# --- everything, and nothing ----------------------------------------------------------------------------------


def test_everything_about_somebody_comes_as_one_file(ada, ben, home):
    sign_month(home)
    ada.fill("/no", of=TITLES[0], by="Ada Moore")
    ben.fill("/no", of=TITLES[2], by="Ben Okoro")
    packed = zipfile.ZipFile(io.BytesIO(ada.look("/me/export").content))
    names = packed.namelist()
    assert {"person.json", "questions.json", "trail.json", "statements/2026-09-eur.json"} <= set(names)
    assert sum(name.startswith("notices/") for name in names) == 1 == sum(n.startswith("receipts/") for n in names)
    assert json.loads(packed.read("person.json"))["email"] == "ada@example.org"
    everything = b"".join(packed.read(name) for name in names)
    assert (
        b"ben@example.org" not in everything
        and BEN.encode() not in everything
        and str(home.path).encode() not in everything
    )


def test_erasing_leaves_the_no_and_nothing_of_the_person(app, ada, home, clock):
    stranger(app).fill("/sign-in", email="ada@example.org")
    ada.fill("/no", of=TITLES[0], by="Ada A. Moore-Unusual", reason="a private reason")
    ada.fill("/statements/eur/2026-09/line/1", says="a private question")
    before = len(home.log.entries())
    assert ada.fill("/me/erase").status_code == 422
    assert ada.fill("/me/erase", sure="yes").headers["location"] == "/"
    assert ada.look("/me").status_code == 303
    assert only_work(home, TITLES[0]) in home.opted_out(clock().date())
    assert len(home.log.entries()) > before
    left = [path for path in home.path.rglob("*") if path.is_file()]
    for word in (b"ada@example.org", b"Moore-Unusual", b"private"):
        assert [path for path in left if word in path.read_bytes()] == []


def test_every_change_leaves_a_line_that_the_log_holds(app, ada, home):
    ada.fill("/no", of=TITLES[0], by="Ada Moore")
    lines = app.state.portal.trail.lines()
    assert [line.did for line in lines] == ["signed in", "gave opt-out"]
    assert {line.digest() for line in lines} <= {leaf.digest for leaf in home.log.entries()}
    assert not any("example.org" in line.about + line.who for line in lines)


def test_the_trail_cannot_be_altered(app, ada):
    import sqlalchemy as sa

    with app.state.portal.accounts.engine.begin() as connection, pytest.raises(sa.exc.DatabaseError):
        connection.execute(sa.text("UPDATE portal_trail SET did = 'nothing'"))
