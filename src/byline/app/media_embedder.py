"""The embeddings of a project's pictures, in its folder `lookup/embeddings`, where the extra `embedder` is installed.

They give look-up a second shortlist; the gate does without. An index that has none works by visual words alone and
says so. One that has some, where the extra is gone, answers nothing: it would miss what it found before.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from byline.core import LookupFault, Problem
from byline.lookup import EMBEDDINGS, SHORTLIST, Embeddings, MediaFolder, embedder_there, forget

INSTALL = "pip install 'byline[embedder]'"


class PictureEmbeddings:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: MediaFolder[Any] | None = None

    @property
    def folder(self) -> MediaFolder[Any]:
        """Raises: LookupFault("bad-index")."""
        if self._opened is None:
            self._opened = MediaFolder(self._path, EMBEDDINGS)
        return self._opened

    def forget(self) -> None:
        forget(self._path)
        self._opened = None

    def check(self) -> None:
        """Raises: LookupFault("lookup-missing") if there are embeddings and nothing that can compare with them."""
        if self.folder.keys and not embedder_there():
            says = "the index has embeddings of pictures, and the embedder is not installed, so this could not be "
            says += "searched; that is no “not found”"
            raise LookupFault("lookup-missing", says, f"{INSTALL}; or remove {self._path} and do without")

    def update(
        self, wanted: Iterable[str], content_of: Callable[[str], bytes], done: Callable[[int, int], None]
    ) -> int | None:
        """Embed what is not there yet; how many of those wanted there are then, None without the extra. `done` is told
        how many were looked at, and of how many.

        Raises: LookupFault("lookup-missing"), LookupFault("index-busy").
        """
        self.check()
        if not embedder_there():
            return None
        keys = sorted(wanted)
        fresh = sum(key not in self.folder.keys and key not in self.folder.unread for key in keys)
        self.folder.add(keys, content_of, lambda count: done(count, fresh))
        return sum(key in self.folder.keys for key in keys)

    def read(self) -> Embeddings | None:
        """None if there are none, or none that could be asked: see `check`."""
        return Embeddings.of(self.folder) if self.folder.keys and embedder_there() else None

    def problems(self) -> list[Problem]:
        return self.folder.problems()


def compared_words(shortlists: Sequence[str], most: int = SHORTLIST) -> str:
    """Which pictures' details were compared with those of the question."""
    if not shortlists:
        return "Details were compared with all of them."
    by_words = f"Details were compared with the {most} pictures that share most kinds of details with yours"
    if "embedder" in shortlists:
        return f"{by_words}, and with the {most} that a neural network, the embedder, finds most like it."
    return f"{by_words}."
