"""The reference language model: a small Llama, trained on admitted works, deterministic and replayable.

As in practice there are two stages: a base model learns to read from other text, unrecorded; then it is trained on the
contributors' works while Byline records. What the base brought is the part of an answer that is owed to no contributor.

Order, initial weights and every random draw follow from the recipe's seed, and training runs on one thread, so the same
recipe gives the same weights bit for bit whatever the number of cores. A counterfactual training is the same run with
some examples' weights set to zero and all denominators kept (docs/method.md).
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import torch
import torch.nn.functional as F
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from byline.capture import Projector, Recorder
from byline.training.corpus import Corpus
from byline.training.recipe import Recipe

# Suffixes: N training examples, B rows of a batch, T tokens, V vocabulary

Progress = Callable[[int, int, float], None]  # step, steps, loss


class Recording(Protocol):
    """What the loop needs of a recorder; `Unrecorded` is the one that records nothing."""

    def __enter__(self) -> object: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object: ...
    def batch(self, example_ids: Sequence[str]) -> AbstractContextManager[None]: ...


class Unrecorded:
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...
    def batch(self, example_ids: Sequence[str]) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    model: nn.Module
    losses: tuple[float, ...]  # nats per token, one per step
    cpu_seconds: float  # of the loop, all threads of the process


def new_model(recipe: Recipe) -> nn.Module:
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.width,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=2 * recipe.sequence,
        tie_word_embeddings=False,
        use_cache=False,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=None,
    )
    model: nn.Module = LlamaForCausalLM._from_config(config, attn_implementation="eager")  # type: ignore[no-untyped-call]
    return model


def pretrain(corpus: Corpus, recipe: Recipe, progress: Progress | None = None) -> nn.Module:
    """The base model: one pass over `corpus.base_BT`, from the recipe's random weights; without base text, those."""
    with single_thread():
        model = new_model(recipe)
        batches = torch.split(torch.arange(len(corpus.base_BT)), recipe.batch) if len(corpus.base_BT) else ()
        optimizer = _optimizer(model, recipe, recipe.base_learning_rate)
        for step, rows in enumerate(batches):
            set_learning_rate(optimizer, recipe.base_learning_rate, recipe.warmup, step, len(batches))
            loss = weighted_loss(model, corpus.base_BT[rows], torch.ones(len(rows)))
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            optimizer.zero_grad()
            if progress is not None:
                progress(step + 1, len(batches), loss.item())
    return model


