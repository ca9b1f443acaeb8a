"""Near-copies of the project's pictures and sounds, for the gate: which registered files are copies of one another, or
hold a part of one another, by the same fingerprints that look-up searches.

Each file is compared once, when it is first met: what was found stands in `alike.json` beside the fingerprints, by the
digests of the files, with the digests of all that were compared. A killed comparison goes on where it was.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

from byline.app.home import Home
from byline.app.lookup_media import MediaLibrary, Progress
from byline.app.media_words import PLURAL
from byline.core import Work
from byline.gate import SharedFile
from byline.lookup import Alike, PictureCopies, SoundCopies
from byline.registry import MEDIA

FILE, FORMAT = "alike.json", "byline-alike/1"
KEPT_EVERY = 64  # files
COPIES: Mapping[str, Any] = {"image": PictureCopies, "audio": SoundCopies}


def shared_files(home: Home, works: Sequence[Work], on: date, progress: Progress) -> list[SharedFile]:
    """Pairs of registered works whose pictures or sounds are near-copies.

    Raises: LookupFault("lookup-missing") if there are two pictures or sounds and what compares them is not installed:
    an unseen copy is not “no copy”; LookupFault("index-busy"), LookupFault("bad-index").
    """
    kinds = [kind for kind in MEDIA if len({work.sha256 for work in works if work.kind == kind}) > 1]
    if not kinds:
        return []
    library = MediaLibrary(home, on)
    library.update(progress=progress, kinds=kinds, embed=False)  # the gate does without embeddings
    found = [pair for kind in kinds for pair in _compared(library, kind, progress)]
    return list(_of_works(works, found))


def _of_works(works: Iterable[Work], found: Iterable[Alike]) -> Iterator[SharedFile]:
    """The same file can be registered more than once; a file that left the register has no works."""
    holders: dict[str, list[Work]] = {}
    for work in works:
        holders.setdefault(work.sha256, []).append(work)
    for pair in found:
        for one, other in product(holders.get(pair.one, ()), holders.get(pair.other, ())):
            yield SharedFile(one.id, other.id, pair.shared_ppm)


def _compared(library: MediaLibrary, kind: str, progress: Progress) -> list[Alike]:
    """Every pair of the index, after comparing what is new in it with all that is there."""
    folder = library.folder(kind)
    path = folder.path / FILE
    seen, pairs = _read(path)
    index = library.index(kind)
    fresh = [number for number, key in enumerate(index.works) if key not in seen]
    if not fresh:
        return pairs
    first = _first(library, index.works)
    copies = COPIES[kind](index, first, pairs)
    for count, number in enumerate(sorted(fresh, key=first.__getitem__), 1):  # originals before their copies
        pairs += copies.of(number)
        seen.add(str(index.works[number]))
        if count % KEPT_EVERY == 0 or count == len(fresh):
            _write(path, seen, pairs)
        progress(f"looking for copies among the {PLURAL[kind]}", count, len(fresh))
    return pairs


def _first(library: MediaLibrary, keys: Iterable[str]) -> list[int]:
    """For each file its place in the order of registration; what left the register comes last."""
    order = library.home.registry.registration_order()
    place: dict[str, int] = {}
    for work in library.home.registry.works():
        place[work.sha256] = min(order[work.id], place.get(work.sha256, len(order)))
    return [place.get(str(key), len(order)) for key in keys]


def _read(path: Path) -> tuple[set[str], list[Alike]]:
    """Only a memory: a file of another format, or a damaged one, is made again."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] == FORMAT:
            return set(told["compared"]), [Alike.from_json(pair) for pair in told["pairs"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return set(), []


def _write(path: Path, seen: Iterable[str], pairs: Sequence[Alike]) -> None:
    unique = {(pair.one, pair.other): pair for pair in sorted(pairs, key=lambda pair: pair.shared_ppm)}
    told = {"format": FORMAT, "compared": sorted(seen), "pairs": [pair.to_json() for pair in unique.values()]}
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(told) + "\n", encoding="utf-8")
    part.replace(path)
