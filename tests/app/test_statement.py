"""`byline statement`: listed, drilled, signed once, written as page and table, and never altered."""

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tiny_project import byline, prose, state_of, write_csv

from byline.app.home import Home, register, write_json
from byline.app.statement_csv import exact, harmless
from byline.core import PPB, PPM, Party, Reliability, RevenueEvent, Share, ShareTable, Split, cluster_id, party_id
from byline.disclosure import sign_statement, write_statement
from byline.ledger import Policy, Prior, Stake, Terms, Unattributed, hold, settle, statement

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = date(2026, 9, 10)
ADA, BEN = party_id("Ada <b>Moore</b>"), party_id("Ben Okoro")
TITLES = ("<script>alert(1)</script>", "=HYPERLINK(0)", "A quiet book")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two months of money for three works; a split that changed between them, and then was corrected."""
    folder = tmp_path_factory.mktemp("files")
    rows = []
    for number, (title, people) in enumerate(zip(TITLES, ("Ada <b>Moore</b>", "Ben Okoro", "Ben Okoro"), strict=True)):
        (folder / f"{number}.txt").write_text(prose("river boat star night bread oven", number), encoding="utf-8")
        rows.append([f"{number}.txt", title, people, "author", "2020-01-01", "test", "CC0-1.0"])
    head = ["path", "title", "contributor", "role", "created", "source", "licence"]
    works = write_csv(folder / "works.csv", head, *rows)
    home = Home(tmp_path_factory.mktemp("project") / "home")
    assert register(home, works, None, None, DAY)[1] == []
    ids = {work.title: work.id for work in home.registry.works()}
    one, two, three = (ids[title] for title in TITLES)
    stakes = tuple(Stake(cluster_id(work), 1000, ((work, 1),)) for work in (one, two, three))
    lines = tuple(
        Share(str(stake.cluster), ppb, ppb // 2, 2 * ppb) for stake, ppb in zip(stakes, (3, 2, 1), strict=True)
    )
    lines = tuple(replace(x, ppb=x.ppb * 10**8, low_ppb=x.low_ppb * 10**8, high_ppb=x.high_ppb * 10**8) for x in lines)
    shares = ShareTable("period", "cluster", "m", "run:1", 900_000, lines, PPB - 6 * 10**8)
    fields = dict(commission_ppm=100_000, reserve_ppm=50_000, train_share_ppm=200_000)
    policy = Policy("policy:1", 1, date(2026, 1, 1), **fields, prior=Prior.EQUAL, unattributed=Unattributed.COMMONS)
    terms = Terms(policy, Reliability("run:1", "m", 700_000, 600_000, 800_000, 40, "ab" * 32), date(2026, 2, 1))
    splits = [Split(work, ((party, PPM),), date(2020, 1, 1)) for work, party in ((one, ADA), (two, BEN), (three, BEN))]
    splits.append(Split(two, ((BEN, 700_000), (ADA, 300_000)), date(2026, 10, 1)))
    events = [RevenueEvent("event:1", "Model <Co>", str(600 * 10**9), "EUR", DAY),
              RevenueEvent("event:2", "Model <Co>", str(400 * 10**9), "EUR", DAY + timedelta(30))]  # fmt: skip
    settled = settle(events, shares, stakes, splits, terms)
    home.journal.post(settled, NOW)
    folder = home.path / "statements" / settled.id.removeprefix("settlement:")
    body = statement(Party(BEN, "Ben Okoro"), settled, {})
    write_statement(folder / "ben-okoro.json", sign_statement(body, home.log, home.key))
    other = [
        replace(split, lines=((BEN, 900_000), (ADA, 100_000))) if split.work == three else split for split in splits
    ]
    home.journal.adjust(settle(events, shares, stakes, other, terms), settled.id, date(2026, 10, 20), "said so", NOW)
    home.journal.book(hold("case-1", BEN, 10**9, "EUR", date(2026, 10, 21), "authorship"), NOW)
    keep_attribution(home, shares, one)
    return home.path


def keep_attribution(home, shares, work):
    """What `byline attribute` would have kept: two outputs, of which one leans on the first work."""

    def of(name, ppb):
        line = Share(str(cluster_id(work)), ppb, 0, PPB)
        return ShareTable(name, "cluster", "m", "run:1", 900_000, (line,), PPB - ppb).to_json()

    evidence = [{"example": "ex:1", "work": work, "text": "the <river> boat", "title": "", "gradient": 1.5}]
    passages = [
        {"id": "query:1", "kind": "generated", "text": "SECRET OUTPUT", "title": "SECRET PROMPT",
         "cluster": {"shares": of("query:1", 250_000_000)}, "evidence": evidence},
        {"id": "query:2", "kind": "generated", "text": "", "title": "", "cluster": {"shares": of("query:2", 0)}},
    ]  # fmt: skip
    write_json(
        home.path / "trainings" / "main" / "attribution.json", {"period": shares.to_json(), "passages": passages}
    )


@pytest.fixture
def home(made, tmp_path):
    return shutil.copytree(made, tmp_path / "home")


class Page(HTMLParser):
    """Tags that are open, ids of nothing, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text, self.outside = set(), [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.outside += [value for name, value in attributes if name in ("src", "href", "action", "srcset", "style")]
        self.outside += [name for name, _ in attributes if name.startswith("on")]
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def written(home, tmp_path, *words):
    ran = byline("statement", *words, "--to", tmp_path / "out", "--home", home, "--json")
    assert ran.code == 0, ran.err
    return ran.last["statements"]


def test_everybody_is_listed_and_nothing_is_written(home):
    before = state_of(home)
    ran = byline("statement", "--home", home, "--json")
    told = {each["name"]: each for each in ran.last["payees"]}
    assert set(told) == {"Ada <b>Moore</b>", "Ben Okoro"}
    assert told["Ben Okoro"]["periods"] == ["2026-09", "2026-10"] and told["Ben Okoro"]["signed"] == []
    ben = byline("statement", "ben okoro", "--home", home)
    assert ben.code == 0 and "You earned EUR" in ben.out and "Corrections of earlier periods" in ben.out
    words = ("statement", "ben okoro", "--to", home / "out", "--dry-run", "--home", home)
    assert byline(*words).code == 0 and not (home / "out").exists()
    payouts = {"payout_batch", "payout_file", "payout_move", "payout_booked", "payout_version"}
    after = state_of(home)
    assert after[0] == before[0] and {k: v for k, v in after[1].items() if k not in payouts} == before[1]


def test_a_line_is_drilled_from_cent_to_evidence(home):
    body = byline("statement", ADA, "--period", "2026-09", "--home", home, "--json").last
    line = next(line for line in body["lines"] if line["basis"] == "attribution")
    assert line["formula"].split("; ")[0] == "510000000000 × (1 − 0.2) × 0.7 × 300000000 / 1000000000 = 85680000000"
    ran = byline("statement", ADA, "--period", "2026-09", "--why", line["line"], "--home", home, "--json")
    told = ran.last
    assert told["payment"]["received_nano"] == "600000000000" and told["terms"]["reliability"]["lambda_ppm"] == 700_000
    assert told["behind"]["outputs"] == [{"output": "query:1", "share_ppb": 250_000_000, "interval_ppb": [0, PPB]}]
    assert told["behind"]["passages"] == [{"passage": "ex:1", "text": "the <river> boat", "output": "query:1"}]
    shown = byline("statement", ADA, "--period", "2026-09", "--why", line["line"], "--home", home).out
    wanted = """journal: entry 1|payment: 600.00 EUR from Model <Co>|basis: attribution; share 0.3, between|lambda 0.7
    evidence: attribution|sum: 510000000000|output: query:1|passage: 'the <river>"""
    for each in re.split(r"\||\n +", wanted):
        assert each in shown
    assert body["summary"].startswith(
        "You earned EUR 160.48 in September 2026: 1 of your works helped write 1 of the 2 "
    )


def test_files_verify_and_agree_and_carry_the_digest(home, tmp_path):
    (told,) = written(home, tmp_path, "Ben Okoro", "--period", "2026-10")
    assert [path.rpartition(".")[2] for path in told["files"]] == ["json", "html", "csv"]
    key = home / "keys" / "byline.pub"
    for path in told["files"]:
        ran = byline("verify", path, "--key", key, "--home", tmp_path / "none", "--json")
        assert ran.code == 0 and ran.last["ok"], path
        assert told["digest"] in (tmp_path / "out" / path).read_text(encoding="utf-8")
    document = json.loads((tmp_path / "out" / "ben-okoro-eur-2026-10.json").read_text(encoding="utf-8"))
    text = (tmp_path / "out" / "ben-okoro-eur-2026-10.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text.rpartition("#seal")[0])))
    lines = document["statement"]["lines"]
    assert [row["amount_nano"] for row in rows[1:-1]] == [line["amount_nano"] for line in lines]
    assert sum(int(row["amount_nano"]) for row in rows[:-1]) == int(rows[-1]["amount_nano"])
    assert {row["title"] for row in rows if row["title"]} >= {"'=HYPERLINK(0)"}
    corrected = [line for line in lines if line["kind"] == "adjustment"]
    (old,) = [p for p in (home / "statements").glob("*/ben-okoro.json")]
    assert {line["corrects"]["statement"] for line in corrected} == {json.loads(old.read_text())["digest"]}


def test_a_changed_page_is_refused_with_its_line(home, tmp_path):
    (told,) = written(home, tmp_path, "Ben Okoro", "--period", "2026-10", "--format", "html")
    path = tmp_path / "out" / "ben-okoro-eur-2026-10.html"
    assert told["files"] == [str(path)]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("You earned EUR 1", "You earned EUR 9", 1), encoding="utf-8")
    ran = byline("verify", path, "--home", home)
    assert ran.code == 1 and "refused" in ran.out
    said = " ".join(ran.out.split())
    assert re.search(r"line \d+ says .*You earned EUR 9.*You earned EUR 1.*was sealed", said)


def test_the_page_holds_hostile_names_as_text_and_loads_nothing(home, tmp_path):
    for name, period in ((ADA, "2026-09"), (ADA, "2026-10"), (BEN, "2026-10")):
        (told,) = written(home, tmp_path, name, "--period", period, "--format", "html")
        text = Path(told["files"][0]).read_text(encoding="utf-8")
        page = Page(text)
        assert page.open == [] and page.outside == [] and not page.tags & {"script", "b", "img", "co", "river"}
        assert "@import" not in text and "url(" not in text and "default-src 'none'" in text
        assert "Model <Co>" in page.text and "SECRET" not in text
        if name == ADA:
            assert "Ada <b>Moore</b>" in page.text and "<script>alert(1)</script>" in page.text
            assert "the <river> boat" in page.text or period == "2026-10"


def test_a_statement_is_signed_once_and_later_truth_stands_in_the_next(home, tmp_path):
    september = written(home, tmp_path, "Ben Okoro", "--period", "2026-09")[0]
    kept = home / "statements" / "periods" / "2026-09" / "ben-okoro-eur.json"
    before = kept.read_bytes()
    place = Home(home)
    place.journal.book(hold("case-2", BEN, 5, "EUR", DAY + timedelta(2), "late truth"), NOW)
    again = written(home, tmp_path, "Ben Okoro", "--period", "2026-09")[0]
    assert kept.read_bytes() == before and again["digest"] == september["digest"]
    document = json.loads((tmp_path / "out" / "ben-okoro-eur-2026-09.json").read_text(encoding="utf-8"))
    assert "later" not in document["log"]
    place.log.append("journal", place.journal.head().digest())
    written(home, tmp_path, "Ben Okoro", "--period", "2026-09")
    document = json.loads((tmp_path / "out" / "ben-okoro-eur-2026-09.json").read_text(encoding="utf-8"))
    assert document["log"]["later"] and kept.read_bytes() == before
    ran = byline("verify", tmp_path / "out" / "ben-okoro-eur-2026-09.json", "--home", home, "--json")
    assert {"name": "consistency", "ok": True, "says": "the log was only added to until its later head"} in ran.last[
        "checks"
    ]
    written(home, tmp_path, "Ben Okoro", "--period", "2026-10")
    body = byline("statement", "Ben Okoro", "--period", "2026-10", "--home", home, "--json").last
    late = [line for line in body["lines"] if line["late"]]
    assert [line["because"] for line in late] == ["late truth"]
    assert body["opening"]["statement"] == september["digest"]
    ran = byline("statement", "Ben Okoro", "--period", "2026-08", "--to", tmp_path / "out", "--home", home)
    assert ran.code == 1 and "[period-passed]" in ran.err and "2026-08" not in str(list(home.rglob("*ben*")))


def test_everybody_at_once_under_one_head_of_the_log(home, tmp_path):
    told = written(home, tmp_path, "--period", "2026-09", "--format", "json")
    assert len(told) == 2
    heads = {json.loads(Path(each["files"][0]).read_text(encoding="utf-8"))["log"]["checkpoint"] for each in told}
    assert len(heads) == 1
    assert byline("statement", "--home", home, "--json").last["payees"][1]["signed"] == ["2026-09"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["Nobody"], "no-payee"),
        (["o"], "no-payee"),
        (["Ben Okoro", "--period", "October"], "bad-period"),
        (["Ben Okoro", "--why", "999"], "no-such-line"),
        (["Ben Okoro", "--format", "pdf"], "unknown-form"),
        (["Ben Okoro", "--currency", "usd"], "which-currency"),
        (["Ben Okoro", "--currency", "usd", "--period", "2026-09", "--to", "out"], "which-currency"),
        (["--to", "out"], "no-period"),
    ],
)
def test_what_is_refused_says_why_and_leaves_everything(home, words, code):
    before = state_of(home)[0]
    ran = byline("statement", *words, "--home", home)
    assert ran.code == 1 and f"[{code}]" in ran.err and "fix:" in ran.err
    assert state_of(home)[0] == before


