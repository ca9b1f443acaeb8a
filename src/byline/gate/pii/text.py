"""Personal data in a text of any length, by our own recognisers and by Presidio's where they are installed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from byline.gate.pii.recognise import Find, recognise

WINDOW, OVERLAP = 20_000, 200  # characters; what is looked for is shorter than the overlap

Detector = Callable[[str], Iterable[Find]]
"""Finds in a piece of text, with positions in that piece."""

Step = Callable[[int, int], None]
"""Characters done, and of how many."""


def find_in_text(text: str, on: date, others: Sequence[Detector] = (), step: Step | None = None) -> tuple[Find, ...]:
    """Every find, in order of position. Where detectors find the same kind in the same place, the first is kept."""
    found = [*recognise(text, on), *_in_windows(text, others, step)]
    kept: dict[tuple[str, int], Find] = {}
    for find in sorted(found, key=lambda find: (find.start, find.kind, find.detector != "byline/1", -find.end)):
        kept.setdefault((find.kind, find.start), find)
    return tuple(kept.values())


def _in_windows(text: str, detectors: Sequence[Detector], step: Step | None) -> Iterator[Find]:
    """In pieces that overlap, so that the time a detector takes stays in proportion to the text."""
    for begin in range(0, len(text), WINDOW) if detectors else ():
        piece = text[max(0, begin - OVERLAP) : begin + WINDOW + OVERLAP]
        offset = max(0, begin - OVERLAP)
        for detector in detectors:
            for find in detector(piece):
                start = find.start + offset
                if begin <= start < begin + WINDOW:  # what begins in the overlap belongs to the neighbour
                    yield Find(find.kind, start, find.end + offset, find.detector)
        if step:
            step(min(begin + WINDOW, len(text)), len(text))
