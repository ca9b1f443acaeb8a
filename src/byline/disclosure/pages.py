"""Statements for reading (HTML) and for spreadsheets (CSV), each ending in a line that seals all that stands above it.

    seal byline-page-1 <digest of the signed document> <SHA-256 of all above> <hashes of the lines> <signature>

In HTML the line is a comment, in CSV it begins with a number sign. The signature is of the format and the three values
after it, one a line. The hashes of the lines (six hex digits each) are there to say which line was changed. That the
log holds the document, only the document itself can prove: where it lies beside the page, their digests are compared.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from byline.core import DisclosureError
from byline.disclosure.fields import one_byte_away
from byline.disclosure.notes import PublicKey, SigningKey
from byline.disclosure.reading import place, read_bytes, read_document
from byline.disclosure.verification import Check, Verification

PAGE = "byline-page-1"
FORMS = {".html": ("<!-- ", " -->\n"), ".csv": ("#", "\n")}
_LINE_HEX = 6


def seal_page(content: str, form: str, document_digest: str, key: SigningKey) -> str:
    """`content` and its seal. `form`: ".html" or ".csv"; the content ends with the end of a line."""
    above, (before, after) = content.encode(), FORMS[form]
    values = [document_digest, sha256(above).hexdigest(), _line_hashes(above)]
    signature = key.sign(_signed(values))
    return f"{content}{before}seal {PAGE} {' '.join(values)} {signature}{after}"


def verify_page(path: Path, key: PublicKey) -> Verification:
    """Every check of a page, offline. Raises: DisclosureError("no-document")."""
    data = read_bytes(path)
    above, seal = _parts(data)
    values, signature, fault = _read_seal(seal, path.suffix)
    if fault:
        return Verification((Check("shape", False, f"{path.name} {fault}"),), None)
    content, where = _content(above, values[1], values[2])
    by_key = key.accepts(_signed(values), signature)
    checks = [
        Check("shape", True, "it is a page with a seal"),
        Check("content", not content, content or "every line is what was sealed"),
        Check("signature", by_key, f"the seal is {'' if by_key else 'not '}signed by {key.name}"),
        *_document(path, values[0]),
    ]
    return Verification(tuple(checks), where if content else None if by_key else "the last line")


def _parts(data: bytes) -> tuple[bytes, bytes]:
    """All above the last line, and the last line with its end."""
    end = data.rstrip(b"\n").rfind(b"\n") + 1
    return data[:end], data[end:]


def _read_seal(line: bytes, form: str) -> tuple[list[str], str, str]:
    """The three values, the signature, and what is wrong with the line ("" if nothing)."""
    before, after = FORMS[form]
    try:
        text = line.decode()
    except UnicodeDecodeError as fault:
        return [], "", f"has a last line that is not text: {place(line, fault.start)} of it"
    words = text.removeprefix(before).removesuffix(after).split(" ", 5)
    whole = text.startswith(before) and text.endswith(after) and len(words) == 6
    if not whole or words[:2] != ["seal", PAGE] or text != f"{before}{' '.join(words)}{after}":
        return [], "", f"does not end with the line of its seal (seal {PAGE} ...)"
    return words[2:5], words[5], ""


def _content(above: bytes, wanted: str, hashes: str) -> tuple[str, str | None]:
    """What differs from what was sealed, and where."""
    if sha256(above).hexdigest() == wanted:
        return ("", None) if _line_hashes(above) == hashes else ("the hashes of the lines are not theirs", "the seal")
    lines = _lines(above)
    found = [_hash(line) for line in lines]
    sealed = [hashes[at : at + _LINE_HEX] for at in range(0, len(hashes), _LINE_HEX)]
    shorter = min(len(found), len(sealed))
    number = next((n for n in range(shorter) if found[n] != sealed[n]), shorter)
    if number == shorter:
        return f"it has {len(found)} lines, {len(sealed)} were sealed", f"line {number + 1}"
    return _about(lines, number, wanted), f"line {number + 1}"


def _about(lines: list[bytes], number: int, wanted: str) -> str:
    """What a line says, and what was sealed in its place if one byte of it was changed."""
    before, after = b"".join(lines[:number]), b"".join(lines[number + 1 :])
    first = sha256(before)

    def fits(line: bytes) -> bool:
        tried = first.copy()
        tried.update(line + after)
        return tried.hexdigest() == wanted

    was = one_byte_away(lines[number], fits)
    says = f"line {number + 1} says {_shown(lines[number])}"
    return f"{says}; {_shown(was)} was sealed" if was is not None else f"{says}; that is not what was sealed"


def _document(path: Path, wanted: str) -> Iterator[Check]:
    """If the signed document lies beside the page under the same name, is it the one that the page was made of?"""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return
    try:
        same = read_document(beside)["digest"] == wanted
    except DisclosureError:
        same = False
    says = f"{beside.name} beside it is {'the' if same else 'not the'} document it was made of"
    yield Check("document", same, says)


def _line_hashes(data: bytes) -> str:
    return "".join(_hash(line) for line in _lines(data))


def _lines(data: bytes) -> list[bytes]:
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def _hash(line: bytes) -> str:
    return sha256(line).hexdigest()[:_LINE_HEX]


def _shown(line: bytes) -> str:
    return repr(line.decode(errors="backslashreplace").rstrip("\n")[:300])


def _signed(values: list[str]) -> str:
    return "\n".join([PAGE, *values]) + "\n"
