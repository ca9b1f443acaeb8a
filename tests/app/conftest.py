"""One tiny project that has been through every command, register to report, in seconds."""

import contextlib
import shlex
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from tiny_project import STEPS, Project, byline, write_catalogue


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory):
    return write_catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="session")
def project(catalogue, tmp_path_factory):
    """Every command once, in order, with --json. Read it only; `copy` it to change it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    home, ran = tmp_path_factory.mktemp("project") / "home", {}
    with contextlib.chdir(catalogue):
        for step in STEPS:
            words = shlex.split(step)
            ran[words[0]] = byline(*words, "--home", home, "--json")
            assert ran[words[0]].code == 0, (step, ran[words[0]].err)
    torch.set_num_threads(before)
    return Project(home, catalogue, ran)
