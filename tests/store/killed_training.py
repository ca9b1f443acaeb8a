"""python killed_training.py RUN STEP: record the toy training from STEP on until killed; prints each checkpoint."""

import itertools
import runpy
import sys
from pathlib import Path

from byline.store import RunWriter

toy = runpy.run_path(str(Path(__file__).parent / "conftest.py"))["Toy"]()
writer = RunWriter.resume(sys.argv[1], int(sys.argv[2]), toy.spec, shard_rows=7)
print("ready", flush=True)
for step in itertools.count(writer.next_step):
    toy.write_step(writer, step)
    if step % 4 == 3:
        writer.flush()
        print(step + 1, flush=True)
