"""May a work teach a model? Near-copies, licences and opt-outs in, one reasoned verdict per work and a frozen list out.

Pure functions: no database and no clock.
"""

from byline.gate.decide import Neighbour, decide, decide_all
from byline.gate.duplicates import Clusters, NearCopy, SharedFile, find_clusters
from byline.gate.echo import Echo, find_echoes
from byline.gate.excerpts import Excerpt, credited_works, find_excerpts, own_lengths
from byline.gate.licence import LicenceReading, LicenceTerms, licence_terms, read_licence
from byline.gate.manifest import (
    AbsenceProof,
    PlacedEntry,
    freeze,
    prove_absence,
    read_manifest,
    verify_absence,
    verify_manifest,
    write_manifest,
)
from byline.gate.order import Disorder, find_disorder
from byline.gate.review import HELD_RULES, Finding, KeptHeld, hold_for_review

__all__ = [
    "HELD_RULES",
    "AbsenceProof",
    "Clusters",
    "Disorder",
    "Echo",
    "Excerpt",
    "Finding",
    "KeptHeld",
    "LicenceReading",
    "LicenceTerms",
    "NearCopy",
    "Neighbour",
    "PlacedEntry",
    "SharedFile",
    "credited_works",
    "decide",
    "decide_all",
    "find_clusters",
    "find_disorder",
    "find_echoes",
    "find_excerpts",
    "freeze",
    "hold_for_review",
    "licence_terms",
    "own_lengths",
    "prove_absence",
    "read_licence",
    "read_manifest",
    "verify_absence",
    "verify_manifest",
    "write_manifest",
]
