"""docs/opt-out.md: its commands run, its uses and deadlines are those of the code."""

import contextlib
import json
import re
import shlex
import shutil
from datetime import date
from pathlib import Path

import pytest
from tiny_project import byline, write_catalogue

from byline.app.exclusion import begin_run, finish_run
from byline.app.home import Home, freeze_manifest, register
from byline.registry import DEFAULT_USES, USES, TargetKind, laws

PAGE = (Path(__file__).parents[2] / "docs" / "opt-out.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A project in which Ada said no before a training, in the folder that the page's commands run in."""
    folder = tmp_path_factory.mktemp("docs")
    files = write_catalogue(folder / "catalogue")
    home = Home(folder / "byline-home")
    register(home, files / "works.csv", None, None, date.today())
    with contextlib.chdir(folder):
        said = byline("optout", "Ada 1", "--by", "Ada Moore", "--json").last["notices"][0]
        manifest = freeze_manifest(home, date.today())
        told = {"run": "run:0", "name": "main", "manifest": manifest.id}
        finish_run(home, manifest, begin_run(home, manifest), told, "ab" * 32)
        (home.training("main") / "training.json").write_text(json.dumps(told))
        shutil.copy(said["receipt"], "receipt.json")
        shutil.copy(home.public_key, "byline.pub")
        shutil.copy(home.path / "log" / "checkpoint", "CHECKPOINT")
    return folder, said["id"]


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("byline ")])
def test_every_command_of_the_page_runs(place, line):
    folder, notice = place
    words = [notice if word == "optout:ID" else word for word in shlex.split(line)[1:]]
    with contextlib.chdir(folder):
        ran = byline(*words)
    assert ran.code == 0, ran.err


def test_options_of_the_page_are_options_of_the_commands():
    helps = {name: byline(name, "--help").out for name in ("optout", "claim", "notice", "prove", "log", "verify")}
    named = set(re.findall(r"`(--[a-z-]+)", PAGE)) | set(re.findall(r" (--[a-z-]+)", "\n".join(COMMANDS)))
    assert len(named) > 15 and named <= set(re.findall(r"--[a-z-]+", "\n".join(helps.values())))


def test_the_page_names_every_use_law_and_target():
    for word in (*(str(use) for use in USES), *laws()):
        assert f"`{word}`" in PAGE, word
    for kind in set(TargetKind) - {TargetKind.WORK, TargetKind.FILE, TargetKind.ISCC}:
        assert f"`{kind}:" in PAGE, kind
    assert [str(use) for use in DEFAULT_USES] == [str(use) for use in USES[:4]]
