"""Search for a text, an image or a sound in the works themselves. Evidence of copying only, never of influence."""

from byline.lookup.alike import Alike, PictureCopies
from byline.lookup.alike_sounds import SoundCopies
from byline.lookup.audio import SOUNDS, AudioIndex, AudioMatch, fingerprints, prints_of
from byline.lookup.corpus import CorpusIndex, IndexSize
from byline.lookup.embedder import EMBEDDINGS, Embeddings, embedder_there
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
from byline.lookup.image import PICTURES, SHORTLIST, ImageIndex, ImageMatch
from byline.lookup.measured import Measured, Recall, measured
from byline.lookup.media_folder import MediaFolder, MediaFormat, forget
from byline.lookup.near import NearMatch, near_matches
from byline.lookup.picture import Alignment, read_image, too_plain
from byline.lookup.text import BM25, TFIDF, Overlap, TextIndex
from byline.lookup.verbatim import Place, Verbatim, most_telling, ranked_works, telling, verbatim
from byline.lookup.words import words

__all__ = [
    "BM25",
    "EMBEDDINGS",
    "PICTURES",
    "SHORTLIST",
    "SOUNDS",
    "STANDARD",
    "TFIDF",
    "Action",
    "Alignment",
    "Alike",
    "AudioIndex",
    "AudioMatch",
    "CorpusIndex",
    "Embeddings",
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
    "MediaFolder",
    "MediaFormat",
    "NearMatch",
    "Overlap",
    "PictureCopies",
    "Place",
    "Reason",
    "Recall",
    "SoundCopies",
    "TextIndex",
    "Verbatim",
    "embedder_there",
    "fingerprints",
    "forget",
    "measured",
    "most_telling",
    "near_matches",
    "prints_of",
    "ranked_works",
    "read_image",
    "read_policy",
    "telling",
    "too_plain",
    "verbatim",
    "words",
]
