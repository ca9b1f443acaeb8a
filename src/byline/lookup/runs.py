"""The longest run of words that ends at each word of a text and stands in a work: one word after the other, or many.

Whether the words come one by one or all at once makes no difference to what is found.
"""

from collections.abc import Sequence

from byline.lookup.segment import Range, Segment

MANY = 16  # from so many words on, they are looked for together first


class RunFinder:
    """The runs of one segment. `least`: the shortest run that counts, in words."""

    def __init__(self, segment: Segment, least: int) -> None:
        self._segment, self._least = segment, least
        self._codes: list[bytes] = []  # of the words of the run, or else of the last `least` - 1 known ones
        self._found: Range | None = None  # the suffixes that have the run
        self._size = 0  # of the run's codes, in bytes

    def push(self, words: Sequence[str]) -> list[int]:
        """For each further word the length of the longest run that ends with it; 0 below `least`."""
        codes = [self._segment.code(word) for word in words]
        hopeless = self._hopeless(codes) if len(codes) >= MANY and self._least >= 8 else [False] * len(codes)
        return [self._step(code, skip) for code, skip in zip(codes, hopeless, strict=True)]

    def _hopeless(self, codes: Sequence[bytes | None]) -> list[bool]:
        """True for a word with which no run of `least` words ends, as far as that is cheap to see."""
        around: list[bytes | None] = [*self._codes[1 - self._least :], *codes]
        before = len(around) - len(codes)
        hopeless, keys, at = [True] * len(codes), [], []
        unknown = -1
        for i, code in enumerate(around):
            if code is None:
                unknown = i
            if i >= before and i - unknown >= self._least:
                keys.append(b"".join(around[i + 1 - self._least : i + 1]))  # type: ignore[arg-type]
                at.append(i - before)
        if keys:
            for i, may in zip(at, self._segment.may_find(keys), strict=True):
                hopeless[i] = not may
        return hopeless

    def _step(self, code: bytes | None, hopeless: bool) -> int:
        if code is None:
            self._codes.clear()
            self._found = None
            return 0
        self._codes.append(code)
        if self._found is not None and not hopeless:
            more = self._segment.narrow(self._found, self._size, code)
            if more is not None:
                self._found = more
                self._size += len(code)
                return len(self._codes)
        return self._restart(hopeless)

    def _restart(self, hopeless: bool) -> int:
        """The run cannot go on: what shorter run ends here?"""
        had_run, self._found = self._found is not None, None
        if hopeless or len(self._codes) < self._least or not self._take(self._least):
            del self._codes[: max(0, len(self._codes) + 1 - self._least)]
            return 0
        if had_run:
            self._lengthen(len(self._codes) - 1)
        del self._codes[: len(self._codes) - self._length]
        return self._length

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

    def push(self, words: Sequence[str]) -> tuple[list[tuple[int, int]], list[int]]:
        """(runs that are finished now, for each of these words the length of the run that ends with it)."""
        columns = [finder.push(words) for finder in self._finders]
        lengths = [max(column) for column in zip(*columns, strict=True)] if columns else [0] * len(words)
        finished = []
        for length in lengths:
            if self.length and length <= self.length:
                finished.append((self._words - self.length, self.length))
            self.length = length
            self._words += 1
        return finished, lengths

    def close(self) -> list[tuple[int, int]]:
        """The run that the text ends in."""
        last = [(self._words - self.length, self.length)] if self.length else []
        self.length = 0
        return last
