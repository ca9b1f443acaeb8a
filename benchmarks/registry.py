"""How long the register takes: works and evidence in, questions as of two days, evidence out.

    python benchmarks/registry.py [--works 10000 --works 100000] [--database URL] [--out FILE]

The works are made up: one short text each, a hundred accounts, one site per hundred works. Of each work there is one
acquisition; one in ten is corrected by a later record, one in a hundred ended; a grant per account and a licence per
site reach their works through their scopes. Times are of one process, files already on disk; texts are kept as files,
so that registering works is mostly the time of the disk.
"""

import argparse
import csv
import json
import os
import platform
import random
import statistics
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


def measured(works: int, folder: Path, database: str | None) -> dict[str, float]:
    engine = open_database(database or folder / "byline.db")
    registry = Registry(engine, folder / "assets")
    write_works(folder, works)
    catalogue, problems = read_catalogue(folder / "works.csv", None, None)
    assert not problems
    found = {"register_s": seconds(lambda: registry.add(catalogue, BEFORE))}
    everything = registry.works()
    files = write_evidence(folder, [work.id for work in everything], registry)
    found["import_s"] = seconds(lambda: imported(registry, "acquisitions", files["acquisitions"], RECORDED, works))
    imported(registry, "grants", files["grants"], RECORDED, 100)
    imported(registry, "licences", files["licences"], RECORDED, max(1, works // 100))
    first = registry.evidence.in_force(Acquisition, ASKED)
    corrections = write_corrections(folder, first)
    found["correct_s"] = seconds(lambda: imported(registry, "acquisitions", corrections, CORRECTED, len(first[::10])))
    imported(registry, "endings", write_endings(folder, first), CORRECTED, len(first[1::100]))
    found |= questions(registry, everything)
    found["export_s"] = seconds(lambda: registry.export_file("acquisitions", folder / "out.csv"))
    found["bytes_per_work"] = (folder / "byline.db").stat().st_size / works if not database else 0.0
    engine.dispose()
    return found


def questions(registry: Registry, works: Any) -> dict[str, float]:
    """Milliseconds per work for one work at a time, seconds for all at once; by all that is known, and by what was
    known before the corrections."""
    evidence, draw = registry.evidence, random.Random(0)
    asked = draw.sample(works, min(ASKED_WORKS, len(works)))
    one: list[float] = []
    for work in asked:
        one.append(seconds(lambda work=work: evidence.of_work(Acquisition, work, ASKED, RECORDED)) * 1000)
    found = {"one_work_ms": statistics.median(one), "one_work_p95_ms": sorted(one)[int(len(one) * 0.95)]}
    found["all_works_s"] = seconds(lambda: evidence.of_works(Acquisition, works, ASKED))
    found["all_works_as_of_s"] = seconds(lambda: evidence.of_works(Acquisition, works, ASKED, RECORDED))
    found["by_scope_s"] = seconds(lambda: [evidence.of_works(kind, works, ASKED) for kind in (Grant, Licence)])
    found["history_s"] = seconds(lambda: evidence.history(Acquisition))
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


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def table(works: int, found: dict[str, float]) -> str:
    lines = [f"{works:,} works"]
    lines += [f"  {name:<20} {value:10.3f}" for name, value in found.items()]
    lines.append(f"  {'rows imported a second':<20} {works / found['import_s']:8,.0f}")
    return "\n".join(lines)


def hardware() -> str:
    return f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


if __name__ == "__main__":
    main()
