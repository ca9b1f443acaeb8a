"""From admitted works to training examples: a byte-pair vocabulary learned on them, and spans of fixed length.

An example is a span of one work with its content hash, never a row number. Spans are spread evenly over each work; the
spans between them were never seen in training, and some of those are kept as held-out passages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from byline.core import Example, TrainingError, WorkId, example_id, sha256_hex
from byline.training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """`tokens_NT[n]` are the token ids of `examples[n]`; `held_out_MT[m]` those of `held_out[m]`, never trained on;
    `base_BT` is other text, which a base model reads before recording begins."""

    tokenizer: Tokenizer
    examples: tuple[Example, ...]
    tokens_NT: Tensor
    held_out: tuple[Example, ...]
    held_out_MT: Tensor
    base_BT: Tensor

    def begins_word(self, token: int) -> bool:
        """True if the token starts with white space: byte-level BPE writes a blank as Ġ and a line end as Ċ."""
        return (self.tokenizer.id_to_token(token) or "").startswith(("Ġ", "Ċ"))


def build_corpus(texts: Mapping[WorkId, str], recipe: Recipe, base: Sequence[str] = ()) -> Corpus:
    """Deterministic in the texts, the recipe and the base texts; the order of `texts` does not matter.

    Raises: TrainingError("no-text") if no work is long enough for one span.
    """
    ordered = dict(sorted(texts.items()))
    tokenizer = train_tokenizer(ordered, recipe.vocabulary)
    trained: list[tuple[Example, list[int]]] = []
    held_out: list[tuple[Example, list[int]]] = []
    for work, text in ordered.items():
        spans = _spans(tokenizer, work, text, recipe.sequence)
        chosen = _spread(len(spans), recipe.spans_per_work)
        trained += [spans[i] for i in chosen]
        between = [i for i in range(len(spans)) if i not in set(chosen)]
        held_out += [spans[between[i]] for i in _spread(len(between), 1, last=True)]
    if not trained:
        raise TrainingError(
            "no-text",
            f"none of {len(ordered)} works has {recipe.sequence} tokens",
            "register longer works or lower the sequence length",
        )
    columns = (*_columns(trained, recipe.sequence), *_columns(held_out, recipe.sequence))
    return Corpus(tokenizer, *columns, _base(tokenizer, base, recipe))


def train_tokenizer(texts: Mapping[WorkId, str], vocabulary: int) -> Tokenizer:
    """Byte-level BPE (Sennrich 2016, arXiv 1508.07909) learned on the admitted works alone."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts.values(), trainer)
    return tokenizer


def _spans(tokenizer: Tokenizer, work: WorkId, text: str, length: int) -> list[tuple[Example, list[int]]]:
    """Runs of `length` tokens, one behind the other; a character whose bytes two of them share is the first one's."""
    encoding = tokenizer.encode(text)
    ids, offsets = encoding.ids, encoding.offsets  # each look-up makes the whole list anew
    spans = []
    end = 0
    for at in range(0, len(ids) - length + 1, length):
        start, end = max(end, offsets[at][0]), offsets[at + length - 1][1]
        content = sha256_hex(text[start:end].encode())
        example = Example(example_id(work, start, end, content), work, start, end, content)
        spans.append((example, ids[at : at + length]))
    return spans


def _base(tokenizer: Tokenizer, texts: Sequence[str], recipe: Recipe) -> Tensor:
    """As many sequences of the base texts, in an order drawn from the seed, as the base model will read."""
    length = recipe.sequence
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    rows = [part[at : at + length] for part in ids for at in range(0, len(part) - length + 1, length)]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(recipe.seed))
    wanted = order[: recipe.base_steps * recipe.batch].tolist()
    return torch.tensor([rows[i] for i in wanted], dtype=torch.long).reshape(-1, length)


def _spread(total: int, wanted: int, last: bool = False) -> list[int]:
    """At most `wanted` of range(total), evenly spread; the later end if `last`."""
    if total <= wanted:
        return list(range(total))
    if wanted == 1:
        return [total - 1 if last else total // 2]
    return sorted({round(i * (total - 1) / (wanted - 1)) for i in range(wanted)})


def _columns(spans: list[tuple[Example, list[int]]], length: int) -> tuple[tuple[Example, ...], Tensor]:
    return tuple(example for example, _ in spans), torch.tensor([ids for _, ids in spans]).reshape(-1, length)
