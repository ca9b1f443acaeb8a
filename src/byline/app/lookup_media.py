"""Was a picture or a sound among the files of a folder? The answer with its scope and what the search misses."""

from pathlib import Path
from typing import Any

from byline.app.lookup import folder_works
from byline.core import LookupFault, WorkId
from byline.lookup import AudioIndex, AudioMatch, ImageIndex, ImageMatch, measured, too_plain

PLAIN = "No answer: there is too little in this picture to compare it with others. Give a larger part of it."
Told = dict[str, Any]
Searched = tuple[list[Told], int, list[WorkId]]  # matches, files searched, files that could not be read
Works = list[tuple[WorkId, Path]]


def look_up_media(kind: str, path: Path, content: bytes, folder: Path) -> Told:
    """`kind`: image or audio. Files that cannot be read are told with the scope, for they were not searched.

    Raises: LookupFault("lookup-missing"), LookupFault("bad-image"), LookupFault("bad-audio"), AppError("no-file").
    """
    matches, searched, unread = (_images if kind == "image" else _sounds)(path, content, folder_works(folder))
    plain = kind == "image" and not matches and too_plain(content, str(path))
    recall = measured(kind)
    told = recall.to_json() if recall else None
    return {
        "kind": kind,
        "verdict": "found"
        if matches
        else "nothing-searched"
        if not searched
        else "too-plain"
        if plain
        else "not-found",
        "matches": matches,
        "scope": {"folder": str(folder), "works": searched, "not_searched": unread},
        "measured": told,
        "says": PLAIN if plain and searched else "\n".join(_sentences(kind, matches, searched, unread, folder, told)),
    }


def _images(path: Path, content: bytes, works: Works) -> Searched:
    index, unread = ImageIndex([], []), []
    for work, file in works:
        try:
            index.add(work, file.read_bytes())
        except LookupFault as fault:
            _only_unreadable(fault)
            unread.append(work)
    return (
        [match.to_json() | {"says": _image_says(match)} for match in index.search(content, str(path))],
        len(index),
        unread,
    )


def _sounds(path: Path, content: bytes, works: Works) -> Searched:
    index, unread = AudioIndex([], []), []
    for work, file in works:
        try:
            index.add(work, file)
        except LookupFault as fault:
            _only_unreadable(fault)
            unread.append(work)
    return [match.to_json() | {"says": _sound_says(match)} for match in index.search(path)], len(index), unread


def _only_unreadable(fault: LookupFault) -> None:
    if fault.code not in ("bad-image", "bad-audio"):
        raise fault


def _image_says(match: ImageMatch) -> str:
    turned = ", mirrored or turned" if match.turned else ""
    how = f"{match.bits} of 256 bits of its hash differ" if match.by == "hash" else f"{match.inliers} features agree"
    return f"{match.work}: {'the same picture' if match.by == 'hash' else 'a part of it'}{turned} ({how})"


def _sound_says(match: AudioMatch) -> str:
    alike = f"{match.seconds:.0f} s alike from second {match.work_start:.0f}"
    return f"{match.work}: {alike} ({match.differing_ppm / 1e4:.0f} % of the bits differ)"


def _sentences(
    kind: str, matches: list[Told], searched: int, unread: list[WorkId], folder: Path, recall: Told | None
) -> list[str]:
    from byline.app.cli_lookup import recall_lines

    what = "pictures" if kind == "image" else "sounds"
    skipped = f"; {len(unread)} files there could not be read as {what} and were not searched" if unread else ""
    scope = f"Searched: {searched} {what} in {folder}{skipped}."
    if matches:
        return [f"Found: it comes from {len(matches)} of them, or they from it.", scope]
    if not searched:
        return [f"No answer: there are no {what} in {folder}{skipped}."]
    verdict = "Not found. That is no proof that it was not in them: see below what this search finds and misses."
    return [verdict, scope, *recall_lines(recall)]
