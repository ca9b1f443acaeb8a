"""Uniqueness beside share, where an attribution was divided by the redundancy game: works that teach the same share
what they taught together, and of each it is told as well what would be missing without it alone.

In the linear game both are the same estimate, and there is nothing more to show.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from byline.app.home import Home, read_json
from byline.core import WorkId, cluster_id
from byline.ledger import Game

SAYS = (
    "Works that teach the same share what they taught together, and that is what money follows. What would be missing "
    "without a work alone is another number: of two works that say the same, hardly anything would be missing without "
    "either. It does not add up, and nothing is paid by it."
)


@dataclass(frozen=True, slots=True)
class Both:
    """Of a work in all outputs of a period together, in parts per billion."""

    share_ppb: int
    low_ppb: int
    high_ppb: int
    unique_ppb: int


def is_redundant(attribution: Mapping[str, Any]) -> bool:
    """Whether the shares of attribution.json were divided by the redundancy game."""
    choice = attribution.get("period_effects", {}).get("game", {})
    return bool(choice.get("game") == Game.REDUNDANCY)


def both_numbers(attribution: Mapping[str, Any]) -> dict[str, Both]:
    """By cluster; nothing for the linear game."""
    if not is_redundant(attribution):
        return {}
    rows = attribution["period_numbers"]
    return {row["id"]: Both(row["ppb"], row["low_ppb"], row["high_ppb"], row["unique_ppb"]) for row in rows}


def of_works(home: Home, works: Iterable[WorkId]) -> list[tuple[str, WorkId, Both]]:
    """(training, work, its numbers) of those works that have any, in every training of the redundancy game."""
    wanted = {str(cluster_id(work)): work for work in works}
    return [
        (path.parent.name, wanted[cluster], both)
        for path in sorted((home.path / "trainings").glob("*/attribution.json"))
        for cluster, both in _kept(path, path.stat().st_mtime_ns).items()
        if cluster in wanted
    ]


@lru_cache(maxsize=16)
def _kept(path: Path, changed: int) -> dict[str, Both]:
    """`changed`: when the file was written last, so that it is read again only if it is another."""
    return both_numbers(read_json(path, "byline attribute", ("period",)))
