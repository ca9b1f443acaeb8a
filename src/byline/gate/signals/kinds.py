"""Which reader a file belongs to, by its name and its first bytes."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

from byline.gate.signals.ai_txt import read_ai_txt
from byline.gate.signals.c2pa import read_c2pa, read_manifest_store
from byline.gate.signals.epub import read_epub
from byline.gate.signals.headers import read_headers
from byline.gate.signals.images import is_image, read_image
from byline.gate.signals.observation import Findings, Target
from byline.gate.signals.page import read_page
from byline.gate.signals.pdf import read_pdf
from byline.gate.signals.robots import Inference, read_robots
from byline.gate.signals.rsl import read_rsl
from byline.gate.signals.tdmai import read_tdmai
from byline.gate.signals.tdmrep import read_tdmrep_json
from byline.gate.signals.xmp import read_xmp

SITE_WIDE = ("robots.txt", "ai.txt", "tdmrep.json", "rsl")
C2PA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".heic": "image/heic",
    ".avif": "image/avif",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".pdf": "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Options:
    """inference: which crawlers' exclusion counts as a no. isccs: codes of the work, for declarations bound to it."""

    inference: Inference = Inference.ANY_TRAINING_AGENT
    isccs: Collection[str] = ()


def kind_of(name: str, body: bytes) -> str:
    """The kind of a file: a key of `READERS`, "warc", or "" for a file in which nothing is looked for."""
    base = PurePosixPath(name).name.lower()
    suffix = PurePosixPath(base).suffix
    if base in ("robots.txt", "ai.txt", "tdmrep.json"):
        return base
    if base.endswith((".warc", ".warc.gz")) or body.startswith(b"WARC/1."):
        return "warc"
    if is_image(body) or suffix in C2PA_TYPES:
        return "pdf" if suffix == ".pdf" else "media"
    return _by_content(suffix, body)


def _by_content(suffix: str, body: bytes) -> str:
    head = body[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if body.startswith(b"%PDF-"):
        return "pdf"
    if suffix == ".epub" or (body.startswith(b"PK") and b"application/epub+zip" in head):
        return "epub"
    if suffix in (".json", ".jsonld"):
        return _json_kind(body)
    if suffix == ".xmp" or b"adobe:ns:meta/" in head:
        return "xmp"
    if suffix == ".rsl" or (suffix == ".xml" and b"rslstandard.org/rsl" in head):
        return "rsl"
    if suffix in (".html", ".htm", ".xhtml") or head[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "page"
    return "headers" if suffix in (".headers", ".http") or head.startswith(b"HTTP/1.") else ""


def _json_kind(body: bytes) -> str:
    try:
        told = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ""
    first = told[0] if isinstance(told, list) and told else told
    if not isinstance(first, dict):
        return ""
    if "tdm-reservation" in first and "location" in first:
        return "tdmrep.json"
    if "active_manifest" in first:
        return "manifest-store"
    return "tdm-ai" if {"iscc", "iscc_code"} & set(first) else ""


def read_as(kind: str, body: bytes, target: Target, options: Options) -> Findings:
    """What a file of that kind says; nothing for a kind that nobody reads. Raises: GateError("signals-extra")."""
    reader = READERS.get(kind)
    return reader(body, target, options) if reader else Findings()


def parse_header_dump(body: bytes) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers of a response written out as text; status 200 if no status line stands there."""
    lines = body[: 2**20].decode("latin-1").splitlines()
    status = 200
    if lines and lines[0].startswith("HTTP/"):
        words = lines.pop(0).split()
        status = int(words[1]) if len(words) > 1 and words[1].isdecimal() and len(words[1]) == 3 else 0
    pairs = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not line.strip():
            break
        if colon:
            pairs.append((name, value))
    return status, pairs


def _headers(body: bytes, target: Target, options: Options) -> Findings:
    status, pairs = parse_header_dump(body)
    return read_headers(pairs, target, status=status)


def _media(body: bytes, target: Target, options: Options) -> Findings:
    """The XMP of an image, and the C2PA manifest of anything that can hold one."""
    suffix = PurePosixPath(target.source).suffix.lower()
    media_type = C2PA_TYPES.get(suffix) or _image_type(body)
    seen = read_image(body, target) if is_image(body) else Findings()
    return seen + read_c2pa(body, target, media_type)


def _image_type(body: bytes) -> str:
    kinds = ((b"\xff\xd8", "image/jpeg"), (b"\x89PNG", "image/png"), (b"RIFF", "image/webp"))
    return next((kind for magic, kind in kinds if body.startswith(magic)), "image/tiff")


READERS: dict[str, Callable[[bytes, Target, Options], Findings]] = {
    "robots.txt": lambda body, target, options: read_robots(body, target, inference=options.inference),
    "ai.txt": lambda body, target, options: read_ai_txt(body, target),
    "tdmrep.json": lambda body, target, options: read_tdmrep_json(body, target),
    "rsl": lambda body, target, options: read_rsl(body, target),
    "page": lambda body, target, options: read_page(body, target),
    "headers": _headers,
    "media": _media,
    "xmp": lambda body, target, options: read_xmp(body, target),
    "pdf": lambda body, target, options: read_pdf(body, target),
    "epub": lambda body, target, options: read_epub(body, target),
    "manifest-store": lambda body, target, options: read_manifest_store(body, target),
    "tdm-ai": lambda body, target, options: read_tdmai(body, target, isccs=options.isccs),
}
