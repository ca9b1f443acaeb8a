"""byline lookup of pictures and sounds against a folder."""

import json
import random
import shutil
import wave

import media_files
import pytest
from media_files import picture, song, stored
from PIL import Image, ImageDraw, ImageOps
from tiny_project import byline, write_csv

from byline.app.home import Home


@pytest.fixture
def folder(tmp_path):
    works = tmp_path / "works"
    works.mkdir()
    for seed in range(3):
        draw, image = random.Random(seed), Image.new("RGB", (400, 300), "white")
        pen = ImageDraw.Draw(image)
        for _ in range(120):
            x, y = draw.randrange(380), draw.randrange(280)
            pen.rectangle([x, y, x + draw.randrange(5, 60), y + draw.randrange(5, 60)], fill=draw.randrange(2**24))
        image.save(works / f"{seed}.png")
    (works / "readme.txt").write_text("no picture")
    return works


def test_a_crop_is_found_and_what_was_not_searched_is_told(folder, tmp_path):
    query = tmp_path / "crop.jpg"
    Image.open(folder / "1.png").crop((60, 40, 340, 260)).save(query)
    told = byline("lookup", query, "--against", folder, "--json").last
    assert told["verdict"] == "found" and [match["work"] for match in told["matches"]] == ["1.png"]
    assert told["scope"]["works"] == 3 and told["scope"]["not_searched"] == ["readme.txt"]
    (folder / "1.png").unlink()
    ran = byline("lookup", query, "--against", folder)
    assert ran.out.startswith("Not found. That is no proof") and "Searched: 2 pictures" in ran.out
    assert "1 files there could not be read" in ran.out and "re-encoded" in ran.out


def test_a_plain_picture_and_an_empty_folder_are_no_no(folder, tmp_path):
    Image.new("RGB", (300, 300), "navy").save(tmp_path / "plain.png")
    told = byline("lookup", tmp_path / "plain.png", "--against", folder, "--json").last
    assert told["verdict"] == "too-plain" and told["says"].startswith("No answer")
    (tmp_path / "none").mkdir()
    told = byline("lookup", folder / "0.png", "--against", tmp_path / "none", "--json").last
    assert told["verdict"] == "nothing-searched" and told["says"].startswith("No answer")
    ran = byline("lookup", folder / "0.png", "--against", tmp_path / "nowhere")
    assert ran.code == 1 and "no-file" in ran.err