def test_a_damaged_statement_is_not_passed_on(home, tmp_path):
    written(home, tmp_path, "Ben Okoro", "--period", "2026-09")
    kept = home / "statements" / "periods" / "2026-09" / "ben-okoro-eur.json"
    good = kept.read_text(encoding="utf-8")
    closing = json.loads(good)["statement"]["closing"]["nano"]
    for bad in (good.replace("\n", "\n ", 1), good.replace(f'"{closing}"', f'"9{closing}"', 1)):
        kept.write_text(bad, encoding="utf-8")
        before = len(Home(home).log.leaves())
        ran = byline("statement", "Ben Okoro", "--period", "2026-10", "--to", tmp_path / "out", "--home", home)
        assert ran.code == 1 and "[statement-damaged]" in ran.err
        assert len(Home(home).log.leaves()) == before


def test_text_for_spreadsheets():
    assert [exact(nano) for nano in (0, 1, -1, 12_345_678_901)] == [
        "0.000000000",
        "0.000000001",
        "-0.000000001",
        "12.345678901",
    ]
    assert [harmless(text) for text in ("=1", "+1", "-1", "@a", "a\n=b", "plain")] == [
        "'=1",
        "'+1",
        "'-1",
        "'@a",
        "a =b",
        "plain",
    ]
