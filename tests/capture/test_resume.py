"""A recorded training killed by SIGKILL and resumed from its last checkpoint equals one that nobody touched."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from byline.capture import Recorder
from byline.core import StoreError
from byline.store import open_store

CHILD = Path(__file__).parent / "killed_training.py"
STEPS = 30


def run(folder, kill_at=None):
    """Train in a process of its own; kill it when it reports the step `kill_at`."""
    folder.mkdir(exist_ok=True)
    pause = "0" if kill_at is None else "0.02"
    child = subprocess.Popen([sys.executable, CHILD, folder, str(STEPS), pause], stdout=subprocess.PIPE, text=True)
    for line in child.stdout:
        if kill_at is not None and int(line) >= kill_at:
            child.kill()
            break
    child.communicate()
    assert child.returncode == (0 if kill_at is None else -signal.SIGKILL)


def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    run(tmp_path / "whole")
    for kill_at in (17, 24):  # after the checkpoints of steps 11 and 18
        run(tmp_path / "killed", kill_at)
    assert torch.load(tmp_path / "killed" / "checkpoint.pt")["step"] in (19, 26)
    run(tmp_path / "killed")
    whole, killed = open_store(tmp_path / "whole" / "run"), open_store(tmp_path / "killed" / "run")
    assert killed.verify() == [] and killed.n_steps == STEPS
    assert killed.spec == whole.spec
    assert killed.example_ids == whole.example_ids and killed.step_log == whole.step_log
    assert np.array_equal(killed.examples_N, whole.examples_N) and np.array_equal(killed.steps_N, whole.steps_N)
    assert np.array_equal(killed.read(0, killed.n_rows), whole.read(0, whole.n_rows))
    assert killed.blob_names == whole.blob_names
    for name in whole.blob_names:
        assert np.array_equal(killed.blob(name), whole.blob(name))


def test_resuming_with_another_model_is_refused(tmp_path):
    first = torch.nn.Linear(2, 2)
    with Recorder(first, torch.optim.SGD(first.parameters(), lr=0.1), tmp_path / "run"):
        pass
    other = torch.nn.Linear(2, 3)
    recorder = Recorder(other, torch.optim.SGD(other.parameters(), lr=0.1), tmp_path / "run", resume_at=0)
    with pytest.raises(StoreError) as fault, recorder:
        pass
    assert fault.value.code == "spec-differs"
