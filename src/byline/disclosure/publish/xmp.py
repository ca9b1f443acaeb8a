"""The choice in the metadata of a picture: PLUS Data Mining in an XMP packet, put into a copy of a JPEG or PNG file.

Only the metadata changes: the bytes of the picture are copied as they are, and what else the packet says stays.
Source: IPTC Photo Metadata 2023.1 (plus:DataMining), XMP part 3 (where a packet stands in JPEG and PNG files).
"""

import importlib
import struct
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from byline.core import DisclosureError
from byline.disclosure.publish.carriers import Published
from byline.disclosure.publish.choice import EVERY, MINE, TRAIN, Choice
from byline.gate.signals import Category, Reading

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_END = '<?xpacket end="w"?>'
_ALL = (*MINE, Category.INDEX)


def _same(reading: Reading, categories: tuple[Category, ...]) -> dict[Category, Reading]:
    return dict.fromkeys(categories, reading)


CODES: Mapping[str, Mapping[Category, Reading]] = {
    "DMI-PROHIBITED": _same(Reading.DENY, _ALL),
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING": _same(Reading.DENY, MINE) | {Category.INDEX: Reading.ALLOW},
    "DMI-PROHIBITED-AIMLTRAINING": _same(Reading.DENY, TRAIN),
    "DMI-PROHIBITED-GENAIMLTRAINING": {Category.TRAIN_GEN: Reading.DENY},
    "DMI-ALLOWED": _same(Reading.ALLOW, _ALL),
}
"""From the code that says most to the one that says least; the first whose every word was chosen is taken."""


def xmp_packet(choice: Choice) -> Published:
    """A packet of its own, to be put beside a file or into one."""
    code, says = code_of(choice)
    text = new_packet(code) if code else ""
    left = [c.value for c in EVERY if c in choice.said and c not in says]
    why = f"it cannot say {', '.join(left)}: PLUS has five codes that we write, and knows no terms" if left else ""
    return Published("xmp", "choice.xmp", text, says, why=why)


def code_of(choice: Choice) -> tuple[str, Mapping[Category, Reading]]:
    """The PLUS code, "" if none of them says a part of the choice exactly."""
    for code, says in CODES.items():
        if all(choice[category] is reading for category, reading in says.items()):
            return code, says
    return "", {}


def new_packet(code: str) -> str:
    return (
        f"{_BEGIN}\n"
        f'<x:xmpmeta xmlns:x="{META}"><rdf:RDF xmlns:rdf="{RDF}">\n'
        f'<rdf:Description rdf:about="" xmlns:plus="{PLUS}">\n'
        f"<plus:DataMining>{escape(VOCABULARY + code)}</plus:DataMining>\n"
        f"</rdf:Description></rdf:RDF></x:xmpmeta>\n{_END}"
    )


def with_choice(packet: bytes, code: str) -> bytes:
    """An existing packet with this code in place of any other; all else in it stays.

    Raises: DisclosureError("unreadable-metadata"), DisclosureError("publish-extra").
    """
    root = _parse(packet)
    _without_code(root)
    rdf = root if root.tag == f"{{{RDF}}}RDF" else next(root.iter(f"{{{RDF}}}RDF"), None)
    if rdf is None:
        raise DisclosureError("unreadable-metadata", "its XMP packet holds no rdf:RDF", "repair the file's metadata")
    said = ElementTree.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    ElementTree.SubElement(said, f"{{{PLUS}}}DataMining").text = VOCABULARY + code
    for prefix, space in (("x", META), ("rdf", RDF), ("plus", PLUS)):
        ElementTree.register_namespace(prefix, space)
    told: bytes = ElementTree.tostring(root, encoding="utf-8")
    return f"{_BEGIN}\n".encode() + told + f"\n{_END}".encode()


def _without_code(root: "Element") -> None:
    """Take out every code there is, and a description that held nothing else."""
    for parent in list(root.iter()):
        parent.attrib.pop(f"{{{PLUS}}}DataMining", None)
        for child in [each for each in parent if each.tag == f"{{{PLUS}}}DataMining"]:
            parent.remove(child)
    for parent in list(root.iter(f"{{{RDF}}}RDF")):
        for child in list(parent):
            if len(child) == 0 and set(child.attrib) <= {f"{{{RDF}}}about"} and not (child.text or "").strip():
                parent.remove(child)


