import numpy as np
import pytest

from byline.core import RunId
from byline.store import Group, RunSpec, RunWriter


class Toy:
    """A made-up training: what every step saw is a function of the step alone, so any process can tell it again."""

    spec = RunSpec(RunId("run:toy"), "toy-model", (Group("embed", 3), Group("mlp", 5), Group("head", 1)))

    def batches(self, step):
        """(ids, features_NK) of each backward pass of a step: 0 to 2 passes of 0 to 3 rows, layers 1e6 apart."""
        rng = np.random.default_rng(step)
        for _ in range(rng.integers(0, 3)):
            n = int(rng.integers(0, 4))
            ids = [f"ex:{rng.integers(0, 5 + step)}" for _ in range(n)]
            features_NK = rng.standard_normal((n, 9)) * np.repeat([1e-3, 1.0, 1e3], [3, 5, 1])
            yield ids, features_NK.astype(np.float32)

    def record(self, step):
        return {"lr": 0.1 / (step + 1), "loss": 2.5}

    def write_step(self, writer, step):
        for ids, features_NK in self.batches(step):
            writer.append(step, ids, features_NK)
        writer.end_step(step, self.record(step))

    def write(self, path, steps, shard_rows=10):
        with RunWriter.create(path, self.spec, shard_rows) as writer:
            for step in range(steps):
                self.write_step(writer, step)
        return path

    def rows(self, steps):
        """(id, step, features) of every row of the first steps, by for-loops."""
        return [
            (name, step, row)
            for step in range(steps)
            for ids, features_NK in self.batches(step)
            for name, row in zip(ids, features_NK, strict=True)
        ]

    def check(self, run, steps):
        """The reader tells exactly the rows and steps of the first `steps` steps."""
        rows = self.rows(steps)
        assert run.n_steps == steps
        assert run.step_log == [{"step": step, **self.record(step)} for step in range(steps)]
        assert [(run.example_ids[i], int(s)) for i, s in zip(run.examples_N, run.steps_N, strict=True)] == [
            (name, step) for name, step, _ in rows
        ]
        assert list(run.example_ids) == list(dict.fromkeys(name for name, _, _ in rows))
        features_NK = run.read(0, run.n_rows)
        for got, (_, _, row) in zip(features_NK, rows, strict=True):
            for a, b in ((0, 3), (3, 8), (8, 9)):
                assert np.abs(got[a:b] - row[a:b]).max() <= np.abs(row[a:b]).max() / 254 * 1.0001


@pytest.fixture(scope="session")
def toy():
    return Toy()
