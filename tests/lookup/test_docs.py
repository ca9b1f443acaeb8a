"""docs/lookup.md and the package tell what the benchmark wrote, and nothing else."""

import json
import re
from pathlib import Path

from byline.app.cli import app
from byline.lookup import measured

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "lookup.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "lookup.json").read_text(encoding="utf-8"))


def test_the_figures_are_those_of_the_benchmark():
    rows = re.findall(r"^\| (.+) \| (\d+) of (\d+) \|$", PAGE, re.MULTILINE)
    expected = []
    for kind in ("text", "image", "image-and-embedder", "audio"):
        kept = RESULTS[kind]["recall"]
        assert measured(kind).to_json() == kept and kept["kind"] == kind
        expected += [(each["change"], str(each["found"]), str(each["asked"])) for each in kept["recalls"]]
    expected += [(row["change"], str(row["found"]), str(row["asked"])) for row in RESULTS["copies"]["rows"]]
    assert rows == expected
    assert measured("smell") is None
    assert measured("image", ["words"]) == measured("image")
    assert measured("image", ["words", "embedder"]) == measured("image-and-embedder")


def test_the_shortlists_are_those_of_the_benchmark():
    table = PAGE.split("<!-- pictures -->")[1]
    for row in RESULTS["shortlists"]["rows"]:
        assert f"| {' | '.join(map(str, row.values()))} |" in table
        assert row["confirmed"] >= row["both"] >= max(row["words"], row["embedder"])
    total = {how: sum(row[how] for row in RESULTS["shortlists"]["rows"]) for how in row if how != "change"}
    said = re.search(r"\*\*It found nearly all.*?so the lists are of 64", PAGE, re.DOTALL)[0]
    for how in ("confirmed", "words", "both", "twice the words", "half of each"):
        assert re.search(rf"\b{total[how]}\b", said), how


def test_the_speeds_are_those_of_the_benchmark():
    table = PAGE.split("<!-- speed -->")[1]
    for row in RESULTS["speed"]["rows"]:
        assert f"| {row['words']:,} | {row['tokens']:,} |" in table


def test_its_commands_are_there():
    known = {command.name for command in app.registered_commands}
    assert set(re.findall(r"byline (\w+)", PAGE.replace("byline.lookup", ""))) <= known
