"""Two gloo ranks, under DistributedDataParallel and FSDP2, against one process that sees the whole batch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from byline.attribution import open_run
from byline.capture import Projector, broken_link, find_taps, join_ranks
from byline.capture.ranks import Ranks
from byline.core import CaptureError, StoreError
from byline.store import open_store

sys.path.insert(0, str(Path(__file__).parent))
from oracle import INT8
from rank import ROWS, STEPS, Net, train

SCRIPT = Path(__file__).parent / "rank.py"
DRIFT = 1e-4  # of weights and moments after the steps, from sums made in another order


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    train(folder, "alone", 0, 1)
    return open_store(folder / "run")


@pytest.fixture(scope="module", params=["ddp", "fsdp2"])
def two(request, tmp_path_factory):
    """Folder of the ranks' recordings."""
    folder = tmp_path_factory.mktemp(request.param)
    ranks = [
        subprocess.Popen(
            [sys.executable, SCRIPT, folder, request.param, str(rank), "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [rank.communicate(timeout=120) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], told
    assert told[0][0] == told[1][0]  # digests of the whole weights
    return folder


def rows_by_visit(store):
    """{(step, example): row}."""
    rows = store.read(0, store.n_rows)
    visits = zip(store.steps_N.tolist(), store.examples_N.tolist(), rows, strict=True)
    return {(step, store.example_ids[example]): row for step, example, row in visits}


def assert_same_rows(store, want):
    """Layer by layer, within the step of the int8 that both are stored in and the drift of the two trainings."""
    found, want_rows = rows_by_visit(store), rows_by_visit(want)
    assert set(found) == set(want_rows) and len(found) == STEPS * ROWS
    for visit, row in want_rows.items():
        for group in want.spec.groups:
            columns = want.spec.columns(group.name)
            largest = np.abs(row[columns]).max()
            assert largest > 0
            assert np.abs(found[visit][columns] - row[columns]).max() <= (2 * INT8 + 10 * DRIFT) * largest


def test_joined_rows_are_those_of_one_process(two, alone, tmp_path):
    for rank in range(2):
        shutil.copytree(two / f"run.rank-{rank}", tmp_path / f"run.rank-{rank}")
        part = open_store(tmp_path / f"run.rank-{rank}")
        assert part.n_rows == STEPS * ROWS // 2 and part.spec.groups == alone.spec.groups
    joined = open_store(join_ranks(tmp_path / "run"))
    assert joined.verify() == []
    assert_same_rows(joined, alone)
    assert joined.example_ids == alone.example_ids
    assert [line["denominator"] for line in joined.step_log] == [line["denominator"] for line in alone.step_log]
    assert np.allclose([line["clip"] for line in joined.step_log], [line["clip"] for line in alone.step_log], rtol=1e-4)
    assert min(line["clip"] for line in alone.step_log) < 0.9
    assert all(line["parts"] == [2, 2] for line in joined.step_log)
    by_step = [[joined.example_ids[n] for n in joined.examples_N[joined.steps_N == step]] for step in range(STEPS)]
    assert broken_link(joined.spec.run, joined.step_log, by_step) is None


def test_the_rows_of_both_ranks_add_up_to_the_step(two, alone):
    """A rank's gradient is divided by the number of ranks, and so are its rows."""
    whole = sum(row for (step, _), row in rows_by_visit(alone).items() if step == 5)
    parts = [rows_by_visit(open_store(two / f"run.rank-{rank}")) for rank in range(2)]
    summed = sum(row for rows in parts for (step, _), row in rows.items() if step == 5)
    assert np.abs(summed - whole).max() <= 0.05 * np.abs(whole).max()


def test_what_all_ranks_know_is_that_of_one_process(two, alone):
    for rank in range(2):
        part = open_store(two / f"run.rank-{rank}")
        states = [name for name in alone.blob_names if name.startswith("state.")]
        assert set(part.blob_names) == set(alone.blob_names) - set(states if rank else [])  # rank 0 keeps them for all
        for name in alone.blob_names:
            if name.startswith("scale"):
                assert np.allclose(part.blob(name), alone.blob(name), rtol=100 * DRIFT)
        one, many = json.loads(alone.spec.extra), json.loads(part.spec.extra)
        assert many["uncaptured"] == one["uncaptured"] and many["captured"] == one["captured"]


def test_a_plain_model_can_be_asked_about_a_joined_run(two, tmp_path):
    """With the weights that a rank saved: names, digest and shapes are those of the model without its wrapper."""
    from byline.capture import Snapshot

    for rank in range(2):
        shutil.copytree(two / f"run.rank-{rank}", tmp_path / f"run.rank-{rank}")
    run = open_run(join_ranks(tmp_path / "run"))
    model = Net()
    kept = Snapshot.from_array(run.store.blob(max(n for n in run.store.blob_names if n.startswith("state."))))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(kept.weights[name])
    ids = torch.randint(11, (1, 6), generator=torch.Generator().manual_seed(9))
    scores = run.score(model, {"query:a": ids}, lambda model, ids: model(ids).log_softmax(-1)[0, 0, 1])
    assert scores.scores_QN.shape == (1, STEPS * ROWS) and scores.scores_QN.any()
    assert [tap.name for tap in find_taps(model, Projector(3))[0]] == [group.name for group in run.store.spec.groups]


def refused(path):
    with pytest.raises(CaptureError) as fault:
        join_ranks(path)
    assert fault.value.code == "ranks-differ" and fault.value.fix
    return fault.value.message


def test_folders_of_two_trainings_are_not_joined(two, tmp_path):
    shutil.copytree(two / "run.rank-0", tmp_path / "run.rank-0")
    with pytest.raises(StoreError) as fault:
        join_ranks(tmp_path / "run")
    assert fault.value.code == "not-a-run" and "run.rank-1" in fault.value.message
    train(tmp_path, "alone", 0, 1)
    (tmp_path / "run").rename(tmp_path / "run.rank-1")
    assert "run.rank-1" in refused(tmp_path / "run")


def test_ranks_whose_losses_were_divided_by_other_numbers_are_not_joined(tmp_path, monkeypatch):
    """One and three rows a step: no one denominator would replay the step."""
    monkeypatch.setattr(Ranks, "of", lambda model: Ranks(0, 2))
    for rank, rows in ((0, [0]), (1, [1, 2, 3])):
        train(tmp_path / str(rank), "alone", 0, 1, rows=torch.tensor(rows))
        (tmp_path / str(rank) / "run.rank-0").rename(tmp_path / f"run.rank-{rank}")
    assert "denominator" in refused(tmp_path / "run")