def _parse(packet: bytes) -> "Element":
    try:
        safe = importlib.import_module("defusedxml.ElementTree")
        unsafe = importlib.import_module("defusedxml.common").DefusedXmlException
    except ImportError as fault:
        raise DisclosureError("publish-extra", "XMP is read by defusedxml", "pip install 'byline[rights]'") from fault
    try:
        root: Element = safe.fromstring(packet.strip(b" \t\r\n\0"), forbid_dtd=True)
    except (ElementTree.ParseError, unsafe, ValueError, LookupError) as fault:
        says = f"its XMP packet cannot be read: {fault}"
        fix = "repair the file's metadata; it is not overwritten"
        raise DisclosureError("unreadable-metadata", says, fix) from fault
    return root


# --- into a copy of a file --------------------------------------------------------------------------------------

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0"


def embed(body: bytes, code: str) -> bytes:
    """The file with the code in its metadata. Raises: DisclosureError("not-a-picture"),
    DisclosureError("unreadable-metadata")."""
    try:
        if body[:3] == b"\xff\xd8\xff":
            return _into_jpeg(body, code)
        if body[:8] == b"\x89PNG\r\n\x1a\n":
            return _into_png(body, code)
    except (struct.error, IndexError, zlib.error) as fault:
        raise DisclosureError("not-a-picture", f"the file breaks off: {fault}", "give a whole file") from fault
    raise DisclosureError("not-a-picture", "the file is neither JPEG nor PNG", "give a JPEG or PNG file")


def _packet(old: list[bytes], code: str) -> bytes:
    if len(old) > 1:
        raise DisclosureError("unreadable-metadata", "it holds more than one XMP packet", "repair the file's metadata")
    return with_choice(old[0], code) if old else new_packet(code).encode("utf-8")


def _into_jpeg(body: bytes, code: str) -> bytes:
    """The packet stands in an APP1 segment right behind the segments that must come first (JFIF, Exif)."""
    at = 2
    old: list[bytes] = []
    kept: list[tuple[int, bytes]] = []
    while body[at] == 0xFF and body[at + 1] not in (0xDA, 0xD9):
        if body[at + 1] == 0xFF:  # fill byte
            at += 1
            continue
        kind, (length,) = body[at + 1], struct.unpack(">H", body[at + 2 : at + 4])
        segment = body[at : at + 2 + length]
        if kind == 0xE1 and segment[4:].startswith(_JPEG_XMP):
            old.append(segment[4 + len(_JPEG_XMP) :])
        else:
            kept.append((kind, segment))
        at += 2 + length
    if body[at] != 0xFF or body.find(b"\xff\xd9", at) < 0:
        raise DisclosureError("not-a-picture", "the picture's data breaks off", "give a whole file")
    packet = _JPEG_XMP + _packet(old, code)
    if len(packet) > 65_533:
        says = "its metadata is too long for one segment"
        raise DisclosureError("unreadable-metadata", says, "shorten the XMP of the file")
    place = 0
    while place < len(kept) and (kept[place][0] == 0xE0 or kept[place][1][4:8] == b"Exif"):
        place += 1
    segments = [segment for _, segment in kept]
    segments.insert(place, b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet)
    return body[:2] + b"".join(segments) + body[at:]


def _into_png(body: bytes, code: str) -> bytes:
    """The packet stands in an iTXt chunk behind the header, so that it comes before the picture."""
    at = 8
    old: list[bytes] = []
    kept: list[bytes] = []
    while True:
        length, kind = struct.unpack(">I4s", body[at : at + 8])
        content, chunk = body[at + 8 : at + 8 + length], body[at : at + 12 + length]
        if len(chunk) != 12 + length:
            raise DisclosureError("not-a-picture", f"the chunk at byte {at} breaks off", "give a whole file")
        at += 12 + length
        if kind == b"iTXt" and content.startswith(_PNG_XMP):
            old.append(_itxt(content))
        else:
            kept.append(chunk)
        if kind == b"IEND":
            break
    text = b"iTXt" + _PNG_XMP + b"\0\0\0\0" + _packet(old, code)
    new = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return body[:8] + kept[0] + new + b"".join(kept[1:]) + body[at:]


def _itxt(content: bytes) -> bytes:
    """The text of an iTXt chunk, unpacked if it is compressed; at most 4 MiB."""
    rest = content[len(_PNG_XMP) :]
    text = rest[2:].split(b"\0", 2)[2]
    if not rest[0]:
        return text
    unpacked = zlib.decompressobj().decompress(text, 4 * 2**20 + 1)
    if len(unpacked) > 4 * 2**20:
        raise DisclosureError("unreadable-metadata", "its metadata unpacks to too much", "repair the file's metadata")
    return unpacked
