"""python killed_training.py FOLDER STEPS PAUSE: train and record, from the last checkpoint if there is one."""

import runpy
import sys
import time
from pathlib import Path

import torch

from byline.capture import Projector, Recorder


def train(folder, steps, pause):
    oracle = runpy.run_path(str(Path(__file__).parent / "oracle.py"))
    world = oracle["Plain"]()
    model, examples = world.model(), world.examples(12)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    saved = folder / "checkpoint.pt"
    start = None
    if saved.exists():
        state = torch.load(saved)
        start = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    with Recorder(model, optimizer, folder / "run", projector=Projector(3), resume_at=start) as recorder:
        for step in range(start or 0, steps):
            for part in (0, 1):  # gradient accumulation
                rows = [(4 * step + 2 * part + i) % 12 for i in range(2)]
                with recorder.batch([f"ex:{row}" for row in rows]):
                    (world.loss(model, [examples[row] for row in rows])[0] / 20).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            time.sleep(pause)
            if step % 7 == 4:  # not where the recorder looks at the optimizer of itself
                recorder.flush()
                state = {"step": step + 1, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(state, folder / "part")
                (folder / "part").replace(saved)
            print(step, flush=True)


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
