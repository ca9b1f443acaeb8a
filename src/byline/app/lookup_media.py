"""Does a picture or a sound come from a registered work, or from a file of a folder? The answer with its scope and
with what the search misses.

A project's own pictures and sounds are fingerprinted in its folder `lookup`, by the digests of their files, when
somebody first asks and whenever works were registered since. All registered works are searched, those too whose
contributors said no: each match says which it is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from byline.app.home import Home
from byline.app.lookup import Library, folder_works
from byline.app.media_embedder import PictureEmbeddings, compared_words
from byline.app.media_words import PLURAL, Told, folder_sentences, match_words, sentences
from byline.core import LookupFault, Problem, Work, WorkId, sha256_hex
from byline.lookup import (
    PICTURES,
    SOUNDS,
    AudioIndex,
    AudioMatch,
    ImageIndex,
    ImageMatch,
    MediaFolder,
    MediaFormat,
    fingerprints,
    forget,
    measured,
    prints_of,
    read_image,
    too_plain,
)
from byline.registry import MEDIA

Progress = Callable[[str, int, int], None]  # what, done, of
Match = ImageMatch | AudioMatch
FORMATS: Mapping[str, MediaFormat[Any]] = {"image": PICTURES, "audio": SOUNDS}
PIXELS, SECONDS = 50_000_000, 600  # that are read of a question from outside


def _unshown(what: str, done: int, of: int) -> None:
    pass


class MediaLibrary:
    """The pictures and sounds of a project as look-up sees them on a day."""

    def __init__(self, home: Home, on: date) -> None:
        self.home, self.on = home, on
        self._folders: dict[str, MediaFolder[Any]] = {}
        self._indexes: dict[str, Any] = {}
        self._works: dict[str, dict[str, list[Work]]] = {}
        self.embeddings = PictureEmbeddings(home.path / "lookup" / "embeddings")

    def works(self, kind: str) -> dict[str, list[Work]]:
        """Registered works of a kind by the digest of their file; the same file can be registered more than once."""
        if kind not in self._works:
            found = self._works[kind] = {}
            for work in self.home.registry.works_of_kind(kind):
                found.setdefault(work.sha256, []).append(work)
        return self._works[kind]

    def _place(self, kind: str) -> Path:
        return self.home.path / "lookup" / PLURAL[kind]

    def folder(self, kind: str) -> MediaFolder[Any]:
        """Raises: LookupFault("bad-index")."""
        if kind not in self._folders:
            self._folders[kind] = MediaFolder(self._place(kind), FORMATS[kind])
        return self._folders[kind]

    def update(
        self, again: bool = False, progress: Progress = _unshown, kinds: Iterable[str] = MEDIA, embed: bool = True
    ) -> Told:
        """Fingerprint what is not there yet, or everything anew. Asking does this first. `embed`: the pictures'
        embeddings too, where the extra for them is installed.

        Raises: LookupFault("index-busy"), LookupFault("lookup-missing"), RegistryError for a file that is gone.
        """
        told = {kind: self._updated(kind, again, progress) for kind in kinds}
        if embed and "image" in told:
            told["image"]["embedded"] = self._embedded(again, progress)
        return told

    def _embedded(self, again: bool, progress: Progress) -> int | None:
        wanted = self.works("image")
        if again:
            self.embeddings.forget()
        before = len(self.embeddings.folder.keys)
        count = self.embeddings.update(
            wanted,
            lambda key: self.home.registry.content(wanted[key][0].id),
            lambda done, of: progress("embeddings of pictures", done, of),
        )
        if len(self.embeddings.folder.keys) != before:
            self._indexes.pop("image", None)
        return count

    def _updated(self, kind: str, again: bool, progress: Progress) -> Told:
        wanted = self.works(kind)
        if again:
            self._folders.pop(kind, None)
            self._indexes.pop(kind, None)
            forget(self._place(kind))
        folder = self.folder(kind)
        fresh = sum(key not in folder.keys and key not in folder.unread for key in wanted)
        added = folder.add(
            sorted(wanted),
            lambda key: self.home.registry.content(wanted[key][0].id),
            lambda done: progress(f"fingerprints of {PLURAL[kind]}", done, fresh),
        )
        if added:
            self._indexes.pop(kind, None)
        unread = sum(key in folder.unread for key in wanted)
        return {"works": sum(map(len, wanted.values())), "added": added, "unread": unread, "bytes": folder.disk_bytes}

    def index(self, kind: str) -> Any:
        """The fingerprints of a kind, as of the last update. Raises: LookupFault("bad-index")."""
        if kind not in self._indexes:
            self._indexes[kind] = (
                ImageIndex.of(self.folder(kind), self.embeddings.read())
                if kind == "image"
                else AudioIndex.of(self.folder(kind))
            )
        return self._indexes[kind]

    def problems(self) -> list[Problem]:
        """Every file of the indexes whose digest is not what was written."""
        found = [problem for kind in MEDIA for problem in self.folder(kind).problems()]
        return found + self.embeddings.problems()

    # --- asking

    def look_up(self, kind: str, content: bytes, name: str, pixels: int = PIXELS, seconds: int = SECONDS) -> Told:
        """The answer to "was this in it?". `verdict`: found, not-found, or no answer: too-plain or nothing-searched.
        `pixels`, `seconds`: what is read of the question at most.

        Raises: LookupFault("lookup-missing"), LookupFault("bad-image"), LookupFault("bad-audio").
        """
        works = self.works(kind)
        found: Sequence[Match]
        if kind == "image":
            found = self._pictures(content, name, pixels, works)
        else:
            found = self.index(kind).matches(prints_of(content, name, seconds)) if works else []
        same = sha256_hex(content)
        matches = [
            self._told(work, match, match.work == same) for match in found for work in works.get(str(match.work), ())
        ]
        matches += [self._told(work, None, True) for work in works.get(same, ()) if not _named(matches, work)]
        matches.sort(key=lambda match: not match["same_file"])
        return self._answer(kind, works, matches, kind == "image" and not matches and too_plain(content, name))

    def _pictures(self, content: bytes, name: str, pixels: int, works: Mapping[str, Any]) -> list[ImageMatch]:
        query = read_image(content, name, pixels)
        self.embeddings.check()
        found: list[ImageMatch] = self.index("image").matches(query) if works else []
        return found

    def _answer(self, kind: str, works: Mapping[str, list[Work]], matches: list[Told], plain: bool) -> Told:
        shortlists = self.index(kind).shortlists if kind == "image" else ()
        recall = measured(kind, shortlists)
        scope = self._scope(kind, works)
        verdict = "found" if matches else "nothing-searched" if not scope["works"] else "not-found"
        told: Told = {
            "kind": kind,
            "verdict": "too-plain" if plain and verdict == "not-found" else verdict,
            "matches": matches,
            "scope": scope,
            "measured": recall.to_json() if recall else None,
        }
        if kind == "image":
            told |= {"shortlists": list(shortlists), "compared": compared_words(shortlists)}
        return told | {"says": "\n".join(sentences(told))}

    def _told(self, work: Work, match: Match | None, same_file: bool) -> Told:
        """`match` is None for a file that no fingerprint recognises, such as a plain picture."""
        given = replace(match, work=work.id).to_json() if match else {"work": work.id, "by": "file"}
        told = given | {
            "title": work.title,
            "contributor": self.home.contributors(work.id),
            "same_file": same_file,
            "listed": work.id in self._frozen,
            "opted_out": work.id in self._refused,
        }
        return told | {"says": match_words(work.kind, told)}

    @cached_property
    def _frozen(self) -> frozenset[WorkId]:
        manifests = Library(self.home, self.on).manifests
        return frozenset(entry.work for manifest in manifests for entry in manifest.entries)

    @cached_property
    def _refused(self) -> set[WorkId]:
        return self.home.opted_out(self.on)

    def _scope(self, kind: str, works: Mapping[str, list[Work]]) -> Told:
        folder = self.folder(kind)
        searched = [work.id for key, same in works.items() if key in folder.keys for work in same]
        unread = [work for key, same in works.items() if key not in folder.keys for work in same]
        return {
            "works": len(searched),
            "listed": sum(work in self._frozen for work in searched),
            "opted_out": sum(work in self._refused for work in searched),
            "not_searched": sorted(work.title for work in unread),
        }


def _named(matches: Iterable[Told], work: Work) -> bool:
    return any(match["work"] == work.id for match in matches)


# --- against a folder of files ----------------------------------------------------------------------------------


def look_up_media(kind: str, path: Path, content: bytes, folder: Path) -> Told:
    """Against the files of a folder, which are read for this question and not kept. Those that cannot be read are told
    with the scope, for they were not searched.

    Raises: LookupFault("lookup-missing"), LookupFault("bad-image"), LookupFault("bad-audio"), AppError("no-file").
    """
    index: ImageIndex | AudioIndex = ImageIndex([], []) if kind == "image" else AudioIndex([], [])
    unread = []
    for work, file in folder_works(folder):
        try:
            _add(index, work, file)
        except LookupFault as fault:
            if fault.code not in ("bad-image", "bad-audio"):
                raise
            unread.append(work)
    found: list[Match]
    if isinstance(index, ImageIndex):
        found = [*index.search(content, str(path))]
    else:
        found = [*index.matches(fingerprints(path))]
    matches = [told | {"says": f"{told['work']}: {match_words(kind, told)}"} for told in map(_plainly, found)]
    plain = kind == "image" and not matches and len(index) > 0 and too_plain(content, str(path))
    verdict = "found" if matches else "nothing-searched" if not len(index) else "too-plain" if plain else "not-found"
    shortlists = index.shortlists if isinstance(index, ImageIndex) else ()
    recall = measured(kind, shortlists)
    answer: Told = {
        "kind": kind,
        "verdict": verdict,
        "matches": matches,
        "scope": {"folder": str(folder), "works": len(index), "not_searched": unread},
        "measured": recall.to_json() if recall else None,
    }
    if kind == "image":
        answer |= {"shortlists": list(shortlists), "compared": compared_words(shortlists)}
    return answer | {"says": "\n".join(folder_sentences(answer))}


def _add(index: ImageIndex | AudioIndex, work: WorkId, file: Path) -> None:
    if isinstance(index, ImageIndex):
        index.add(work, file.read_bytes())
    else:
        index.add(work, file)


def _plainly(match: Match) -> Told:
    return match.to_json() | {"same_file": False}
