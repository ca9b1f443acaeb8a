"""Copies within a collection: found after real changes, and not where pictures only have a frame in common."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from byline.core import PPM, WorkId
from byline.lookup import Alike, AudioIndex, ImageIndex, PictureCopies, SoundCopies
from byline.lookup.alike_sounds import FEW, SHARED_PPM, shared_part
from byline.lookup.picture import align, dihedral_hashes, local_features, mirrored, turned_hashes


def picture(seed, size=(420, 320)):
    draw_from = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(draw_from.integers(0, 255, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(150):
        x, y, w, h = (int(n) for n in draw_from.integers([0, 0, 5, 5], [size[0], size[1], 60, 60]))
        colour = tuple(draw_from.integers(0, 255, 3).tolist())
        (pen.ellipse if draw_from.random() < 0.5 else pen.rectangle)([x, y, x + w, y + h], fill=colour)
    return image


def stored(image, kind="PNG", **more):
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


CHANGES = {
    "saved again": lambda image: stored(image, "JPEG", quality=40),
    "smaller and paler": lambda image: stored(ImageEnhance.Color(image.resize((210, 160))).enhance(0.4)),
    "mirrored": lambda image: stored(ImageOps.mirror(image)),
    "crop": lambda image: stored(image.crop((90, 60, 390, 280))),
    "mirrored crop": lambda image: stored(ImageOps.mirror(image).crop((90, 60, 390, 280))),
    "turned": lambda image: stored(image.rotate(25)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("copy_first", [False, True])
def test_a_copy_is_found_among_others_whichever_was_there_first(change, copy_first):
    contents = [stored(picture(seed)) for seed in range(12)]
    contents.insert(0 if copy_first else len(contents), CHANGES[change](picture(5)))
    index = ImageIndex.build((WorkId(f"{number:02d}"), content) for number, content in enumerate(contents))
    copies = PictureCopies(index)
    found = {tuple(sorted((pair.one, pair.other))) for number in range(13) for pair in copies.of(number)}
    assert found == {("00", "06") if copy_first else ("05", "12")}
    (pair,) = copies.of(0 if copy_first else 12)
    assert pair.shared_ppm > 300_000 and (pair.by == "look" or pair.mirrored == ("mirrored" in change))
    assert Alike.from_json(pair.to_json()) == pair


def test_many_copies_do_not_hide_the_work_that_they_are_copies_of():
    whole = picture(5)
    crops = [stored(whole.crop((80 + n, 60, 330 + n, 250))) for n in range(10)]
    contents = [*(stored(picture(seed)) for seed in range(20, 22)), *crops, stored(whole)]
    first = [*range(1, len(contents)), 0]  # the work was registered first
    index = ImageIndex.build((WorkId(str(number)), content) for number, content in enumerate(contents))
    copies, work = PictureCopies(index, first), str(len(contents) - 1)
    found = {frozenset((p.one, p.other)) for number in np.argsort(first) for p in copies.of(int(number))}
    assert all(frozenset((str(number), work)) in found for number in range(2, 12))


def test_pictures_on_one_sheet_and_with_one_mark_are_different():
    def framed(seed):
        sheet = picture(100)
        sheet.paste(picture(seed, (320, 220)), (50, 50))
        return stored(sheet)

    def marked(seed):
        image = picture(seed)
        image.paste(picture(200, (90, 60)), (10, 10))
        return stored(image)

    for made in (framed, marked):
        index = ImageIndex.build((WorkId(str(seed)), made(seed)) for seed in range(3))
        assert [PictureCopies(index).of(number) for number in range(3)] == [[], [], []]


def test_small_drawings_on_large_pages_are_told_apart_and_plain_copies_found():
    def page(x):
        sheet = Image.new("RGB", (400, 400), "white")
        ImageDraw.Draw(sheet).ellipse([x, 180, x + 30, 210], fill="black")
        return stored(sheet)

    slope = Image.linear_gradient("L").resize((300, 200))
    plain = Image.merge("RGB", (slope, slope.point(lambda v: v // 2), slope.point(lambda v: 255 - v)))
    contents = [page(60), page(300), stored(plain), stored(plain.resize((200, 130)), "JPEG", quality=50)]
    copies = PictureCopies(ImageIndex.build((WorkId(str(n)), content) for n, content in enumerate(contents)))
    assert copies.of(0) == copies.of(1) == []
    assert copies.of(2) == [Alike("2", "3", "look", PPM)]
    flat = ImageIndex.build((WorkId(c), stored(Image.new("RGB", (50, 50), c))) for c in ("navy", "black"))
    assert PictureCopies(flat).of(0) == []


def test_mirror_images_need_no_pixels():
    pixels = np.asarray(picture(3))
    seen = local_features(np.ascontiguousarray(pixels[:, ::-1]))
    told = mirrored(local_features(pixels))
    lies = align(told, seen)
    assert lies.inliers > 0.8 * len(seen.points_F2) and lies.degrees == 0
    assert mirrored(told).descriptors_F.tolist() == local_features(pixels).descriptors_F.tolist()
    true, turned = dihedral_hashes(pixels)[0], turned_hashes(dihedral_hashes(pixels)[0][0])
    for position in true:
        assert np.bitwise_count(turned ^ position).sum(1).min() <= 31


# --- sounds


def prints(seed, count=300):
    return np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)


def worn(given, part, seed=5):
    flips = np.random.default_rng(seed).random((len(given), 32)) < part
    return given ^ np.packbits(flips, axis=1, bitorder="little").view(np.uint32).ravel()


@pytest.mark.parametrize("count", [3, FEW + 10])
def test_a_clip_of_a_recording_is_found_in_either_order(count):
    others = [prints(seed) for seed in range(count)]
    clip = worn(others[1][100:220], 0.05)
    for recordings, one, other, apart in (([*others, clip], count, 1, 0), ([clip, *others], 0, 2, 1)):
        copies = SoundCopies(AudioIndex([WorkId(str(n)) for n in range(count + 1)], recordings))
        assert copies.of(one) == [Alike(str(one), str(other), "sound", PPM)]
        assert [pair.other for pair in copies.of(other)] == [str(one)]
        assert copies.of(apart) == []


def test_many_clips_do_not_hide_the_recording_that_they_are_of():
    whole = prints(1, 600)
    clips = [worn(whole[100 + n : 260 + n], 0.02, seed=n) for n in range(30)]
    recordings = [*(prints(seed) for seed in range(50, 60)), *clips, whole]
    copies = SoundCopies(AudioIndex([WorkId(str(n)) for n in range(41)], recordings), [*range(1, 41), 0])
    found = {frozenset((p.one, p.other)) for n in [40, *range(40)] for p in copies.of(n)}
    assert all(frozenset((str(n), "40")) in found for n in range(10, 40))


def test_silence_in_common_is_no_copy():
    silence = np.full(60, 627964279, np.uint32)
    recordings = [np.concatenate([prints(seed, 240), silence]) for seed in range(FEW + 10)]
    copies = SoundCopies(AudioIndex([WorkId(str(n)) for n in range(len(recordings))], recordings))
    assert [copies.of(n) for n in range(3)] == [[], [], []]
    assert shared_part(np.full(300, 627964279, np.uint32), recordings[0]) == 0
    assert shared_part(recordings[0], np.full(300, 627964279, np.uint32)) == 0


@pytest.mark.parametrize("parts", range(4))
def test_what_is_shared_is_counted_in_parts_of_the_shorter_one(parts):
    longer = prints(1, 400)
    shorter = np.concatenate([longer[80 * n : 80 * (n + 1)] if n < parts else prints(50 + n, 80) for n in range(4)])
    assert shared_part(shorter, longer) == shared_part(longer, shorter) == PPM * parts // 4
    assert (PPM * parts // 4 >= SHARED_PPM) == (parts >= 2)
