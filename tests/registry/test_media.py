"""A file is what its bytes say; pictures and sounds are works like texts, without words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.core import RegistryError
from byline.registry import Registry, content_kind, open_database, read_catalogue

PNG, WAV = b"\x89PNG\r\n\x1a\n....", b"RIFF\4\0\0\0WAVEfmt "


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image"),
        (b"\xff\xd8\xff\xe0..", "image"),
        (b"GIF89a..", "image"),
        (b"RIFF....WEBPVP8 ", "image"),
        (b"BM\x9a\0\0\0\0\0\0\0", "image"),
        (b"\0\0\0\x20ftypavif", "image"),
        (WAV, "audio"),
        (b"ID3\x04\0", "audio"),
        (b"OggS\0", "audio"),
        (b"fLaC\0", "audio"),
        (b"FORM\0\0\0\0AIFF", "audio"),
        (b"\0\0\0\x20ftypM4A ", "audio"),
        (b"FORM 27 has to be handed in by the end of May", "text"),
        (b"BMW made this one", "text"),
        (b"ID3 is a kind of tag", "text"),
        (b"RIFFS OF THE MASTERS: a chapter", "text"),
        (b"\xef\xbb\xbfwords", "text"),
        (b"", "text"),
        (b"%PDF-1.7", ""),
        (b"PK\x03\x04\0\0", ""),
        (b"\xff\xfea\0b\0", ""),
        (b"a\0b", ""),
    ],
)
def test_a_file_is_what_its_bytes_say(content, kind):
    assert content_kind(content) == kind


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])).filter(lambda text: not text.startswith("%PDF-")))
def test_printable_text_is_a_text(text):
    """Signatures that are letters alone take no text away: what they ask for besides holds a character of control."""
    if not text.startswith(("GIF87a", "GIF89a", "fLaC", "OggS")) and text[8:12] not in ("WEBP", "WAVE", "AIFF", "AIFC"):
        assert content_kind(text.encode()) == "text"


HEAD = "path,title,contributor,role,created,source,licence\n"


@pytest.fixture
def register(tmp_path):
    (tmp_path / "a.jpg").write_text("Words that only look like a picture by their name.")
    (tmp_path / "b.txt").write_bytes(PNG)
    (tmp_path / "c.bin").write_bytes(WAV)
    rows = "".join(
        f"{f},{t},Ada Moore,author,2020-01-01,,CC0-1.0\n" for f, t in (("a.jpg", "A"), ("b.txt", "B"), ("c.bin", "C"))
    )
    (tmp_path / "works.csv").write_text(HEAD + rows)
    engine = open_database(tmp_path / "byline.db")
    registry = Registry(engine, tmp_path / "assets")
    catalogue, problems = read_catalogue(tmp_path / "works.csv", None, None)
    assert problems == []
    registry.add(catalogue, catalogue.works[0].work.created)
    yield registry
    engine.dispose()


def test_pictures_and_sounds_are_registered_with_their_bytes(register, tmp_path):
    ids = {work.title: work.id for work in register.works()}
    assert {work.title: work.kind for work in register.works()} == {"A": "text", "B": "image", "C": "audio"}
    assert register.content(ids["B"]) == PNG and register.text(ids["A"]).startswith("Words")
    assert [work.id for work in register.works_of_kind("audio")] == [ids["C"]]
    with pytest.raises(RegistryError) as fault:
        register.text(ids["C"])
    assert fault.value.code == "no-text" and "byline freeze --kind text" in fault.value.fix
    (tmp_path / "assets" / f"{register.work(ids['B']).sha256}.bin").write_bytes(PNG + b"!")
    with pytest.raises(RegistryError) as fault:
        register.content(ids["B"])
    assert fault.value.code == "asset-altered"


def test_they_are_written_and_read_back_as_the_same(register, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    register.export_file("works", out / "works.csv")
    catalogue, problems = read_catalogue(out / "works.csv", None, None)
    assert problems == [] and {e.work.id for e in catalogue.works} == {work.id for work in register.works()}
