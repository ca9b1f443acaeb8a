"""`noai` and `noimageai`, in `<meta name="robots">` and in the header X-Robots-Tag (DeviantArt, November 2022)."""

import re

from byline.gate.signals.observation import TRAIN, Notebook, Reading, same

SPEC = "noai/noimageai 2022-11"


def saw_tokens(value: str, notes: Notebook, *, agent: str = "", line: int = 0, raw: str = "") -> None:
    """Adds a no for each of the two tokens. A no to one named crawler is read as a no, and says to whom.

    value: tokens with commas between; in a header an agent and a colon may stand before them. agent: the name of the
    meta element if it is not "robots".
    """
    for part in value[:4096].split(","):
        named, colon, rest = part.rpartition(":")
        agent = named.strip() if colon else agent
        for token in re.findall(r"[a-z]+", (rest if colon else part).lower()):
            if token in ("noai", "noimageai"):
                told = f"{token} to {agent}" if agent else token
                media = "image" if token == "noimageai" else ""
                denied = same(Reading.DENY, TRAIN)
                notes.saw("noai", SPEC, raw or value, told, denied, line=line, media=media)