def test_sound_without_the_program_is_an_error(folder, tmp_path, monkeypatch):
    with wave.open(str(tmp_path / "s.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\0\0" * 80_000)
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = byline("lookup", tmp_path / "s.wav", "--against", folder)
    assert ran.code == 1 and "lookup-missing" in ran.err and "not found" in ran.err


# --- a project's own works


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project of pictures, a song and a text; Ben has said no; the list holds what may train."""
    files, home = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("project") / "home"
    (files / "text.txt").write_text("FORM follows function, said somebody, and nobody after that could make it unsaid.")
    rows = [*media_files.rows(files), ["text.txt", "A text", "Ada Moore", "author", "2020-01-01", "", "CC0-1.0"]]
    write_csv(files / "works.csv", media_files.HEAD, *rows)
    write_csv(
        files / "no.csv",
        ["contributor", "title", "effective", "recorded", "reason"],
        ["Ben Okoro", "", "2026-01-01", "2026-01-01", ""],
    )
    assert byline("register", files / "works.csv", "--opt-outs", files / "no.csv", "--home", home).code == 0
    assert byline("freeze", "--home", home).code == 0
    return home


@pytest.fixture
def home(made, tmp_path):
    return shutil.copytree(made, tmp_path / "home")


def ask(home, tmp_path, content):
    (tmp_path / "query").write_bytes(content)
    return byline("lookup", tmp_path / "query", "--home", home, "--json").last


def test_a_part_of_a_registered_picture_is_found_without_a_folder(home, tmp_path):
    crop = stored(ImageOps.mirror(picture(1).crop((60, 40, 340, 260))), "JPEG", quality=70)
    told = ask(home, tmp_path, crop)
    (match,) = told["matches"]
    assert told["verdict"] == "found" and (match["title"], match["contributor"]) == ("Harbour", "Ada Moore")
    assert match["listed"] and not match["opted_out"] and "mirrored" in match["says"] and "51 %" in match["says"]
    assert told["scope"] == {"works": 4, "listed": 2, "opted_out": 1, "not_searched": []}
    assert "“Harbour” by Ada Moore" in told["says"] and "on a list of works that may train" in told["says"]


def test_an_opted_out_work_is_found_and_marked(home, tmp_path):
    told = ask(home, tmp_path, stored(picture(2), "JPEG", quality=40))
    assert told["matches"][0]["opted_out"] and not told["matches"][0]["listed"]
    assert "has said no to training" in told["says"]


def test_the_same_file_is_found_however_plain_it_is(home, tmp_path):
    plain = Image.new("RGB", (80, 80), "navy")
    told = ask(home, tmp_path, stored(plain))
    assert [match["title"] for match in told["matches"]] == ["Blue"] and "byte for byte" in told["says"]
    assert ask(home, tmp_path, stored(plain.resize((90, 90))))["verdict"] == "too-plain"


def test_another_picture_is_not_found_with_what_was_searched(home, tmp_path):
    told = ask(home, tmp_path, stored(picture(9)))
    assert told["verdict"] == "not-found" and "Searched: 4 pictures" in told["says"] and told["measured"]["recalls"]


@pytest.mark.skipif(shutil.which("fpcalc") is None, reason="fpcalc is not installed")
def test_a_clip_of_a_registered_song_is_found(home, tmp_path):
    told = ask(home, tmp_path, song(1, start=4))
    (match,) = told["matches"]
    assert match["title"] == "Evening song" and "from second 4 of the work" in match["says"]
    assert ask(home, tmp_path, song(7))["verdict"] == "not-found"


def test_the_index_is_added_to_and_told(home, tmp_path):
    shutil.rmtree(home / "lookup")  # made when the list was frozen
    told = byline("index", "--check", "--home", home, "--json").last
    assert told["pictures"]["works"] == 4 and told["pictures"]["added"] == 4 and told["works"]["works"] == 1
    assert byline("index", "--home", home, "--json").last["pictures"]["added"] == 0
    (tmp_path / "new.png").write_bytes(stored(picture(5)))
    (tmp_path / "broken.png").write_bytes(stored(picture(6))[:200])
    for number, name in enumerate(("new.png", "broken.png")):
        catalogue = write_csv(
            tmp_path / f"{number}.csv",
            media_files.HEAD,
            [name, name, "Dov Lind", "author", "2020-01-01", "", ""],
        )
        assert byline("register", catalogue, "--home", home).code == 0
    told = ask(home, tmp_path, stored(picture(5).resize((200, 150))))
    assert told["matches"][0]["title"] == "new.png" and not told["matches"][0]["listed"]
    assert told["scope"]["not_searched"] == ["broken.png"] and "were not searched: broken.png" in told["says"]
    segment = next((home / "lookup" / "pictures").glob("segment-*"))
    (segment / "segment.json").write_text("{}")
    assert "bad-index" in byline("lookup", tmp_path / "query", "--home", home).err
    assert byline("index", "--again", "--home", home, "--json").last["pictures"]["added"] == 5


def test_no_pictures_and_no_program_are_no_no(made, home, tmp_path, monkeypatch):
    (tmp_path / "none").mkdir()
    (tmp_path / "text.txt").write_text("Some words of a text that somebody wrote for this very test, and no other.")
    catalogue = write_csv(
        tmp_path / "works.csv", media_files.HEAD, ["text.txt", "T", "Ada Moore", "author", "2020-01-01", "", "CC0-1.0"]
    )
    assert byline("register", catalogue, "--home", tmp_path / "bare").code == 0
    told = ask(tmp_path / "bare", tmp_path, stored(picture(1)))
    assert told["verdict"] == "nothing-searched" and told["says"].startswith("No answer")
    (tmp_path / "song.wav").write_bytes(song(1))
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = byline("lookup", tmp_path / "song.wav", "--home", home)
    assert ran.code == 1 and "lookup-missing" in ran.err and "not found" in ran.err


def test_a_copy_of_a_picture_is_refused_and_a_text_model_gets_no_pictures(home, tmp_path):
    (tmp_path / "copy.png").write_bytes(stored(picture(1)))
    catalogue = write_csv(
        tmp_path / "works.csv", media_files.HEAD, ["copy.png", "Mine", "Eve Fox", "author", "2021-01-01", "", "CC0-1.0"]
    )
    assert byline("register", catalogue, "--home", home).code == 0
    found = byline("check", "--home", home, "--json").last
    (mine,) = [each for each in found["refused"] if "Harbour" in each["because"]]
    assert mine["rule"] == "near-copy" and mine["because"].startswith("It is the same file as 'Harbour'")
    ran = byline("train", "--effort", "tiny", "--home", home)
    assert ran.code == 1 and "no-text" in ran.err and "byline freeze --kind text" in ran.err
    assert byline("freeze", "--kind", "text", "--home", home, "--json").last["works"] == 1


# --- copies, where the gate looks for them


def added(home, folder, *works):
    """Register works of (title, contributor, content) and return what the gate says."""
    rows = []
    for title, by, content in works:
        (folder / f"{title}.bin").write_bytes(content)
        rows.append([f"{title}.bin", title, by, "author", "2021-01-01", "", "CC0-1.0"])
    catalogue = write_csv(folder / "more.csv", media_files.HEAD, *rows)
    assert byline("register", catalogue, "--home", home).code == 0
    ran = byline("check", "--home", home, "--json")
    assert ran.code == 0, ran.err
    titles = {str(work.id): work.title for work in Home.open(home).registry.works()}
    return {titles[each["work"]]: each for each in ran.last["refused"]}


def test_changed_pictures_are_refused_as_copies_and_others_are_not(home, tmp_path):
    crop = ImageOps.mirror(picture(1).crop((60, 40, 340, 260)))
    refused = added(
        home,
        tmp_path,
        ("crop", "Eve Fox", stored(crop, "JPEG", quality=60)),
        ("own", "Ada Moore", stored(picture(1).resize((300, 225)), "JPEG", quality=60)),
        ("of who said no", "Eve Fox", stored(picture(2).rotate(20), "JPEG", quality=80)),
        ("another", "Eve Fox", stored(picture(9))),
    )
    assert refused["crop"]["rule"] == "near-copy" and "of its picture with 'Harbour'" in refused["crop"]["because"]
    assert refused["of who said no"]["rule"] == "opt-out-copy"
    assert "own" not in refused and "another" not in refused
    kept = home / "lookup" / "pictures" / "alike.json"
    before = kept.read_text()
    assert added(home, tmp_path, ("crop of a crop", "Gus Hall", stored(crop.resize((400, 314)))))["crop of a crop"]
    assert set(json.loads(before)["compared"]) < set(json.loads(kept.read_text())["compared"])
    kept.write_text("{")  # only a memory: made again
    assert byline("check", "--home", home, "--json").last["refused"]
    assert len(json.loads(kept.read_text())["compared"]) == len(json.loads(before)["compared"]) + 1


@pytest.mark.skipif(shutil.which("fpcalc") is None, reason="fpcalc is not installed")
def test_a_clip_of_a_song_is_a_copy_and_without_the_program_nothing_is_decided(home, tmp_path, monkeypatch):
    refused = added(home, tmp_path, ("clip", "Eve Fox", song(1, start=4)), ("tune", "Eve Fox", song(8)))
    assert refused["clip"]["rule"] == "near-copy" and "of its sound with 'Evening song'" in refused["clip"]["because"]
    assert "tune" not in refused
    shutil.rmtree(home / "lookup")
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = byline("check", "--home", home)
    assert ran.code == 1 and "lookup-missing" in ran.err


@pytest.mark.parametrize("query", ["/missing.png", "holiday.JPG", "a tune.mp3", "notes/mine", "~/no such file"])
def test_a_path_to_nothing_is_no_text(home, query):
    ran = byline("lookup", query, "--home", home)
    assert ran.code == 1 and "no-file" in ran.err and "no answer" not in ran.out.lower()
