"""Search for a text in the works themselves: verbatim runs and lexical scores. Evidence of copying only."""

from byline.lookup.text import BM25, Overlap, TextIndex
from byline.lookup.words import words

__all__ = ["BM25", "Overlap", "TextIndex", "words"]
