"""Do the bench's own EK-FAC baselines and the peers' libraries say the same? Mean correlation over queries.

python benchmarks/peers/agreement.py TASK
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import scores
from baselines.recorded import recipe_digest
from tasks import load

PAIRS = (
    ("ekfac-head", "peer-kronfluence"),
    ("ekfac-nohead", "peer-kronfluence-nohead"),
    ("ekfac-nohead", "peer-bergson"),
    ("tracin", "peer-dattri-tracin"),
)


def main(name):
    recipe = recipe_digest(load(name))
    for ours, theirs in PAIRS:
        one, other = (scores.read(name, method, recipe) for method in (ours, theirs))
        if one is not None and other is not None:
            rows = zip(one.scores_QN, other.scores_QN, strict=True)
            print(f"{name}: {ours} and {theirs}: {np.mean([np.corrcoef(a, b)[0, 1] for a, b in rows]):.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
