"""What cheating brings: every attack on several worlds stays below what is claimed, and pays where nothing defends."""

import itertools
import json

import pytest
from typer.testing import CliRunner

from byline.app.attack import ATTACKS, run_attacks
from byline.app.attack_corpus import examples_of, influence, small_world
from byline.app.cli import app


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
    import math

    from byline.app import attack_corpus

    world = small_world(authors=2, words=130, outputs=2)
    works = [upload.work() for upload in world.uploads]
    texts = {work.id: " ".join(upload.words) for work, upload in zip(works, world.uploads, strict=True)}
    examples = examples_of(works, texts)
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
