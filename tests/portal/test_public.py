"""What everybody sees: answers with their scope, works, contributors, waiting money, the log, how wrong we are."""

import pytest
from portal_project import ADA, TEXTS, TITLES, only_work, sign_month, stranger


@pytest.fixture
def browser(app):
    return stranger(app)


def test_a_passage_is_found_with_its_work_and_its_author(browser):
    answer = browser.fill("/search", text=" ".join(TEXTS[0].split()[20:60]))
    assert answer.status_code == 200 and "Yes, word for word" in answer.text
    assert "River book" in answer.text and "Ada Moore" in answer.text and "/no?of=work%3A" in answer.text


def test_a_no_says_what_was_searched_and_how_often_it_misses(browser):
    answer = browser.fill("/search", text="An otter asked eleven violet umbrellas about their quarterly tax returns.")
    assert "Not found here" in answer.text and "3 works" in answer.text
    assert "paraphrased" in answer.text and " of 200" in answer.text and "does not prove" in answer.text


def test_few_words_are_looked_up_as_names(browser):
    found = browser.fill("/search", text="ada moore").text
    assert f"/contributors/{ADA}" in found
    assert "River book" in browser.fill("/search", text="river").text
    assert "River book" in browser.fill("/search", text="books.example.org").text
    assert "Nothing is registered here under this name" in browser.fill("/search", text="Nobody Atall").text
    assert "River book" not in browser.fill("/search", text="evil-example.org").text


def test_what_was_searched_for_is_nowhere_afterwards(browser, home):
    secret = "The unpublished ending of my novel: the gardener was the narrator's sister all along."
    browser.fill("/search", text=secret)
    kept = [path for path in home.path.rglob("*") if path.is_file() and b"gardener" in path.read_bytes()]
    assert kept == []


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"\x89PNG\r\n\x1a\n....", 422, "cannot be read as a picture"),
        (b"RIFF....WAVEfmt ", 200, "That could not be searched"),
        (b"%PDF-1.7 text", 422, "no plain text"),
        (b"PK\x03\x04\x00\x00", 422, "no plain text"),
        (b"\xff\xfe\x00\x00\x80", 422, "no plain text"),
        (TEXTS[1].encode(), 200, "Yes, word for word"),
    ],
)
def test_a_file_is_what_its_bytes_say(browser, content, status, says):
    answer = browser.fill("/search", files={"file": ("song.txt", content)})
    assert answer.status_code == status and says in answer.text


def test_names_of_works_cannot_be_markup(browser, home):
    work = only_work(home, TITLES[1])
    for path in (f"/works/{work}", "/works"):
        answer = browser.look(path)
        assert "<b>book</b>" not in answer.text and "Night &lt;b&gt;book&lt;/b&gt;" in answer.text
    assert "<script" not in browser.fill("/search", text="<script>alert(1)</script>").text.lower()


def test_a_work_and_a_contributor_show_what_is_public_only(browser, home):
    work = browser.look(f"/works/{only_work(home, TITLES[0])}").text
    assert "It may be used for training here" in work and "CC0-1.0" in work and "Ada Moore" in work
    person = browser.look(f"/contributors/{ADA}").text
    assert "1 work here" in person and "EUR" not in person


def test_waiting_money_stands_with_its_reason(browser):
    text = browser.look("/unclaimed").text
    assert "A quiet book" in text and "EUR" in text and "in the meantime" in text


def test_the_log_gives_its_signed_head_and_key(browser, home):
    from byline.disclosure import read_checkpoint

    note = browser.get("/log/checkpoint").text
    assert read_checkpoint(note, home.key.public).size == len(home.log.entries())
    assert note.splitlines()[2] in browser.look("/log").text
    assert browser.get("/log/key").content == home.public_key.read_bytes()


def test_looking_at_the_log_signs_no_new_head(browser, home):
    browser.look("/log")
    before = (home.log.folder / "checkpoint").stat().st_mtime_ns
    browser.look("/log")
    assert (home.log.folder / "checkpoint").stat().st_mtime_ns == before


def test_how_we_compute_gives_the_measured_error_of_each_training(browser):
    text = browser.look("/how").text
    for figure in ("0.70", "0.60", "0.80", "88 %", "40 pairs", "BM25", "5\u00a0%", "20\u00a0%"):
        assert figure in text


def test_a_document_is_checked_and_an_altered_one_refused(browser, home):
    kept = sign_month(home)[0].path.read_bytes()
    assert "This statement holds" in browser.fill("/verify", files={"file": ("../../x", kept)}).text
    altered = kept.replace(b"Ada Moore", b"Ada Moors").replace(b"Ben Okoro", b"Ben Okorn")
    answer = browser.fill("/verify", files={"file": ("x", altered)})
    assert "This is not what was signed" in answer.text and "byline-verify-" not in answer.text
    assert browser.fill("/verify", files={"file": ("x", b"hello")}).status_code in (200, 409, 422)


def test_searching_is_bounded(browser, app):
    for _ in range(30):
        browser.fill("/search", text="x")
    answer = browser.fill("/search", text="x")
    assert answer.status_code == 429 and "within a minute" in answer.text


def test_a_page_that_is_not_there(browser):
    assert browser.look("/works/work:none").status_code == 404
    assert browser.look("/contributors/party:none").status_code == 404
    assert browser.look("/works?page=99").status_code == 404
    assert browser.look("/works?page=-1").status_code == 200
    assert browser.look("/filings/..%2F..%2Fhome").status_code == 404
