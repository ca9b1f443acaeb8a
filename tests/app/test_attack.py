"""What cheating brings: every attack on several worlds stays below what is claimed, and pays where nothing defends."""

import itertools
import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from byline.app import attack_corpus
from byline.app.attack import ATTACKS, run_attacks
from byline.app.attack_corpus import influence, small_world
from byline.app.attack_run import Book, period_queries, spans_by_example
from byline.app.cli import app
from byline.app.home import Home
from byline.app.model import Training


@pytest.fixture(scope="module")
def outcomes():
    return run_attacks(0)


def test_no_gain_is_above_its_bound_and_the_attacks_are_real(outcomes):
    assert set(outcomes) == {*ATTACKS, "self-prompting"}
    for name, each in outcomes.items():
        assert each.gain_defended_ppm <= each.bound_ppm, name
    paying = ("duplicate-stuffing", "sock-puppets", "near-duplicates", "excerpt", "self-prompting")
    assert all(outcomes[name].gain_undefended_ppm > 1_100_000 for name in paying)


def test_influence_is_the_derivative_by_an_example_s_weight():
    world = small_world(authors=2, words=130, outputs=2)
    uploads = {upload.work().id: upload for upload in world.uploads}
    texts = {work: upload.text for work, upload in uploads.items()}
    examples = [example for work, upload in uploads.items() for example in upload.examples(work)]
    spans = [texts[e.work][e.start : e.end].split(" ") for e in examples]
    befores = {before for span in spans for before in span[:-1]}

    def likelihood(output, weights):
        total = 0.0
        for before, word in itertools.pairwise(output):
            pair = sum(w * sum((a, b) == (before, word) for a, b in itertools.pairwise(s))
                       for w, s in zip(weights, spans, strict=True))  # fmt: skip
            any_ = sum(w * s[:-1].count(before) for w, s in zip(weights, spans, strict=True))
            s = attack_corpus.SMOOTHING
            total += math.log((pair + s / len(befores)) / (any_ + s))
        return total / (len(output) - 1)

    scores = influence(examples, texts, world.outputs).scores_QN
    for q, output in enumerate(world.outputs):
        for n in range(len(examples)):
            up, down = ([1.0 + (sign * 1e-4 if i == n else 0) for i in range(len(examples))] for sign in (1, -1))
            slope = (likelihood(output, up) - likelihood(output, down)) / 2e-4
            assert scores[q, n] == pytest.approx(slope, abs=1e-5)


def test_the_command_tells_it_as_json():
    done = CliRunner().invoke(app, ["attack", "--json"])
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.exit_code == 0
    assert all({"gain_undefended", "gain_defended", "bound"} <= set(each) for each in told.values())


def test_a_finished_run_is_attacked_with_its_own_scores(project):
    done = project("attack", "--name", "main", "--json")
    told = json.loads(done.out.splitlines()[-1])
    assert set(told) == {*ATTACKS, "self-prompting", "machine-written"}
    for name in ("duplicate-stuffing", "sock-puppets", "self-prompting"):
        assert told[name]["gain_defended"] <= told[name]["bound"], name
    assert all(each["attacker"] for each in told.values())
    above = [name for name, each in told.items() if each["gain_defended"] > each["bound"]]
    assert done.code == (1 if above else 0)
    assert told == json.loads(project("attack", "--name", "main", "--json").out.splitlines()[-1])


def test_a_made_up_span_scores_as_a_recorded_one_of_the_same_text_does(project):
    """The finished model reads a span again: on average as large as what the run recorded of it, and the same way."""
    training = Training.open(Home.open(project.home), "main")
    book = Book(training, period_queries(training))
    spans = list(spans_by_example(training).values())
    again_QN, recorded_QN = book.scale * book._raw(spans), book._recorded_QN
    assert np.sqrt((again_QN**2).mean()) == pytest.approx(float(np.sqrt((recorded_QN**2).mean())), rel=0.05)
    assert np.corrcoef(again_QN.ravel(), recorded_QN.ravel())[0, 1] > 0.1
