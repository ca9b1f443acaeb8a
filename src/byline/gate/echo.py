"""Texts that read as if a model had written them: held until a person has looked at them.

A model that is asked for more of the same chooses words that it expects. How expected the words of a text are, over
what the model would expect of words that it drew itself, is the excess of the text:

    mean over tokens of  log p(token | tokens before) + entropy of p,  nats per token

What people wrote and the model never read tells what is usual. Text that the model wrote, as models are mostly asked to
(the likelier words more often than their probability), lies far above: so does little else. It is a reason to look and
no proof: formulas, lists and passages known by heart are expected as well, and text drawn word by word from the model's
own probabilities passes, as does text by models that nobody here has.

Source: Fast-DetectGPT, arXiv 2310.05130 (its analytic criterion with one model for both roles). Differs: per token and
not divided by the deviation that the model expects; the yardstick is what people wrote, not a fixed value.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from byline.core import PPM, Record, WorkId

MIN_USUAL = 50
"""With fewer spans that people wrote nobody knows what is usual, and nothing is held."""

SPREADS = 2.33
"""A text is held whose excess lies further above the usual mean, in standard deviations of single spans: of a hundred
honest texts of one span one is held, of longer ones fewer. Measured: docs/attacks.md."""


@dataclass(frozen=True, slots=True)
class Echo(Record):
    """A work that reads as if `model` had written it: how many usual spreads it lies above the usual, in ppm."""

    work: WorkId
    model: str
    spreads_ppm: int

    @property
    def rule(self) -> str:
        return "like-a-model"

    @property
    def because(self) -> str:
        return (
            f"Its words are those that the model {self.model} would have chosen: more expected than in 99 of 100 "
            f"passages that people wrote ({self.spreads_ppm / PPM:.1f} spreads above the usual). Held until a person "
            "has looked at it."
        )

    @property
    def evidence(self) -> tuple[str, ...]:
        return (f"echo:{self.model}:{self.spreads_ppm}",)


def find_echoes(excess: Mapping[WorkId, float], usual: Sequence[float], model: str) -> tuple[Echo, ...]:
    """Works above the line, by id. `excess`: of each work, nats per token; `usual`: of spans that people wrote and
    `model` never read."""
    if len(usual) < MIN_USUAL:
        return ()
    mean, spread = statistics.fmean(usual), statistics.stdev(usual)
    line = mean + SPREADS * spread
    return tuple(
        Echo(work, model, round((value - mean) / spread * PPM))
        for work, value in sorted(excess.items())
        if value > line
    )