def train(
    model: nn.Module,
    corpus: Corpus,
    recipe: Recipe,
    *,
    weights_N: Tensor | None = None,
    record_to: Path | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train `model` in place; `weights_N` in [0, 1] weighs the examples (None: all 1), `record_to` a new run."""
    with single_thread():
        weights_N = torch.ones(len(corpus.examples)) if weights_N is None else weights_N
        optimizer = _optimizer(model, recipe, recipe.learning_rate)
        recorder: Recording = Unrecorded()
        if record_to is not None:
            allowed = frozenset(example.id for example in corpus.examples)
            recorder = Recorder(model, optimizer, record_to, projector=Projector(recipe.rank), allowed=allowed)
        return _loop(model, optimizer, recorder, corpus, recipe, weights_N, progress)


def _optimizer(model: nn.Module, recipe: Recipe, learning_rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        model.parameters(),
        lr=learning_rate,
        betas=(0.9, recipe.beta2),
        eps=recipe.epsilon,
        weight_decay=recipe.weight_decay,
    )


def _loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    recorder: Recording,
    corpus: Corpus,
    recipe: Recipe,
    weights_N: Tensor,
    progress: Progress | None,
) -> Trained:
    batches = list(batch_order(len(corpus.examples), recipe))
    ids = [example.id for example in corpus.examples]
    losses = []
    started = time.process_time()
    with recorder:  # Byline, line 2 (line 1 made the recorder)
        for step, rows in enumerate(batches):
            set_learning_rate(optimizer, recipe.learning_rate, recipe.warmup, step, len(batches))
            with recorder.batch([ids[row] for row in rows]):  # Byline, line 3
                loss = weighted_loss(model, corpus.tokens_NT[rows], weights_N[rows])
                loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            if progress is not None:
                progress(step + 1, len(batches), losses[-1])
    return Trained(model, tuple(losses), time.process_time() - started)


def weighted_loss(model: nn.Module, tokens_BT: Tensor, weights_B: Tensor) -> Tensor:
    """Mean over the batch of weight times mean negative log-likelihood; the denominator stays the batch."""
    return -(token_log_likelihood(model, tokens_BT).mean(1) * weights_B).sum() / len(weights_B)


def token_log_likelihood(model: nn.Module, tokens_BT: Tensor) -> Tensor:
    """log p(token t | tokens before it), nats: (B, T-1)."""
    logits_BTV = model(input_ids=tokens_BT).logits[:, :-1]
    targets = tokens_BT[:, 1:]
    nll = F.cross_entropy(logits_BTV.reshape(-1, logits_BTV.shape[-1]), targets.reshape(-1), reduction="none")
    return -nll.view(targets.shape)


def batch_order(examples: int, recipe: Recipe) -> Iterator[Tensor]:
    """Row numbers of every batch: a fresh permutation per epoch, the incomplete last batch dropped."""
    generator = torch.Generator().manual_seed(recipe.seed)
    size = min(recipe.batch, examples)
    for _ in range(recipe.epochs):
        order = torch.randperm(examples, generator=generator)
        yield from order[: examples // size * size].view(-1, size)


def set_learning_rate(optimizer: torch.optim.Optimizer, peak: float, warmup: float, step: int, steps: int) -> None:
    """Linear warm-up over a part of the steps, and cosine to zero over all of them."""
    warm = min(1.0, (step + 1) / max(1, round(warmup * steps)))
    for group in optimizer.param_groups:
        group["lr"] = peak * warm * 0.5 * (1 + math.cos(math.pi * step / steps))


@torch.no_grad()
def mean_log_likelihood(model: nn.Module, tokens_MT: Tensor, batch: int = 32) -> Tensor:
    """Mean log-likelihood per token of each sequence, nats: (M,)."""
    if not len(tokens_MT):
        return torch.zeros(0)
    with single_thread():
        parts = [token_log_likelihood(model, part).mean(1) for part in torch.split(tokens_MT, batch)]
    return torch.cat(parts)


def unigram(corpus: Corpus, recipe: Recipe) -> Tensor:
    """log p of each token (nats) by its frequency among the training examples, each count raised by one: (V,)."""
    counts_V = torch.bincount(corpus.tokens_NT.flatten(), minlength=recipe.vocabulary).float() + 1
    return (counts_V / counts_V.sum()).log()


@torch.no_grad()
def generate(model: nn.Module, prompt: Sequence[int], tokens: int, seed: int, temperature: float = 0.7) -> list[int]:
    """Continue a prompt by sampling; the 40 likeliest tokens at each step. Returns prompt and continuation."""
    generator = torch.Generator().manual_seed(seed)
    ids = list(prompt)
    with single_thread():
        for _ in range(tokens):
            logits_V = model(input_ids=torch.tensor([ids])).logits[0, -1] / temperature
            top = logits_V.topk(40)
            choice = torch.multinomial(top.values.softmax(0), 1, generator=generator)
            ids.append(int(top.indices[choice]))
    return ids


def save_weights(model: nn.Module, path: Path) -> None:
    """safetensors, written aside and renamed."""
    part = path.with_suffix(".part")
    save_model(model, str(part))
    part.replace(path)


def load_weights(recipe: Recipe, path: Path) -> nn.Module:
    model = new_model(recipe)
    load_model(model, str(path))
    return model.eval()


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread inside: sums are then made in one order, on every machine and whatever else runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
