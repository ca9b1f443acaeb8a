"""docs/filings.md: every command in it runs, in order, and says what the page says it says."""

import contextlib
import json
import re
import shlex
from pathlib import Path

import pytest
from officer_project import FROZEN, a_project, byline, trained
from PIL import Image

from byline.app.home import Home, freeze_manifest
from byline.disclosure import entry_hash
from byline.disclosure.filings import EU, REGIMES, read_answers
from byline.disclosure.publish import SHORT

PAGE = (Path(__file__).parents[3] / "docs" / "filings.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WRONG = "filing: eu\nanswered_by: J\nanswered_on: 2026-11-20\nanswers:\n  2.3: no\n  1.2.placed: 2020-01-01\n"
SAMPLE = {
    "form": "sample", "source_sampled": 100, "source_illegal": 1, "corpus_items": 14, "manual_inspected": 10,
    "manual_passed": 10, "auto_inspected": 10, "auto_passed": 10, "raters": ["Jane"], "sample_ids": "shelf 1",
}  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """(command, exit code, output) of every command of the page, in order, in a folder with the files it speaks of."""
    folder = tmp_path_factory.mktemp("officer")
    home = a_project(folder)
    trained(home, freeze_manifest(home, FROZEN))
    (answers,) = (code for kind, code in BLOCKS if kind == "yaml")
    (acquisitions,) = (code for kind, code in BLOCKS if kind == "csv")
    for name, text in (("answers.yaml", answers), ("wrong.yaml", WRONG), ("acquisitions.csv", acquisitions)):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "sample.json").write_text(json.dumps(SAMPLE), encoding="utf-8")
    Image.new("RGB", (32, 32), "teal").save(folder / "photo.jpg")
    results = []
    with contextlib.chdir(folder):
        for kind, code in BLOCKS:
            for line in code.splitlines() if kind == "sh" else ():
                command, _, remark = line.partition("  # exit code ")
                code_, output = byline(*shlex.split(command)[1:])
                results.append((command, code_, output))
                assert code_ == int(remark or 0), (command, output)
    return folder, results


def test_every_block_is_of_a_kind_that_is_run_here():
    assert {kind for kind, _ in BLOCKS} == {"sh", "text", "yaml", "csv"}
    assert PAGE.count("```") == 2 * len(BLOCKS)


def test_what_the_page_shows_is_what_the_commands_said(ran):
    _, results = ran
    outputs, shown = iter(results), 0
    said = ""
    for kind, code in BLOCKS:
        if kind == "sh":
            said = "\n".join(output for _, (_, _, output) in zip(code.splitlines(), outputs, strict=False))
        elif kind == "text":
            for line in (line for line in code.splitlines() if line != "..."):
                assert line in said.splitlines(), (line, said)
                shown += 1
    assert shown > 8


def test_the_answers_on_the_page_are_read_whole(tmp_path):
    (text,) = (code for kind, code in BLOCKS if kind == "yaml")
    (tmp_path / "answers.yaml").write_text(text, encoding="utf-8")
    found, problems = read_answers(tmp_path / "answers.yaml", EU)
    assert problems == [] and len(found) == 14


def test_every_filing_file_and_choice_is_named():
    for name, regime in REGIMES.items():
        assert f"| `{name}` |" in PAGE
        assert not regime.file or f"`{regime.file}`" in PAGE
    assert all(f"`{name}`" in PAGE for name in SHORT)


def test_the_log_holds_every_version_and_the_files_are_there(ran):
    folder, _ = ran
    home = Home(folder / "byline-home")
    kept = sorted((folder / "byline-home" / "filings").glob("eu-main-*.json"))
    assert len(kept) == 3
    leaves = [leaf.hash if hasattr(leaf, "hash") else leaf for leaf in home.log.leaves()]
    for path in kept:
        told = json.loads(path.read_text("utf-8"))
        assert entry_hash(told["seal"]["kind"], told["digest"]) == leaves[told["log"]["index"]]
    assert [json.loads(p.read_text("utf-8"))["seal"]["kind"] for p in kept] == ["filing-draft"] * 2 + ["filing"]
    assert {path.name for path in (folder / "summary").iterdir()} == {
        "filing.json", "eu.md", "eu.html", "filing_domains.csv",
    }  # fmt: skip  # nothing is left of the drafts
    assert not list(folder.rglob("*.part"))
    domains = (folder / "summary" / "filing_domains.csv").read_text("utf-8").splitlines()
    assert domains[0] == "domain,works,bytes,share_ppm,listed" and domains[1].startswith("example.org,")


