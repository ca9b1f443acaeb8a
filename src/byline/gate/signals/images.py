"""The XMP packet of a JPEG, PNG, WebP or TIFF file, found by the container's own structure.

Searching the bytes for `<x:xmpmeta` would be shorter; it would also miss compressed packets, and read the packet of a
picture inside the picture.
"""

import struct
import zlib
from collections.abc import Callable

from byline.gate.signals.observation import Findings, Target
from byline.gate.signals.xmp import read_xmp

LARGEST = 4 * 2**20  # of one packet, and of all packets of one picture together
MOST_ENTRIES = 100_000  # of a TIFF file, in all its directories, and strips or tiles in one of them
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_TIFF_DATA = (273, 279, 324, 325)  # offsets and sizes of strips and of tiles


class TornImage(ValueError):
    """The container breaks off or contradicts itself before all of its metadata was seen."""


def read_image(body: bytes, target: Target) -> Findings:
    """What the XMP of an image says; nothing if it holds none. Raises: GateError("signals-extra")."""
    try:
        packets = packets_of(body)
    except TornImage as fault:
        return Findings((), (target.problem("bad-image", str(fault)),))
    return Findings.all_of(read_xmp(packet, target) for packet in packets)


def is_image(body: bytes) -> bool:
    return _format(body) is not None


def packets_of(body: bytes) -> list[bytes]:
    """The XMP packets of an image, in order.

    Raises: TornImage.
    """
    reader = _format(body)
    if reader is None:
        raise TornImage("not a JPEG, PNG, WebP or TIFF file")
    try:
        return reader(body)
    except (struct.error, IndexError, zlib.error) as fault:
        raise TornImage(f"the file breaks off or is damaged: {fault}") from fault


def _format(body: bytes) -> Callable[[bytes], list[bytes]] | None:
    if body[:3] == b"\xff\xd8\xff":
        return _jpeg
    if body[:8] == b"\x89PNG\r\n\x1a\n":
        return _png
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return _webp
    return _tiff if body[:4] in (b"II*\0", b"MM\0*") else None


def _jpeg(body: bytes) -> list[bytes]:
    """Segments up to the start of the picture's data. Metadata stands before it."""
    at = 2
    packets: list[bytes] = []
    extended: list[bytes] = []
    while True:
        marker, kind = body[at], body[at + 1]
        if marker != 0xFF:
            raise TornImage(f"no marker at byte {at}")
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if kind in (0xDA, 0xD9):
            if body.find(b"\xff\xd9", at) < 0:
                raise TornImage("the picture's data breaks off")
            return packets + _put_together(extended)
        (length,) = struct.unpack(">H", body[at + 2 : at + 4])
        segment = body[at + 4 : at + 2 + length]
        if length < 2 or len(segment) != length - 2:
            raise TornImage(f"the segment at byte {at} breaks off")
        if kind == 0xE1 and segment.startswith(_JPEG_XMP):
            packets.append(segment[len(_JPEG_XMP) :])
        elif kind == 0xE1 and segment.startswith(_JPEG_EXTENDED):
            extended.append(segment[len(_JPEG_EXTENDED) :])
        at += 2 + length


def _put_together(parts: list[bytes]) -> list[bytes]:
    """Packets too long for one segment (XMP part 3, section 1.1.3.1): each part has a name, a length and its place."""
    packets: dict[bytes, bytes] = {}
    for part in sorted(parts, key=lambda each: (each[:32], each[36:40])):
        name, (length, place) = part[:32], struct.unpack(">II", part[32:40])
        known = packets.get(name, b"")
        if place != len(known):
            raise TornImage("a part of its extended metadata is missing")
        packets[name] = known + part[40:]
        if len(packets[name]) > min(length, LARGEST):
            raise TornImage("its extended metadata is longer than it says, or than can be read")
    lengths = {part[:32]: struct.unpack(">I", part[32:36])[0] for part in parts}
    if any(len(packet) != lengths[name] for name, packet in packets.items()):
        raise TornImage("a part of its extended metadata is missing")
    return list(packets.values())


