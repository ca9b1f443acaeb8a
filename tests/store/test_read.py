import numpy as np
import pytest

from byline.core import StoreError
from byline.store import RunWriter, open_store


def test_groups_are_read_in_the_order_asked(toy, tmp_path):
    run = open_store(toy.write(tmp_path, 12, shard_rows=6))
    whole = run.read(0, run.n_rows)
    for groups in (["mlp"], ["head", "embed"], ["embed", "mlp", "head"], []):
        columns = [k for name in groups for k in range(9)[run.spec.columns(name)]]
        assert np.array_equal(run.read(0, run.n_rows, groups), whole[:, columns])
        assert np.array_equal(np.concatenate(list(run.blocks(4, groups))), whole[:, columns])
    with pytest.raises(StoreError, match="no group 'x'"):
        run.read(0, 1, ["x"])


def test_any_range_of_rows(toy, tmp_path):
    run = open_store(toy.write(tmp_path, 12, shard_rows=6))
    whole = run.read(0, run.n_rows)
    for start in range(run.n_rows + 1):
        for stop in range(start, run.n_rows + 1):
            assert np.array_equal(run.read(start, stop), whole[start:stop])
    for start, stop in ((-1, 2), (3, 2), (0, run.n_rows + 1)):
        with pytest.raises(StoreError) as fault:
            run.read(start, stop)
        assert fault.value.code == "no-row"


def test_quantised_shards_multiply_to_the_features(toy, tmp_path):
    run = open_store(toy.write(tmp_path, 12, shard_rows=6))
    parts = []
    for shard in run.manifest.shards:
        q_NK, scales_NL = run.quantised(shard)
        assert q_NK.dtype == np.int8 and not (q_NK.size and q_NK.flags.writeable)
        parts.append(np.concatenate([q_NK[:, :3] * scales_NL[:, :1], q_NK[:, 3:8] * scales_NL[:, 1:2]], axis=1))
    assert np.array_equal(np.concatenate(parts), run.read(0, run.n_rows, ["embed", "mlp"]))


def test_an_empty_run(toy, tmp_path):
    with RunWriter.create(tmp_path, toy.spec) as writer:
        run = open_store(tmp_path)
        assert (run.n_rows, run.n_steps, run.example_ids, run.step_log) == (0, 0, (), [])
        assert run.read(0, 0).shape == (0, 9) and list(run.blocks()) == []
        writer.end_step(0, {})
    run = open_store(tmp_path)
    assert (run.n_rows, run.n_steps) == (0, 1) and run.verify() == []


def test_a_folder_without_a_run_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        for use in (open_store, lambda path: RunWriter.resume(path, 0)):
            with pytest.raises(StoreError, match=str(path)) as fault:
                use(path)
            assert fault.value.code == "not-a-run"


def test_a_reader_outlives_a_resume(toy, tmp_path):
    """Mapped shards stay readable when a writer cuts the run; those not yet mapped are refused, not misread."""
    toy.write(tmp_path, 12, shard_rows=6)
    mapped, unmapped = open_store(tmp_path), open_store(tmp_path)
    before = mapped.read(0, mapped.n_rows)
    RunWriter.resume(tmp_path, 1).close()
    assert np.array_equal(mapped.read(0, mapped.n_rows), before)
    with pytest.raises(StoreError) as fault:
        unmapped.read(0, unmapped.n_rows)
    assert fault.value.code == "missing-file"
