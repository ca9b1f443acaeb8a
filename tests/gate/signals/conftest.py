"""One target for all, and the corpus's files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import byline.gate.signals.conformance as conformance
from byline.gate.signals import Reading, Target, canonical, resolve

AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="session")
def files():
    return Path(conformance.__file__).parent / "files"


@pytest.fixture(scope="session")
def at():
    """A target by path and agent."""

    def make(path="/", agent="", source="there"):
        return Target(source, AT, path, agent)

    return make


@pytest.fixture(scope="session")
def reading():
    """Category to reading of one or more findings, unknown ones left out."""

    def resolved(*findings, **more):
        seen = [one for found in findings for one in found.observations]
        faults = [one for found in findings for one in found.problems]
        told = canonical(resolve(seen, faults, **more))
        return {category: word for category, word in told.items() if word != Reading.UNKNOWN}

    return resolved
