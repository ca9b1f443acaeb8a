"""ISCC units of registered texts, computed when a notice first asks for them and kept beside the texts."""

import json
from pathlib import Path

from byline.core import Work, sha256_hex
from byline.registry import MEDIA, Registry, Units, instance_unit, text_units

_MARK = b"\xef\xbb\xbf"  # a byte order mark is part of the file and not of the text


class Codes:
    """Units of a work, by the digest of its file: the same bytes always have the same code. `kept` is only a cache: a
    file that is damaged or gone is made again."""

    def __init__(self, registry: Registry, kept: Path) -> None:
        self._registry = registry
        self._kept = kept
        self._known: dict[str, Units] | None = None

    def __call__(self, work: Work) -> Units:
        if self._known is None:
            self._known = _read(self._kept)
        if work.sha256 not in self._known:
            if work.kind in MEDIA:  # of these only the very file is recognised
                return Units("", instance_unit(self._registry.content(work.id)))
            text = self._registry.text(work.id)
            content = text.encode()
            if sha256_hex(content) != work.sha256:
                content = _MARK + content
            self._known[work.sha256] = text_units(text, content)
            _write(self._kept, self._known)
        return self._known[work.sha256]


def _read(path: Path) -> dict[str, Units]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {digest: Units(str(units[0]), str(units[1])) for digest, units in told.items()}
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return {}


def _write(path: Path, known: dict[str, Units]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({digest: [u.content, u.instance] for digest, u in known.items()}), encoding="utf-8")
    part.replace(path)