def test_faults_of_the_answers_file_end_it_with_lines_and_change_nothing(ran, tmp_path):
    folder, _ = ran
    (tmp_path / "bad.yaml").write_text("filing: eu\nanswers:\n  9.9: x\n  2.3: no\n", encoding="utf-8")
    before = sorted(path.name for path in (folder / "byline-home" / "filings").iterdir())
    with contextlib.chdir(folder):
        code, said = byline("disclose", "eu", "--answers", str(tmp_path / "bad.yaml"), "--to", str(tmp_path / "out"))
    assert code == 1 and "bad.yaml:3" in said and "bad.yaml:4" in said and not (tmp_path / "out").exists()
    assert sorted(path.name for path in (folder / "byline-home" / "filings").iterdir()) == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("disclose", "mars", "--to", "x"), "no-such-filing"),
        (("disclose", "eu"), "no-folder"),
        (("disclose", "eu", "a", "--to", "x"), "too-many-files"),
        (("disclose", "eu", "--form", "sample.json", "--to", "x"), "no-form-here"),
        (("disclose", "cn", "--form", "answers.yaml", "--to", "x"), "bad-form-file"),
        (("disclose", "eu", "--template", "answers.yaml"), "template-exists"),
        (("disclose", "diff", "summary"), "two-filings"),
        (("disclose", "check"), "one-filing"),
        (("disclose", "check", "answers.yaml"), "not-a-filing"),
        (("disclose", "check", "nowhere"), "no-document"),
        (("disclose", "eu", "--to", "x", "--name", "other"), "not-made-yet"),
        (("publish", "Nobody", "--to", "x"), "no-such-holder"),
        (("publish", "Ada Moore", "--to", "x"), "no-choice"),
        (("publish", "Ada Moore", "--choice", "maybe", "--to", "x"), "bad-choice"),
        (("publish", "Ada Moore", "--choice", "paid-training", "--to", "x"), "no-terms"),
        (("publish", "Ada Moore", "--choice", "no", "--path", "x y", "--to", "x"), "bad-place"),
        (("publish", "Ada Moore", "--choice", "no", "--file", "sample.json", "--to", "x"), "not-a-picture"),
        (("publish", "Ada Moore", "--choice", "no", "--file", "none.png", "--to", "x"), "no-file"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(ran, words, code):
    folder, _ = ran
    with contextlib.chdir(folder):
        returned, said = byline(*words)
        assert returned == 1 and f"[{code}]" in said and not Path("x").exists()


def test_a_copy_can_be_signed_and_is_read_as_chosen(ran, tmp_path):
    folder, _ = ran
    with contextlib.chdir(folder):
        words = ("publish", "Ada 1", "--choice", "no-ai", "--file", "photo.jpg", "--sign", "--json")
        code, said = byline(*words, "--to", str(tmp_path / "signed"))
    told = json.loads(said.splitlines()[-1])
    assert code == 0 and told["copies"][0]["signed"] is True
    wanted = {"tdm": "deny", "train.gen": "deny", "train.other": "deny", "ground": "deny", "index": "allow"}
    assert told["copies"][0]["says"] == wanted and told["unsaid"] == []


def test_an_opt_out_by_notice_is_published_use_by_use(ran):
    folder, _ = ran
    with contextlib.chdir(folder):
        code, said = byline("publish", "Dov Lind", "--to", "again", "--json")
    told = json.loads(said.splitlines()[-1])
    assert code == 0 and {told["choice"][use] for use in ("tdm", "train.gen", "train.other")} == {"deny"}
    assert told["choice"]["search"] == "unknown"
