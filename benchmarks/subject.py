"""A bench task as a `byline.Subject`, so that the product's own commands can be asked about the bench's recorded run.

byline audit --run .bench/scratch/run-* --subject benchmarks/subject.py:scratch --to evidence --subsets 24 --anyway
byline attribute --run .bench/scratch/run-* --subject benchmarks/subject.py:scratch --to evidence --blend

(`python benchmarks/bench.py scratch` makes the run.) What the audit calls retraining is the recorded run walked again,
with its own weights and order: this very model. The bench's truth of `scratch` asks what the recipe makes under fresh
seeds; weights of channels can be fitted on it:

python benchmarks/subject.py scratch 50% > retrained.jsonl        (and --retrained retrained.jsonl for the audit)
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tasks import load

import byline

QUERIES = 3  # held-out ones per contributor, of which the second is asked: those that the bench reports


def finetune():
    return _subject("finetune")


def scratch():
    return _subject("scratch")


def digits():
    return _subject("digits")


def diffusion():
    return _subject("diffusion")


def retrained(name, kind):
    """The bench's retrainings at a drop, a JSON object each: what they left out, and what they said of the queries."""
    from bench import read_truth

    bench = load(name)
    truth, asked = read_truth(name, bench), range(1, len(bench.held_out), QUERIES)
    for row, chosen in enumerate(truth.kind_R):
        if chosen == kind:
            out = {work for work, gone in zip(truth.works, truth.out_RW[row], strict=True) if gone}
            left_out = [example for example, work in zip(bench.example_ids, bench.works, strict=True) if work in out]
            values = {f"held out {q}": float(truth.values_RQ[row, q]) for q in asked}
            yield {"left_out": left_out, "values": values}


def _subject(name):
    bench = load(name)
    members = {}
    for example, work in zip(bench.example_ids, bench.works, strict=True):
        members.setdefault(bench.contributors[work], []).append(example)
    return byline.Subject(
        model=bench.model(0),
        task=bench.task,
        queries={f"held out {q}": query for q, query in enumerate(bench.held_out) if q % QUERIES == 1},
        measure=bench.measure,
        contributors=members,
        texts=dict(zip(bench.example_ids, bench.example_texts, strict=False)),
        says=bench.query_text,
    )


if __name__ == "__main__":
    for line in retrained(*sys.argv[1:]):
        print(json.dumps(line))
