"""Make src/byline/lookup/vocabulary.npy: 64 kinds of detail and 64 below each, from the pictures of a folder.

    python benchmarks/lookup_vocabulary.py FOLDER [FOLDER ...]

Every second picture of the folders (the ones that benchmarks/lookup.py does not register), 60 features of each. Ours is
of photographs and drawings of Debian's wallpaper packages and of openclipart-svg (public domain).
"""

import sys
from pathlib import Path

import numpy as np
from lookup_changes import pictures

from byline.lookup.picture import local_features, read_image
from byline.lookup.visual_words import BRANCHES, nearest

TARGET = Path(__file__).parents[1] / "src" / "byline" / "lookup" / "vocabulary.npy"


def centres(features, count, draw, rounds=12):
    """Lloyd's k-means; a centre that nothing is near to is put on a feature drawn at random."""
    kinds = features[draw.choice(len(features), count, replace=len(features) < count)].copy()
    for _ in range(rounds):
        near = nearest(features, kinds)
        for kind in range(count):
            mine = features[near == kind]
            kinds[kind] = mine.mean(0) if len(mine) else features[draw.integers(len(features))]
    return kinds


def main():
    draw = np.random.default_rng(0)
    found = [content for folder in sys.argv[1:] for content in list(pictures(Path(folder)).values())[1::2]]
    some = []
    for content in found:
        own = local_features(read_image(content, "a picture")).descriptors_F
        some.append(own[draw.permutation(len(own))[:60]])
    features = np.concatenate(some).astype(np.float32)
    first = centres(features, BRANCHES, draw)
    near = nearest(features, first)
    below = [centres(features[near == kind], BRANCHES, draw) for kind in range(BRANCHES)]
    np.save(TARGET, np.rint(np.stack([first, *below])).astype(np.uint8), allow_pickle=False)
    print(f"{len(found)} pictures, {len(features):,} features: {TARGET} ({TARGET.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
