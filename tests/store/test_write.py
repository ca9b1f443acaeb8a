import resource
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import RunId, StoreError
from byline.store import Group, RunSpec, RunWriter, open_store


@settings(max_examples=15, deadline=None)
@given(shard_rows=st.integers(1, 30), flushes=st.sets(st.integers(0, 11)), rows_per_block=st.integers(1, 20))
def test_sharding_changes_nothing(toy, tmp_path_factory, shard_rows, flushes, rows_per_block):
    path = tmp_path_factory.mktemp("run")
    with RunWriter.create(path, toy.spec, shard_rows) as writer:
        for step in range(12):
            toy.write_step(writer, step)
            if step in flushes:
                writer.flush()
                assert writer.committed_steps == step + 1
    whole = toy.write(tmp_path_factory.mktemp("whole"), 12, shard_rows=10**6)
    run, other = open_store(path), open_store(whole)
    toy.check(run, 12)
    assert run.verify() == []
    assert np.array_equal(run.read(0, run.n_rows), other.read(0, other.n_rows))
    blocks = list(run.blocks(rows_per_block))
    assert all(len(block) == rows_per_block for block in blocks[:-1])
    assert np.array_equal(np.concatenate(blocks), run.read(0, run.n_rows))


@settings(max_examples=25, deadline=None)
@given(steps=st.integers(0, 12), data=st.data())
def test_resume_at_any_step(toy, tmp_path_factory, steps, data):
    path = toy.write(tmp_path_factory.mktemp("run"), steps, shard_rows=data.draw(st.integers(1, 25)))
    step = data.draw(st.integers(0, steps))
    with RunWriter.resume(path, step, toy.spec) as writer:
        assert writer.next_step == writer.committed_steps == step
        toy.check(open_store(path), step)
        assert open_store(path).verify() == []
        for later in range(step, 12):
            toy.write_step(writer, later)
    toy.check(open_store(path), 12)
    assert open_store(path).verify() == []


def test_resume_beyond_the_last_commit_is_refused(toy, tmp_path):
    toy.write(tmp_path, 4)
    with pytest.raises(StoreError, match="steps 4 to 6 were never committed") as fault:
        RunWriter.resume(tmp_path, 7)
    assert fault.value.code == "missing-steps" and "step 4" in fault.value.fix
    with pytest.raises(StoreError) as fault:
        RunWriter.resume(tmp_path, -1)
    assert fault.value.code == "missing-steps"
    toy.check(open_store(tmp_path), 4)


def test_resume_with_another_spec_is_refused(toy, tmp_path):
    toy.write(tmp_path, 4)
    with pytest.raises(StoreError, match="another model, groups") as fault:
        RunWriter.resume(tmp_path, 4, RunSpec(RunId("run:toy"), "other", (Group("a", 1),)))
    assert fault.value.code == "spec-differs"


def test_resume_drops_what_killed_writers_left(toy, tmp_path):
    toy.write(tmp_path, 4)
    for name in ("shards/00009.features.i8", "shards/00001.rows.u32.part", "manifest.json.part"):
        (tmp_path / name).write_bytes(b"left over")
    assert [problem.code for problem in open_store(tmp_path).verify()] == ["stray-file"] * 3
    RunWriter.resume(tmp_path, 4).close()
    assert open_store(tmp_path).verify() == []
    toy.check(open_store(tmp_path), 4)


def test_resume_mends_a_run_by_dropping_the_bad_shard(toy, tmp_path):
    toy.write(tmp_path, 12, shard_rows=5)
    shard = open_store(tmp_path).manifest.shards[1]
    (tmp_path / shard.file("ids")).unlink()
    with pytest.raises(StoreError, match=shard.file("ids")) as fault:
        open_store(tmp_path)
    assert f"RunWriter.resume(path, {shard.first_step})" in fault.value.fix
    with RunWriter.resume(tmp_path, shard.first_step) as writer:
        for step in range(shard.first_step, 12):
            toy.write_step(writer, step)
    toy.check(open_store(tmp_path), 12)


def test_create_refuses_a_folder_in_use(toy, tmp_path):
    toy.write(tmp_path / "run", 1)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.txt").write_text("mine")
    for name in ("run", "notes"):
        with pytest.raises(StoreError, match=str(tmp_path / name)) as fault:
            RunWriter.create(tmp_path / name, toy.spec)
        assert fault.value.code == "not-empty"
    toy.check(open_store(tmp_path / "run"), 1)


