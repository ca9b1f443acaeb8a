"""`byline import`, `export` and `work`: every command of docs/registry.md runs, and what they say is right."""

import contextlib
import json
import re
import shlex
from datetime import date
from pathlib import Path

import pytest
from tiny_project import byline, write_csv

PAGE = (Path(__file__).parents[2] / "docs" / "registry.md").read_text(encoding="utf-8")
TITLE = "River songs"
FACTS = "lawful_access=yes;tos_forbids=no"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with every file that the page's commands name."""
    monkeypatch.chdir(tmp_path)
    for name in ("river", "bread"):
        Path(f"{name}.txt").write_text(f"All about {name}.")
    header = ["path", "title", "contributor", "role", "created", "source", "licence"]
    rows = [["river.txt", TITLE, "Ada Moore", "author", "2020-01-01", "https://songs.example.org/1", "CC-BY-4.0"],
            ["bread.txt", "Bread", "Cleo Marsh", "author", "2021-01-01", "", ""]]  # fmt: skip
    write_csv(Path("works.csv"), header, *rows)
    write_csv(
        Path("splits.csv"), ["title", "contributor", "share", "effective"], [TITLE, "Ada Moore", "90%", "2020-01-01"]
    )
    opted = ["Cleo Marsh", "", "2024-01-01", "2024-01-01", "no"]
    write_csv(Path("opt-outs.csv"), ["contributor", "title", "effective", "recorded", "reason"], opted)
    write_csv(Path("parties.csv"), ["name"], ["The Estate"])
    row = ["domain:example.org", "crawl", "2024-02-01", "https://songs.example.org/", "refused", FACTS]
    write_csv(Path("acquisitions.csv"), ["about", "method", "effective", "source", "robots", "facts"], row)
    return tmp_path


def registered(*kinds):
    assert byline("register", "works.csv", "--splits", "splits.csv", "--opt-outs", "opt-outs.csv").code == 0
    for kind in kinds:
        assert byline("import", kind, f"{kind}.csv").code == 0


def test_the_commands_of_the_page_run_as_they_stand(place):
    blocks = [block for block in re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "byline " in block]
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 7 and all(line.startswith("byline ") for line in lines)
    for line in lines:
        ran = byline(*shlex.split(line)[1:])
        assert ran.code == 0, ran.err
    assert Path("grants.jsonl").read_text() == ""
    assert {path.name for path in Path("backup").glob("*.csv")} > {"works.csv", "parties.csv", "endings.csv"}


def test_all_that_is_known_of_a_work(place):
    registered("parties", "acquisitions")
    header = ["person", "about", "subjects", "uses", "controller", "effective"]
    for name in ("Ada Moore", "Cleo Marsh"):
        write_csv(Path("consents.csv"), header, [name, "*", "voice", "voice_synthesis", "Operator", "2024-03-01"])
        assert byline("import", "consents", "consents.csv").code == 0
    byline("export", "consents", "--to", "out.jsonl")
    consent = json.loads(Path("out.jsonl").read_text().splitlines()[0])
    assert consent["person"] == "Ada Moore" and consent["recorded"] == date.today().isoformat()
    write_csv(Path("endings.csv"), ["record", "why", "effective"], [consent["id"], "withdrawn", "2025-01-01"])
    assert "endings: added 1 of 1 rows" in byline("import", "endings", "endings.csv").out
    grant = ["party:Ada Moore", "The Estate", "Operator", "train.gen", "EU", "2024-01-01", "2024-06-30", "12500000000",
             "EUR", "once"]  # fmt: skip
    write_csv(
        Path("grants.csv"),
        [
            "about",
            "grantor",
            "grantee",
            "uses",
            "territory",
            "effective",
            "until",
            "amount_nano",
            "currency",
            "pricing",
        ],
        grant,
    )
    assert byline("import", "grants", "grants.csv").code == 0
    assert byline("check").code == 0 and byline("freeze").code == 0
    ran = byline("work", TITLE)
    assert ran.code == 0
    for words in (
        "Ada Moore, author",
        "crawl on 2024-02-01 from https://songs.example.org/, robots.txt refused (lawful_access yes, tos_forbids no)",
        "[all works from example.org]",
        "as registered: CC-BY-4.0",
        "by The Estate to Operator for train.gen in EU from 2024-01-01 to 2024-06-30, 12.50 EUR once",
        "(ran out on 2024-06-30)",
        "Ada Moore: voice for voice_synthesis, given to Operator from 2024-03-01 [all works] (withdrawn on 2025-01-01)",
        "nobody, as far as is known here",
        "admit by rule admitted",
        "agreed: Ada Moore 90 %, unclaimed 10 %",
        "manifest:",
        "none on record",
        "Not on record: whether anybody looked for opt-out signals",
    ):
        assert words in ran.out, words
    assert "Cleo Marsh" not in ran.out  # her consent for all works says nothing of a work she has no part in
    told = byline("work", TITLE, "--on", "2024-04-01", "--json").last
    assert [each["state"] for each in (*told["consents"], *told["grants"])] == ["stands", "stands"]
    before = byline("work", TITLE, "--known", "2020-01-01", "--json").last
    assert before["consents"] == before["acquisitions"] == [] and "how the copy was obtained" in before["not_on_record"]


