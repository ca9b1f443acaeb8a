"""How often the search finds a changed picture, and how that grows with the number of pictures.

    python benchmarks/lookup.py --only pictures --pictures FOLDER --drawings FOLDER --index FOLDER
    python benchmarks/lookup.py --only growth ...        seconds by size, and whether the shortlist has the work
    python benchmarks/lookup.py --only copies ...        what the gate tells to be copies

benchmarks/pictures_from_debian.py fetches both folders: wallpapers of six packages, drawings of openclipart-png and
tuxpaint-stamps-default. Every second picture is registered, the others are strangers that must not be found. Nearly all
drawings are registered, for there has to be a crowd; some of them are asked for, and a few are strangers. The index is
kept, and beside it the embeddings, if the extra `embedder` is installed: a second run only measures.

A query is answered by hash, by look, or by details that RANSAC confirms. Details are compared with a shortlist only, so
what the shortlist costs is measured apart: of the works that RANSAC would confirm, how many stand on it. Shortlists by
visual words, by the embedder, and of both are compared.
"""

import statistics
import time

import numpy as np
from lookup_changes import PICTURE_CHANGES, pictures

from byline.core import WorkId, sha256_hex
from byline.lookup import EMBEDDINGS, PICTURES, Embeddings, ImageIndex, MediaFolder, PictureCopies, embedder_there
from byline.lookup.embedder import embed
from byline.lookup.image import SHORTLIST, lay_out
from byline.lookup.picture import align, describe, local_features, read_image
from byline.lookup.visual_words import words_of

PHOTOGRAPHS, DRAWINGS = 36, 36  # that are asked for, at most
COPIED = (
    "re-encoded, JPEG quality 40",
    "crop to 50 % of the area",
    "mirrored and cropped to 50 %",
    "turned by 25 degrees",
)
DRAWN = ("re-encoded, JPEG quality 40", "mirrored", "crop to 50 % of the area", "turned by 25 degrees")
SIZES = (300, 1_000, 4_000, 10**9)
FEW = 4_000  # drawings smaller than this many bytes are icons of a few strokes, and are not asked for


