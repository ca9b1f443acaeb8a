"""Every code block of the README runs, its commands and figures are the real ones, its links lead somewhere."""

import contextlib
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_project import STEPS, byline
from torch import nn

from byline import open_run
from byline.app.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EXAMPLE = ROOT / "examples" / "any_model.py"
SUMMARY = {
    "perplexity": {"heldout": 200.4, "unigram": 480.0},
    "capture": {"overhead_ratio": 1.234, "bytes_per_example": 12_345},
    "loco": {"contributors": 6, "byline": 0.456, "bm25": -0.2, "random": 0.0},
    "lambda": 0.4561,
    "money": {
        "currency": "EUR",
        "received_nano": "10",
        "allocated_nano": "6",
        "held_nano": "3",
        "commission_nano": "1",
    },
    "verify": {"statements": 41, "accepted": 40, "tampered_refused": True},
    "optout": {"in_manifest": False, "paid_nano": "0"},
    "copycat": {"gain_nano": "0"},
    "seconds": {"train": 60.0, "total": 299.6},
}


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("figures", ROOT / "benchmarks" / "figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(language):
    return [code for kind, code in BLOCKS if kind == language]


def test_every_block_is_of_a_kind_that_is_run_here():
    assert {kind for kind, _ in BLOCKS} == {"sh", "diff", "python"}
    assert README.count("```") == 2 * len(BLOCKS)


def test_make_targets_are_there():
    targets = [line.split()[1] for code in blocks("sh") for line in code.splitlines() if line.startswith("make ")]
    assert targets == ["demo", "test"]
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_the_commands_are_those_that_the_project_was_made_with(project, tmp_path):
    lines = [line for code in blocks("sh") for line in code.splitlines() if not line.startswith("make ")]
    verify = [line for line in lines if line.startswith("byline verify ")]
    assert [line for line in lines if line not in verify] == [f"byline {step}" for step in STEPS]
    shutil.copytree(project.home, tmp_path / "byline-home")
    with contextlib.chdir(tmp_path):
        for line in verify:
            command, pattern = shlex.split(line)[1:]
            (statement,) = Path().glob(pattern)
            assert byline(command, statement).code == 0


def test_the_table_of_commands_is_their_help():
    rows = dict(re.findall(r"^\| `byline (\w+)` \| (.+) \|$", README, re.MULTILINE))
    groups = {group.name: group.typer_instance.info.help for group in app.registered_groups}
    assert rows == groups | {one.name: one.callback.__doc__.splitlines()[0] for one in app.registered_commands}


def test_the_diff_is_a_training_loop_before_and_after(tmp_path):
    (diff,) = blocks("diff")
    after = "".join(line[1:] + "\n" for line in diff.splitlines())
    unrecorded = [re.sub(r"^(.)( *)with .*", r"\1\2if True:", line) for line in diff.splitlines()]
    before = "".join(line[1:] + "\n" for line in unrecorded if line[0] == " " or line.endswith("if True:"))
    assert sum(line[0] == "+" for line in diff.splitlines()) == 4

    def trained(code):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        loader = [(["a", "b"], torch.ones(2, 3)), (["c", "a"], torch.zeros(2, 3) + 0.5)]
        names = {"model": model, "optimizer": torch.optim.AdamW(model.parameters()), "loader": loader}
        names |= {"queries": {"q": torch.ones(1, 3)}, "measure": lambda model, query: -model(query).square().sum()}
        exec(f"import byline\n{code}", names)
        return names

    with contextlib.chdir(tmp_path):
        assert "recorder" not in before
        plain, recorded = trained(before), trained(after)
        assert torch.equal(plain["model"].weight, recorded["model"].weight)
        assert open_run("runs/a").store.example_ids == ("a", "b", "c")
    assert recorded["scores"].scores_QN.shape == (1, 3)


def test_the_python_block_is_the_example_and_finds_the_wrong_label():
    assert blocks("python") == [EXAMPLE.read_text(encoding="utf-8")]
    done = subprocess.run([sys.executable, "-W", "error", EXAMPLE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines()[0] == "pushed the answer away from the truth: example 7"


def test_the_figures_are_those_of_the_kept_results(figures):
    assert figures.written(README) == README


def test_figures_are_made_from_a_summary(figures, tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    figures.keep(tmp_path / "summary.json", tmp_path / "demo.json")
    text = figures.written(README, tmp_path / "demo.json")
    for shown in (
        "**0.46**",
        "| -0.20 |",
        "| 1.23 |",
        "| 12,345 |",
        "200 (480)",
        "of 41 | 40 |",
        "| exact |",
        "| 300 |",
    ):
        assert shown in text
    assert text.partition(figures.START)[0] == README.partition(figures.START)[0]
    assert text.partition(figures.END)[2] == README.partition(figures.END)[2] != ""
    assert figures.written(text, tmp_path / "none.json") == figures.written(README, tmp_path / "none.json")


def test_a_sum_that_is_off_is_shown(figures):
    assert figures.sums(SUMMARY["money"] | {"held_nano": "2"}) == "off by 1"


def test_links_lead_to_files():
    links = re.findall(r"!?\[[^]]*\]\(([^)#]+)\)", README)
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]
    assert len(links) > 10 and missing == []
