"""Many notices at once, from CSV or JSON lines: every row is read, and all problems come back with file and line.

Columns: `target` (as on the command line), and if wanted `by`, `contact`, `uses` and `laws` (with ; between them),
`from`, `until`, `reason`. What a row leaves empty is what was given for the whole file.
"""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from byline.core import Problem, RegistryError, Source
from byline.registry.optout import DEFAULT_USES, Target, ordered_uses
from byline.registry.optout_clocks import check_laws
from byline.registry.optout_target import Names, read_target
from byline.registry.rights import Use
from byline.registry.rows import Columns, Row, read_rows

COLUMNS = Columns(("target",), optional=("by", "contact", "uses", "from", "until", "reason", "laws"))


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, before it has an id."""

    target: Target
    by: str
    uses: tuple[Use, ...]
    effective: date
    until: date | None = None
    contact: str = ""
    reason: str = ""
    evidence_sha256: str = ""
    laws: tuple[str, ...] = ()
    unless_licensed: bool = False


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for a row that does not say."""

    by: str
    effective: date
    uses: tuple[Use, ...] = DEFAULT_USES
    until: date | None = None
    contact: str = ""
    reason: str = ""
    evidence_sha256: str = ""
    laws: tuple[str, ...] = ()
    unless_licensed: bool = False

    def wish(self, target: Target) -> Wish:
        """Raises: RegistryError("no-name") if nobody is named."""
        if not self.by.strip():
            raise RegistryError("no-name", f"nobody is named who says it of {target}", "add --by NAME")
        return Wish(target, self.by.strip(), self.uses, self.effective, self.until, self.contact, self.reason,
                    self.evidence_sha256, self.laws, self.unless_licensed)  # fmt: skip


def read_wishes(path: Path, names: Names, defaults: Defaults) -> tuple[list[Wish], list[Problem]]:
    """With any problem, none of it is to be recorded."""
    rows, problems = read_rows(path, COLUMNS)
    if not rows and not problems:
        problems = [Problem("empty-file", Source(str(path)), "names no target")]
    wishes: list[Wish] = []
    for row in rows:
        found, faults = _wish(row, names, defaults, path.parent)
        problems += faults
        wishes += found
    return wishes, problems


def _wish(row: Row, names: Names, defaults: Defaults, folder: Path) -> tuple[list[Wish], list[Problem]]:
    """One wish, or everything that is wrong with the row."""
    problems: list[Problem] = []
    given = replace(
        defaults,
        by=row["by"] or defaults.by,
        contact=row["contact"] or defaults.contact,
        reason=row["reason"] or defaults.reason,
        effective=_date(row, "from", problems) or defaults.effective,
        until=_date(row, "until", problems) or defaults.until,
    )
    try:
        laws = tuple(row.list("laws")) or defaults.laws
        check_laws(laws)
        given = replace(given, laws=laws, uses=ordered_uses(row.list("uses")) or defaults.uses)
    except RegistryError as fault:
        problems.append(_problem(fault, row))
    if given.until is not None and given.until < given.effective:
        problems.append(Problem("bad-dates", row.at, f"it ends on {given.until}, before it begins"))
    try:
        wish = given.wish(read_target(row["target"], names, folder))
    except RegistryError as fault:
        problems.append(_problem(fault, row))
    return ([wish] if not problems else []), problems


def _date(row: Row, column: str, problems: list[Problem]) -> date | None:
    if not row[column]:
        return None
    try:
        return date.fromisoformat(row[column])
    except ValueError:
        problems.append(Problem("bad-date", row.at, f"{column} is {row[column]!r}; write it as 2026-09-01"))
        return None


def _problem(fault: RegistryError, row: Row) -> Problem:
    return Problem(fault.code, row.at, f"{fault.message}; {fault.fix}" if fault.fix else fault.message)
