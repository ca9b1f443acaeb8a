"""kronfluence 1.0.1: EK-FAC influence as its authors wrote it, full dimension, linear layers and convolutions.

Its score is grad(measurement) . H^-1 . grad(loss) with a plus; the measurement here is likelihood-like, so a positive
score means opponent and is turned round.
"""

import shutil

import torch
from baselines.gradients import passes
from baselines.recorded import head_of
from kronfluence.analyzer import Analyzer, prepare_model
from kronfluence.arguments import FactorArguments, ScoreArguments
from kronfluence.task import Task

STEP = 0  # whose random draws the loss takes, for tasks that draw any
DAMPINGS = {"": None, "-default": 1e-8}  # None: a tenth of the mean eigenvalue; 1e-8 is the library's default


class BenchTask(Task):
    """Batches are numbers of training examples or of queries."""

    def __init__(self, bench, recorded):
        self.bench, self.queries = bench, recorded.queries
        self.generator = torch.Generator().manual_seed(0)

    def compute_train_loss(self, batch, model, sample=False):
        read = self.bench.task.batch([self.bench.example_ids[n] for n in batch.tolist()], STEP)
        outputs = self.bench.task.outputs(model, read)
        if sample:
            return self.bench.task.sampled(outputs, self.generator)
        return self.bench.task.losses(outputs, read).sum()

    def compute_measurement(self, batch, model):
        return self.bench.measure(model, self.queries[int(batch[0])])


class Numbers(torch.utils.data.Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, n):
        return torch.tensor(n)


def run(bench, recorded, folder):
    """Scores by method: with the damping that the field uses, and with the library's default; then without head."""
    shutil.rmtree(folder, ignore_errors=True)
    task, head = BenchTask(bench, recorded), head_of(recorded.model)
    model = prepare_model(recorded.model, task)
    analyzer = Analyzer("bench", model, task, cpu=True, disable_tqdm=True, output_dir=str(folder))
    analyzer.fit_all_factors(
        "factors", Numbers(len(bench.example_ids)), per_device_batch_size=16, factor_args=FactorArguments("ekfac")
    )
    found = {}
    for name, damping in DAMPINGS.items():
        parts = _scored(analyzer, bench, recorded, name, damping)
        settings = {"strategy": "ekfac", "damping_factor": damping}
        whole = {f"peer-kronfluence{name}": list(parts)}
        if damping is None:
            whole["peer-kronfluence-nohead"] = [module for module in parts if module != head]
        for method, modules in whole.items():
            scores_QN = -sum(parts[module].float() for module in modules)
            found[method] = scores_QN.numpy(), passes(bench, recorded, fixed=3.0), settings | {"modules": len(modules)}
    return found


def _scored(analyzer, bench, recorded, name, damping):
    """Scores of every module apart: (Q, N) each."""
    analyzer.compute_pairwise_scores(
        f"scores{name}",
        "factors",
        Numbers(len(recorded.queries)),
        Numbers(len(bench.example_ids)),
        per_device_query_batch_size=1,
        per_device_train_batch_size=16,
        score_args=ScoreArguments(
            damping_factor=damping, compute_per_module_scores=True, query_gradient_accumulation_steps=16
        ),
    )
    return analyzer.load_pairwise_scores(f"scores{name}")
