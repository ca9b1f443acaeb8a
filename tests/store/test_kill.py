"""A training that is killed by SIGKILL at random moments, again and again, and resumed from its last checkpoint."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from byline.store import RunWriter, open_store

ROUNDS = range(15, 60)  # at least, and at most while the machine is too slow to reach a second checkpoint
CHILD = Path(__file__).parent / "killed_training.py"


def run_and_kill(path, step, delay):
    """Train from `step`, kill after `delay` seconds; the checkpoints (first step not yet done) it reported."""
    child = subprocess.Popen([sys.executable, CHILD, path, str(step)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    try:
        child.wait(delay)
    except subprocess.TimeoutExpired:
        child.kill()
    out, _ = child.communicate()
    assert child.returncode == -signal.SIGKILL
    return [int(line) for line in out.split("\n")[:-1]]


def test_killed_training_loses_and_repeats_nothing(toy, tmp_path):
    rng = random.Random(7)
    path, checkpoint, interrupted, rounds = tmp_path / "run", 0, 0, 0
    RunWriter.create(path, toy.spec).close()
    while rounds < ROUNDS.start or (rounds < ROUNDS.stop and checkpoint < 8):
        rounds += 1
        checkpoint = [checkpoint, *run_and_kill(path, checkpoint, rng.uniform(0, 0.15))][-1]
        run = open_store(path)
        assert run.n_steps >= checkpoint
        toy.check(run, run.n_steps)
        strays = {problem.code for problem in run.verify()}
        assert strays <= {"stray-file"}
        interrupted += bool(strays)
    assert checkpoint >= 8 and interrupted >= 3  # the killing did hit the writing
    with RunWriter.resume(path, checkpoint, toy.spec) as writer:
        for step in range(checkpoint, checkpoint + 10):
            toy.write_step(writer, step)
    run = open_store(path)
    whole = open_store(toy.write(tmp_path / "whole", checkpoint + 10))
    toy.check(run, checkpoint + 10)
    assert run.verify() == []
    assert run.example_ids == whole.example_ids and run.step_log == whole.step_log
    assert np.array_equal(run.examples_N, whole.examples_N) and np.array_equal(run.steps_N, whole.steps_N)
    assert np.array_equal(run.read(0, run.n_rows), whole.read(0, whole.n_rows))