def _png(body: bytes) -> list[bytes]:
    at = 8
    packets: list[bytes] = []
    while True:
        length, kind = struct.unpack(">I4s", body[at : at + 8])
        content = body[at + 8 : at + 8 + length]
        if at + 12 + length > len(body):
            raise TornImage(f"the chunk at byte {at} breaks off")
        if kind == b"IEND":
            return packets
        if kind == b"iTXt" and content.startswith(b"XML:com.adobe.xmp\0"):
            packets.append(_itxt(content))
            _not_too_much(packets)
        at += 12 + length


def _itxt(content: bytes) -> bytes:
    """Keyword, flag, method, language, translated keyword, text."""
    rest = content[len(b"XML:com.adobe.xmp\0") :]
    text = rest[2:].split(b"\0", 2)[2]
    if not rest[0]:
        return text
    unpacked = zlib.decompressobj().decompress(text, LARGEST + 1)
    if len(unpacked) > LARGEST:
        raise TornImage("its metadata unpacks to more than can be read")
    return unpacked


def _not_too_much(packets: list[bytes]) -> None:
    """A small file can point to one long packet many times."""
    if sum(map(len, packets)) > LARGEST:
        raise TornImage("its metadata is longer than can be read")


def _webp(body: bytes) -> list[bytes]:
    (size,) = struct.unpack("<I", body[4:8])
    if size + 8 > len(body):
        raise TornImage("the file is shorter than it says")
    at = 12
    packets: list[bytes] = []
    while at + 8 <= size + 8:
        kind, length = struct.unpack("<4sI", body[at : at + 8])
        content = body[at + 8 : at + 8 + length]
        if len(content) != length:
            raise TornImage(f"the chunk at byte {at} breaks off")
        if kind == b"XMP ":
            packets.append(content)
        at += 8 + length + length % 2
    return packets


def _tiff(body: bytes) -> list[bytes]:
    """Tag 700 of every directory; at most a thousand directories, each visited once."""
    order = "<" if body[:2] == b"II" else ">"
    (at,) = struct.unpack(order + "I", body[4:8])
    seen: set[int] = set()
    packets: list[bytes] = []
    entries = 0
    while at and len(seen) < 1000:
        if at in seen:
            raise TornImage("its directories form a circle")
        seen.add(at)
        (count,) = struct.unpack(order + "H", body[at : at + 2])
        entries += count
        if entries > MOST_ENTRIES:
            raise TornImage("its directories have more entries than can be read")
        data: dict[int, list[int]] = {}
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, number, value = struct.unpack(order + "HHII", body[entry : entry + 12])
            if tag == 700 and kind in (1, 7):
                packets.append(_tiff_value(body, entry, number, value))
                _not_too_much(packets)
            elif tag in _TIFF_DATA and kind in (3, 4) and tag not in data:
                if number > MOST_ENTRIES:
                    raise TornImage("it has more strips or tiles than can be read")
                width = "H" if kind == 3 else "I"
                octets = _tiff_value(body, entry, number * struct.calcsize(width), value)
                data[tag] = list(struct.unpack(f"{order}{number}{width}", octets))
        _whole_picture(body, data)
        (at,) = struct.unpack(order + "I", body[at + 2 + 12 * count : at + 6 + 12 * count])
    if at:
        raise TornImage("it has more than a thousand directories")
    return packets


def _whole_picture(body: bytes, data: dict[int, list[int]]) -> None:
    """Whether the file holds all the strips or tiles that a directory lists."""
    for offsets, sizes in ((273, 279), (324, 325)):
        ends = [at + size for at, size in zip(data.get(offsets, []), data.get(sizes, []), strict=False)]
        if ends and max(ends) > len(body):
            raise TornImage("the picture's data breaks off")


def _tiff_value(body: bytes, entry: int, number: int, offset: int) -> bytes:
    start = entry + 8 if number <= 4 else offset
    content = body[start : start + number]
    if len(content) != number or number > LARGEST:
        raise TornImage("its metadata breaks off")
    return content
