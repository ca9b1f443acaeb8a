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
    for kind in ("text", "image", "audio"):
        kept = RESULTS[kind]["recall"]
        assert measured(kind).to_json() == kept
        expected += [(each["change"], str(each["found"]), str(each["asked"])) for each in kept["recalls"]]
    expected += [(row["change"], str(row["found"]), str(row["asked"])) for row in RESULTS["copies"]["rows"]]
    assert rows == expected
    assert measured("smell") is None


def test_the_speeds_are_those_of_the_benchmark():
    table = PAGE.split("<!-- speed -->")[1]
    for row in RESULTS["speed"]["rows"]:
        assert f"| {row['words']:,} | {row['tokens']:,} |" in table


def test_its_commands_are_there():
    known = {command.name for command in app.registered_commands}
    assert set(re.findall(r"byline (\w+)", PAGE.replace("byline.lookup", ""))) <= known
