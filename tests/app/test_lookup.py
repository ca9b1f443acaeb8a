"""byline lookup, guard and index on a tiny project, through the program's own main."""

import io
import json
import shutil
import sys
from datetime import date
from types import SimpleNamespace

import pytest
from PIL import Image
from tiny_project import prose

from byline.app.cli_lookup import lines_of, read_query, recall_lines
from byline.app.home import Home
from byline.app.lookup import Library, look_up_text
from byline.lookup import STANDARD, measured


@pytest.fixture(scope="module")
def here(project, tmp_path_factory):
    """A copy of the project that these tests may index."""
    return project.copy(tmp_path_factory.mktemp("lookup"))


def text_of(here, title):
    home = Home.open(here.home)
    (work,) = (work for work in home.works.values() if work.title == title)
    return home.registry.text(work.id)


def ask(here, *words):
    return here("lookup", *words, "--json")


def test_a_passage_is_found_with_work_contributor_and_offsets(here):
    text = text_of(here, "Ada 2")
    ran = ask(here, text[200:500])
    told = ran.last
    assert (ran.code, told["verdict"]) == (0, "found")
    best = told["verbatim"][0]
    assert best["places"][0]["title"] == "Ada 2" and best["places"][0]["contributor"] == "Ada Moore"
    assert text[best["places"][0]["start"] : best["places"][0]["end"]] == best["places"][0]["quote"]
    assert told["works"][0]["title"] == "Ada 2" and told["covered_words"] >= told["words"] - 2
    assert [each["training"] for each in best["places"][0]["read_by"]] in ([], ["main"])
    spoken = here("lookup", text[200:500]).out
    assert spoken.startswith("Found word for word:") and "“Ada 2” by Ada Moore" in spoken


def test_a_passage_that_no_training_read_says_so(here):
    """What stands in a work need not have been read: the spans of the training say which was."""
    library = Library(Home.open(here.home), date.today())
    library.update()
    parts = set()
    for work in library.corpus.works:
        text = library.corpus.text_of(work)
        for start in range(0, len(text) - 200, 200):
            told = look_up_text(library, text[start : start + 200])
            places = [p for each in told["verbatim"] for p in each["places"] if p["work"] == work]
            parts |= {read["part_ppm"] for place in places for read in place["read_by"]} | {
                0 for place in places if not place["read_by"]
            }
    assert all(0 <= part <= 1_000_000 for part in parts) and 1_000_000 in parts


def test_not_found_says_what_was_searched_and_what_is_missed(here):
    told = ask(here, "purple elephants never dance upon frozen violins without asking seven lawyers first").last
    assert told["verdict"] == "not-found" and told["verbatim"] == told["near"] == []
    manifest = Home.open(here.home).registry.latest_manifest()
    assert told["scope"]["manifests"] == [manifest.id] and told["scope"]["works"] == len(manifest.entries)
    assert told["scope"]["trainings"] == ["main"]
    kept = measured("text")
    assert told["measured"] == kept.to_json() and len(kept.recalls) > 5
    lines = lines_of(told)
    assert lines[0].startswith("Not found. That is no proof")
    assert any(line.strip() == f"{r.change}: {r.found} of {r.asked}" for line in lines for r in kept.recalls)
    assert recall_lines(None) == [
        "How often this search misses what is there was not measured: run benchmarks/lookup.py."
    ]


def test_too_short_is_no_answer(here):
    told = ask(here, "slowly again").last
    assert told["verdict"] == "too-short" and lines_of(told)[0].startswith("No answer")
    assert ask(here, "?!").last["verdict"] == "too-short"


def test_an_opted_out_work_is_not_in_it_and_is_known(here):
    """Dov has said no: his text stands in no manifest, which is what he is told."""
    told = ask(here, text_of(here, "Dov 1")[100:400]).last
    assert told["verdict"] in ("not-found", "phrases")
    assert told["kept_out"][0]["places"][0]["contributor"] == "Dov Lind"
    assert "who has said no to training" in "\n".join(lines_of(told))


