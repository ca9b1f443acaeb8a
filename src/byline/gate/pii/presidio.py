"""Presidio's recognisers as a second detector: identity, tax and health numbers by their check digits.

Only recognisers that check what they match are asked: without a model of language Presidio's other ones guess. Its
analyser, which would need such a model, is left out. Needs the extra `byline[pii]` (presidio-analyzer 2.2).
"""

import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import Any

from byline.core import GateError
from byline.gate.pii.recognise import NEAR, Find

SURE = 0.95  # Presidio's score of a match whose check digit is right is 1
_NAMES = (
    "CryptoRecognizer AuMedicareRecognizer AuTfnRecognizer CaSinRecognizer EsNieRecognizer "
    "EsNifRecognizer FiPersonalIdentityCodeRecognizer InAadhaarRecognizer ItFiscalCodeRecognizer KrRrnRecognizer "
    "NhsRecognizer PlPeselRecognizer SePersonnummerRecognizer ThTninRecognizer TrNationalIdRecognizer "
    "ZaIdNumberRecognizer DeTaxIdRecognizer DeSocialSecurityRecognizer NgNinRecognizer"
).split()
_HEAVY = ("torch", "transformers", "tensorflow", "gliner", "stanza")


class Presidio:
    """Call it with a piece of text. Raises: GateError("pii-extra") if presidio-analyzer is not installed."""

    def __init__(self) -> None:
        self.name = f"presidio-analyzer/{version('presidio-analyzer') if _recognisers() else ''}"

    def __call__(self, text: str) -> Iterable[Find]:
        for recogniser, entities in _recognisers():
            for found in recogniser.analyze(text, entities, None):
                if found.score >= SURE and _stands_alone(text, found) and _likely(text, found, recogniser.context):
                    kind = "crypto_wallet" if found.entity_type == "CRYPTO" else "national_id"
                    yield Find(kind, found.start, found.end, self.name)


def _stands_alone(text: str, found: Any) -> bool:
    """Not a piece of a longer number, nor the digits behind a point."""
    before, after = text[max(0, found.start - 2) : found.start], text[found.end : found.end + 2]
    return not _RUNS_ON_BEFORE.search(before) and not _RUNS_ON_AFTER.match(after)


def _likely(text: str, found: Any, context: Sequence[str] | None) -> bool:
    """A tenth of all bare numbers passes some country's check, so one without letters or grouping needs a word."""
    if not text[found.start : found.end].isdigit():
        return True
    said = text[max(0, found.start - NEAR) : found.start].lower()
    return any(re.search(rf"(?<![a-z]){re.escape(word.lower())}(?![a-z])", said) for word in context or ())


_RUNS_ON_BEFORE = re.compile(r"[0-9A-Za-z]$|\d[.,/-]$")
_RUNS_ON_AFTER = re.compile(r"[0-9A-Za-z]|[.,/-]\d")


@cache
def _recognisers() -> tuple[tuple[Any, list[str]], ...]:
    """Each recogniser with its entities."""
    with _without(_HEAVY):
        try:
            from presidio_analyzer import predefined_recognizers
        except ImportError as fault:
            says = "presidio-analyzer is not installed: identity numbers of many countries are not found"
            raise GateError("pii-extra", says, "pip install 'byline[pii]'") from fault
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    made = (getattr(predefined_recognizers, name)() for name in _NAMES if hasattr(predefined_recognizers, name))
    return tuple((each, list(each.supported_entities)) for each in made)


@contextmanager
def _without(names: Iterable[str]) -> Iterator[None]:
    """Packages that Presidio would load if they are there, for recognisers that are not asked: an import of them fails
    meanwhile, as if they were not installed. It saves seconds, and a records room loads no tensors."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "do not import" (importlib reference)
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
