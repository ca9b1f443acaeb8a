"""byline lookup of pictures and sounds against a folder."""

import random
import wave

import pytest
from PIL import Image, ImageDraw
from tiny_project import byline


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
