import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from recorded import adamw, measure_of, record


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """The models are tiny: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def trained(tmp_path_factory):
    """(model, run, measure) of a two-layer model trained with AdamW."""
    model, run = record(tmp_path_factory.mktemp("runs") / "run", "linear-2d", adamw)
    return model, run, measure_of("linear-2d")
