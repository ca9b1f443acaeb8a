"""docs/registry.md names exactly the columns, kinds, roles and commands that the code has."""

import json
import re
from pathlib import Path

import pytest

from byline.core import Role
from byline.registry import EVIDENCE_KINDS, Method, Robots, Subject, Use, Why
from byline.registry.catalogue_files import PARTIES
from byline.registry.evidence_schema import COLUMNS
from byline.registry.exchange import KINDS, file_columns

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([a-z-]+)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))
ROW = re.compile(r"^\| `(\w+)` \| (yes)? ?\| (.+) \|$", re.MULTILINE)


def test_every_kind_has_a_section_and_no_other() -> None:
    assert list(SECTIONS) == ["parties", *EVIDENCE_KINDS]


@pytest.mark.parametrize("kind", EVIDENCE_KINDS)
def test_the_columns_of_a_kind(kind: str) -> None:
    rows = ROW.findall(SECTIONS[kind])
    assert [name for name, _, _ in rows] == [column.name for column in COLUMNS[KINDS[kind]]]
    assert tuple(name for name, needed, _ in rows if needed) == file_columns(kind).required
    assert all(says.endswith(".") for _, _, says in rows)


def test_the_columns_of_parties() -> None:
    rows = ROW.findall(SECTIONS["parties"])
    assert tuple(name for name, needed, _ in rows if needed) == PARTIES.required
    assert tuple(name for name, needed, _ in rows if not needed) == PARTIES.optional


@pytest.mark.parametrize(
    ("kind", "column", "words"),
    [
        ("acquisitions", "method", Method),
        ("acquisitions", "robots", Robots),
        ("grants", "uses", Use),
        ("consents", "subjects", Subject),
        ("credits", "role", Role),
        ("endings", "why", Why),
    ],
)
def test_the_words_of_a_column(kind: str, column: str, words: type) -> None:
    says = next(says for name, _, says in ROW.findall(SECTIONS[kind]) if name == column)
    assert re.findall(r"`([a-z_.]+)`", says) == [str(word) for word in words]  # type: ignore[attr-defined]


def test_the_roles_in_the_text() -> None:
    (listed,) = re.findall(r"\*\*Roles\*\*: (.+?)\.", PAGE, re.DOTALL)
    assert set(listed.replace("\n", " ").split(", ")) == {str(role) for role in Role}


def test_the_figures_are_those_of_the_kept_results() -> None:
    kept = json.loads((ROOT / "benchmarks" / "results" / "registry.json").read_text(encoding="utf-8"))
    rows = re.findall(r"^\| .+ \| ([\d.]+) \| ([\d.]+) \|$", PAGE.partition("## How fast")[2], re.MULTILINE)
    sizes = [kept["sizes"][works] for works in ("10000", "100000")]
    names = [name for name, value in sizes[0].items() if isinstance(value, dict)]
    shown = {tuple(map(float, row)) for row in rows}
    digits = {name: 4 if name == "one work" else 1 for name in names}
    assert shown == {tuple(round(size[name]["cpu"], digits[name]) for size in sizes) for name in names}
    assert len(rows) == len(names) and kept["commit"] in PAGE and kept["hardware"] in PAGE
