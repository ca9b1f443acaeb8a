import dataclasses

import pytest
import torch

from byline.training import Recipe, build_corpus

WORDS = "the of and people state union congress war peace law money land great year power river ship house".split()


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """The models are tiny: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def text(seed, words=260):
    """Prose of a few words in which each is mostly followed by one of three: something can be learned."""
    generator = torch.Generator().manual_seed(seed)
    at, found = seed % len(WORDS), []
    for _ in range(words):
        found.append(WORDS[at])
        at = (at * 5 + int(torch.randint(1, 4, (), generator=generator))) % len(WORDS)
    return " ".join(found) + "."


@pytest.fixture(scope="package")
def recipe():
    tiny = Recipe.of("tiny", seed=3)
    return dataclasses.replace(
        tiny, vocabulary=300, width=16, inner=24, heads=2, sequence=16, batch=4, epochs=2, base_steps=2
    )


@pytest.fixture(scope="package")
def texts():
    return {f"work:{i}": text(i) for i in range(5)}


@pytest.fixture(scope="package")
def corpus(texts, recipe):
    return build_corpus(texts, recipe, base=[text(50), text(51)])
