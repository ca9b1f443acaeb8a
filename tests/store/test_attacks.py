"""Every script in attacks/store is refused, by an error that names the file and the fix."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from byline.core import StoreError
from byline.store import RunWriter, open_store

SCRIPTS = sorted((Path(__file__).parents[2] / "attacks" / "store").glob("[!_]*.py"))


@pytest.fixture(scope="module")
def intact(toy, tmp_path_factory):
    path = tmp_path_factory.mktemp("intact")
    with RunWriter.create(path, toy.spec, 8) as writer:
        for step in range(20):
            toy.write_step(writer, step)
        writer.put_blob("weights", np.ones(3))
    assert len(open_store(path).manifest.shards) >= 3
    return path


@pytest.fixture
def victim(intact, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS[0].parent))
    return Path(shutil.copytree(intact, tmp_path / "run"))


def read_everything(path):
    run = open_store(path)
    run.read(0, run.n_rows)
    for name in run.blob_names:
        run.blob(name)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.stem)
def test_attack_is_refused(victim, script):
    read_everything(victim)
    script = runpy.run_path(str(script))
    script["attack"](victim)
    with pytest.raises(StoreError) as fault:
        read_everything(victim)
    assert fault.value.code == script["REFUSED"]
    assert fault.value.fix and str(victim) in fault.value.message


def test_attacks_run_as_commands(victim):
    script = next(file for file in SCRIPTS if file.stem == "flipped_byte")
    subprocess.run([sys.executable, script, victim], check=True)
    with pytest.raises(StoreError):
        read_everything(victim)


def test_verify_reports_every_fault_at_once(victim):
    run = open_store(victim)
    assert run.verify() == []
    for script in SCRIPTS:
        if script.stem in ("flipped_byte", "flipped_bit_of_a_blob"):
            runpy.run_path(str(script))["attack"](victim)
    (victim / "shards" / "stray").write_bytes(b"x")
    problems = run.verify()
    assert [problem.code for problem in problems] == ["wrong-digest", "wrong-digest", "stray-file"]
    assert "features" in problems[0].at.file and "blobs" in problems[1].at.file