def test_two_writers_are_refused(toy, tmp_path):
    with RunWriter.create(tmp_path, toy.spec):
        with pytest.raises(StoreError) as fault:
            RunWriter.resume(tmp_path, 0)
        assert fault.value.code == "locked"
    RunWriter.resume(tmp_path, 0).close()


def test_a_step_that_never_ended_is_dropped(toy, tmp_path):
    with RunWriter.create(tmp_path, toy.spec) as writer:
        toy.write_step(writer, 0)
        toy.write_step(writer, 1)
        writer.append(2, ["ex:lost"], np.ones((1, 9)))
        writer.flush()
        toy.check(open_store(tmp_path), 2)
    toy.check(open_store(tmp_path), 2)


def test_ended_steps_survive_an_exception_in_the_training(toy, tmp_path):
    with pytest.raises(ZeroDivisionError), RunWriter.create(tmp_path, toy.spec) as writer:
        toy.write_step(writer, 0)
        raise ZeroDivisionError
    toy.check(open_store(tmp_path), 1)


def test_features_may_be_reused_by_the_caller(toy, tmp_path):
    buffer = np.ones((1, 9), dtype=np.float32)
    with RunWriter.create(tmp_path, toy.spec) as writer:
        for step in range(20):
            buffer[:] = step
            writer.append(step, ["ex:1"], buffer)
            buffer[:] = -1
            writer.end_step(step, {})
    np.testing.assert_allclose(open_store(tmp_path).read(0, 20)[:, 4], np.arange(20), rtol=1e-6)


def test_wrong_use_is_refused_at_once(toy, tmp_path):
    with RunWriter.create(tmp_path, toy.spec) as writer:
        wrong = {
            "step-order": [lambda: writer.append(1, ["ex:1"], np.ones((1, 9))), lambda: writer.end_step(1, {})],
            "bad-features": [
                lambda: writer.append(0, ["ex:1"], np.ones((1, 8))),
                lambda: writer.append(0, ["ex:1"], np.ones((2, 9))),
            ],
            "bad-record": [lambda: writer.end_step(0, {"loss": float("nan")})],
            "bad-name": [lambda: writer.put_blob("../x", np.ones(1)), lambda: writer.put_blob("", np.ones(1))],
            "bad-blob": [lambda: writer.put_blob("x", np.array([{}])), lambda: writer.put_blob("x", np.array(["a"]))],
        }
        for code, calls in wrong.items():
            for call in calls:
                with pytest.raises(StoreError) as fault:
                    call()
                assert fault.value.code == code and fault.value.fix
        toy.write_step(writer, 0)
    toy.check(open_store(tmp_path), 1)
    writer.close()
    with pytest.raises(StoreError) as fault:
        writer.append(1, ["ex:1"], np.ones((1, 9)))
    assert fault.value.code == "closed"


@pytest.mark.parametrize(
    ("code", "ids", "value"), [("not-finite", ["ex:1"], np.nan), ("bad-id", [""], 1.0), ("bad-id", [3], 1.0)]
)
def test_faults_of_the_writing_thread_surface(toy, tmp_path, code, ids, value):
    writer = RunWriter.create(tmp_path, toy.spec)
    toy.write_step(writer, 0)
    writer.flush()
    writer.append(1, ids, np.full((1, 9), value))
    writer.end_step(1, {})
    with pytest.raises(StoreError) as fault:
        for step in range(2, 2000):  # more than the queue holds: nobody may wait for ever
            writer.append(step, ["ex:1"], np.ones((1, 9)))
            writer.end_step(step, {})
        writer.flush()
    assert fault.value.code == code
    with pytest.raises(StoreError):
        writer.close()
    toy.check(open_store(tmp_path), 1)
    assert open_store(tmp_path).verify() == []


def test_a_full_disk_leaves_the_last_commit(toy, tmp_path):
    writer = RunWriter.create(tmp_path, toy.spec)
    toy.write_step(writer, 0)
    writer.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        writer.append(1, [f"ex:{i}" for i in range(9000)], np.ones((9000, 9)))
        writer.end_step(1, {})
        with pytest.raises(StoreError, match="File too large") as fault:
            writer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert fault.value.code == "write-failed" and "resume(path, 1)" in fault.value.fix
    with pytest.raises(StoreError):
        writer.close()
    with RunWriter.resume(tmp_path, 1) as writer:
        toy.write_step(writer, 1)
    toy.check(open_store(tmp_path), 2)
    assert open_store(tmp_path).verify() == []


