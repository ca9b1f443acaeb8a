"""One passage, live: written by a finished training's model, with its sources, what it shares word for word, and what
the guard says. torch is imported when the first passage is asked for, and not before."""

from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from byline.app.home import Home, read_kept
from byline.app.lookup import Library, guard_of, look_up_text, named
from byline.app.portal.play_price import priced
from byline.app.portal.play_room import Progress
from byline.app.portal.visit import Portal
from byline.app.report.charts import contributor_chart, work_chart
from byline.app.report.passage import annotated, assign_colours, number_people, sources_of, weightiest
from byline.core import AppError

if TYPE_CHECKING:
    from byline.app.model import Training

TOKENS = 96  # that the model writes
_OPEN: dict[tuple[Path, str, int], "Training"] = {}  # the last one that was asked, with its fitted sketches
_OPENING = Lock()


def trainings(home: Home) -> list[str]:
    """Finished trainings whose model can write, the latest first."""
    folder = home.path / "trainings"
    done = [
        path.parent
        for path in folder.glob("*/training.json")
        if (path.parent / "final.safetensors").is_file() and home.run(path.parent.name).is_dir()
    ]
    return [path.name for path in sorted(done, key=lambda path: -(path / "training.json").stat().st_mtime_ns)]


def make_passage(
    portal: Portal, name: str, prompt: str, nano: int, currency: str, progress: Progress
) -> dict[str, Any]:
    """What the page shows. A passage that the guard blocks is in none of it.

    Raises: AppError("took-too-long") by way of `progress`, AttributionError("empty-query"), those of `Training.open`.
    """
    home, day = portal.fresh(), portal.clock().date()
    progress("waking the model up", 0, 1)
    training = opened(home, name)
    from byline.app.answers import attribute_passages
    from byline.app.passages import generated_passages

    progress("writing", 0, 1)
    passages = generated_passages(training, [prompt], TOKENS)
    told, _, _ = attribute_passages(training, passages, progress)
    passage = told["passages"][0]
    progress("looking for words that stand in a work", 0, 1)
    library = Library(home, day)
    with portal.indexing:
        library.update()
    report = named(library, guard_of(library).check(passage["text"]).to_json())
    shown = {"training": name, "method": told["method"], "prompt": prompt, "guard": report}
    if report["action"] == "block":
        return shown | {"blocked": True}
    progress("dividing the price", 0, 1)
    return shown | {
        "blocked": False,
        "picture": drawn(training, passage, told["method"]),
        "found": look_up_text(library, passage["text"]),
        "agreement": agreement(home, name, told["method"]),
        "price": priced(training, told["method"], passage["cluster"]["shares"], nano, currency, day),
    }


def opened(home: Home, name: str) -> "Training":
    """A training with the names of people as they are now; its sketches are fitted once.

    Raises: AppError("no-such-page"), those of `Training.open`.
    """
    from byline.app.model import Training

    path = home.training(name) / "training.json"
    if not path.is_file():
        raise AppError("no-such-page", f"there is no training {name}", "the page lists those that there are")
    key = (home.path, name, path.stat().st_mtime_ns)
    with _OPENING:
        if key not in _OPEN:
            _OPEN.clear()
            _OPEN[key] = Training.open(home, name)
        kept = _OPEN[key]
        again = replace(kept, home=home)
        again.__dict__["sketch"] = kept.sketch
    return again


def drawn(training: "Training", passage: dict[str, Any], method: str) -> dict[str, Any]:
    """The report's picture of a passage: its text in colours, and its charts."""
    from byline.app.view import passage_data

    shown = passage_data(training, passage, slope_of(training.home, training.name, method))
    alone = {"passages": [shown], "check": {"pairs": []}}
    numbers, (colours,) = number_people(alone), assign_colours([weightiest(shown)])
    sources = sources_of(shown, numbers, colours, "p1")
    return {
        "passage": shown,
        "text": annotated(shown, sources, "p1"),
        "sources": sources,
        "shares": contributor_chart(shown, sources, numbers),
        "works": work_chart(shown, sources),
    }


def agreement(home: Home, name: str, method: str) -> dict[str, Any] | None:
    """How a method agreed with retraining on this training; None if that was not measured."""
    try:
        told = read_kept(home, name, "evaluation")
    except AppError:
        return None
    found = next((each for each in told["methods"] if each["method"] == method), None)
    return {**found, "contributors": len(told["contributors"])} if found else None


def slope_of(home: Home, name: str, method: str) -> float:
    measured = agreement(home, name, method)
    return float(measured["slope"]) if measured and measured.get("slope") is not None else 1.0
