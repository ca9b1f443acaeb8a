"""Bench task: scikit-learn's 1,797 images of handwritten digits, 8 by 8 pixels, and a classifier that reads them.

The data set does not say who wrote what, so the contributors are made up, by a rule that never looks at a model. Within
each digit the images are put in order along their first principal component and cut in the middle: ten digits, two
hands, twenty styles. Photographer p has style p, but a quarter of all images, drawn by lot, go round among all twenty:
each thus has mostly one style, and some of everything. A work is an album of up to eight images of one photographer.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits

from byline.core import digest, example_id, make_id, sha256_hex
from byline.training.classifier import ClassifierTask, classify, log_odds, new_classifier
from byline.training.loop import Plan
from tasks import Bench

PHOTOGRAPHERS, ALBUM = 20, 8
HELD_OUT, QUERIES, GENERATED = 360, 60, 20  # images never trained on; those of them that are asked about
SEED = 0  # of the made-up photographers and of what is held out
# batch, rate and epsilon: so that training is metasmooth (arXiv 2503.13751), which no attribution had a say in
RECIPE = {"epochs": 18, "batch": 128, "learning_rate": 2e-3, "epsilon": 1e-3, "beta2": 0.99, "weight_decay": 0.01}


def make(name):
    images, labels = load_images()
    trained, held_out = split(images, labels)
    ids, works, contributors = catalogue(images, trained)
    images_NCHW = torch.tensor(images[[n for n, _ in trained]] / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    images_MCHW = torch.tensor(images[held_out] / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    labels_M = torch.tensor(labels[held_out])

    def generate(model):
        """What a classifier makes is an answer: its own, right or wrong, on images that no other query is about."""
        mine = slice(QUERIES, QUERIES + GENERATED)
        return tuple(zip(images_MCHW[mine], classify(model, images_MCHW[mine]), strict=True))

    @torch.no_grad()
    def measure_all(model, queries):
        return log_odds(model, *(torch.stack(part) for part in zip(*queries, strict=True)))

    return Bench(
        name=name,
        example_ids=ids,
        works=works,
        contributors=contributors,
        task=ClassifierTask(
            dict(zip(ids, images_NCHW, strict=True)),
            {i: int(labels[n]) for i, (n, _) in zip(ids, trained, strict=True)},
        ),
        model=lambda seed: new_classifier(SEED),
        optimizer=lambda model: adamw(model, RECIPE),
        plan=lambda seed: Plan.epochs(
            ids, epochs=RECIPE["epochs"], batch=RECIPE["batch"], rate=RECIPE["learning_rate"], seed=seed
        ),
        held_out=tuple(zip(images_MCHW[:QUERIES], labels_M[:QUERIES], strict=True)),
        generate=generate,
        measure=lambda model, query: log_odds(model, query[0][None], query[1][None])[0],
        measure_all=measure_all,
        features=lambda: (images_NCHW.flatten(1), lambda query: query[0].flatten()),
        notes={"recipe": RECIPE, "catalogue": digest([list(ids), list(works)]), "measure": "log odds of the label"},
    )


def load_images():
    """Pixels 0..16 (1797, 64) and digits (1797,), as integers."""
    data = load_digits()
    return data.data.astype(np.int64), data.target.astype(np.int64)


def split(images, labels):
    """Training images as (number, photographer), album by album, and the numbers of the held-out ones.

    Held-out images come style by style in turn, so that the first of them cover all twenty alike.
    """
    order = np.random.RandomState(SEED).permutation(len(images))
    style = styles(images, labels)
    turns = [[n for n in order if style[n] == s][: HELD_OUT // PHOTOGRAPHERS] for s in range(PHOTOGRAPHERS)]
    held_out = [int(n) for turn in zip(*turns, strict=True) for n in turn]
    rest = [int(n) for n in order if n not in set(held_out)]
    owner = {n: (k // 4) % PHOTOGRAPHERS if k % 4 == 0 else int(style[n]) for k, n in enumerate(rest)}
    return [(n, p) for p in range(PHOTOGRAPHERS) for n in rest if owner[n] == p], held_out


def styles(images, labels):
    """Number of each image's style, 2 * digit + half: (1797,)."""
    found = np.zeros(len(images), dtype=np.int64)
    for digit in range(10):
        mine = np.flatnonzero(labels == digit)
        pixels = images[mine] - images[mine].mean(0)
        axis = np.linalg.eigh(pixels.T @ pixels)[1][:, -1]
        axis = axis * np.sign(axis[np.abs(axis).argmax()])  # an eigenvector's sign is anybody's guess
        rank = np.argsort(np.argsort(pixels @ axis, kind="stable"), kind="stable")
        found[mine] = 2 * digit + (rank >= len(mine) // 2)
    return found


def catalogue(images, trained):
    """Example ids, the work of each example, and the contributor of each work."""
    ids, works, contributors, place = [], [], {}, dict.fromkeys(range(PHOTOGRAPHERS), 0)
    for n, photographer in trained:
        name, k = f"photographer {photographer:02}", place[photographer]
        work = make_id("work", name, k // ALBUM)
        ids.append(example_id(work, k % ALBUM, k % ALBUM + 1, sha256_hex(images[n].astype("<i8").tobytes())))
        works.append(work)
        contributors[work] = name
        place[photographer] += 1
    return tuple(ids), tuple(works), contributors


def adamw(model, recipe):
    return torch.optim.AdamW(
        model.parameters(),
        lr=recipe["learning_rate"],
        betas=(0.9, recipe["beta2"]),
        eps=recipe["epsilon"],
        weight_decay=recipe["weight_decay"],
    )
