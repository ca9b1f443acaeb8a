"""Path patterns of robots.txt and of what borrows from it: `*` any characters, `$` at the end, else a prefix.

Matching takes time in proportion to pattern times path, whatever a hostile file writes: it looks for the pieces between
the asterisks from left to right and never goes back.
"""

import re
from urllib.parse import urlsplit

_RESERVED = set("!*'();:@&=+$,/?#[]%")
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")


def normal(path: str) -> str:
    """The path as RFC 9309 compares it: octets outside ASCII escaped, escapes of unreserved characters undone."""
    escaped = "".join(c if "!" <= c <= "~" else "".join(f"%{octet:02X}" for octet in _octets(c)) for c in path)
    return _ESCAPE.sub(_unescape, escaped)


def _octets(character: str) -> bytes:
    """UTF-8; an octet that was none as it was; half a pair of surrogates, from JSON, as if it were a character."""
    return character.encode("utf-8", "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass")


def _unescape(found: re.Match[str]) -> str:
    octet = int(found[1], 16)
    character = chr(octet)
    keep = not 0x20 < octet < 0x7F or character in _RESERVED
    return f"%{found[1].upper()}" if keep else character


def path_of(url: str) -> str:
    """Path and query of a URL; a path stays as it is. A URL that cannot be split is its own path."""
    if url.startswith("/") or not url:
        return url or "/"
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if not parts.scheme and not parts.netloc:
        return url if url.startswith("*") else "/" + url
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern, already `normal`, matches the beginning of a path, or all of it if it ends in `$`."""
    anchored = pattern.endswith("$")
    pieces = (pattern[:-1] if anchored else pattern).split("*")
    if not path.startswith(pieces[0]):
        return False
    if len(pieces) == 1:
        return not anchored or path == pieces[0]
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    last = pieces[-1]
    if anchored:
        return len(path) - len(last) >= at and path.endswith(last)
    return path.find(last, at) >= 0
