"""A corpus of opt-out statements with the reading that their specifications ask for, and a run over it.

Each fixture names the section it follows. `run()` holds Byline to the exact reading of all six categories, to access
and to the stated problems; the other readers, which answer yes or no, to one question: may a model be trained on this?
"""

from byline.gate.signals.conformance.corpus import Fixture, fixtures
from byline.gate.signals.conformance.run import Outcome, Scores, run

__all__ = ["Fixture", "Outcome", "Scores", "fixtures", "run"]