def test_blobs(toy, tmp_path):
    weights = np.arange(6, dtype=np.float64).reshape(2, 3)
    with RunWriter.create(tmp_path, toy.spec) as writer:
        writer.put_blob("weights", weights)
        assert open_store(tmp_path).blob_names == ()
        writer.flush()
        weights += 1
        writer.put_blob("weights", weights * 5)
        writer.put_blob("weights", weights)
        writer.put_blob("scalar", np.array(True))
        writer.put_blob("none", np.empty((0, 4), dtype=np.int64))
        writer.put_blob("turned", weights.T)
        assert np.array_equal(open_store(tmp_path).blob("weights"), weights - 1)
    run = open_store(tmp_path)
    assert run.blob_names == ("none", "scalar", "turned", "weights")
    assert np.array_equal(run.blob("weights"), weights) and np.array_equal(run.blob("turned"), weights.T)
    assert run.blob("scalar").shape == () and run.blob("scalar")
    assert run.blob("none").shape == (0, 4) and run.blob("none").dtype == np.int64
    assert run.verify() == []
    with pytest.raises(StoreError, match="no blob 'x'") as fault:
        run.blob("x")
    assert fault.value.code == "no-blob" and "turned" in fault.value.fix


def test_resume_drops_blobs_of_later_steps(toy, tmp_path):
    with RunWriter.create(tmp_path, toy.spec) as writer:
        for step in range(6):
            toy.write_step(writer, step)
            if step in (1, 4):
                writer.put_blob(f"after-{step + 1}", np.full(3, step))
    with RunWriter.resume(tmp_path, 2) as writer:
        pass
    run = open_store(tmp_path)
    assert run.blob_names == ("after-2",) and run.verify() == []


def test_reading_while_writing(toy, tmp_path):
    """A reader in another thread sees whole commits, in order, and never a fault."""
    seen, done, faults = [], threading.Event(), []

    def read():
        try:
            while not done.is_set():
                run = open_store(tmp_path)
                toy.check(run, run.n_steps)
                seen.append(run.n_steps)
        except BaseException as fault:
            faults.append(fault)

    with RunWriter.create(tmp_path, toy.spec, shard_rows=4) as writer:
        reader = threading.Thread(target=read)
        reader.start()
        for step in range(40):
            toy.write_step(writer, step)
            if step % 5 == 0:
                writer.flush()
                toy.check(open_store(tmp_path), step + 1)
        done.set()
        reader.join()
    assert not faults and seen == sorted(seen) and len(set(seen)) > 1


def test_blobs_put_without_waiting_and_dropped(toy, tmp_path):
    """Dropped before a commit named it, after it, put again in the same commit, and never put at all."""
    with RunWriter.create(tmp_path, toy.spec) as writer:
        for name in ("early", "late", "again", "kept"):
            writer.put_blob(name, np.full(4, len(name)), wait=False)
        writer.drop_blob("early")
        writer.flush()
        assert open_store(tmp_path).blob_names == ("again", "kept", "late")
        writer.drop_blob("late")
        writer.drop_blob("again")
        writer.put_blob("again", np.zeros(2), wait=False)
        writer.drop_blob("never")
        assert "late" in open_store(tmp_path).blob_names  # what a commit has named stays until the next one
        assert open_store(tmp_path).blob("late").tolist() == [4] * 4
        writer.flush()
        assert open_store(tmp_path).blob_names == ("again", "kept")
        writer.drop_blob("kept")
        writer.put_blob("kept", np.full(4, 4), wait=False)  # the same bytes: the same file
    run = open_store(tmp_path)
    assert run.blob_names == ("again", "kept") and run.blob("again").tolist() == [0, 0]
    assert run.blob("kept").tolist() == [4] * 4 and run.verify() == []


def test_a_fault_of_a_blob_that_nobody_waited_for_comes_later(toy, tmp_path):
    writer = RunWriter.create(tmp_path, toy.spec)
    (tmp_path / "blobs").write_text("a file where the folder should be")
    writer.put_blob("a", np.ones(1), wait=False)
    with pytest.raises(StoreError) as fault:
        writer.flush()
    assert fault.value.code == "write-failed"
    with pytest.raises(StoreError):
        writer.close()
