"""A training on disk comes back as it was; what was altered is refused."""

import pytest
import torch

from byline.capture import weights_digest
from byline.core import TrainingError
from byline.training import Recipe, load_corpus, load_model, new_model, save_corpus, save_model

FILES = ["recipe.json", "tokenizer.json", "examples.jsonl", "held_out.jsonl", "tokens.safetensors"]


def refused(code, body):
    with pytest.raises(TrainingError) as fault:
        body()
    assert fault.value.code == code and fault.value.fix


@pytest.fixture
def folder(tmp_path, corpus, recipe):
    save_corpus(tmp_path / "training", corpus, recipe)
    save_model(tmp_path / "training", new_model(recipe), "base")
    return tmp_path / "training"


def test_round_trip(folder, corpus, recipe):
    again, settings = load_corpus(folder)
    assert settings == recipe
    assert again.examples == corpus.examples and again.held_out == corpus.held_out
    for name in ("tokens_NT", "held_out_MT", "base_BT"):
        assert torch.equal(getattr(again, name), getattr(corpus, name))
    assert again.tokenizer.encode("the people of").ids == corpus.tokenizer.encode("the people of").ids
    assert weights_digest(load_model(folder, recipe, "base")) == weights_digest(new_model(recipe))
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "base.safetensors"])  # no .part is left


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [None, b"", b"{", b"{}\n", b'"x"\n', b"\xff\xfe"])
def test_a_file_that_is_missing_or_torn(folder, name, content):
    if content is None:
        (folder / name).unlink()
        refused("no-training", lambda: load_corpus(folder))
    else:
        (folder / name).write_bytes(content)
        refused("bad-training", lambda: load_corpus(folder))


def test_weights_that_are_missing_torn_or_of_another_recipe(folder, recipe):
    refused("no-weights", lambda: load_model(folder, recipe, "final"))
    refused("bad-training", lambda: load_model(folder, Recipe.of("tiny"), "base"))
    (folder / "base.safetensors").write_bytes(b"\0" * 20)
    refused("bad-training", lambda: load_model(folder, recipe, "base"))


def test_an_unknown_effort():
    refused("unknown-effort", lambda: Recipe.of("huge"))
