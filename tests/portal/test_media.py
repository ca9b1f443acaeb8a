"""A picture or a sound sent to the front page: found or not in plain words, and shown only where a licence lets us."""

import base64
import io
import re
import shutil
import sys
from datetime import date

import media_files
import pytest
from media_files import picture, song, stored
from PIL import Image, ImageOps
from portal_project import stranger
from tiny_project import write_csv

from byline.app.home import Home, freeze_manifest, register
from byline.app.portal import create_app

DAY = date(2026, 9, 10)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    files, home = tmp_path_factory.mktemp("files"), Home(tmp_path_factory.mktemp("project") / "home")
    works = write_csv(files / "works.csv", media_files.HEAD, *media_files.rows(files))
    head = ["contributor", "title", "effective", "recorded", "reason"]
    no = write_csv(files / "no.csv", head, ["Ben Okoro", "", "2026-01-01", "2026-01-01", ""])
    assert register(home, works, None, no, DAY)[1] == []
    freeze_manifest(home, DAY)
    return home.path


@pytest.fixture
def home(made, tmp_path):
    return Home.open(shutil.copytree(made, tmp_path / "home"))


@pytest.fixture
def browser(home, clock):
    return stranger(create_app(home, "https://portal.example.org", clock))


def sent(browser, content):
    return browser.fill("/search", files={"file": ("words.txt", content)})


def shown(answer):
    """Pictures that stand in the page."""
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in re.findall(r"base64,([^\"]+)", answer.text)]


def work(home, title):
    return home.registry.works_titled(title)[0].id


def test_a_part_is_found_and_shown_beside_its_work(browser, home):
    crop = stored(ImageOps.mirror(picture(1).crop((60, 40, 340, 260))), "JPEG", quality=70)
    answer = sent(browser, crop)
    assert (
        answer.status_code == 200
        and "Yes, it is here" in answer.text
        and "data:" in answer.headers["content-security-policy"]
    )
    for says in (
        "Harbour",
        "Ada Moore",
        "mirrored",
        "about 51 % of the picture",
        "on a list of works",
        f"/no?of={work(home, 'Harbour').replace(':', '%3A')}",
    ):
        assert says in answer.text
    asked, own = shown(answer)
    assert max(asked.size) <= 360 and max(own.size) <= 360 and not own.getexif()
    assert "with a frame around the part that you sent" in answer.text


def test_a_work_that_nobody_may_show_is_named_and_not_shown(browser, home):
    for seed, title, why in (
        (3, "Orchard", "its licence does not let us"),
        (2, "Market", "whoever made it has said no"),
    ):
        answer = sent(browser, stored(picture(seed), "JPEG", quality=50))
        assert title in answer.text and why in answer.text and len(shown(answer)) == 1
        assert browser.look(f"/works/{work(home, title)}/picture").status_code == 404
        assert "/picture" not in browser.look(f"/works/{work(home, title)}").text


def test_the_page_of_a_free_picture_shows_it_small(browser, home):
    name = work(home, "Harbour")
    assert f"/works/{name}/picture" in browser.look(f"/works/{name}").text
    answer = browser.look(f"/works/{name}/picture")
    assert answer.headers["content-type"] == "image/jpeg" and max(Image.open(io.BytesIO(answer.content)).size) <= 360
    for other in (work(home, "Evening song"), "work:none", "..%2Fbyline.db"):
        assert browser.look(f"/works/{other}/picture").status_code == 404


def test_another_picture_is_not_found_with_scope_and_recall(browser):
    answer = sent(browser, stored(picture(9)))
    for says in ("Not found here", "4 pictures", "does not prove", "How often this search finds", "/no?of=sha256%3A"):
        assert says in answer.text
    assert "Too plain to say" in sent(browser, stored(Image.new("RGB", (50, 50), "red"))).text


@pytest.mark.skipif(shutil.which("fpcalc") is None, reason="fpcalc is not installed")
def test_a_sound_is_found(browser):
    answer = sent(browser, song(1, start=4))
    assert "Yes, it is here" in answer.text and "Evening song" in answer.text and "seconds alike" in answer.text
    assert "Not found here" in sent(browser, song(7)).text
    assert sent(browser, song(1, seconds=1)).status_code == 422


def test_without_a_part_that_searches_it_is_no_no(browser, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    for content, kind in ((stored(picture(1)), "picture"), (song(1), "sound")):
        answer = sent(browser, content)
        assert answer.status_code == 503 and f"You sent a {kind}" in answer.text and "This is not a “no”" in answer.text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (stored(Image.new("1", (8_000, 8_000))), "pixels are too many"),
        (stored(picture(1))[:300], "cannot be read as a picture"),
        (b"\xff\xd8\xff" + b"\0" * 500, "cannot be read as a picture"),
        (b"ID3\4\0\0\0\0\0\0#EXTM3U\nfile:///etc/passwd\n", "cannot be read as sound"),
    ],
)
def test_a_bad_file_is_refused_in_words_without_a_path(browser, content, says):
    answer = sent(browser, content)
    assert (
        answer.status_code == 422 and says in answer.text and "/tmp" not in answer.text and "passwd" not in answer.text
    )


def test_nothing_of_a_picture_is_kept(browser, home):
    before = {path for path in home.path.rglob("*") if path.is_file()}
    browser.fill("/search", text="a b")
    marked = stored(picture(9), "JPEG", comment=b"UNPUBLISHED-77")
    sent(browser, marked)
    after = {path for path in home.path.rglob("*") if path.is_file()}
    assert all(b"UNPUBLISHED-77" not in path.read_bytes() for path in after)
    assert all("lookup" in path.parts for path in after - before)
