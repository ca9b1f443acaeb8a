"""Which registered recording does a sound come from? Chromaprint's fingerprints, compared bit by bit at every shift.

A fingerprint is 32 bits for every eighth of a second. Re-encoding, noise and volume leave most bits as they are; a
change of pitch does not: copies at another pitch are missed.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from byline.core import PPM, LookupFault, Record, WorkId
from byline.lookup.media_folder import Arrays, MediaFolder, MediaFormat

Prints = npt.NDArray[np.uint32]
PROGRAM = "fpcalc"
NEAR_PPM = 240_000  # of the bits may differ
LEAST = 24  # fingerprints that overlap: three seconds
PART = 80  # fingerprints, ten seconds: parts are compared too, so that a copy that runs a little faster stays in step
SECONDS = 3600  # of a file that are read
PATIENCE = 120  # seconds for reading one file
_ENDINGS = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"FORM", ".aiff"))
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
    """Fingerprints by work, or by the digest of their file; in memory, or mapped from a folder of segments."""

    def __init__(self, works: Sequence[WorkId], prints: Sequence[Prints]) -> None:
        self.works, self.prints = list(works), list(prints)

    @classmethod
    def build(cls, items: Iterable[tuple[WorkId, Path]]) -> Self:
        """Raises: LookupFault("lookup-missing"), LookupFault("bad-audio")."""
        index = cls([], [])
        for work, path in items:
            index.add(work, path)
        return index

    def add(self, work: WorkId, path: Path) -> None:
        """Raises: LookupFault("lookup-missing"), LookupFault("bad-audio")."""
        self.prints.append(fingerprints(path))
        self.works.append(work)

    def __len__(self) -> int:
        return len(self.works)

    @classmethod
    def of(cls, folder: MediaFolder[Prints]) -> Self:
        """The works are the digests of their files."""
        index = cls([], [])
        for segment in folder.segments:
            index.works += [WorkId(key) for key in segment.keys]
            index.prints += np.split(segment.arrays["prints"], segment.arrays["ends"][1:-1])
        return index

    def search(self, path: Path) -> list[AudioMatch]:
        """Works that the sound comes from, fewest differing bits first.

        Raises: LookupFault("lookup-missing"), LookupFault("bad-audio"), also for less than three seconds.
        """
        return self.matches(fingerprints(path))

    def matches(self, query: Prints) -> list[AudioMatch]:
        """As `search`, of fingerprints."""
        asked = _Query(query)
        found = (asked.best(work, prints) for work, prints in zip(self.works, self.prints, strict=True))
        near = [match for match in found if match is not None and match.differing_ppm <= NEAR_PPM]
        return sorted(near, key=lambda match: (match.differing_ppm, match.work))


def fingerprints(path: Path, seconds: int = SECONDS) -> Prints:
    """Chromaprint's raw fingerprints of the first seconds of a file, by the program `fpcalc`.

    Raises: LookupFault("lookup-missing"), LookupFault("bad-audio").
    """
    if shutil.which(PROGRAM) is None:
        says = f"the program {PROGRAM} is not installed, so sound could not be searched; that is no “not found”"
        raise LookupFault("lookup-missing", says, "install chromaprint (Debian: apt install libchromaprint-tools)")
    command = [PROGRAM, "-raw", "-json", "-length", str(seconds), str(path.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired as fault:
        raise LookupFault("bad-audio", f"{path} took too long to read", "give a shorter piece of it") from fault
    if "Empty fingerprint" in done.stderr:
        raise LookupFault("bad-audio", f"{path} is too short to be compared", "give three seconds or more")
    if done.returncode not in (0, 3) or not done.stdout:  # 3: the file's end is damaged
        says = f"{path} cannot be read as sound: {done.stderr.strip().splitlines()[-1:] or 'no sound in it'}"
        raise LookupFault("bad-audio", says, "save it as WAV or FLAC")
    prints = np.array(json.loads(done.stdout)["fingerprint"], np.int64).astype(np.uint32)
    if len(prints) < LEAST:
        raise LookupFault("bad-audio", f"{path} is too short to be compared", "give three seconds or more")
    return prints


def prints_of(content: bytes, name: str, seconds: int = SECONDS) -> Prints:
    """As `fingerprints`, of bytes. They go through a file that is gone afterwards, whose name ends as the bytes say:
    by that the reading program leaves play lists alone, which could name other files.

    Raises: LookupFault("lookup-missing"), LookupFault("bad-audio").
    """
    ending = next((end for signature, end in _ENDINGS if content.startswith(signature)), ".mp3")
    with tempfile.NamedTemporaryFile(suffix=".m4a" if content[4:8] == b"ftyp" else ending) as file:
        file.write(content)
        file.flush()
        try:
            return fingerprints(Path(file.name), seconds)
        except LookupFault as fault:
            if fault.code != "bad-audio":
                raise
            raise LookupFault("bad-audio", fault.message.replace(file.name, name), fault.fix) from fault


class _Query:
    """A sound that is asked for: the whole of it, and parts. Its spectra are the same for all works of one size."""

    def __init__(self, prints: Prints) -> None:
        self._parts = [prints, *(prints[at : at + PART] for at in range(0, len(prints) - PART, PART))]
        self._spectra: dict[int, list[npt.NDArray[np.complex128]]] = {}

    def best(self, work: WorkId, prints: Prints) -> AudioMatch | None:
        """The part and shift at which fewest bits differ; None if none overlaps enough."""
        size = 1 << (len(self._parts[0]) + len(prints)).bit_length()
        if size not in self._spectra:
            self._spectra[size] = [np.conj(np.fft.rfft(_signs(part), size, axis=1)) for part in self._parts]
        own = np.fft.rfft(_signs(prints), size, axis=1)
        found = (
            _best(work, len(part), len(prints), np.fft.irfft((spectrum * own).sum(0), size))
            for part, spectrum in zip(self._parts, self._spectra[size], strict=True)
        )
        return min(filter(None, found), key=_differing, default=None)


def differing(parts: Sequence[Prints], prints: Prints, size: int) -> list[int]:
    """For each part, what part of its bits differs (ppm) where it lies best on a recording, all of it inside; PPM if
    the recording is shorter. `size`: of the transform, as long as both together."""
    own = np.fft.rfft(_signs(prints), size, axis=1)
    found = []
    for part in parts:
        agree = np.fft.irfft((np.conj(np.fft.rfft(_signs(part), size, axis=1)) * own).sum(0), size)
        room = len(prints) - len(part) + 1
        least = 0.5 - float(agree[:room].max()) / (64 * len(part)) if room > 0 else 1.0
        found.append(max(0, round(least * PPM)))
    return found


def _differing(match: AudioMatch) -> int:
    return match.differing_ppm


def _best(work: WorkId, query: int, length: int, agree: npt.NDArray[np.float64]) -> AudioMatch | None:
    """The shift at which fewest bits differ, among those with enough overlap; None if there is none.

    query, length: how many fingerprints query and work have. `agree`: for each shift at once, agreeing less differing
    bits: for each of the 32 bits, agreement is a correlation of signs, and the sum of correlations needs one transform.
    """
    if min(query, length) < LEAST:
        return None
    shifts = np.arange(LEAST - query, length - LEAST + 1)  # of the work against the query
    overlap = np.minimum(query, length - shifts) - np.maximum(0, -shifts)
    enough = overlap >= max(LEAST, min(query, length) // 2)
    shifts, overlap = shifts[enough], overlap[enough]
    if not len(shifts):
        return None
    differing = 0.5 - agree[shifts % len(agree)] / (64 * overlap)
    at = int(differing.argmin())
    ppm = max(0, round(float(differing[at]) * PPM))
    return AudioMatch(work, ppm, round(int(overlap[at]) / PER_SECOND, 1), round(int(shifts[at]) / PER_SECOND, 1))


def _signs(prints: Prints) -> npt.NDArray[np.float64]:
    """(32, fingerprints): -1 or 1 for each bit."""
    bits = (prints[None, :] >> np.arange(32, dtype=np.uint32)[:, None]) & np.uint32(1)
    return bits.astype(np.float64) * 2 - 1


# --- on disk


def lay_out(sounds: Sequence[Prints]) -> Arrays:
    """Fingerprints one sound behind the other; `ends` says where each is."""
    return {
        "prints": np.concatenate([np.empty(0, np.uint32), *sounds]),
        "ends": np.cumsum([0, *map(len, sounds)]).astype(np.int64),
    }


SOUNDS: MediaFormat[Prints] = MediaFormat("byline-sounds/1", prints_of, lay_out, "bad-audio")
