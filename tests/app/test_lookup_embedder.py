"""The second shortlist of pictures, as `byline index`, `byline lookup` and the gate see it."""

import shutil

import media_files
import numpy as np
import pytest
from media_files import picture, stored
from tiny_project import byline, write_csv

from byline.app import lookup_media, media_embedder
from byline.lookup import ImageIndex, embedder_there

with_extra = pytest.mark.skipif(
    not embedder_there(), reason="the extra is not installed: pip install 'byline[embedder]'"
)


@pytest.fixture
def home(tmp_path):
    rows = media_files.rows(tmp_path)
    write_csv(tmp_path / "works.csv", media_files.HEAD, *rows)
    assert byline("register", tmp_path / "works.csv", "--home", tmp_path / "home").code == 0
    return tmp_path / "home"


@pytest.fixture
def without(monkeypatch):
    """As where the extra is not installed; call it."""
    return lambda: monkeypatch.setattr(media_embedder, "embedder_there", lambda: False)


def ask(home, content):
    query = home.parent / "query"
    query.write_bytes(content)
    return byline("lookup", query, "--home", home, "--json")


def short(monkeypatch, most):
    """Shortlists of so many pictures, for four registered ones are all compared."""

    class Short(ImageIndex):
        def __init__(self, works, blocks, shortlist=most, embeddings=None):
            super().__init__(works, blocks, shortlist, embeddings)

    monkeypatch.setattr(lookup_media, "ImageIndex", Short)


def test_without_the_extra_words_alone_choose_and_the_answer_says_so(home, without, monkeypatch):
    without()
    ran = byline("index", "--home", home)
    assert "without the embedder" in ran.out and "byline[embedder]" in ran.out
    assert byline("index", "--home", home, "--json").last["pictures"]["embedded"] is None
    assert not list((home / "lookup").glob("embeddings/segment-*"))
    told = ask(home, stored(picture(9))).last
    assert told["verdict"] == "not-found" and told["shortlists"] == [] and "compared with all of them" in told["says"]
    short(monkeypatch, 2)
    told = ask(home, stored(picture(9))).last
    assert told["shortlists"] == ["words"] and told["measured"]["kind"] == "image"
    assert "that share most kinds of details with yours." in told["says"]


@with_extra
def test_with_the_extra_both_choose_and_the_recall_is_theirs(home, monkeypatch):
    told = byline("index", "--home", home, "--json").last["pictures"]
    assert told["embedded"] == told["works"] == 4
    assert "The embedder knows 4 of these files" in byline("index", "--home", home).out
    short(monkeypatch, 2)
    told = ask(home, stored(picture(9))).last
    assert told["verdict"] == "not-found" and told["shortlists"] == ["words", "embedder"]
    assert told["measured"]["kind"] == "image-and-embedder" and "the embedder, finds most like it." in told["says"]
    told = ask(home, stored(picture(1).crop((60, 40, 340, 260)))).last
    assert told["verdict"] == "found" and told["matches"][0]["title"] == "Harbour"


@with_extra
def test_an_index_from_before_the_extra_gets_its_embeddings(home, without, monkeypatch):
    with monkeypatch.context() as then:
        then.setattr(media_embedder, "embedder_there", lambda: False)
        assert byline("index", "--home", home).code == 0
    pictures = sorted((home / "lookup" / "pictures").rglob("*"))
    told = byline("index", "--home", home, "--json").last["pictures"]
    assert told["added"] == 0 and told["embedded"] == 4
    assert sorted((home / "lookup" / "pictures").rglob("*")) == pictures


@with_extra
def test_where_the_extra_is_gone_there_is_no_answer_and_the_gate_goes_on(home, without):
    assert byline("index", "--home", home).code == 0
    without()
    ran = ask(home, stored(picture(9)))
    assert ran.code == 1 and "lookup-missing" in ran.err and "no “not found”" in ran.err
    assert (
        "byline[embedder]" in ran.err
        and f"remove {home}/lookup/embeddings" in ran.err.replace("\n", "")
        and "Not found." not in ran.out
    )
    assert byline("index", "--home", home).code == 1
    assert byline("check", "--home", home).code == 0
    shutil.rmtree(home / "lookup" / "embeddings")
    assert byline("index", "--home", home, "--json").last["pictures"]["embedded"] is None
    assert ask(home, stored(picture(9))).last["verdict"] == "not-found"


@with_extra
def test_embeddings_are_checked_and_built_again(home):
    assert byline("index", "--home", home).code == 0
    (segment,) = (home / "lookup" / "embeddings").glob("segment-*")
    kept = np.load(segment / "bytes.npy")
    np.save(segment / "bytes.npy", kept[:, ::-1])
    ran = byline("index", "--check", "--home", home, "--json")
    assert ran.code == 1 and [each["code"] for each in ran.last["problems"]] == ["bad-segment"]
    (segment / "segment.json").write_text('{"format": "byline-open-nsfw/0", "files": {}}')
    ran = ask(home, stored(picture(1)))
    assert ran.code == 1 and "bad-index" in ran.err and "byline index --again" in ran.err
    assert byline("index", "--again", "--home", home).code == 0
    assert np.array_equal(np.load(segment / "bytes.npy"), kept)


@with_extra
def test_a_killed_build_goes_on_and_a_broken_picture_stops_nothing(home, tmp_path):
    (tmp_path / "broken.png").write_bytes(stored(picture(6))[:200])
    row = ["broken.png", "Broken", "Dov Lind", "author", "2020-01-01", "", ""]
    assert byline("register", write_csv(tmp_path / "b.csv", media_files.HEAD, row), "--home", home).code == 0
    left = home / "lookup" / "embeddings" / "segment-000001.part"
    left.mkdir(parents=True)
    (left / "keys.txt").write_text("half")
    told = byline("index", "--home", home, "--json").last["pictures"]
    assert told["embedded"] == 4 and told["unread"] == 1 and not left.exists()
    shutil.rmtree(home / "lookup" / "embeddings")
    assert byline("index", "--home", home, "--json").last["pictures"]["embedded"] == 4
