"""Presidio's recognisers as a second detector: identity, tax and health numbers by their check digits.

Only recognisers that check what they match are asked: without a model of language Presidio's other ones guess. Its
analyser, which would need such a model, is left out. Needs the extra `byline[pii]` (presidio-analyzer 2.2).
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import Any

from byline.core import GateError
from byline.gate.pii.recognise import Find

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
                if found.score >= SURE:
                    kind = "crypto_wallet" if found.entity_type == "CRYPTO" else "national_id"
                    yield Find(kind, found.start, found.end, self.name)


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
