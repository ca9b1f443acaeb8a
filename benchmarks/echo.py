"""What finds text that a model wrote, what it takes for such that is not, and what passing it would bring.

    python benchmarks/echo.py [PROJECT] [--name demo]        # benchmarks/results/echo.json, minutes

On a finished training of a project whose works are longer than what was read of them, as the demo's are. Passages of
works that the model never read are what people wrote; works by the model itself, of two spans each, are sampled at
several temperatures. Held is what lies further above the held-out spans than `byline.gate.echo.SPREADS`. What a work
brings is the mean score of its spans by the transport, over that of recorded spans: so many times an honest work's
influence.
"""

import argparse
import json
import random
import statistics
import sys
from pathlib import Path

import numpy as np

from byline.app.attack_read import read_spans, spans_by_example
from byline.app.attack_run import PERIOD, _essays, period_outputs, uploads_of
from byline.app.echo import _spans, text_excess, usual_excess
from byline.app.home import Home
from byline.app.model import Training, silent
from byline.gate.echo import SPREADS
from byline.training import excess_log_likelihood

sys.path.insert(0, str(Path(__file__).parent))
from figures import RESULTS, between, keep

PAGE = Path(__file__).parents[1] / "docs" / "attacks.md"
START, END = "<!-- echo -->", "<!-- /echo -->"

TEMPERATURES = (0.3, 0.7, 1.0, 1.3, 1.6)
LENGTHS = (1, 2, 4, 8, 16)  # spans of a text that people wrote
WORKS = 80


def unread(training):
    """Excess of the spans of works that neither were trained on nor held out, by work."""
    taken = {}
    for example in (*training.corpus.examples, *training.corpus.held_out):
        taken.setdefault(example.work, []).append((example.start, example.end))
    model, found = training.model(), []
    for work in random.Random(1).sample(sorted(taken), min(WORKS, len(taken))):
        text = training.home.registry.text(work)
        pieces, at = [], 0
        for start, end in [*sorted(taken[work]), (len(text), len(text))]:
            pieces.append(text[at:start])
            at = max(at, end)
        values = [float(v) for piece in pieces for v in excess_log_likelihood(model, _spans(training, piece))]
        found.append(values)
    return found


def main():
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("project", nargs="?", default="byline-demo", type=Path)
    asked.add_argument("--name", default="demo")
    told = asked.parse_args()
    training = Training.open(Home.open(told.project), told.name)
    usual = usual_excess(training)
    line = statistics.fmean(usual) + SPREADS * statistics.stdev(usual)
    people = unread(training)
    alarms = {}
    for length in LENGTHS:
        texts = [own[at : at + length] for own in people for at in range(0, len(own) - length + 1, length)]
        held = sum(statistics.fmean(text) > line for text in texts)
        alarms[length] = {"texts": len(texts), "held": held}
        print(f"people, {length:2} spans: {held} of {len(texts)} held")
    uploads = uploads_of(training)
    essays = {t: _essays(training, uploads, t) for t in TEMPERATURES}
    spans = [span for texts in essays.values() for text in texts for span in text]
    book = read_spans(training, {PERIOD: period_outputs(training)}, spans, silent)
    honest = np.mean([book.scores_QS[0, book.places[span]] for span in spans_by_example(training).values()])
    machine = {}
    for temperature, texts in essays.items():
        held = sum((value or 0) > line for value in text_excess(training, [" ".join(text) for text in texts]))
        score = np.mean([book.scores_QS[0, book.places[span]] for text in texts for span in text])
        machine[temperature] = {"works": len(texts), "held": held, "influence": round(float(score / honest), 2)}
        print(f"the model at {temperature}: {held} of {len(texts)} held, {score / honest:.1f} times an honest work")
    path = RESULTS / "echo.json"
    path.write_text(json.dumps({"people": alarms, "machine": machine}), encoding="utf-8")
    keep(path, path)
    PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), START, END, told_of(path)), encoding="utf-8")


def told_of(path):
    """Markdown of the kept result."""
    told = json.loads(path.read_text(encoding="utf-8"))
    lines = ["| text | held | influence of a work, over that of an honest one |", "|---|---|---|"]
    for length, each in told["people"].items():
        lines.append(f"| by people, {length} span{'s' * (length != '1')} | {each['held']} of {each['texts']} | |")
    for temperature, each in told["machine"].items():
        held, brings = f"{each['held']} of {each['works']}", f"{each['influence']:.1f}"
        lines.append(f"| by the model, at a temperature of {temperature} | {held} | {brings} |")
    made = f"The demo's model and works. {told['date']}, commit {told['commit']}, {told['hardware']}."
    return "\n" + "\n".join([*lines, "", made]) + "\n"


if __name__ == "__main__":
    main()
