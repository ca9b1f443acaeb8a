import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from byline.core import LookupFault, WorkId
from byline.lookup import ImageIndex, ImageMatch


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


def test_kept_and_read_again(index, tmp_path):
    index.save(tmp_path / "images.npz")
    again = ImageIndex.load(tmp_path / "images.npz")
    query = stored(picture(1).crop((50, 50, 350, 300)))
    assert again.search(query) == index.search(query) and again.works == index.works
    (tmp_path / "images.npz").write_bytes((tmp_path / "images.npz").read_bytes()[:-200])
    with pytest.raises(LookupFault) as fault:
        ImageIndex.load(tmp_path / "images.npz")
    assert fault.value.code == "bad-index"
    ImageIndex([], []).save(tmp_path / "none.npz")
    assert ImageIndex.load(tmp_path / "none.npz").search(query) == []


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
