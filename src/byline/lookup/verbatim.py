"""Which passages of a text stand word for word in works, where, and how unusual their words are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from byline.core import LookupFault, Record, WorkId
from byline.lookup.corpus import CorpusIndex
from byline.lookup.runs import Runs
from byline.lookup.segment import Segment
from byline.lookup.text import BM25
from byline.lookup.words import some_words, words

Word = tuple[str, int, int]
LEAST = 8  # words: shorter runs are how a language speaks
PLACES = 10  # works that are named for a passage
LOOKED_AT = 20_000  # places of a passage that are looked at; what stands oftener is a commonplace
DENSITY = 0.05  # passages that are shown, per word of the text
SHOWN = 5  # at least
TELLING = 16  # words in a row: shorter ones may be a phrase of the time


@dataclass(frozen=True, slots=True)
class Place(Record):
    """Where a work has a passage: characters of its registered text, end not included."""

    work: WorkId
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Verbatim(Record):
    """A passage of the query that stands word for word in works and lies in no longer one.

    `start`, `end`: characters of the query. `works`: how many have it; `places` names the first of them.
    `log_probability`: natural logarithm of the product of its words' frequencies in the corpus; the lower, the less
    likely is chance.
    """

    start: int
    end: int
    words: int
    works: int
    places: tuple[Place, ...]
    log_probability: float


def verbatim(index: CorpusIndex, text: str, least: int = LEAST) -> list[Verbatim]:
    """All passages of `least` words and more, in the order of the text.

    Raises: LookupFault("empty-query"), LookupFault("run-too-short"), LookupFault("index-differs").
    """
    if least < 1:
        raise LookupFault("run-too-short", f"runs of {least} words cannot be looked for", "ask for 1 or more")
    asked = some_words(text)
    runs = Runs(index.segments, least)
    finished = runs.push([word for word, _, _ in asked])
    return [passage(index, asked[first : first + count]) for first, count in [*finished, *runs.close()]]


def passage(index: CorpusIndex, run: Sequence[Word]) -> Verbatim:
    """A run of words that is known to stand in the corpus, with the works that have it."""
    names = [word for word, _, _ in run]
    found: dict[WorkId, tuple[Segment, int]] = {}
    for segment in index.segments:
        for work, place in holders(segment, names).items():
            found.setdefault(work, (segment, place))
    first = list(found.items())[:PLACES]
    places = tuple(locate(index, segment, work, place, names) for work, (segment, place) in first)
    rarity = log_probability(index, names)
    return Verbatim(run[0][1], run[-1][2], len(run), len(found), places, rarity)


def holders(segment: Segment, names: Sequence[str]) -> dict[WorkId, int]:
    """Live works that have these words in a row, and the first place of each in tokens."""
    codes = [segment.code(name) for name in names]
    known = [code for code in codes if code is not None]
    found = segment.find(b"".join(known)) if len(known) == len(codes) else None
    return segment.holders(found, LOOKED_AT) if found else {}


def log_probability(index: CorpusIndex, names: Sequence[str]) -> float:
    """Sum of the logarithms of the words' frequencies in the whole corpus."""
    total = sum(segment.words for segment in index.segments)
    counts = [
        sum(segment.count(code) for segment in index.segments if (code := segment.code(name)) is not None)
        for name in names
    ]
    return math.fsum(math.log(max(1, count) / max(1, total)) for count in counts)


def locate(index: CorpusIndex, segment: Segment, work: WorkId, place: int, names: Sequence[str]) -> Place:
    """The characters of a run in the work's own text.

    Raises: LookupFault("index-differs") if the text does not have these words there.
    """
    text = index.text_of(work)
    start, skipped = segment.piece(place)
    reach = start + 1024 + 40 * (skipped + len(names))
    while True:
        found = words(text[start:reach])[skipped : skipped + len(names) + 1]
        if len(found) > len(names) or reach >= len(text):
            break
        reach += reach - start
    found = found[: len(names)]
    if [word for word, _, _ in found] != list(names):
        says = f"the text of {work} is not the one that was indexed"
        raise LookupFault("index-differs", says, "byline index --again")
    return Place(work, start + found[0][1], start + found[-1][2])


# --- what to show first


def telling(found: Verbatim, words_asked: int) -> bool:
    """True if a passage is more than a phrase that works share by chance: 16 words, or half of what was asked."""
    return found.words >= TELLING or 2 * found.words >= words_asked


def most_telling(found: Sequence[Verbatim], words_asked: int) -> list[Verbatim]:
    """The least likely passages: 5 per hundred words of the text, and no fewer than five.

    Source: OLMoTrace, arXiv 2504.07096, section 3. Differs: a passage may cross the end of a sentence.
    """
    most = max(SHOWN, math.ceil(DENSITY * words_asked))
    return sorted(found, key=lambda each: (each.log_probability, each.start))[:most]


def ranked_works(found: Sequence[Verbatim], text: str, text_of: Callable[[WorkId], str]) -> list[WorkId]:
    """The works behind these passages, best first: by BM25 of the text against what stands around each passage.

    Source: OLMoTrace, arXiv 2504.07096, section 3.
    """
    around: dict[str, list[str]] = {}
    for each in found:
        for place in each.places:
            own = text_of(place.work)
            around.setdefault(place.work, []).append(own[max(0, place.start - AROUND) : place.end + AROUND])
    bm25 = BM25({work: "\n".join(parts) for work, parts in around.items()})
    scores = bm25.scores(text)
    order = sorted(range(len(bm25.ids)), key=lambda i: (-scores[i], bm25.ids[i]))
    return [WorkId(bm25.ids[i]) for i in order]


AROUND = 400  # characters on each side of a passage
