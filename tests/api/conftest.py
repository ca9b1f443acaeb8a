"""A tiny project behind the API, a token for every set of scopes, and a client for each."""

import contextlib
import shlex
import sys
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parents[1] / "app"))
sys.path.insert(0, str(Path(__file__).parent))
from tiny_project import STEPS, Project, byline, write_catalogue

from byline.app.api import SCOPES, Tokens, api_app, engine_of
from byline.app.home import Home


@pytest.fixture(scope="session")
def settled(tmp_path_factory):
    """A project in which everything was done once. Read it only; `copy` it to change it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    files = write_catalogue(tmp_path_factory.mktemp("catalogue"))
    home, ran = tmp_path_factory.mktemp("project") / "home", {}
    with contextlib.chdir(files):
        for step in STEPS[:-1]:
            words = shlex.split(step)
            ran[words[0]] = byline(*words, "--home", home, "--json")
            assert ran[words[0]].code == 0, (step, ran[words[0]].err)
    torch.set_num_threads(before)
    return Project(home, files, ran)


class Api:
    """The application of a project, called with a token."""

    def __init__(self, home):
        self.home = Home.open(home)
        self.tokens = Tokens(engine_of(self.home))
        self.app = api_app(self.home)
        self.token, secret = self.tokens.new("all", SCOPES, per_minute=100_000)
        self.all = self.client(secret)

    def client(self, secret=None):
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)

    def one(self, *scopes, **terms):
        return self.client(self.tokens.new("one", scopes, **terms)[1])


@pytest.fixture(scope="module")
def api(settled, tmp_path_factory):
    """A copy of the project that the tests of a file may change."""
    return Api(settled.copy(tmp_path_factory.mktemp("api")).home)
