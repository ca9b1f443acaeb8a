"""The resolved settings of a reference training. Everything that a replay needs is in here, and nothing else is."""

from dataclasses import dataclass
from typing import Any, Self

from byline.core import TrainingError, digest


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of the reference language model; `effort` is the one dial from which the others follow."""

    effort: str = "demo"
    seed: int = 0
    vocabulary: int = 1024
    width: int = 96  # of the residual stream
    inner: int = 256  # of the feed-forward layers
    layers: int = 2
    heads: int = 4
    sequence: int = 64  # tokens per example
    spans_per_work: int = 4
    base_steps: int = 200  # of the base model, unrecorded; 0 trains from random weights
    base_learning_rate: float = 3e-3
    epochs: int = 4
    batch: int = 16
    learning_rate: float = 1e-3
    warmup: float = 0.1  # part of the steps
    beta2: float = 0.99
    epsilon: float = 1e-5  # large, so that the training is smooth enough to be differentiated
    weight_decay: float = 0.1
    clip: float = 1.0
    rank: int = 16  # of the recorder's projector

    @classmethod
    def of(cls, effort: str, seed: int = 0) -> Self:
        """Raises: TrainingError("unknown-effort")."""
        known: dict[str, dict[str, Any]] = {
            "demo": {},
            "tiny": {
                "vocabulary": 512,
                "width": 32,
                "inner": 64,
                "layers": 1,
                "sequence": 32,
                "spans_per_work": 4,
                "rank": 4,
            },
        }
        if effort not in known:
            raise TrainingError(
                "unknown-effort", f"effort {effort!r} is not one of {sorted(known)}", "choose one of them"
            )
        return cls(effort=effort, seed=seed, **known[effort])

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises: TrainingError("bad-training") unless every setting is there and no other."""
        if not isinstance(value, dict) or set(value) != set(cls.__slots__):
            raise TrainingError("bad-training", "the recipe does not have exactly its settings", "byline train")
        return cls(**value)

    def digest(self) -> str:
        return digest({name: str(value) for name, value in self.to_json().items()})
