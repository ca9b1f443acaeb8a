"""Bench task: a diffusion model of the digits of `digits.py`, with the same photographers, albums and held-out images.

A query is an image, held out or made by the model; it is measured by how well the model restores it from noise.
"""

import torch

from byline.core import digest
from byline.training.diffusion import DiffusionTask, Draws, denoising_score, new_denoiser, sample
from byline.training.loop import Plan
from tasks import Bench
from tasks.digits import GENERATED, QUERIES, SEED, adamw, catalogue, load_images, split

RECIPE = {  # batch, rate and epsilon as in digits.py
    "epochs": 24,
    "batch": 128,
    "draws": 4,
    "learning_rate": 8e-3,
    "epsilon": 1e-3,
    "beta2": 0.99,
    "weight_decay": 0.01,
}
DRAWS = 32  # of a measurement
STEPS = 20  # of the sampler


def make(name):
    images, labels = load_images()
    trained, held_out = split(images, labels)
    ids, works, contributors = catalogue(images, trained)
    scaled = torch.tensor(images / 8 - 1, dtype=torch.float32)
    images_NP, images_MP = scaled[[n for n, _ in trained]], scaled[held_out]
    draws = Draws.fixed(DRAWS, images_NP.shape[1], SEED)

    def generate(model):
        noise_QP = torch.randn(GENERATED, images_NP.shape[1], generator=torch.Generator().manual_seed(SEED))
        return tuple(sample(model, noise_QP, STEPS))

    @torch.no_grad()
    def measure_all(model, queries):
        return denoising_score(model, torch.stack(list(queries)), draws)

    return Bench(
        name=name,
        example_ids=ids,
        works=works,
        contributors=contributors,
        task=DiffusionTask(dict(zip(ids, images_NP, strict=True)), RECIPE["draws"], SEED),
        model=lambda seed: new_denoiser(SEED),
        optimizer=lambda model: adamw(model, RECIPE),
        plan=lambda seed: Plan.epochs(
            ids, epochs=RECIPE["epochs"], batch=RECIPE["batch"], rate=RECIPE["learning_rate"], seed=seed
        ),
        held_out=tuple(images_MP[:QUERIES]),
        generate=generate,
        measure=lambda model, query: denoising_score(model, query[None], draws)[0],
        measure_all=measure_all,
        features=lambda: (images_NP, lambda query: query),
        notes={
            "recipe": RECIPE,
            "catalogue": digest([list(ids), list(works)]),
            "measure": f"minus mean squared error over {DRAWS} fixed draws",
        },
    )
