"""Words as look-up compares them: after NFKC and casefolding, without punctuation, with their places in the text.

In scripts written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) every character with its marks is a
word.
"""

import functools
import re
import sys
import unicodedata
from collections.abc import Iterator

from byline.core import LookupFault

JOINERS = "'\u2019\u02bc\uff07\u00ad\u200b\u200c\u200d\u2060\ufeff"  # stand inside a word and are no part of it

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u3096\u309d-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_VOICED = "\uff9e\uff9f"  # half-width marks of kana, which Unicode calls letters

PIECE = 1024  # characters: a piece of a text is cut at the first blank or full stop behind them
_CUT = re.compile(r"[\s.,;:!?\u3001\u3002\uff0c]")
_ASCII = bytes(ord(c.lower()) if (c := chr(i)).isascii() and c.isalnum() else 32 for i in range(256))


def words(text: str) -> list[tuple[str, int, int]]:
    """(normalised word, start, end) of each word; the offsets are characters of `text`, end not included.

    A word is a run of letters, digits and their combining marks; apostrophes, soft hyphens and zero-width characters
    inside it are dropped ("don’t" is "dont"), any other mark divides words.
    """
    found = ((_normalise(match[0]), *match.span()) for match in _word_pattern().finditer(text))
    return [word for word in found if word[0]]


def some_words(text: str) -> list[tuple[str, int, int]]:
    """Raises: LookupFault("empty-query")."""
    found = words(text)
    if not found:
        raise LookupFault("empty-query", f"the query {text[:40]!r} has no words", "give a text with at least one word")
    return found


def plain_words(text: str) -> list[str]:
    """The words without their places; fast where the text is ASCII."""
    if not text.isascii():
        return [word for word, _, _ in words(text)]
    return text.encode("ascii").translate(_ASCII, b"'").decode("ascii").split()  # an apostrophe never divides


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """(start, piece) of pieces of about PIECE characters; no word stands in two of them."""
    start = 0
    while start < len(text):
        cut = _CUT.search(text, start + PIECE)
        end = cut.end() if cut else len(text)
        yield start, text[start:end]
        start = end


def unfinished(text: str, end: int) -> bool:
    """True if the word that ends at `end` may go on in text that is still to come."""
    return not text[end:].strip(JOINERS)


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    marks = "".join(chr(i) for i in range(sys.maxunicode) if i < 0x1F000 and unicodedata.category(chr(i))[0] == "M")
    letter = rf"[^\W_{_UNSPACED}]"
    more = rf"(?=['\x80-\U0010ffff])(?:[{marks}]|[{JOINERS}]+(?={letter}))"  # the look-ahead is for speed
    return re.compile(rf"{letter}++(?:{more}{letter}*+)*+|[{_UNSPACED}][{marks}{_VOICED}]*+")


@functools.lru_cache(maxsize=2**18)
def _normalise(word: str) -> str:
    if word.isascii():
        return word.lower().replace("'", "")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    return "".join(c for c in folded if c.isalnum() or unicodedata.category(c)[0] == "M")