class Crowd:
    """The registered pictures: those that are asked for first, then all others."""

    def __init__(self, photographs, drawings, index, most=None):
        found = list(pictures(photographs).items())
        self.known, self.strange = dict(found[: 2 * PHOTOGRAPHS : 2]), dict(found[1 : 2 * PHOTOGRAPHS : 2])
        files = sorted(drawings.glob("*.png"))
        large = [file for file in files if file.stat().st_size > FEW]
        step = max(2, len(large) // DRAWINGS)
        self.drawn = {file.stem: file.read_bytes() for file in large[::step][:DRAWINGS]}
        self.strange_drawn = {file.stem: file.read_bytes() for file in large[step // 2 :: step][:DRAWINGS]}
        asked = [*self.known.values(), *self.drawn.values()]
        contents = {sha256_hex(content): content for content in asked}
        rest = {sha256_hex(file.read_bytes()): file for file in files if file.stem not in self.strange_drawn}
        for key in [*contents, *map(sha256_hex, self.strange_drawn.values())]:  # the same drawing under another name
            rest.pop(key, None)
        rest = dict(list(rest.items())[: None if most is None else max(0, most - len(contents))])
        self.names = {key: file.stem for key, file in rest.items()}
        self.names |= {sha256_hex(content): name for name, content in {**self.known, **self.drawn}.items()}
        self.folder = MediaFolder(index, PICTURES)
        begun = time.process_time()
        added = self.folder.add(contents, contents.__getitem__, counted)
        added += self.folder.add(rest, lambda key: rest[key].read_bytes(), counted)
        self.make_ms = 1000 * (time.process_time() - begun) / added if added else None
        self.embeddings = None
        if embedder_there():
            self._embed(index.with_name(index.name + "-embeddings"), lambda k: contents.get(k) or rest[k].read_bytes())

    def _embed(self, path, content_of):
        folder = MediaFolder(path, EMBEDDINGS)
        folder.add(sorted(self.folder.keys), content_of, counted)
        self.embed_bytes = folder.disk_bytes / len(folder.keys)
        self.embeddings = Embeddings.of(folder)

    def index(self, most):
        """The first segments, with about so many pictures."""
        some, count = [], 0
        for segment in self.folder.segments:
            if count >= most:
                break
            some.append(segment)
            count += len(segment.keys)
        return ImageIndex([WorkId(key) for s in some for key in s.keys], [s.arrays for s in some])

    def both(self):
        """All pictures, with both shortlists."""
        return ImageIndex.of(self.folder, self.embeddings)


def counted(count):
    if count % 256 == 0:
        print(f"  {count:,} fingerprints", flush=True)


class Asked:
    """One changed picture: whether the whole is recognised, and for both ways in which it may lie on its work, of those
    in which details agree, the work's places in the shortlists by words and by the embedder."""

    def __init__(self, index, content, key, embeddings=None):
        pixels = read_image(content, "a query")
        number = next(n for n, work in enumerate(index.works) if work == key)
        self.whole, self.places = number in index._whole(pixels), []
        for turned in (pixels, np.ascontiguousarray(pixels[:, ::-1])):
            query = local_features(turned)
            if align(query, index.features(number)):
                ranked = index.shortlist.best(words_of(query.descriptors_F), len(index.works))
                by_words = ranked.index(number) if number in ranked else len(index.works)
                self.places.append((by_words, place_embedded(embeddings, turned, key)))
        self.detail = bool(self.places)

    def listed(self, by_words, by_embedder=0):
        """Whether the work is on shortlists of so many."""
        return any(words < by_words or seen < by_embedder for words, seen in self.places)

    def found(self, *most):
        return self.whole or self.listed(*most)


def place_embedded(embeddings, pixels, key):
    if embeddings is None:
        return 10**9
    like = embeddings.likes(embed(pixels))
    return int((like > like[embeddings.keys.index(key)]).sum())


def ask_all(crowd, index):
    """change -> what is asked, of photographs and of drawings."""
    asked = {}
    for kind, known in (("", crowd.known), (", of a drawing", crowd.drawn)):
        for name, change in PICTURE_CHANGES.items():
            if not kind or name in DRAWN:
                asked[name + kind] = [
                    Asked(index, change(content), sha256_hex(content), crowd.embeddings) for content in known.values()
                ]
                print(f"  {name + kind}: asked", flush=True)
    return asked


def recall(crowd):
    """(without, with the embedder), each change -> found or not among all registered pictures; what the shortlists do;
    and how many pictures there are. Without the embedder, only the first."""
    index = crowd.index(10**9)
    asked = ask_all(crowd, index)
    by_words = {name: [each.found(SHORTLIST) for each in of] for name, of in asked.items()}
    by_words |= strangers(crowd, index)
    if crowd.embeddings is None:
        return by_words, None, None, len(index)
    both = {name: [each.found(SHORTLIST, SHORTLIST) for each in of] for name, of in asked.items()}
    both |= strangers(crowd, crowd.both())
    return by_words, both, shortlists(crowd, asked, index), len(index)


def strangers(crowd, index):
    return {
        "false alarms: pictures that are not among them": false_alarms(crowd, index, crowd.strange),
        "false alarms: drawings that are not among them": false_alarms(crowd, index, crowd.strange_drawn),
    }


def shortlists(crowd, asked, index, most=SHORTLIST):
    """Of the changed pictures whose details RANSAC confirms, how many stand on the shortlist: by visual words, by the
    embedder, on half of each, on both, and on one by visual words that is as long as both."""
    rows = []
    for name, of in asked.items():
        here = [each for each in of if each.detail]
        listed = {
            "words": (most, 0),
            "embedder": (0, most),
            "half of each": (most // 2, most // 2),
            "both": (most, most),
            "twice the words": (2 * most, 0),
        }
        counts = {how: sum(each.listed(*lengths) for each in here) for how, lengths in listed.items()}
        rows.append({"change": name, "confirmed": len(here), **counts})
        print(" ", rows[-1], flush=True)
    sample, both = list(crowd.strange.values())[:12], crowd.both()
    searches = {name: [clocked(each, content) for content in sample] for name, each in
                (("words", index), ("both", both))}  # fmt: skip
    return {
        "embedder": "open_nsfw's ResNet-50",
        "pictures": len(index),
        "most": most,
        "embedder_ms": embedding_ms([*crowd.strange.values(), *crowd.strange_drawn.values()]),
        "bytes": crowd.embed_bytes,
        "search_ms": {name: 1000 * statistics.median(taken) for name, taken in searches.items()},
        "rows": rows,
    }


def embedding_ms(contents):
    """Processor time for each, with reading it."""
    begun = time.process_time()
    for content in contents:
        embed(read_image(content, "a picture"))
    return 1000 * (time.process_time() - begun) / len(contents)


def copies(crowd):
    """Of changed pictures that are registered too, how many the gate tells to be copies of their works; and how many
    strangers it tells to be copies of anything."""
    base, rows, taken = crowd.index(10**9), [], []
    known = dict(list({**crowd.known, **crowd.drawn}.items())[::3])
    for name in COPIED:
        changed = {key: PICTURE_CHANGES[name](content) for key, content in known.items()}
        found, ms = told_copies(base, changed)
        taken.append(ms)
        own = {key: sha256_hex(content) for key, content in known.items()}
        rows.append({"change": name, "asked": len(known), "found": sum(own[key] in found[key] for key in known)})
        print(" ", rows[-1], flush=True)
    for name, strange in (("pictures", crowd.strange), ("drawings", crowd.strange_drawn)):
        found, ms = told_copies(base, strange)
        for key in strange:
            for other in found[key]:
                print(f"  {key} is told to be a copy of {crowd.names.get(other, other)}", flush=True)
        change = f"told to be copies: {name} that are not among them"
        rows.append({"change": change, "asked": len(strange), "found": sum(map(bool, found.values()))})
        print(" ", rows[-1], flush=True)
    return {"pictures": len(base), "ms": statistics.median(taken), "rows": rows}


def told_copies(base, contents):
    """name -> what the gate says that it is a copy of; processor milliseconds for each."""
    made = lay_out([describe(read_image(content, name)) for name, content in contents.items()])
    index = ImageIndex([*base.works, *map(WorkId, contents)], [*base._blocks, made])
    asked, begun = PictureCopies(index), time.process_time()
    found = {
        name: {pair.other for pair in asked.of(len(base) + at)} - set(contents) for at, name in enumerate(contents)
    }
    return found, 1000 * (time.process_time() - begun) / len(contents)


def growth(crowd):
    """Seconds of processor time and recall of the shortlist at each size."""
    rows = []
    for size in SIZES:
        index = crowd.index(size)
        if rows and rows[-1]["pictures"] == len(index):
            continue
        index.search(next(iter(crowd.strange.values())))  # warm
        taken = [clocked(index, content) for content in list(crowd.strange.values())[:8]]
        crops = [PICTURE_CHANGES["crop to 50 % of the area"](content) for content in crowd.known.values()]
        asked = [Asked(index, crop, sha256_hex(c)) for crop, c in zip(crops, crowd.known.values(), strict=True)]
        confirmed = [each for each in asked if each.detail]
        rows.append({"pictures": len(index), "search_ms": 1000 * statistics.median(taken), "confirmed": len(confirmed),
                     "on_shortlist": sum(each.listed(SHORTLIST) for each in confirmed)})  # fmt: skip
        print(" ", " ".join(f"{name}={value:,.4g}" for name, value in rows[-1].items()), flush=True)
    return rows


def clocked(index, content):
    begun = time.process_time()
    index.search(content)
    return time.process_time() - begun


def false_alarms(crowd, index, strange):
    """Strangers that are found. Their names are printed: the same drawing may stand in the packages twice."""
    found = {name: index.search(content) for name, content in strange.items()}
    for name, matches in found.items():
        for match in matches:
            print(f"  false alarm: {name} is told to be {crowd.names[match.work]} by {match.by}, {match.bits} bits, "
                  f"{match.inliers} inliers", flush=True)  # fmt: skip
    return [bool(matches) for matches in found.values()]