def test_an_edited_passage_resembles(here):
    own = text_of(here, "Cleo 1").split()[40:140]
    own[::14] = ["edited"] * len(own[::14])
    told = ask(here, " ".join(own)).last
    assert told["verdict"] in ("resembles", "found")
    works = {match["place"]["title"] for match in told["near"]} | {work["title"] for work in told["works"]}
    assert "Cleo 1" in works


def test_a_file_or_standard_input_is_asked_by_its_content(here, tmp_path, monkeypatch):
    file = tmp_path / "no-ending"
    file.write_text(text_of(here, "Ben 1")[:300])
    assert ask(here, file).last["verdict"] == "found"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(file.read_bytes())))
    assert ask(here, "-").last["verdict"] == "found"
    file.write_bytes(b"\x80\x81 no text")
    ran = ask(here, file)
    assert ran.code == 1 and "not-text" in ran.err


def test_a_picture_is_not_searched_where_there_are_none(here, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "p.dat", "PNG")
    assert read_query(str(tmp_path / "p.dat"))[0] == "image"
    ran = ask(here, tmp_path / "p.dat")
    assert ran.last["verdict"] == "nothing-searched" and ran.last["scope"]["works"] == 0
    assert "No answer" in ran.last["says"] and "no “not found”" in ran.last["says"]


def test_the_index_follows_the_manifests(here, tmp_path):
    other = type(here)(shutil.copytree(here.home, tmp_path / "home"), here.files, here.ran)
    shutil.rmtree(other.home / "lookup", ignore_errors=True)
    told = other("index", "--json").last
    assert told["works"]["added"] == told["works"]["works"] > 3 and told["opted_out"]["works"] == 1
    assert other("index", "--json").last["works"]["added"] == 0
    assert other("index", "--check", "--json").last["problems"] == []
    (segment,) = (other.home / "lookup" / "works").glob("segment-*")
    table = segment / "counts.u32"
    table.write_bytes(table.read_bytes()[::-1])
    ran = other("index", "--check", "--json")
    assert ran.code == 1 and "counts.u32" in ran.err
    assert other("index", "--again", "--check", "--json").last["problems"] == []
    for manifest in (other.home / "manifests").iterdir():
        manifest.unlink()
    assert other("index", "--json").last["works"]["works"] == 0  # what is in no manifest is struck off
    ran = other("lookup", "anything at all that anybody could ever ask", "--json")
    assert ran.code == 1 and "nothing-frozen" in ran.err


def test_guard_passes_flags_and_blocks(here, tmp_path):
    file = tmp_path / "out.txt"
    file.write_text(prose("quite other words than theirs xylophone zebra quartz", 5, 80))
    ran = here("guard", file, "--json")
    assert (ran.code, ran.last["action"]) == (0, "pass")
    file.write_text(text_of(here, "Ada 1")[:600])
    ran = here("guard", file)
    assert ran.code == 0 and ran.out.startswith("Flagged:") and "“Ada 1” by Ada Moore" in ran.out
    file.write_text("He wrote. " + text_of(here, "Dov 1")[:600])
    ran = here("guard", file, "--json")
    told = ran.last
    assert (ran.code, told["action"]) == (1, "block") and told["released"] <= len("He wrote. ")
    assert told["named"][-1]["contributor"] == "Dov Lind"
    policy = tmp_path / "policy.json"
    limits = STANDARD.to_json() | {"name": "mild"}
    limits["opted_out"] = limits["opted_out"] | {"action": "flag"}
    policy.write_text(json.dumps(limits))
    assert here("guard", file, "--policy", policy, "--json").last["action"] == "flag"


def test_guard_passes_a_stream_on_and_stops_it(here, monkeypatch):
    def piped(text):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
        return here("guard", "-")

    own = "One line.\nAnother — line\nof nobody's making.\n"
    ran = piped(own)
    assert ran.code == 0 and ran.out == own + "\n" and "Passed" in ran.err
    ran = piped(own + text_of(here, "Dov 1"))
    assert ran.code == 1 and ran.out.rstrip() == own.rstrip() and "Blocked" in ran.err
