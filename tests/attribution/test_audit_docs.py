"""docs/audit.md: its block runs, its table names the fields of a certificate, and a recorded folder can be audited."""

import dataclasses
import re
import sys
from pathlib import Path

import pytest
import torch

from byline.attribution import Metagradient, read_trajectory, replay
from byline.capture import Recorder
from byline.evaluation import Certificate, DropFinding, LocoFinding
from byline.store import open_store

sys.path.insert(0, str(Path(__file__).parent))
from walked import QUERIES, TinyTask, loaded, measure, run, tiny, two_groups

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def test_the_block_runs(capsys):
    model, task, trajectory, _ = run(keep=(5,))
    names = {"model": model, "task": task, "trajectory": trajectory, "queries": QUERIES, "measure": measure}
    exec(BLOCK, names)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("metasmoothness") and said[1].endswith(" trainings")
    assert names["scores"].scores_QN.shape == (3, 6)


def test_the_table_is_about_fields_that_exist():
    fields = {field.name for kind in (Certificate, DropFinding, LocoFinding) for field in dataclasses.fields(kind)}
    rows = [row for row in PAGE.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(rows) >= 7 and named - {"unknown"} <= fields


def test_a_run_is_audited_from_the_folder_that_the_recorder_wrote(tmp_path):
    model, task = tiny(), TinyTask()
    start = tiny()
    optimizer = torch.optim.AdamW(two_groups(model), lr=0.01, eps=1e-4)
    with Recorder(model, optimizer, tmp_path / "run", max_norm=0.6) as recorder:
        for step in range(12):
            ids = [f"ex:{(2 * step + i) % 6}" for i in (0, 1, 3)]
            with recorder.batch(ids):
                batch = task.batch(ids, step)
                (task.losses(task.outputs(model, batch), batch).sum() / len(ids)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.6)
            optimizer.step()
            optimizer.zero_grad()
    trajectory = read_trajectory(tmp_path / "run")
    audit = Metagradient().fit(start, task, trajectory)
    assert bytes.fromhex(audit.digest_) == open_store(tmp_path / "run").blob("weights_sha256").tobytes()
    scores = audit.score(QUERIES, measure)
    assert scores.example_ids == open_store(tmp_path / "run").example_ids
    ends = [loaded(replay(start, task, trajectory, {"ex:3": 1 + h})) for h in (1e-5, -1e-5)]
    with torch.no_grad():
        truth = float(measure(ends[0], QUERIES["q:2"]) - measure(ends[1], QUERIES["q:2"])) / 2e-5
    assert scores.scores_QN[2, scores.example_ids.index("ex:3")] == pytest.approx(truth, rel=1e-3)
