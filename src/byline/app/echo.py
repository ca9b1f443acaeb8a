"""Works that read as if the newest model of the project had written them: it reads each once, and that is kept."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byline.app.home import Home, read_json, write_json
from byline.core import Manifest, RegistryError, WorkId
from byline.gate import Echo, find_echoes

if TYPE_CHECKING:
    from torch import Tensor

    from byline.app.model import Training

MOST_SPANS = 64  # of a work that are read, evenly spread


def echoes(home: Home, works: Iterable[WorkId]) -> tuple[Echo, ...]:
    """Of these works those that the newest finished training's model could have written, by id; none if there is no
    such training. What the model was trained on is not judged, for it knows that by heart, and neither is a text
    shorter than one span. Needs torch if a work was not read before."""
    found = _newest(home)
    if found is None:
        return ()
    folder, manifest = found
    path = folder / "echo.json"
    known = read_json(path, "remove it", ("usual", "works")) if path.is_file() else {"usual": None, "works": {}}
    trained = {entry.work for entry in manifest.entries}
    asked = [work for work in works if work not in trained]
    if known["usual"] is None or any(work not in known["works"] for work in asked):
        known = _read(home, folder.name, known, [work for work in asked if work not in known["works"]])
        write_json(path, known)
    excess = {work: known["works"][work] for work in asked if known["works"][work] is not None}
    return find_echoes(excess, known["usual"], folder.name)


def usual_excess(training: "Training") -> list[float]:
    """Of the spans that were held out of the training, nats per token."""
    from byline.training import excess_log_likelihood

    return [float(value) for value in excess_log_likelihood(training.model(), training.corpus.held_out_MT)]


def text_excess(training: "Training", texts: Iterable[str]) -> list[float | None]:
    """Of each text the mean over its whole spans, `MOST_SPANS` at most, evenly spread; None if it has none."""
    from byline.training import excess_log_likelihood

    model = training.model()
    read = (excess_log_likelihood(model, _spans(training, text)) for text in texts)
    return [float(excess_M.mean()) if len(excess_M) else None for excess_M in read]


def _spans(training: "Training", text: str) -> "Tensor":
    """A rest of half a span and more is read with what stands before it."""
    import torch

    length = training.recipe.sequence
    ids_T = torch.tensor(training.corpus.tokenizer.encode(text).ids, dtype=torch.long)
    starts = list(range(0, len(ids_T) - length + 1, length))
    if starts and 2 * (len(ids_T) % length) >= length:
        starts.append(len(ids_T) - length)
    count = min(MOST_SPANS, len(starts))
    chosen = [starts[n * len(starts) // count] for n in range(count)]
    return torch.stack([ids_T[at : at + length] for at in chosen]) if chosen else ids_T.new_zeros(0, length)


def _newest(home: Home) -> tuple[Path, Manifest] | None:
    """The folder of the newest training whose model is at hand, and its manifest; None if there is none, or if its
    manifest is of other records than these."""
    models = sorted((home.path / "trainings").glob("*/final.safetensors"))
    finished = [path.parent for path in models if (path.parent / "training.json").is_file()]
    told = {folder: read_json(folder / "training.json", "train again", ("manifest",)) for folder in finished}
    newest = max(finished, key=lambda folder: str(told[folder].get("started", "")), default=None)
    if newest is None:
        return None
    try:
        return newest, home.registry.manifest(told[newest]["manifest"])
    except RegistryError:
        return None


def _read(home: Home, name: str, known: Mapping[str, Any], works: Sequence[WorkId]) -> dict[str, Any]:
    from byline.app.model import Training

    training = Training.open(home, name)
    found = dict(zip(works, text_excess(training, map(home.registry.text, works)), strict=True))
    return {"usual": known["usual"] or usual_excess(training), "works": {**known["works"], **found}}