def test_a_work_that_was_refused(place):
    registered()
    byline("check")
    ran = byline("work", "Bread")
    assert "Cleo Marsh, for all works of theirs, from 2024-01-01: no" in ran.out and "refuse by rule opt-out" in ran.out
    assert "any licence" in ran.out and "none stated" in ran.out
    told = byline("work", "Bread", "--json").last
    assert byline("work", told["work"], "--json").last == told
    assert byline("work", "Bred").code == 1


def test_faults_are_listed_and_nothing_is_added(place):
    registered()
    write_csv(
        Path("bad.csv"), ["about", "expression", "effective"], ["Bred", "MIT", "2024-01-01"], ["*", "MIT", "soon"]
    )
    ran = byline("import", "licences", "bad.csv", "--json")
    assert ran.code == 1
    assert [(each["code"], each["at"]["line"]) for each in ran.last["problems"]] == [
        ("no-such-work", 2),
        ("bad-value", 3),
    ]
    for words, code in (
        (("import", "works", "works.csv"), "register-instead"),
        (("import", "poems", "bad.csv"), "unknown-kind"),
        (("export", "poems", "--to", "x.csv"), "unknown-kind"),
    ):
        ran = byline(*words)
        assert ran.code == 1 and code in ran.err
    assert byline("export", "licences", "--to", "none.csv", "--json").last["rows"] == {"licences": 0}


def test_a_register_moves_whole(place):
    registered("parties", "acquisitions")
    assert byline("export", "all", "--to", "backup").code == 0
    with contextlib.chdir("backup"):
        registered("parties", "acquisitions", "licences", "grants", "consents", "credits", "signals", "endings")
        assert byline("export", "all", "--to", "again").code == 0
        for path in Path().glob("*.csv"):
            assert path.read_bytes() == (Path("again") / path.name).read_bytes()
        again, first = (
            byline("work", TITLE, "--json", "--home", home).last for home in ("byline-home", "../byline-home")
        )
        assert again == first


def test_a_training_on_record_is_told_of_its_works_only(place):
    registered()
    frozen = byline("freeze", "--json").last
    header = ["run", "name", "model", "manifest", "manifest_root", "effective", "finished"]
    run = ["run:1", "autumn", "byline-lm", frozen["manifest"], frozen["root"], "2026-01-02", "2026-01-03"]
    write_csv(Path("runs.csv"), header, run)
    assert byline("import", "training-runs", "runs.csv").code == 0
    river, bread = (byline("work", title, "--json").last for title in (TITLE, "Bread"))
    assert [(each["name"], each["begun"], each["finished"]) for each in river["runs"]] == [("autumn", *run[-2:])]
    assert [each["id"] for each in river["manifests"]] == [frozen["manifest"]]
    assert bread["runs"] == bread["manifests"] == []
    assert "autumn, model byline-lm, begun 2026-01-02" in byline("work", TITLE).out
