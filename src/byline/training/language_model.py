"""The reference language model: a small Llama, trained on admitted works, deterministic and replayable.

As in practice there are two stages: a base model learns to read from other text, unrecorded; then it is trained on the
contributors' works while Byline records. What the base brought is the part of an answer that is owed to no contributor.

Order, initial weights and every random draw follow from the recipe's seed, and training runs on one thread, so the same
recipe gives the same weights bit for bit whatever the number of cores. A counterfactual training is the same run with
some examples' weights set to zero and all denominators kept (docs/method.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from byline.capture import Projector, Recorder
from byline.training.corpus import Corpus
from byline.training.loop import Plan, Progress, Trained, fit, learning_rate
from byline.training.recipe import Recipe

# Suffixes: N training examples, B rows of a batch, T tokens, V vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class LanguageTask:
    """Sequences of tokens as a `Task`: each row's loss is its mean negative log-likelihood per token, nats."""

    tokens_of: Mapping[str, Tensor]  # example id -> token ids (T,)

    @classmethod
    def of(cls, corpus: Corpus) -> "LanguageTask":
        return cls({example.id: row_T for example, row_T in zip(corpus.examples, corpus.tokens_NT, strict=True)})

    def batch(self, example_ids: Sequence[str], step: int) -> Tensor:
        return torch.stack([self.tokens_of[example] for example in example_ids])

    def outputs(self, model: nn.Module, batch: Tensor) -> Tensor:
        """Logits of every token but the first: (B, T-1, V)."""
        logits_BTV: Tensor = model(input_ids=batch).logits[:, :-1]
        return logits_BTV

    def losses(self, outputs: Tensor, batch: Tensor) -> Tensor:
        return -_log_likelihood(outputs, batch[:, 1:]).mean(1)

    def sampled(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Cross-entropy of tokens that the model draws (byline.attribution.sampled). Of a mean over T tokens each
        token's gradient has 1 / T of its variance, not 1 / T^2."""
        logits_RV = outputs.flatten(0, 1)
        labels_R1 = torch.multinomial(logits_RV.detach().softmax(1), 1, generator=generator)
        value: Tensor = F.cross_entropy(logits_RV, labels_R1[:, 0], reduction="sum") / outputs.shape[1] ** 0.5
        return value


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
        if len(corpus.base_BT):
            ids = tuple(str(row) for row in range(len(corpus.base_BT)))
            rows = tuple(tuple(part.tolist()) for part in torch.split(torch.arange(len(ids)), recipe.batch))
            peak = recipe.base_learning_rate
            rates = tuple(learning_rate(peak, recipe.warmup, step, len(rows)) for step in range(len(rows)))
            task = LanguageTask(dict(zip(ids, corpus.base_BT, strict=True)))
            fit(model, new_optimizer(model, recipe), task, Plan(ids, rows, rates, recipe.clip), progress=progress)
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
        optimizer, plan = new_optimizer(model, recipe), new_plan(corpus, recipe)
        recorder = None
        if record_to is not None:
            allowed = frozenset(plan.example_ids)
            recorder = Recorder(
                model,
                optimizer,
                record_to,
                projector=Projector(recipe.rank),
                allowed=allowed,
                checkpoints=6,
                max_norm=recipe.clip,
            )
        return fit(
            model,
            optimizer,
            LanguageTask.of(corpus),
            plan,
            weights_N=weights_N,
            recorder=recorder,
            progress=progress,
        )


def new_plan(corpus: Corpus, recipe: Recipe) -> Plan:
    return Plan.epochs(
        [example.id for example in corpus.examples],
        epochs=recipe.epochs,
        batch=recipe.batch,
        rate=recipe.learning_rate,
        warmup=recipe.warmup,
        clip=recipe.clip,
        seed=recipe.seed,
    )


def new_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        model.parameters(),
        lr=recipe.learning_rate,
        betas=(0.9, recipe.beta2),
        eps=recipe.epsilon,
        weight_decay=recipe.weight_decay,
    )


def token_log_likelihood(model: nn.Module, tokens_BT: Tensor) -> Tensor:
    """log p(token t | tokens before it), nats: (B, T-1)."""
    return _log_likelihood(model(input_ids=tokens_BT).logits[:, :-1], tokens_BT[:, 1:])


def _log_likelihood(logits_BTV: Tensor, targets_BT: Tensor) -> Tensor:
    flat = logits_BTV.reshape(-1, logits_BTV.shape[-1])
    return -F.cross_entropy(flat, targets_BT.reshape(-1), reduction="none").view(targets_BT.shape)


@torch.no_grad()
def mean_log_likelihood(model: nn.Module, tokens_MT: Tensor, batch: int = 32) -> Tensor:
    """Mean log-likelihood per token of each sequence, nats: (M,)."""
    if not len(tokens_MT):
        return torch.zeros(0)
    with single_thread():
        parts = [token_log_likelihood(model, part).mean(1) for part in torch.split(tokens_MT, batch)]
    return torch.cat(parts)


@torch.no_grad()
def excess_log_likelihood(model: nn.Module, tokens_MT: Tensor, batch: int = 32) -> Tensor:
    """Mean log-likelihood per token of each sequence over what the model expects of words that it draws itself, nats:
    (M,). Source: Fast-DetectGPT, arXiv 2310.05130."""
    if not len(tokens_MT):
        return torch.zeros(0)
    parts = []
    with single_thread():
        for tokens_BT in torch.split(tokens_MT, batch):
            logits_BTV = model(input_ids=tokens_BT).logits[:, :-1]
            logp_BTV = logits_BTV.log_softmax(-1)
            entropy_BT = -(logp_BTV.exp() * logp_BTV).sum(-1)
            parts.append((_log_likelihood(logits_BTV, tokens_BT[:, 1:]) + entropy_BT).mean(1))
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
