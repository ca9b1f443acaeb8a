"""Cloudflare's Content Signals: `search=yes, ai-input=yes, ai-train=no` (contentsignals.org, September 2025).

A signal that is absent neither grants nor restricts.
"""

import re

from byline.gate.signals.observation import TRAIN, Canonical, Category, Reading, merged, same

SPEC = "contentsignals.org 2025-09"
USES = {
    "search": (Category.SEARCH,),
    "ai-input": (Category.GROUND,),
    "ai-train": TRAIN,
}
# The token turned round, as AIPREF and early RSL spell it. It counts where it says no.
MEANT = {"train-ai": "ai-train", "ai_train": "ai-train", "ai_input": "ai-input", "input-ai": "ai-input"}


def read_signals(value: str) -> tuple[Canonical, tuple[str, ...]]:
    """The reading, and notes on what was not understood."""
    stated: list[Canonical] = []
    notes: list[str] = []
    for part in re.split(r"[,;\s]+", re.sub(r"[ \t]*=[ \t]*", "=", value[:4096]))[:64]:
        key, _, word = part.partition("=")
        uses = USES.get(key, ())
        if uses and word == "yes":
            stated.append(same(Reading.ALLOW, uses))
        elif word.lower() == "no" and (meant := USES.get(MEANT.get(key.lower(), key.lower()))):
            stated.append(same(Reading.DENY, meant))
        elif part:
            notes.append(f"not understood: {part}")
    return {each: word for each, word in merged(stated).items() if word is not Reading.UNKNOWN}, tuple(notes)
