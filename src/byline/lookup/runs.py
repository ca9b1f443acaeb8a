"""The longest run of words that ends at each word of a text and stands in a work, one word after the other."""

from collections.abc import Sequence

from byline.lookup.segment import Range, Segment

FEW = 4  # words that are looked for before a whole run is


class RunFinder:
    """The runs of one segment. `least`: the shortest run that counts, in words."""

    def __init__(self, segment: Segment, least: int) -> None:
        self._segment, self._least = segment, least
        self._codes: list[bytes] = []  # of the words of the run, or else of the last `least` - 1 known ones
        self._found: Range | None = None  # the suffixes that have the run
        self._size = self._length = 0  # of the run, in bytes and in words
        self._skip = 0  # words that no run can end with

    def step(self, word: str) -> int:
        """With a further word: the length of the longest run that ends with it; 0 below `least`."""
        code = self._segment.code(word)
        if code is None:
            self._codes.clear()
            self._found, self._skip = None, 0
            return 0
        self._codes.append(code)
        if self._found is None:
            return self._start()
        more = self._segment.narrow(self._found, self._size, code)
        if more is None:
            return self._shorten()
        self._found = more
        self._size += len(code)
        return len(self._codes)

    def _start(self) -> int:
        """No run ended with the word before: does one of `least` words end here?

        If the last few words stand nowhere, then no run that holds them does, and the next words need no search.
        """
        excess = len(self._codes) - self._least
        del self._codes[: max(0, excess)]
        if self._skip:
            self._skip -= 1
            return 0
        few = min(FEW, self._least)
        if excess < 0 or (few < self._least and self._segment.find(b"".join(self._codes[-few:])) is None):
            self._skip = self._least - few if excess >= 0 else 0
            return 0
        return self._least if self._take(self._least) else 0

    def _shorten(self) -> int:
        """The run cannot go on with the last word: what shorter run ends with it?"""
        self._found = None
        if self._take(self._least):
            self._lengthen(len(self._codes) - 1)
            del self._codes[: len(self._codes) - self._length]
            return self._length
        del self._codes[: len(self._codes) - self._least]
        return 0

    def _lengthen(self, most: int) -> None:
        """Halving: if a run of n words ends here, so does every shorter one."""
        low, high = self._least, most
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._take(middle) else (low, middle - 1)
        if self._length != low:
            self._take(low)

    def _take(self, length: int) -> bool:
        key = b"".join(self._codes[-length:])
        found = self._segment.find(key)
        if found is not None:
            self._found, self._size, self._length = found, len(key), length
        return found is not None


class Runs:
    """Over all segments: maximal runs, each as (first word, words), as soon as nothing can prolong it."""

    def __init__(self, segments: Sequence[Segment], least: int) -> None:
        self._finders = [RunFinder(segment, least) for segment in segments]
        self.length = 0  # of the run that ends with the last word
        self._words = 0

    def push(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """The runs that are finished with these further words."""
        return [run for run in map(self.step, words) if run is not None]

    def step(self, word: str) -> tuple[int, int] | None:
        """Take one further word; returns the run that ended before it, if it ended there."""
        length = 0
        for finder in self._finders:
            length = max(length, finder.step(word))
        before, self.length = self.length, length
        self._words += 1
        return (self._words - 1 - before, before) if before and length <= before else None

    def close(self) -> list[tuple[int, int]]:
        """The run that the text ends in."""
        last = [(self._words - self.length, self.length)] if self.length else []
        self.length = 0
        return last
