"""One small project, copied for each test, and who comes to it."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "app"))
sys.path.insert(0, str(Path(__file__).parent))
from portal_project import ADA, BEN, Clock, build, signed_in

from byline.app.home import Home
from byline.app.portal import create_app


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return build(Home(tmp_path_factory.mktemp("project") / "home"), tmp_path_factory.mktemp("files")).path


@pytest.fixture
def home(made, tmp_path):
    return Home.open(shutil.copytree(made, tmp_path / "home"))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app(home, clock):
    return create_app(home, "https://portal.example.org", clock)


@pytest.fixture
def ada(app):
    return signed_in(app, "ada@example.org", party=ADA)


@pytest.fixture
def ben(app):
    return signed_in(app, "ben@example.org", party=BEN)


@pytest.fixture(scope="session")
def chromium():
    """The browser of this machine, or the one that Playwright fetched."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome", "chrome")
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("no Chromium: install one, or run .venv/bin/playwright install chromium")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
