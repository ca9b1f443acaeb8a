"""Preferences in the AIPREF vocabulary: `train-ai=n, search=y`, from an HTTP header or a line of robots.txt.

Source: draft-ietf-aipref-vocab-07, sections on serialization and processing; draft-ietf-aipref-attach-05. What does not
parse is unknown for every category; only the tokens `y` and `n` count; keys are case-sensitive; the last of a key wins.
"""

from dataclasses import dataclass

from byline.gate.signals.markup import library
from byline.gate.signals.observation import EVERY, TRAIN, Canonical, Category, Reading, merged, same

SPEC = "draft-ietf-aipref-vocab-07"
EARLIER = "draft-ietf-aipref-vocab before -06"
LARGEST = 16 * 1024  # of one value

NOT_NON_GENERATIVE = "train-ai speaks of generative models only; a no to it is a condition on other training"


@dataclass(frozen=True, slots=True)
class Preference:
    """canonical: what is stated; empty if nothing is. fault: why the value could not be parsed, "" if it could."""

    canonical: Canonical
    spec: str = SPEC
    notes: tuple[str, ...] = ()
    fault: str = ""


def read_preference(value: bytes) -> Preference:
    """One statement of preference.

    Raises: GateError("signals-extra") if http-sf is not installed.
    """
    fields = library("http_sf")
    if len(value) > LARGEST:
        return Preference({}, fault=f"{len(value):,} bytes; at most {LARGEST:,} are read")
    try:
        members = fields.parse(value, tltype="dictionary")
    except (fields.StructuredFieldError, ValueError, IndexError, TypeError) as fault:
        return Preference({}, fault=f"not a dictionary of RFC 9651: {fault}")
    said = {key: _word(item, fields.Token) for key, item in members.items()}
    stated = [_reading(key, word) for key, word in said.items() if word]
    earlier = sorted(key for key in said if key in _EARLIER and said[key])
    notes = [f"{key} is a key of earlier drafts" for key in earlier]
    if said.get("train-ai") == "n":
        notes.append(NOT_NON_GENERATIVE)
    notes += [f"parameters of {key} are not defined and not read" for key, item in members.items() if item[1]]
    canonical = {each: word for each, word in merged(stated).items() if word is not Reading.UNKNOWN}
    return Preference(canonical, EARLIER if earlier else SPEC, tuple(notes))


def _word(item: object, token: type) -> str:
    """ "y" or "n" if the member is that token; "" for strings, booleans, inner lists and other tokens."""
    value = item[0] if isinstance(item, tuple) else item
    return str(value) if isinstance(value, token) and str(value) in ("y", "n") else ""


_EARLIER = {
    "bots": EVERY,
    "all": EVERY,
    "train-genai": (Category.TRAIN_GEN,),
    "ai-use": (Category.GROUND,),
    "ai": (*TRAIN, Category.GROUND),
}


def _reading(key: str, word: str) -> Canonical:
    reading = Reading.ALLOW if word == "y" else Reading.DENY
    if key == "train-ai":
        other = {Category.TRAIN_OTHER: Reading.CONDITIONAL} if reading is Reading.DENY else {}
        return {Category.TRAIN_GEN: reading} | other
    if key == "search":
        return {Category.SEARCH: reading}
    if key == "ai" and reading is Reading.ALLOW:
        return {}  # never said what it allows
    return same(reading, _EARLIER.get(key, ()))
