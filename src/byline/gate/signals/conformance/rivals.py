"""What two other readers answer, really run: Python's own `urllib.robotparser`, and Spawning's `datadiligence`.

Both answer yes or no. They are asked as generously as they can be:
- robotparser gets the list of training crawlers that Byline has, and says no if any of them is shut out.
- datadiligence gets every header, and every media file; an exception counts as a no.
"""

import contextlib
import importlib
import importlib.metadata
import io
import logging
import urllib.robotparser
import warnings
from collections.abc import Callable, Iterator
from functools import partial

from byline.gate.signals.agents import known_agents
from byline.gate.signals.conformance.corpus import Fixture

Rival = Callable[[Fixture], bool | None]
DILIGENCE = "datadiligence"


def ask_robotparser(fixture: Fixture) -> bool | None:
    """May the agent fetch, or else all training crawlers? None if the fixture has no robots.txt."""
    bodies = [part.body() for part in fixture.parts if part.reader == "robots.txt"]
    if not bodies:
        return None
    agents = (fixture.agent,) if fixture.access is not None else known_agents().training()
    for body in bodies:
        parser = urllib.robotparser.RobotFileParser()
        parser.parse(body.decode("utf-8", "replace").splitlines())
        if not all(parser.can_fetch(agent, fixture.path) for agent in agents):
            return False
    return True


def diligence() -> tuple[Rival | None, str]:
    """The reader and its version; (None, why) if it is not installed."""
    try:
        version = importlib.metadata.version(DILIGENCE)
        with _quiet():
            library = importlib.import_module(DILIGENCE)
    except (ImportError, importlib.metadata.PackageNotFoundError):
        return None, "not installed: pip install datadiligence"

    def ask(fixture: Fixture) -> bool | None:
        answers = []
        for part in fixture.parts:
            if part.reader == "headers":
                evaluator = library.HttpEvaluator(fixture.agent or None)
                answers.append(_says(partial(evaluator.is_allowed, headers=dict(part.headers()))))
            elif part.reader == "media":
                answers.append(_says(partial(library.FileEvaluator().is_allowed, body=part.body())))
        return all(answers) if answers else None

    return ask, version


def _says(question: Callable[[], object]) -> bool:
    with _quiet():
        try:
            return bool(question())
        except Exception:  # it was asked and did not let the work through; why is its own affair
            return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(level)
