"""How fast this machine trains: forward and backward passes of a model like the planned one, for some seconds."""

import time
from dataclasses import dataclass

import torch

from byline.app.engine.shape import Shape
from byline.training import Recipe, new_model, single_thread, token_log_likelihood

WIDEST, DEEPEST, WORDS = 1024, 4, 2048  # a larger model is stood in for by one of these dimensions
ROWS = 8


@dataclass(frozen=True, slots=True)
class Speed:
    gflops: float  # 10^9 floating-point operations of forward and backward passes per second of CPU time, one thread
    steps: int
    says: str


def measure_speed(shape: Shape, tokens: int, seconds: float = 10.0) -> Speed:
    """One thread, as the reference trainings run. CPU time is counted, so that others on the machine disturb little."""
    recipe = _stand_in(shape, tokens)
    stand = Shape("stand-in", recipe.width, recipe.inner, recipe.layers, recipe.vocabulary, recipe.width, recipe.width)
    with single_thread(), torch.random.fork_rng(devices=[]):
        model = new_model(recipe)
        tokens_BT = torch.randint(recipe.vocabulary, (ROWS, recipe.sequence))
        steps, spent = 0, 0.0
        until = time.monotonic() + seconds
        while steps < 2 or time.monotonic() < until:
            spent += _step(model, tokens_BT) if steps else 0 * _step(model, tokens_BT)  # the first one warms up
            steps += 1
    flops = stand.training_flops(recipe.sequence) * tokens_BT.numel() * (steps - 1)
    says = (
        f"measured: {steps - 1} steps of a model of width {recipe.width}, {recipe.layers} layers, {ROWS} rows of "
        f"{recipe.sequence} tokens, one thread, CPU time"
    )
    return Speed(flops / spent / 1e9, steps - 1, says)


def _step(model: torch.nn.Module, tokens_BT: torch.Tensor) -> float:
    started = time.thread_time()
    loss = -token_log_likelihood(model, tokens_BT).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    model.zero_grad()
    return time.thread_time() - started


def _stand_in(shape: Shape, tokens: int) -> Recipe:
    width = min(WIDEST, max(32, shape.width // 32 * 32))
    return Recipe(
        vocabulary=min(WORDS, shape.vocabulary),
        width=width,
        inner=max(32, shape.inner * width // shape.width),
        layers=min(DEEPEST, shape.layers),
        sequence=min(tokens, 512),
    )
