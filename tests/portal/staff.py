"""What the tests of the operator and of the cooperative share: who they are, what was measured, and a worker."""

import html
import re

from portal_project import TITLES, only_work

from byline.app.api import Place
from byline.app.home import Home, write_json
from byline.app.worker import work_off
from byline.core import Share, ShareTable, cluster_id


def measure(home):
    """What `byline attribute` would have kept, on the works of the frozen list."""
    manifest = home.registry.latest_manifest()
    ids = [only_work(home, title) for title in TITLES]
    lines = tuple(Share(str(cluster_id(work)), 200_000_000, 0, 400_000_000) for work in ids)
    shares = ShareTable("period", "cluster", "m", "run:1", 900_000, lines, 400_000_000)
    folder = home.path / "trainings" / "main"
    write_json(folder / "attribution.json", {"passages": [], "period": shares.to_json()})
    training = {"run": "run:1", "manifest": manifest.id, "name": "main", "losses": [], "heldout": 1, "unigram": 2,
                "hardware": "x"}  # fmt: skip
    write_json(folder / "training.json", training)


def work(home):
    """A worker of another process does what waits; how many tasks that were."""
    return work_off(Place(Home.open(home.path, home.database)), once=True)


def hidden(page, action):
    """What the form that is sent to an address carries unseen."""
    form = page.partition(f'action="{action}"')[2].partition("</form>")[0]
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in found if name != "token"}
