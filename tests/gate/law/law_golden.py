"""The golden cases, read."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from byline.gate.law import JURISDICTIONS, Outcome, Reading, Value, vocabulary
from byline.gate.law.source import read_yaml

GOLDEN = read_yaml(Path(__file__).with_name("golden.yaml"))
ON = date.fromisoformat(GOLDEN["on"])


def facts(*texts: Mapping[str, str]) -> dict[str, Value]:
    """Facts from the words of the file, later ones over earlier ones; what is not on file is answered unfavourably."""
    words = vocabulary()
    found = {name: words.parse(name, text) for each in texts for name, text in each.items()}
    return words.on_file({name: value for name, value in found.items() if value is not None})


CLEAN = facts(GOLDEN["clean"])
LICENSED = facts(GOLDEN["clean"], GOLDEN["licensed"])


def cases() -> list[tuple[str, str, dict[str, Any], dict[str, str]]]:
    """(jurisdiction, rule, case, what stands under its facts)."""
    common = [
        (place, f"{place.lower()}-{rule}", case, GOLDEN["licensed"])
        for place in JURISDICTIONS
        for rule, case in GOLDEN["common"].items()
    ]
    return common + [(place, rule, case, {}) for place in JURISDICTIONS for rule, case in GOLDEN[place].items()]


def under(case: dict[str, Any]) -> tuple[date, Reading]:
    reading = Reading.STRICT if case.get("strict") else Reading.PLAIN
    return date.fromisoformat(case["on"]) if "on" in case else ON, reading


def plainly(outcome: Outcome) -> str:
    return "permits" if outcome.permits else str(outcome)
