"""One training on several processes: names without wrappers, this process's part of a step, and sharded tensors."""

from torch import nn
from torch.nn.parallel import DistributedDataParallel

COMPILED, CHECKPOINTED = "_orig_mod", "_checkpoint_wrapped_module."


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
