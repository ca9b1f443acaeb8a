"""One tiny project that has been through every command, register to report, in seconds."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from tiny_project import Project, byline, write_catalogue


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory):
    return write_catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="session")
def project(catalogue, tmp_path_factory):
    """Every command once, in order, with --json. Read it only; `copy` it to change it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    home, files = tmp_path_factory.mktemp("project") / "home", catalogue
    ran = {}
    for command, *words in (
        ("register", files / "works.csv", "--splits", files / "splits.csv", "--opt-outs", files / "opt-outs.csv"),
        ("check",),
        ("freeze",),
        ("train", "--effort", "tiny", "--base", files / "base.txt", "--twin"),
        ("attribute", files / "ask.txt", "--prompt", "the river", "--held-out", "2"),
        ("evaluate", "--contributors", "2"),
        ("settle", files / "events.csv"),
        ("report",),
    ):
        ran[command] = byline(command, *words, "--home", home, "--json")
        assert ran[command].code == 0, (command, ran[command].err)
    torch.set_num_threads(before)
    return Project(home, files, ran)
