"""The folder of contents, each in a file named by the SHA-256 of its bytes: a text ends in .txt, a picture or sound in
.bin. A content is whole or not there."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from byline.core import RegistryError, sha256_hex
from byline.registry.media import MEDIA, content_kind
from byline.registry.rows import decode


class Assets:
    """Contents by digest. Whoever adds holds the database's one writing transaction."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def adding(self) -> Iterator[Callable[[Path, str], None]]:
        """Yields `keep(path, sha256)`, which copies a file in; after an exception what was copied is gone again."""
        added: list[Path] = []

        def keep(path: Path, sha256: str) -> None:
            content = path.read_bytes() if path.is_file() else b""
            if sha256_hex(content) != sha256:
                raise RegistryError("file-changed", f"{path} is not the file that was read", "register again")
            if not self._intact(sha256):
                added.append(self._write(sha256, content))

        try:
            yield keep
        except BaseException:
            for path in added:
                path.unlink(missing_ok=True)
            raise

    def text(self, sha256: str) -> str:
        """Raises: RegistryError("asset-missing"), RegistryError("asset-altered")."""
        text, _ = decode(self.content(sha256))
        if text is None:
            raise _altered(self._path(sha256))
        return text

    def content(self, sha256: str) -> bytes:
        """Raises: RegistryError("asset-missing"), RegistryError("asset-altered")."""
        path = self._path(sha256)
        if not path.is_file():
            raise RegistryError("asset-missing", f"{path} is gone", "register the catalogue again")
        content = path.read_bytes()
        if sha256_hex(content) != sha256:
            raise _altered(path)
        return content

    def copy(self, sha256: str, to: Path) -> None:
        """Raises: as `content`."""
        self.content(sha256)
        part = to.with_suffix(".part")
        shutil.copyfile(self._path(sha256), part)
        part.replace(to)

    def _intact(self, sha256: str) -> bool:
        path = self._path(sha256)
        return path.is_file() and sha256_hex(path.read_bytes()) == sha256

    def _write(self, sha256: str, content: bytes) -> Path:
        path = self._folder / f"{sha256}.{'bin' if content_kind(content) in MEDIA else 'txt'}"
        part = path.with_suffix(".part")
        self._folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        return part.replace(path)

    def _path(self, sha256: str) -> Path:
        media = self._folder / f"{sha256}.bin"
        return media if media.is_file() else self._folder / f"{sha256}.txt"


def _altered(path: Path) -> RegistryError:
    return RegistryError("asset-altered", f"{path} no longer has its digest", "register the catalogue again")
