"""The examples of docs/api.md are run as they stand, and answer with the fields that the page shows."""

import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from media_files import picture, stored
from test_proxy import served

from byline.app.api import SCOPES
from byline.app.cli import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```sh\n(.*?)^```\n(?:```json\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)


def missing(shown, found, at="answer"):
    """Fields that the page shows and the answer has not, or has in another form."""
    if type(shown) is not type(found):
        return [at]
    if isinstance(shown, dict):
        return [
            x for k, v in shown.items() for x in (missing(v, found[k], f"{at}.{k}") if k in found else [f"{at}.{k}"])
        ]
    return missing(shown[0], found[0], f"{at}[0]") if shown and isinstance(shown, list) and found else []


def test_examples_answer_as_shown(api, tmp_path):
    assert len(EXAMPLES) == 8
    (tmp_path / "mine.jpg").write_bytes(stored(picture(1), "JPEG"))
    _, secret = api.tokens.new("docs", SCOPES)
    with served(api.app) as address:
        environment = os.environ | {"BYLINE": address, "TOKEN": secret}
        for command, shown in EXAMPLES:
            done = subprocess.run(
                ["sh", "-e", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, (command, done.stderr)
            if shown:
                assert missing(json.loads(shown), json.loads(done.stdout)) == [], command


def test_every_scope_and_route_is_told():
    assert re.findall(r"^\| `(\w+:\w+)` \| (.+) \|$", PAGE, re.MULTILINE) == list(SCOPES.items())


def test_the_figures_are_those_of_the_benchmark():
    spec = importlib.util.spec_from_file_location("load", ROOT / "benchmarks" / "load.py")
    load = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(load)
    told = json.loads(load.RESULTS.read_text(encoding="utf-8"))
    assert PAGE.split(load.MARKS[0])[1].split(load.MARKS[1])[0] == "\n" + load.table(told)
    assert set(told["kinds"]) == {"search", "guard", "statement", "POST output"}
    groups = [told["kinds"], told["limits"], told["proxy"], *(each["kinds"] for each in told["scale"].values())]
    assert all(row["errors"] == 0 for group in groups for rows in group.values() for row in rows)


@pytest.mark.parametrize("name", re.findall(r"byline (\w+)", PAGE))
def test_named_commands_exist(name):
    known = {command.callback.__name__.removesuffix("_command") for command in app.registered_commands}
    assert name in known | {group.name for group in app.registered_groups}
