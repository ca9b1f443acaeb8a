"""A tiny project: works by made-up authors, and every command through the program's own `main`."""

import contextlib
import csv
import io
import json
import random
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from byline.app.cli import main

AUTHORS = {
    "Ada Moore": "river boat water bank stone bridge flood mill miller wheel",
    "Ben Okoro": "star night moon sky comet orbit lens dark light planet",
    "Cleo Marsh": "bread oven flour salt yeast dough crust table knife baker",
    "Dov Lind": "wool loom thread weave cloth dye needle coat button tailor",
}
COMMON = "the a of and in to was she he then while over under with slowly again".split()
DAY = date.today()
STEPS = (  # as the README shows them
    "register works.csv --splits splits.csv --opt-outs opt-outs.csv",
    "check",
    "freeze",
    "train --effort tiny --base base.txt --twin",
    'attribute ask.txt --prompt "the river" --held-out 2',
    "evaluate --contributors 2",
    "settle events.csv",
    "report",
)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def last(self):
        """The JSON object that stands on the last line."""
        return json.loads(self.out.splitlines()[-1])


def byline(*words):
    """One command through the program's own `main`, in this process."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["byline", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as leave:
        return Ran(leave.code, out.getvalue(), err.getvalue())
    finally:
        sys.argv = before
    raise RuntimeError("main() returned")


def prose(words, seed, length=220):
    """Sentences of an author's words: every author can be told from the others."""
    draw = random.Random(seed)
    own = words.split()
    return " ".join(draw.choice(own if draw.random() < 0.5 else COMMON) for _ in range(length)) + "."


def write_csv(path, *rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def write_catalogue(folder):
    """Eight works by four contributors; Dov has said no, and one work is Ada's and Ben's together, 60 to 40."""
    folder.mkdir(parents=True, exist_ok=True)
    works = [(f"{name.split()[0]} {n}", name) for name in AUTHORS for n in (1, 2)][:6]
    works += [("Both", "Ada Moore;Ben Okoro"), ("Dov 1", "Dov Lind")]
    rows = []
    for number, (title, people) in enumerate(works):
        (folder / f"{number}.txt").write_text(prose(AUTHORS[people.split(";")[0]], number), encoding="utf-8")
        roles = ";".join("author" for _ in people.split(";"))
        rows.append([f"{number}.txt", title, people, roles, "2020-01-01", "test", "CC0-1.0"])
    write_csv(folder / "works.csv", ["path", "title", "contributor", "role", "created", "source", "licence"], *rows)
    write_csv(
        folder / "splits.csv",
        ["title", "contributor", "share", "effective"],
        ["Both", "Ada Moore", "60%", "2020-01-01"],
        ["Both", "Ben Okoro", "40%", "2020-01-01"],
    )
    write_csv(
        folder / "opt-outs.csv",
        ["contributor", "title", "effective", "recorded", "reason"],
        ["Dov Lind", "", "2020-01-01", "2020-01-01", "no"],
    )
    (folder / "base.txt").write_text(prose(" ".join(AUTHORS.values()), 99, 2000), encoding="utf-8")
    (folder / "ask.txt").write_text(prose(AUTHORS["Ada Moore"], 77, 40), encoding="utf-8")
    write_events(folder / "events.csv", (DAY + timedelta(days=1), "Model Co", "1000.00", "EUR"))
    return folder


def write_events(path, *rows):
    return write_csv(path, ["received", "licensee", "amount", "currency"], *rows)


@dataclass(frozen=True)
class Project:
    """The folder of a project, the catalogue it was made from, and what each command said with --json."""

    home: Path
    files: Path
    ran: dict[str, Ran]

    def copy(self, to):
        """Another home with the same content, to be damaged."""
        return Project(Path(shutil.copytree(self.home, to / "home")), self.files, self.ran)

    def __call__(self, *words):
        return byline(*words, "--home", self.home)


def files_of(folder):
    """Every file with its content, but for the database, whose bytes change when it is read."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in found if "byline.db" not in path.name}


def state_of(folder):
    """All that a command could have changed: every file with its content, and every row of the database."""
    rows = {}
    if (folder / "byline.db").is_file():
        with contextlib.closing(sqlite3.connect(folder / "byline.db")) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            rows = {name: database.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}
    return files_of(folder), rows
