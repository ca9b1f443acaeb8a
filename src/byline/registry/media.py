"""What kind of work a file holds: what its first bytes say counts, never its name."""

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_SOUNDS = (b"fLaC", b"OggS", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa", b"\xff\xf1", b"\xff\xf9")
_BOXES = {b"avif": "image", b"avis": "image", b"heic": "image", b"heix": "image", b"mif1": "image", b"M4A ": "audio"}
_RIFF = {b"WEBP": "image", b"WAVE": "audio"}
_FORM = {b"AIFF": "audio", b"AIFC": "audio"}

MEDIA = ("image", "audio")


def content_kind(content: bytes) -> str:
    """text, image or audio; "" for what is none of them, such as a PDF, an archive, or text in another encoding.

    A text may begin with the letters of a signature ("FORM 27"), so signatures that are letters alone are held
    against more of the bytes.
    """
    kind = _signed(content)
    if kind:
        return kind
    try:
        plain = "\0" not in content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""
    return "text" if plain and not content.startswith(b"%PDF-") else ""


def _signed(content: bytes) -> str:
    if content.startswith(_PICTURES) or (content[:2] == b"BM" and content[6:10] == b"\0\0\0\0"):
        return "image"
    if content.startswith(_SOUNDS) or (content[:3] == b"ID3" and content[3:4] in (b"\2", b"\3", b"\4")):
        return "audio"
    boxes = {b"RIFF": _RIFF, b"FORM": _FORM}.get(content[:4], {}) | (_BOXES if content[4:8] == b"ftyp" else {})
    return boxes.get(content[8:12], "")
