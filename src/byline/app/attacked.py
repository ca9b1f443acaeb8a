"""What attacks on a finished training brought by the scores that pay, kept beside it; and what follows for the words.

Words are chosen by whoever writes them. They may divide money only where every attack on that run, made with these very
weights, stayed within its bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from byline.app.attack import Outcome
from byline.app.game import weights_digest
from byline.app.home import read_json, write_json
from byline.core import AppError
from byline.evaluation import Channelled


@dataclass(frozen=True, slots=True)
class Made:
    """How the attacks were made: on which run, with which blend (None: the transport), draws and prior."""

    run: str
    weights: Channelled | None
    seed: int
    prior: str


def keep_attacks(folder: Path, made: Made, found: Mapping[str, Outcome], today: date) -> None:
    """Kept as attack.json in the training's folder, beside those that were made otherwise."""
    told = {
        "run": made.run,
        "made": today.isoformat(),
        "seed": made.seed,
        "prior": made.prior,
        "above": above(found),
        "outcomes": {name: each.to_json() for name, each in found.items()},
    }
    kept = _kept(folder)
    kept.setdefault(_key(made.weights), {})[f"{made.prior}, seed {made.seed}"] = told
    write_json(folder / "attack.json", kept)


def above(found: Mapping[str, Outcome]) -> list[str]:
    """Attacks that gain more than is claimed."""
    return [name for name, each in found.items() if each.gain_defended_ppm > each.bound_ppm]


def refuse_unless_attacked(folder: Path, run: str, weights: Channelled) -> None:
    """Raises: AppError("words-not-attacked") if no attacks were made by these weights on this run,
    AppError("words-pay-attackers") if one of them, under any draws and prior, gained more than its bound."""
    made = [each for each in _kept(folder).get(_key(weights), {}).values() if each["run"] == run]
    if not made:
        says = "nobody has attacked this run by scores that the words are part of"
        raise AppError("words-not-attacked", says, f"byline attack --name {folder.name} --words")
    if gained := sorted({name for each in made for name in each["above"]}):
        says = f"with the words, {', '.join(gained)} brings more than its bound"
        raise AppError("words-pay-attackers", says, "leave --words out: the audit shows the words' channel alone")


def _kept(folder: Path) -> dict[str, Any]:
    path = folder / "attack.json"
    found: dict[str, Any] = read_json(path, "byline attack --name, after deleting it") if path.is_file() else {}
    return found


def _key(weights: Channelled | None) -> str:
    return "transport" if weights is None else weights_digest(weights)
