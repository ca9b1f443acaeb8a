"""python rank.py FOLDER MODE RANK WORLD: train one model on its part of every batch; MODE is alone, ddp or fsdp2."""

import sys
from pathlib import Path

import torch
import torch.distributed
import torch.nn.functional as F
from torch import nn

from byline.capture import Projector, Recorder, weights_digest

STEPS, ROWS = 13, 4
IDS = torch.randint(11, (STEPS, ROWS, 6), generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Sizes that two processes cannot halve, and an embedding tied to the output layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.up, self.conv = nn.Embedding(11, 5), nn.Linear(5, 7), nn.Conv1d(7, 5, 3, padding=1)
        self.head = nn.Linear(5, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids_BT):
        h = torch.tanh(self.up(self.embed(ids_BT)))
        return self.head(self.conv(h.transpose(1, 2)).transpose(1, 2))


def wrapped(mode):
    if mode == "ddp":
        return nn.parallel.DistributedDataParallel(Net())
    model = Net()
    if mode == "fsdp2":
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
        fully_shard(model.up, mesh=mesh)
        fully_shard(model, mesh=mesh)
    return model


def train(folder, mode, rank, world, rows=None):
    model = wrapped(mode)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    rows = torch.arange(ROWS).chunk(world)[rank] if rows is None else rows
    with Recorder(model, optimizer, folder / "run", projector=Projector(3)) as recorder:
        for step in range(STEPS):
            ids = IDS[step, rows]
            with recorder.batch([f"ex:{step}:{row}" for row in rows.tolist()]):
                F.cross_entropy(model(ids)[:, :-1].transpose(1, 2), ids[:, 1:]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.2)
            optimizer.step()
            optimizer.zero_grad()
    return weights_digest(model).hex()


if __name__ == "__main__":
    folder, mode, rank, world = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(1)
    if mode != "alone":
        torch.distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=world)
    try:
        print(train(folder, mode, rank, world))
    finally:
        if mode != "alone":
            torch.distributed.destroy_process_group()
