"""How often each search finds what is there, as `benchmarks/lookup.py` measured it. Nothing here is typed in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from byline.core import Record

FILE = "measured.json"


@dataclass(frozen=True, slots=True)
class Recall(Record):
    """Of `asked` queries made by one kind of change, `found` named the work they came from. For the kind of change
    "none of the works" they came from no work, and `found` counts false alarms."""

    change: str
    asked: int
    found: int


@dataclass(frozen=True, slots=True)
class Measured(Record):
    """`kind`: text, image, image-and-embedder or audio. `what`: the works it was measured on."""

    kind: str
    on: str
    what: str
    recalls: tuple[Recall, ...]


def measured(kind: str, shortlists: Sequence[str] = ()) -> Measured | None:
    """None if this kind of search was not measured. `shortlists`: of a search among pictures, `ImageIndex.shortlists`;
    a search with the embedder was measured apart, and one that compares all finds what one by words finds, or more."""
    if "embedder" in shortlists:
        kind = f"{kind}-and-embedder"
    file = resources.files("byline.lookup").joinpath(FILE)
    told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    found = [Measured.from_json(each) for each in told if each["kind"] == kind]
    return found[0] if found else None
