"""One training on several processes (ranks): names without wrappers, and this process's part of a step.

Every rank records the rows that it sees, in a folder of its own beside the run's: `runs/a.rank-0`, `runs/a.rank-1` ...
DistributedDataParallel and FSDP2 average the gradients of the ranks, so a row's part in the step is its part in its own
rank's gradient divided by the number of ranks. `join_ranks` makes one run of them.
"""

from dataclasses import dataclass
from pathlib import Path

import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

COMPILED, CHECKPOINTED = "_orig_mod", "_checkpoint_wrapped_module."


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train one model together."""

    number: int = 0
    count: int = 1

    @classmethod
    def of(cls, model: nn.Module) -> "Ranks":
        """From the process group of DistributedDataParallel or the mesh of FSDP2; any other model is trained alone.

        A mesh is taken to hold copies or shards for different rows: tensor parallelism is not told from it.
        """
        if isinstance(model, DistributedDataParallel):
            group = model.process_group
            return cls(torch.distributed.get_rank(group), torch.distributed.get_world_size(group))
        mesh = next((p.device_mesh for p in model.parameters() if hasattr(p, "device_mesh")), None)
        return cls() if mesh is None else cls(torch.distributed.get_rank(), mesh.size())

    def folder(self, path: Path) -> Path:
        """Where this rank records the run `path`."""
        return path if self.count == 1 else path.with_name(f"{path.name}.rank-{self.number}")


def plain(model: nn.Module) -> nn.Module:
    """The user's module inside DistributedDataParallel and torch.compile."""
    while True:
        if isinstance(model, DistributedDataParallel):
            model = model.module
        elif COMPILED in model._modules and type(model).__name__ == "OptimizedModule":
            model = model.get_submodule(COMPILED)
        else:
            return model


def plain_name(name: str) -> str:
    """A module's or parameter's name without what torch's activation-checkpointing wrapper puts into it."""
    return (name + ".").replace(CHECKPOINTED, "")[:-1]
