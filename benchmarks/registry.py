"""How long the register takes: works and evidence in, questions as of two days, evidence out.

    python benchmarks/registry.py [--works 10000 --works 100000] [--database URL] [--out FILE]

The works are made up: one short text each, a hundred accounts, one site per hundred works. Of each work there is one
acquisition; one in ten is corrected by a later record, one in a hundred ended; a grant per account and a licence per
site reach their works through their scopes. Each figure is of one process, on the clock and in CPU time: on a busy
machine the second says what the work takes. Texts are kept as files, so that registering also takes the disk's time.
"""

import argparse
import csv
import json
import os
import platform
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from byline.registry import Acquisition, Grant, Licence, Registry, open_database, read_catalogue

BEFORE, RECORDED, CORRECTED, ASKED = date(2025, 1, 1), date(2026, 1, 5), date(2026, 2, 5), date(2026, 6, 1)
ASKED_WORKS = 200


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--works", type=int, action="append")
    options.add_argument("--database", help="An empty database; default: SQLite in a temporary folder.")
    options.add_argument("--out", type=Path)
    asked = options.parse_args()
    told: dict[str, Any] = {"made": date.today().isoformat(), "commit": commit(), "hardware": hardware(), "sizes": {}}
    told["load"] = round(os.getloadavg()[0], 1)
    told["database"] = "postgresql" if asked.database else "sqlite"
    for works in asked.works or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            told["sizes"][works] = measured(works, Path(folder), asked.database)
        print(table(works, told["sizes"][works]), flush=True)
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


Took = dict[str, float]  # "clock" and "cpu", seconds


def measured(works: int, folder: Path, database: str | None) -> dict[str, Any]:
    engine = open_database(database or folder / "byline.db")
    registry = Registry(engine, folder / "assets")
    write_works(folder, works)
    catalogue, problems = read_catalogue(folder / "works.csv", None, None)
    assert not problems
    found: dict[str, Any] = {"register": took(lambda: registry.add(catalogue, BEFORE))}
    everything = registry.works()
    files = write_evidence(folder, [work.id for work in everything], registry)
    found["import"] = took(lambda: imported(registry, "acquisitions", files["acquisitions"], RECORDED, works))
    imported(registry, "grants", files["grants"], RECORDED, 100)
    imported(registry, "licences", files["licences"], RECORDED, max(1, works // 100))
    first = registry.evidence.in_force(Acquisition, ASKED)
    corrections = write_corrections(folder, first)
    found["correct a tenth"] = took(
        lambda: imported(registry, "acquisitions", corrections, CORRECTED, len(first[::10]))
    )
    imported(registry, "endings", write_endings(folder, first), CORRECTED, len(first[1::100]))
    found |= questions(registry, everything)
    found["export"] = took(lambda: registry.export_file("acquisitions", folder / "out.csv"))
    if not database:
        found["bytes_per_work"] = round((folder / "byline.db").stat().st_size / works)
    engine.dispose()
    return found


def questions(registry: Registry, works: Any) -> dict[str, Took]:
    """One work at a time (the mean of some), and all at once; by what was known before the corrections, and by all."""
    evidence, draw = registry.evidence, random.Random(0)
    asked = draw.sample(works, min(ASKED_WORKS, len(works)))
    each = took(lambda: [evidence.of_work(Acquisition, work, ASKED, RECORDED) for work in asked])
    found = {"one work": {name: value / len(asked) for name, value in each.items()}}
    found["all works"] = took(lambda: evidence.of_works(Acquisition, works, ASKED))
    found["all works as of"] = took(lambda: evidence.of_works(Acquisition, works, ASKED, RECORDED))
    found["grants by account"] = took(lambda: evidence.of_works(Grant, works, ASKED))
    found["licences by site"] = took(lambda: evidence.of_works(Licence, works, ASKED))
    found["history"] = took(lambda: evidence.history(Acquisition))
    standing, known = evidence.in_force(Acquisition, ASKED), evidence.in_force(Acquisition, ASKED, RECORDED)
    assert len(known) == len(works) and len(standing) == len(works) - len(works[1::100])
    return found


# --- files ------------------------------------------------------------------------------------------------------


def write_works(folder: Path, works: int) -> None:
    texts = folder / "texts"
    texts.mkdir()
    rows = []
    for n in range(works):
        (texts / f"{n}.txt").write_text(f"The text of work {n}.\n", encoding="utf-8")
        source = f"https://site{n // 100}.example.org/{n}"
        rows.append([f"texts/{n}.txt", f"Work {n}", f"Author {n % 5000}", "author", "2020-01-01", source, "",
                     f"Account {n % 100}"])  # fmt: skip
    header = ["path", "title", "contributor", "role", "created", "source", "licence", "account"]
    write(folder / "works.csv", header, rows)


def write_evidence(folder: Path, works: list[str], registry: Registry) -> dict[str, Path]:
    acquisitions = [
        [work, "crawl", "2025-03-01", f"https://site{n // 100}.example.org/{n}", "allowed", "ExampleBot",
         "lawful_access=yes;tos_forbids=no"]
        for n, work in enumerate(works)
    ]  # fmt: skip
    grants = [
        [account, "Author 0", "Operator", "train.gen;tdm", "EU;US", "2025-01-01"] for account in registry.accounts()
    ]
    sites = range(max(1, len(works) // 100))
    licences = [[f"domain:site{n}.example.org", "LicenseRef-site", "2025-01-01"] for n in sites]
    header = ["about", "method", "effective", "source", "robots", "collector", "facts"]
    return {
        "acquisitions": write(folder / "acquisitions.csv", header, acquisitions),
        "grants": write(
            folder / "grants.csv", ["about", "grantor", "grantee", "uses", "territory", "effective"], grants
        ),
        "licences": write(folder / "licences.csv", ["about", "expression", "effective"], licences),
    }


def write_corrections(folder: Path, first: Any) -> Path:
    rows = [[each.about, "crawl", "2025-03-01", each.source, "refused", each.id] for each in first[::10]]
    header = ["about", "method", "effective", "source", "robots", "supersedes"]
    return write(folder / "corrections.csv", header, rows)


def write_endings(folder: Path, first: Any) -> Path:
    rows = [[each.id, "mistaken", "2025-03-01"] for each in first[1::100]]
    return write(folder / "endings.csv", ["record", "why", "effective"], rows)


def write(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


# --- measuring --------------------------------------------------------------------------------------------------


def imported(registry: Registry, kind: str, path: Path, today: date, rows: int) -> None:
    assert registry.import_file(kind, path, today) == (rows, rows, [])


def took(call: Callable[[], object]) -> Took:
    clock, cpu = time.perf_counter(), time.process_time()
    call()
    return {"clock": time.perf_counter() - clock, "cpu": time.process_time() - cpu}


def table(works: int, found: dict[str, Any]) -> str:
    lines = [f"{works:,} works{'seconds':>22}{'CPU':>10}"]
    for name, value in found.items():
        if isinstance(value, dict):
            lines.append(f"  {name:<20}{value['clock']:11.4f}{value['cpu']:10.4f}")
    lines.append(f"  rows imported a CPU second: {works / found['import']['cpu']:,.0f}")
    return "\n".join(lines)


def hardware() -> str:
    return f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


if __name__ == "__main__":
    main()
