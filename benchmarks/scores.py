"""Scores that were kept: `.bench/TASK/scores/METHOD.safetensors`, from which the table can be made again.

    save("finetune", "my-method", scores_QN, queries=[0, 1, 2], cost=3.1, seconds=40, recipe=recipe_digest(bench))

Examples are in the order of the task; `queries` numbers the rows (held out first, then generated), so a method may be
known for some queries only. A file made for another recipe of the task is not read.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

BENCH = Path(__file__).parents[1] / ".bench"


@dataclass(frozen=True, eq=False)
class Scores:
    """`scores_QN` of the queries numbered `queries_Q`; `cost` in epochs, `seconds` of this machine."""

    scores_QN: np.ndarray
    queries_Q: np.ndarray
    cost: float
    seconds: float

    def of(self, queries):
        """Rows of those of `queries` that are known, and which those are."""
        row = {int(q): n for n, q in enumerate(self.queries_Q)}
        known = [q for q in queries if q in row]
        return self.scores_QN[[row[q] for q in known]], known


def save(task, method, scores_QN, *, queries, cost, seconds, recipe, root=BENCH):
    path = root / task / "scores" / f"{method}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "scores_QN": np.ascontiguousarray(scores_QN, dtype=np.float32),
        "queries_Q": np.array(queries, dtype=np.int32),
    }
    if len(arrays["scores_QN"]) != len(queries) or not np.isfinite(arrays["scores_QN"]).all():
        raise SystemExit(f"{method}: {len(queries)} queries, scores {np.shape(scores_QN)}, or a score is not a number")
    part = path.with_suffix(".part")
    save_file(
        arrays, str(part), metadata={"cost": repr(float(cost)), "seconds": repr(float(seconds)), "recipe": recipe}
    )
    part.replace(path)


def read(task, method, recipe, root=BENCH):
    """The kept scores of a method; None if there are none for this recipe of the task."""
    path = root / task / "scores" / f"{method}.safetensors"
    if not path.is_file():
        return None
    with safe_open(str(path), "np") as file:
        told = file.metadata()
        if told["recipe"] != recipe:
            return None
        arrays = [file.get_tensor(key) for key in ("scores_QN", "queries_Q")]
    return Scores(*arrays, float(told["cost"]), float(told["seconds"]))


def kept(task, recipe, root=BENCH):
    """Names of all methods with kept scores for this recipe."""
    folder = root / task / "scores"
    return sorted(path.stem for path in folder.glob("*.safetensors") if read(task, path.stem, recipe, root))
