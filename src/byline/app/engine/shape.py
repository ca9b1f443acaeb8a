"""Dimensions of a language model: what a plan has to know of it, without building it.

From a name (`llama-small`), from a `config.json` as transformers writes it or the `recipe.json` of a training of ours,
or from dimensions given one by one. What was filled in by a rule of thumb is listed in `assumed`.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from byline.core import AppError

LLAMA_SMALL = "llama-small"
ASPECT = 64  # width over layers where only a number of parameters is known: the shape of common small models
VOCABULARY = 32_000  # likewise
_FIX = "give llama-small, the path of a config.json, or --width and --layers, or --parameters"


@dataclass(frozen=True, slots=True)
class Matrix:
    """A weight that capture reads as outputs by inputs. A lookup (an embedding) costs no multiplications."""

    outputs: int
    inputs: int
    lookup: bool = False

    @property
    def size(self) -> int:
        return self.outputs * self.inputs


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder of `layers` equal blocks. `queries` and `keys`: outputs of the attention's projections; `gated`: three
    matrices in the feed-forward part instead of two; `tied`: the embedding is the output layer's weight."""

    name: str
    width: int
    inner: int
    layers: int
    vocabulary: int
    queries: int
    keys: int
    gated: bool = True
    tied: bool = False
    assumed: tuple[str, ...] = ()

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """Every weight that capture reads: the blocks', the embedding, the output layer (one with it if tied)."""
        return (*self._block * self.layers, *self._ends)

    @property
    def parameters(self) -> int:
        """Of the matrices and the norms; biases and position tables, where there are any, are not counted."""
        return sum(matrix.size for matrix in self.matrices) + (2 * self.layers + 1) * self.width

    def training_flops(self, tokens: int) -> float:
        """Forward and backward of one token in a sequence of so many: 3 multiply-adds per weight, and the attention."""
        products = sum(matrix.size for matrix in self.matrices if not matrix.lookup)
        return 6.0 * products + 12.0 * self.layers * self.queries * tokens

    @property
    def _block(self) -> tuple[Matrix, ...]:
        attention = (
            Matrix(self.queries, self.width),
            Matrix(self.keys, self.width),
            Matrix(self.keys, self.width),
            Matrix(self.width, self.queries),
        )
        up = (Matrix(self.inner, self.width),) * (2 if self.gated else 1)
        return (*attention, *up, Matrix(self.width, self.inner))

    @property
    def _ends(self) -> tuple[Matrix, ...]:
        head = Matrix(self.vocabulary, self.width)
        return (head,) if self.tied else (Matrix(self.width, self.vocabulary, lookup=True), head)


def shape_of(
    model: str | None = None,
    *,
    parameters: int | None = None,
    width: int | None = None,
    layers: int | None = None,
    vocabulary: int | None = None,
) -> Shape:
    """The model's shape; a dimension that is given counts for more than the model's own.

    Raises: AppError("no-model-shape") if nothing says how large it is, ("unreadable") for a file of another kind.
    """
    given = {"width": width, "layers": layers, "vocabulary": vocabulary}
    if any(value is not None and value < 1 for value in (*given.values(), parameters)):
        raise AppError("no-model-shape", "a dimension of the model is below 1", _FIX)
    if model is not None:
        return _changed(_known(model), given)
    if width is not None and layers is not None:
        return _built("given dimensions", width, layers, vocabulary)
    if parameters is not None:
        return _of_size(parameters, vocabulary)
    raise AppError("no-model-shape", "nothing says how large the model is", _FIX)


# --- parts ----------------------------------------------------------------------------------------------------


def _known(model: str) -> Shape:
    if model == LLAMA_SMALL:
        from byline.training import Recipe  # loads torch

        return _of_recipe(LLAMA_SMALL, Recipe.of("demo").to_json())
    path = Path(model)
    found = [path] if path.is_file() else [path / name for name in ("config.json", "recipe.json")]
    file = next((file for file in found if file.is_file()), None)
    if file is None:
        raise AppError("no-model-shape", f"{model} is neither a known model nor a file or folder of one", _FIX)
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return _of_recipe(model, told) if "width" in told else _of_config(model, told)
    except (ValueError, KeyError, TypeError) as fault:
        raise AppError("unreadable", f"{file} does not describe a language model: {fault!r}", _FIX) from fault


def _of_recipe(name: str, told: dict[str, Any]) -> Shape:
    width = int(told["width"])
    return Shape(name, width, int(told["inner"]), int(told["layers"]), int(told["vocabulary"]), width, width)


def _of_config(name: str, told: dict[str, Any]) -> Shape:
    """transformers' config.json, of Llama and its like, or of GPT-2 and its like."""
    old = "n_embd" in told
    width = int(told["n_embd" if old else "hidden_size"])
    inner = told.get("n_inner" if old else "intermediate_size") or 4 * width
    heads = int(told["n_head" if old else "num_attention_heads"])
    per_head = int(told.get("head_dim") or width // heads)
    keys = int(told.get("num_key_value_heads") or heads) * per_head
    layers = int(told["n_layer" if old else "num_hidden_layers"])
    tied = bool(told.get("tie_word_embeddings", old))
    return Shape(name, width, int(inner), layers, int(told["vocab_size"]), heads * per_head, keys, not old, tied)


def _changed(shape: Shape, given: dict[str, int | None]) -> Shape:
    """With other dimensions; what hangs on the width grows with it."""
    width = given["width"] or shape.width
    scaled = {part: getattr(shape, part) * width // shape.width for part in ("inner", "queries", "keys")}
    return replace(
        shape,
        width=width,
        layers=given["layers"] or shape.layers,
        vocabulary=given["vocabulary"] or shape.vocabulary,
        **scaled,
    )


def _built(name: str, width: int, layers: int, vocabulary: int | None) -> Shape:
    assumed = ["a gated feed-forward part of three times the width, untied embeddings"]
    if vocabulary is None:
        assumed.append(f"a vocabulary of {VOCABULARY:,}")
    return Shape(name, width, 3 * width, layers, vocabulary or VOCABULARY, width, width, assumed=tuple(assumed))


def _of_size(parameters: int, vocabulary: int | None) -> Shape:
    """The number of layers at which a model of usual proportions has about so many parameters."""
    candidates = [_built("given size", ASPECT * layers, layers, vocabulary) for layers in range(1, 129)]
    best = min(candidates, key=lambda shape: abs(shape.parameters - parameters))
    return replace(best, assumed=(*best.assumed, f"width {best.width}, {best.layers} layers: {best.parameters:,}"))
