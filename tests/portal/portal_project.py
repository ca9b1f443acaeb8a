"""A small project with money and evidence, without a training, and browsers of people who are signed in to it."""

import contextlib
import re
from datetime import UTC, date, datetime, timedelta

from starlette.testclient import TestClient
from tiny_project import prose, write_csv

from byline.app.home import freeze_manifest, register, write_json
from byline.app.statements import Desk
from byline.core import PPB, PPM, Reliability, RevenueEvent, Share, ShareTable, Split, cluster_id, party_id
from byline.ledger import Policy, Prior, Stake, Terms, Unattributed, read_period, settle

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = date(2026, 9, 10)
ADA, BEN = party_id("Ada Moore"), party_id("Ben Okoro")
TITLES = ("River book", "Night <b>book</b>", "A quiet book")
TEXTS = [prose("river boat water bank stone bridge", 1), prose("star night moon sky comet", 2), prose("wool loom", 3)]


def build(home, folder):
    """Three works by two people, a frozen list, two payments divided by an attribution, one line of evidence."""
    rows = []
    for number, (title, by) in enumerate(zip(TITLES, ("Ada Moore", "Ben Okoro", "Ben Okoro"), strict=True)):
        (folder / f"{number}.txt").write_text(TEXTS[number], encoding="utf-8")
        rows.append([f"{number}.txt", title, by, "author", "2020-01-01", "https://books.example.org/x", "CC0-1.0"])
    head = ["path", "title", "contributor", "role", "created", "source", "licence"]
    assert register(home, write_csv(folder / "works.csv", head, *rows), None, None, DAY)[1] == []
    freeze_manifest(home, DAY)
    settled = settlement({work.title: work.id for work in home.registry.works()})
    home.journal.post(settled, NOW)
    home.log.append("journal", home.journal.head().digest())
    write_json(home.path / "trainings" / "main" / "evaluation.json", EVALUATION)
    training = {"run": "run:1", "manifest": "manifest:none", "name": "main", "losses": [], "heldout": 1, "unigram": 2,
                "hardware": "x"}  # fmt: skip
    write_json(home.path / "trainings" / "main" / "training.json", training)
    return home


def settlement(ids):
    stakes = tuple(Stake(cluster_id(ids[title]), 1000, ((ids[title], 1),)) for title in TITLES)
    parts = zip(stakes, (300_000_000, 200_000_000, 100_000_000), strict=True)
    lines = tuple(Share(str(stake.cluster), ppb, ppb // 2, 2 * ppb) for stake, ppb in parts)
    shares = ShareTable("period", "cluster", "m", "run:1", 900_000, lines, PPB - 6 * 10**8)
    fields = dict(commission_ppm=100_000, reserve_ppm=50_000, train_share_ppm=200_000)
    policy = Policy("policy:1", 1, date(2026, 1, 1), **fields, prior=Prior.EQUAL, unattributed=Unattributed.COMMONS)
    terms = Terms(policy, Reliability("run:1", "m", 700_000, 600_000, 800_000, 40, "ab" * 32), date(2026, 2, 1))
    one, two, three = (ids[title] for title in TITLES)
    splits = [Split(work, ((party, PPM),), date(2020, 1, 1)) for work, party in ((one, ADA), (two, BEN))]
    splits.append(Split(three, ((BEN, 600_000),), date(2020, 1, 1)))  # nobody is named for the rest
    events = [RevenueEvent("event:1", "Model <Co>", str(600 * 10**9), "EUR", DAY),
              RevenueEvent("event:2", "Model <Co>", str(400 * 10**9), "EUR", DAY + timedelta(30))]  # fmt: skip
    return settle(events, shares, stakes, splits, terms)


EVALUATION = {
    "measured": "2026-02-01",
    "run": "run:1",
    "contributors": ["Ada Moore", "Ben Okoro"],
    "predicted": [],
    "actual": [],
    "coverage": 0.88,
    "methods": [{"method": "m", "spearman": 0.7, "low": 0.6, "high": 0.8, "pearson": 0.7},
                {"method": "bm25", "spearman": 0.1, "low": -0.1, "high": 0.3, "pearson": 0.1}],
    "reliability": {"run": "run:1", "method": "m", "lambda_ppm": 700_000, "low_ppm": 600_000, "high_ppm": 800_000,
                    "pairs": 40, "evidence": "ab" * 32},
}  # fmt: skip


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


class Browser(TestClient):
    """A browser that fills in the token which it was shown."""

    token = ""

    def look(self, path):
        answer = self.get(path, follow_redirects=False)
        if found := re.search('name="token" value="([^"]+)"', answer.text):
            self.token = found[1]
        return answer

    def fill(self, path, files=None, **fields):
        return self.post(path, data={"token": self.token, **fields}, files=files, follow_redirects=False)


def stranger(app):
    browser = Browser(app)
    browser.look("/sign-in")
    return browser


def signed_in(app, email, *roles, party=None):
    """A browser whose owner has come by a link."""
    portal = app.state.portal
    if roles or party:
        portal.accounts.invite(email, roles, party)
    browser, link = Browser(app), portal.accounts.new_link(email, "", portal.clock())
    browser.look(f"/enter?link={link}")
    assert browser.fill("/enter", link=link).headers["location"] == "/me"
    browser.look("/no")
    return browser


def sign_month(home, name="2026-09"):
    desk = Desk(home, NOW.date())
    asked = [(party, read_period(name), "EUR") for party in desk.payees]
    return desk.issue(asked)


@contextlib.contextmanager
def at(clock, later):
    before, clock.now = clock.now, clock.now + later
    yield
    clock.now = before


def only_work(home, title):
    return next(work.id for work in home.registry.works() if work.title == title)
