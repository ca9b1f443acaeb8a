"""The responses in a WARC file, one after another. Crawling is somebody else's work; reading what it left is ours."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from byline.core import Problem, Source
from byline.gate.signals.markup import library

LARGEST = 64 * 2**20  # of one body


@dataclass(frozen=True, slots=True)
class Capture:
    """One response. status: 0 if it has none. at: when it was fetched, by the archive."""

    url: str
    at: datetime
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def captures(file: Path, problems: list[Problem]) -> Iterator[Capture]:
    """Every response of a WARC file; what cannot be read is added to `problems`.

    Raises: GateError("signals-extra") if warcio is not installed.
    """
    iterator = library("warcio.archiveiterator").ArchiveIterator
    with file.open("rb") as stream:
        try:
            for record in iterator(stream):
                if record.rec_type == "response":
                    yield _capture(record, file, problems)
        except Exception as fault:  # warcio answers damage with every kind of exception; none may end the reading
            says = f"the archive breaks off or is damaged: {type(fault).__name__}: {fault}"[:400]
            problems.append(Problem("bad-warc", Source(str(file)), says))


def breaks_off(file: Path) -> bool:
    """Whether the archive ends inside a record: not with the two line ends of a whole one, or in a torn gzip member."""
    last, unpacker = b"", None
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        while chunk := stream.read(2**20):
            while chunk and packed:
                unpacker = unpacker if unpacker and not unpacker.eof else zlib.decompressobj(31)
                try:
                    last = (last + unpacker.decompress(chunk, 2**20))[-4:]
                except zlib.error:
                    return True
                chunk = unpacker.unconsumed_tail or unpacker.unused_data
            last = last if packed else (last + chunk)[-4:]
    return last != b"\r\n\r\n" or (unpacker is not None and not unpacker.eof)


def _capture(record: Any, file: Path, problems: list[Problem]) -> Capture:
    about = record.rec_headers
    url = about.get_header("WARC-Target-URI") or ""
    http = record.http_headers
    body = record.content_stream().read(LARGEST + 1)
    if len(body) > LARGEST:
        says = f"{url}: more than {LARGEST:,} bytes; the rest is not read"
        problems.append(Problem("file-too-long", Source(str(file)), says))
    elif getattr(record.raw_stream, "limit", 0) > 0:  # the record promised more than the file holds
        problems.append(Problem("bad-warc", Source(str(file)), f"{url}: its record breaks off"))
    code = http.get_statuscode() if http else ""
    headers = tuple((str(name), str(value)) for name, value in http.headers) if http else ()
    status = int(code) if code and code.isdecimal() else 0
    return Capture(url.strip("<>"), _time(about.get_header("WARC-Date")), status, headers, body[:LARGEST])


def _time(text: str | None) -> datetime:
    """The archive's time of fetching; the year 1 if it gives none that can be read."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return read if read.tzinfo else read.replace(tzinfo=UTC)
