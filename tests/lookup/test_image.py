import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from byline.core import LookupFault, WorkId
from byline.lookup import PICTURES, ImageIndex, ImageMatch, MediaFolder, read_image


def picture(seed, side=420):
    """Many shapes at random places: detail enough for features."""
    draw_from = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side * 3 // 4), tuple(draw_from.integers(0, 255, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(150):
        x, y, w, h = (int(n) for n in draw_from.integers([0, 0, 5, 5], [side, side, 60, 60]))
        colour = tuple(draw_from.integers(0, 255, 3).tolist())
        (pen.ellipse if draw_from.random() < 0.5 else pen.rectangle)([x, y, x + w, y + h], fill=colour)
    return image


def stored(image, kind="PNG", **more):
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


@pytest.fixture(scope="module")
def index():
    return ImageIndex.build((WorkId(f"work:{seed}"), stored(picture(seed))) for seed in range(4))


CHANGES = {
    "same": lambda image: stored(image),
    "jpeg": lambda image: stored(image, "JPEG", quality=30),
    "small": lambda image: stored(image.resize((image.width // 2, image.height // 2))),
    "mirror": lambda image: stored(ImageOps.mirror(image)),
    "quarter turn": lambda image: stored(image.transpose(Image.Transpose.ROTATE_90)),
    "crop": lambda image: stored(image.crop((90, 60, 390, 280))),
    "mirrored crop": lambda image: stored(ImageOps.mirror(image).crop((90, 60, 390, 280))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_is_found_and_no_other(index, change):
    (found,) = index.search(CHANGES[change](picture(2)))
    assert found.work == "work:2" and ImageMatch.from_json(found.to_json()) == found
    assert found.turned == (change in ("mirror", "quarter turn", "mirrored crop"))
    assert (found.by == "features") == ("crop" in change)
    if found.by == "hash":
        assert found.bits <= 31
    assert index.search(CHANGES[change](picture(9))) == []


def test_a_flat_picture_is_like_nothing(index):
    flat = ImageIndex.build([(WorkId("work:flat"), stored(Image.new("RGB", (200, 200), "grey")))])
    for other in (flat, index):
        assert other.search(stored(Image.new("RGB", (300, 100), "white"))) == []


def test_a_part_is_told_with_its_place_its_turn_and_its_size(index):
    whole = picture(2)
    (found,) = index.search(stored(ImageOps.mirror(whole.crop((60, 45, 300, 225)))))
    lies = found.alignment
    assert found.mirrored and abs(lies.degrees) <= 1 and lies.query_ppm > 950_000
    assert abs(lies.work_ppm / 1e6 - (240 * 180) / (whole.width * whole.height)) < 0.03
    left, top = min(lies.corners[::2]) * whole.width / 1e6, min(lies.corners[1::2]) * whole.height / 1e6
    assert abs(left - 60) < 6 and abs(top - 45) < 6
    canvas = Image.new("RGB", (900, 900), "grey")
    canvas.paste(whole.rotate(-20), (100, 200))
    (found,) = index.search(stored(canvas))
    assert abs(found.alignment.degrees - 20) <= 1 and found.alignment.query_ppm < 300_000
    assert found.alignment.work_ppm > 950_000 and not found.mirrored


def test_a_plain_picture_is_found_by_its_look_and_one_of_a_single_colour_never():
    slope = Image.linear_gradient("L").resize((300, 200))
    plain = Image.merge("RGB", (slope, slope.point(lambda v: v // 2), slope.point(lambda v: 255 - v)))
    index = ImageIndex.build(
        [(WorkId("work:slope"), stored(plain)), (WorkId("work:flat"), stored(Image.new("RGB", (90, 90), "red")))]
    )
    for change in (plain, plain.resize((150, 100)), ImageOps.flip(plain)):
        (found,) = index.search(stored(change, "JPEG", quality=60))
        assert (found.work, found.by) == ("work:slope", "look")
    assert found.turned
    assert index.search(stored(ImageOps.invert(plain))) == []
    assert index.search(stored(Image.new("RGB", (90, 90), "red"))) == []


def test_a_shortlist_finds_what_all_pictures_would(index):
    every = ImageIndex.build(((WorkId(f"work:{seed}"), stored(picture(seed))) for seed in range(12)), shortlist=99)
    few = ImageIndex(every.works, every._blocks, shortlist=2)
    for seed in (0, 5, 11):
        query = stored(picture(seed).crop((90, 60, 390, 280)))
        assert few.search(query) == every.search(query) != []


def test_transparency_is_white_and_a_bomb_is_not_unpacked():
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert read_image(stored(clear), "x").min() == 255
    bomb = stored(Image.new("1", (8_000, 8_000)))
    assert len(bomb) < 200_000
    with pytest.raises(LookupFault, match="too many"):
        read_image(bomb, "x", 50_000_000)


def test_kept_and_mapped_again(index, tmp_path):
    contents = {f"{seed:064x}": stored(picture(seed)) for seed in range(4)}
    folder = MediaFolder(tmp_path / "pictures", PICTURES)
    assert folder.add(contents, contents.__getitem__) == 4 and folder.problems() == []
    again = ImageIndex.of(MediaFolder(tmp_path / "pictures", PICTURES))
    query = stored(picture(1).crop((50, 50, 350, 300)))
    (found,), (expected,) = again.search(query), index.search(query)
    assert found.work == f"{1:064x}" and found.alignment == expected.alignment
    empty = ImageIndex.of(MediaFolder(tmp_path / "none", PICTURES))
    assert empty.search(query) == []


@pytest.mark.parametrize("content", [b"", b"text", stored(picture(0))[:200], b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_is_no_picture_is_refused(index, content):
    with pytest.raises(LookupFault) as fault:
        index.search(content)
    assert fault.value.code == "bad-image"


@pytest.mark.parametrize("package", ["pdqhash", "cv2", "PIL.Image"])
def test_a_missing_package_is_no_no(index, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(LookupFault) as fault:
        index.search(stored(picture(2)))
    assert fault.value.code == "lookup-missing" and fault.value.fix == "pip install 'byline[images]'"
