"""A training on disk: recipe, vocabulary, examples, token ids and final weights. A replay needs this folder only."""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn

from byline.core import CoreError, Example, TrainingError
from byline.training.corpus import Corpus
from byline.training.language_model import load_weights, save_weights
from byline.training.recipe import Recipe

_FILES = ("recipe.json", "tokenizer.json", "examples.jsonl", "held_out.jsonl", "tokens.safetensors")


def save_corpus(folder: Path, corpus: Corpus, recipe: Recipe) -> None:
    """Each file is written aside and renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "recipe.json", json.dumps(recipe.to_json(), indent=1))
    _write(folder / "tokenizer.json", corpus.tokenizer.to_str())
    _write(folder / "examples.jsonl", _lines(corpus.examples))
    _write(folder / "held_out.jsonl", _lines(corpus.held_out))
    part = folder / "tokens.part"
    tensors = {"examples": corpus.tokens_NT, "held_out": corpus.held_out_MT, "base": corpus.base_BT}
    save_file(tensors, str(part))
    part.replace(folder / "tokens.safetensors")


def load_corpus(folder: Path) -> tuple[Corpus, Recipe]:
    """Raises: TrainingError("no-training") if the folder does not hold a whole training, ("bad-training") if a file is
    not as it was written."""
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise TrainingError("no-training", f"{folder} has no {', '.join(missing)}", "byline train")
    try:
        return _read(folder)
    except (CoreError, TypeError, ValueError, KeyError, SafetensorError) as fault:
        raise TrainingError("bad-training", f"{folder} is not as it was written: {fault}", "byline train") from fault


def _read(folder: Path) -> tuple[Corpus, Recipe]:
    recipe = Recipe.from_json(json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
    tokens = load_file(str(folder / "tokens.safetensors"))
    tokenizer = _tokenizer((folder / "tokenizer.json").read_text(encoding="utf-8"))
    examples, held_out = _examples(folder / "examples.jsonl"), _examples(folder / "held_out.jsonl")
    if len(examples) != len(tokens["examples"]) or len(held_out) != len(tokens["held_out"]):
        raise ValueError("examples and tokens differ in number")
    return Corpus(tokenizer, examples, tokens["examples"], held_out, tokens["held_out"], tokens["base"]), recipe


def _tokenizer(text: str) -> Tokenizer:
    try:
        return Tokenizer.from_str(text)
    except Exception as fault:  # tokenizers raises nothing more precise
        raise ValueError(f"tokenizer.json: {fault}") from fault


def save_model(folder: Path, model: nn.Module, stage: str) -> None:
    """`stage`: "base" (before recording began) or "final"."""
    save_weights(model, folder / f"{stage}.safetensors")


def load_model(folder: Path, recipe: Recipe, stage: str) -> nn.Module:
    """Raises: TrainingError("no-weights") if the training did not get that far, ("bad-training")."""
    path = folder / f"{stage}.safetensors"
    if not path.is_file():
        raise TrainingError("no-weights", f"{path} is missing: the training did not finish", "byline train")
    try:
        return load_weights(recipe, path)
    except (RuntimeError, SafetensorError) as fault:
        raise TrainingError("bad-training", f"{path} is not as it was written: {fault}", "byline train") from fault


def _lines(examples: tuple[Example, ...]) -> str:
    return "".join(json.dumps(example.to_json()) + "\n" for example in examples)


def _examples(path: Path) -> tuple[Example, ...]:
    return tuple(Example.from_json(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
