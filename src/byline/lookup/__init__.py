"""Search for a text, an image or a sound in the works themselves. Evidence of copying only, never of influence."""

from byline.lookup.audio import AudioIndex, AudioMatch
from byline.lookup.corpus import CorpusIndex, IndexSize
from byline.lookup.guard import (
    STANDARD,
    Action,
    Finding,
    Guard,
    GuardPolicy,
    GuardReport,
    GuardStream,
    Limits,
    Reason,
    read_policy,
)
from byline.lookup.image import ImageIndex, ImageMatch, too_plain
from byline.lookup.measured import Measured, Recall, measured
from byline.lookup.near import NearMatch, near_matches
from byline.lookup.text import BM25, Overlap, TextIndex
from byline.lookup.verbatim import Place, Verbatim, most_telling, ranked_works, telling, verbatim
from byline.lookup.words import words

__all__ = [
    "BM25",
    "STANDARD",
    "Action",
    "AudioIndex",
    "AudioMatch",
    "CorpusIndex",
    "Finding",
    "Guard",
    "GuardPolicy",
    "GuardReport",
    "GuardStream",
    "ImageIndex",
    "ImageMatch",
    "IndexSize",
    "Limits",
    "Measured",
    "NearMatch",
    "Overlap",
    "Place",
    "Reason",
    "Recall",
    "TextIndex",
    "Verbatim",
    "measured",
    "most_telling",
    "near_matches",
    "ranked_works",
    "read_policy",
    "telling",
    "too_plain",
    "verbatim",
    "words",
]
