"""The audit of one file or text: which kinds of personal data stand in it, where, and what was not looked for.

The report holds kinds, counts and places, never the values. What was not looked for, because a package is missing or
the file cannot be read, is a problem beside it, and stays not known.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol, TypeVar

from byline.core import GateError, Problem, Record, Source
from byline.core.hashing import sha256_hex
from byline.gate.pii.faces import Faces
from byline.gate.pii.kinds import facts_of
from byline.gate.pii.phones import Phones
from byline.gate.pii.presidio import Presidio
from byline.gate.pii.recognise import DETECTOR, Find
from byline.gate.pii.text import Step, find_in_text
from byline.gate.pii.voice import Voice

MOST_PLACES = 1000
"""Places that a report lists; it counts them all."""

SOUNDS = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"II*\x00", b"MM\x00*", b"GIF8", b"BM")


@dataclass(frozen=True, slots=True)
class Audit(Record):
    """`media`: text, audio, image, or other (nothing was looked for). `counts`: (kind, finds). `places`: the first
    finds. `detectors`: what looked. `unread`: what was not looked for, and why."""

    source: str
    sha256: str
    media: str
    on: date
    counts: tuple[tuple[str, int], ...]
    places: tuple[Find, ...]
    detectors: tuple[str, ...]
    unread: tuple[Problem, ...]

    def facts(self) -> dict[str, bool]:
        """What the finds establish for the gate. Nothing is established by finding nothing."""
        return facts_of(kind for kind, _ in self.counts)


class TextDetector(Protocol):
    name: str

    def __call__(self, text: str) -> Iterable[Find]: ...


class MediaDetector(Protocol):
    name: str

    def find(self, body: bytes) -> Sequence[Find]: ...


Made = TypeVar("Made")


@dataclass
class Auditor:
    """Every detector that is installed, made once for many files. `missing`: why each other one is not there;
    `in_text`: those that are asked of texts beside our own recognisers."""

    on: date
    missing: dict[str, GateError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.in_text = [made for name, make in TEXT.items() if (made := self._made(name, make))]
        media: dict[str, MediaDetector | None] = {
            "audio": self._made("voices", Voice),
            "image": self._made("faces", Faces),
        }
        self._in_media = media

    def _made(self, name: str, make: Callable[[], Made]) -> Made | None:
        try:
            return make()
        except GateError as fault:
            self.missing[name] = fault
            return None

    def text(self, source: str, text: str, step: Step | None = None) -> Audit:
        """Of a text that was read already."""
        finds = find_in_text(text, self.on, self.in_text, step)
        names = (DETECTOR, *(each.name for each in self.in_text))
        return self._report(source, sha256_hex(text.encode("utf-8", "replace")), "text", finds, names, tuple(TEXT))

    def body(self, source: str, body: bytes, step: Step | None = None) -> Audit:
        """Of a file."""
        media = media_of(body)
        if media == "text":
            try:
                text = _decoded(body)
            except UnicodeDecodeError as fault:
                return self._unread(source, body, f"no text, picture or sound that is known: {fault.reason}")
            return replace(self.text(source, text, step), sha256=sha256_hex(body))
        return self._media(source, body, media)

    def _media(self, source: str, body: bytes, media: str) -> Audit:
        detector, asked = self._in_media[media], (MEDIA[media],)
        if detector is None:
            return self._report(source, sha256_hex(body), media, (), (), asked)
        try:
            finds = detector.find(body)
        except GateError as fault:
            return self._unread(source, body, fault.message, media)
        return self._report(source, sha256_hex(body), media, finds, (detector.name,), asked)

    def _report(
        self,
        source: str,
        digest: str,
        media: str,
        finds: Sequence[Find],
        detectors: Sequence[str],
        asked: Sequence[str],
    ) -> Audit:
        counts = Counter(find.kind for find in finds)
        lacking = (self.missing[name] for name in asked if name in self.missing)
        unread = tuple(Problem(fault.code, Source(source), f"{fault.message}; {fault.fix}") for fault in lacking)
        places = tuple(finds[:MOST_PLACES])
        return Audit(source, digest, media, self.on, tuple(sorted(counts.items())), places, tuple(detectors), unread)

    def refused(self, source: str, says: str) -> Audit:
        """Of what could not even be opened, or is too long."""
        return self._unread(source, b"", says)

    def _unread(self, source: str, body: bytes, says: str, media: str = "other") -> Audit:
        problem = Problem("pii-unread", Source(source), says[:400])
        return Audit(source, sha256_hex(body) if body else "", media, self.on, (), (), (), (problem,))


TEXT: dict[str, Callable[[], TextDetector]] = {"numbers": Presidio, "phones": Phones}
MEDIA = {"audio": "voices", "image": "faces"}


def media_of(body: bytes) -> str:
    """text, audio or image, by the first bytes."""
    if body.startswith(PICTURES) or (body[:4] == b"RIFF" and body[8:12] == b"WEBP"):
        return "image"
    return "audio" if body.startswith(SOUNDS) else "text"


def _decoded(body: bytes) -> str:
    """UTF-8, or UTF-16 with its mark. Raises: UnicodeDecodeError; also for bytes that are no text."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16")
    text = body.decode("utf-8-sig")
    if "\0" in text:
        raise UnicodeDecodeError("utf-8", body[:1], 0, 1, "it holds NUL bytes")
    return text
