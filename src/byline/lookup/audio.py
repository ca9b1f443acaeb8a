"""Which registered recording does a sound come from? Chromaprint's fingerprints, compared bit by bit at every shift.

A fingerprint is 32 bits for every eighth of a second. Re-encoding, noise and volume leave most bits as they are; a
change of pitch does not: copies at another pitch are missed.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from byline.core import PPM, LookupFault, Record, WorkId

Prints = npt.NDArray[np.uint32]
PROGRAM = "fpcalc"
NEAR_PPM = 240_000  # of the bits may differ
LEAST = 24  # fingerprints that overlap: three seconds
PART = 80  # fingerprints, ten seconds: parts are compared too, so that a copy that runs a little faster stays in step
SECONDS = 3600  # of a file that are read
PER_SECOND = 11025 / 4096 * 3  # fingerprints, by chromaprint's frame and overlap


@dataclass(frozen=True, slots=True)
class AudioMatch(Record):
    """`differing_ppm`: part of the bits that differ where query and work overlap best; `seconds` of overlap;
    `work_start`: where in the work it begins, in seconds (negative: the query begins before the work)."""

    work: WorkId
    differing_ppm: int
    seconds: float
    work_start: float


class AudioIndex:
    """Fingerprints by work, in memory; `save` and `load` keep them in one file without pickles."""

    def __init__(self, works: Sequence[WorkId], prints: Sequence[Prints]) -> None:
        self.works, self._prints = list(works), list(prints)

    @classmethod
    def build(cls, items: Iterable[tuple[WorkId, Path]]) -> Self:
        """Raises: LookupFault("lookup-missing"), LookupFault("bad-audio")."""
        index = cls([], [])
        for work, path in items:
            index.add(work, path)
        return index

    def add(self, work: WorkId, path: Path) -> None:
        """Raises: LookupFault("lookup-missing"), LookupFault("bad-audio")."""
        self._prints.append(fingerprints(path))
        self.works.append(work)

    def __len__(self) -> int:
        return len(self.works)

    def save(self, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            sizes = np.array([len(prints) for prints in self._prints], np.int64)
            joined = np.concatenate([np.empty(0, np.uint32), *self._prints])
            np.savez(file, works=np.array(self.works, np.str_), sizes=sizes, prints=joined)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: LookupFault("bad-index")."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                prints = np.split(kept["prints"], np.cumsum(kept["sizes"])[:-1]) if len(kept["sizes"]) else []
                return cls([WorkId(str(work)) for work in kept["works"]], prints)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as fault:
            raise LookupFault("bad-index", f"{path} is damaged: {fault}", "byline index --again") from fault

    def search(self, path: Path) -> list[AudioMatch]:
        """Works that the sound comes from, fewest differing bits first.

        Raises: LookupFault("lookup-missing"), LookupFault("bad-audio"), also for less than three seconds.
        """
        query = fingerprints(path)
        parts = [query, *(query[at : at + PART] for at in range(0, len(query) - PART, PART))]
        found = (
            min(filter(None, (_best(work, part, prints) for part in parts)), key=_differing, default=None)
            for work, prints in zip(self.works, self._prints, strict=True)
        )
        near = [match for match in found if match is not None and match.differing_ppm <= NEAR_PPM]
        return sorted(near, key=lambda match: (match.differing_ppm, match.work))


def fingerprints(path: Path) -> Prints:
    """Chromaprint's raw fingerprints of a file, by the program `fpcalc`."""
    if shutil.which(PROGRAM) is None:
        says = f"the program {PROGRAM} is not installed, so sound could not be searched; that is no “not found”"
        raise LookupFault("lookup-missing", says, "install chromaprint (Debian: apt install libchromaprint-tools)")
    command = [PROGRAM, "-raw", "-json", "-length", str(SECONDS), str(path.absolute())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Empty fingerprint" in done.stderr:
        raise LookupFault("bad-audio", f"{path} is too short to be compared", "give three seconds or more")
    if done.returncode not in (0, 3) or not done.stdout:  # 3: the file's end is damaged
        says = f"{path} cannot be read as sound: {done.stderr.strip().splitlines()[-1:] or 'no sound in it'}"
        raise LookupFault("bad-audio", says, "save it as WAV or FLAC")
    prints = np.array(json.loads(done.stdout)["fingerprint"], np.int64).astype(np.uint32)
    if len(prints) < LEAST:
        raise LookupFault("bad-audio", f"{path} is too short to be compared", "give three seconds or more")
    return prints


def _differing(match: AudioMatch) -> int:
    return match.differing_ppm


def _best(work: WorkId, query: Prints, prints: Prints) -> AudioMatch | None:
    """The shift at which fewest bits differ, among those with enough overlap; None if there is none.

    All shifts at once: for each of the 32 bits, agreement is a correlation of signs.
    """
    least = min(LEAST, len(query), len(prints))
    if least < LEAST:
        return None
    signs_q, signs_w = _signs(query), _signs(prints)
    size = 1 << (len(query) + len(prints)).bit_length()
    agree = np.fft.irfft(np.conj(np.fft.rfft(signs_q, size, axis=1)) * np.fft.rfft(signs_w, size, axis=1), size).sum(0)
    shifts = np.arange(least - len(query), len(prints) - least + 1)  # of the work against the query
    overlap = np.minimum(len(query), len(prints) - shifts) - np.maximum(0, -shifts)
    enough = overlap >= max(LEAST, min(len(query), len(prints)) // 2)
    shifts, overlap = shifts[enough], overlap[enough]
    if not len(shifts):
        return None
    differing = 0.5 - agree[shifts % size] / (64 * overlap)
    at = int(differing.argmin())
    ppm = max(0, round(float(differing[at]) * PPM))
    return AudioMatch(work, ppm, round(int(overlap[at]) / PER_SECOND, 1), round(int(shifts[at]) / PER_SECOND, 1))


def _signs(prints: Prints) -> npt.NDArray[np.float64]:
    """(32, fingerprints): -1 or 1 for each bit."""
    bits = (prints[None, :] >> np.arange(32, dtype=np.uint32)[:, None]) & np.uint32(1)
    return bits.astype(np.float64) * 2 - 1
