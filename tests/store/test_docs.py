import re
from pathlib import Path

import numpy as np

from byline.store import RunWriter, open_store

PAGE = (Path(__file__).parents[2] / "docs" / "feature-store.md").read_text()
READER, WRITER = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def test_format_is_told_in_fifteen_lines():
    section = PAGE.split("## ")[1]
    assert len(re.findall(r"^\d+\. ", section, re.M)) <= 15
    assert len(READER.split("def ")[1].splitlines()) <= 15


def test_reader_without_byline_reads_the_same(toy, tmp_path):
    toy.write(tmp_path, 12, shard_rows=5)
    RunWriter.resume(tmp_path, 8).close()
    names = {}
    exec(READER, names)
    ids, rows_N2, features_NK = names["read_run"](tmp_path)
    run = open_store(tmp_path)
    assert tuple(ids) == run.example_ids
    assert np.array_equal(rows_N2, np.stack([run.examples_N, run.steps_N], axis=1))
    assert np.array_equal(features_NK, run.read(0, run.n_rows))


def test_the_example_prints_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(WRITER, {"np": np})
    assert capsys.readouterr().out == re.search(r"```text\n(.*?)```", PAGE, re.S).group(1)
