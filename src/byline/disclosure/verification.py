"""What was found when a document was verified."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, whether it holds, and what was found."""

    name: str
    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class Verification:
    """All checks of a document, in order. `changed` is the JSON pointer of the first field that differs from what was
    signed (or the line, in a page), where that can be known."""

    checks: tuple[Check, ...]
    changed: str | None
    what: str = "statement"

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        checks = [{"name": check.name, "ok": check.ok, "says": check.says} for check in self.checks]
        return {"ok": self.ok, "changed": self.changed, "checks": checks}
