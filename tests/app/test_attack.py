"""What cheating brings: every attack on several worlds stays below what is claimed, and pays where nothing defends."""

import itertools
import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from byline.app import attack_corpus
from byline.app.attack import ATTACKS, run_attacks
from byline.app.attack_corpus import influence, small_world
from byline.app.attack_pay import policy_of
from byline.app.attack_read import SpanTask, read_spans, spans_by_example
from byline.app.attack_run import PERIOD, period_outputs
from byline.app.carried import period_scores
from byline.app.cli import app
from byline.app.home import Home
from byline.app.model import Training, silent
from byline.ledger import Prior
from byline.training import LanguageTask, Query


@pytest.fixture(scope="module")
def outcomes():
    return {prior: run_attacks(0, policy_of(prior)) for prior in Prior}


@pytest.mark.parametrize("prior", Prior)
def test_no_gain_is_above_its_bound_and_the_attacks_are_real(outcomes, prior):
    found = outcomes[prior]
    assert set(found) == {*ATTACKS, "self-prompting"}
    for name, each in found.items():
        assert each.gain_defended_ppm <= each.bound_ppm, name
    paying = {
        Prior.LENGTH: {"duplicate-stuffing", "sock-puppets", "near-duplicates", "excerpt", "self-prompting"},
        Prior.EQUAL: {"duplicate-stuffing", "sock-puppets", "near-duplicates", "slicing", "self-prompting"},
        Prior.CATALOGUE: {"sock-puppets", "near-duplicates", "slicing", "self-prompting"},
    }
    assert all(found[name].gain_undefended_ppm > 1_100_000 for name in paying[prior])


def test_what_rests_on_nobody_s_look_holds_if_all_is_let_pass(outcomes):
    """Copies and stolen passages are found by rule; what pays per work, and not by length, needs the look."""
    found = outcomes[Prior.LENGTH]
    assert all(found[name].gain_if_passed_ppm <= found[name].bound_ppm for name in ATTACKS)
    copies = ("duplicate-stuffing", "sock-puppets", "near-duplicates")
    for prior in (Prior.EQUAL, Prior.CATALOGUE):
        assert all(outcomes[prior][name].gain_if_passed_ppm <= outcomes[prior][name].bound_ppm for name in copies)
        assert outcomes[prior]["slicing"].gain_if_passed_ppm > outcomes[prior]["slicing"].bound_ppm


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
    assert all({"gain_undefended", "gain_defended", "gain_if_passed", "bound"} <= set(each) for each in told.values())


def test_a_finished_run_is_attacked_with_its_own_scores(project):
    kept = project.home / "trainings" / "main" / "attack.json"
    before = kept.read_bytes() if kept.is_file() else None
    done = project("attack", "--name", "main", "--dry-run", "--json")
    assert (kept.read_bytes() if kept.is_file() else None) == before
    told = json.loads(done.out.splitlines()[-1])
    assert set(told) == {*ATTACKS, "self-prompting", "machine-written"}
    for name in ("duplicate-stuffing", "sock-puppets", "self-prompting", "machine-written", "outlier-works"):
        assert told[name]["gain_defended"] <= told[name]["bound"], name
    assert all(each["attacker"] for each in told.values())
    above = [name for name, each in told.items() if each["gain_defended"] > each["bound"]]
    assert done.code == (1 if above else 0)
    assert told == json.loads(project("attack", "--name", "main", "--json").out.splitlines()[-1])


def test_recorded_spans_have_the_scores_that_pay_and_made_up_ones_change_nothing(project):
    training = Training.open(Home.open(project.home), "main")
    outputs = {PERIOD: period_outputs(training)}
    spans = spans_by_example(training)
    book = read_spans(training, outputs, [*spans.values(), "the river was slow", "a"], silent)
    scores = book.scores_QS[0, [book.places[text] for text in spans.values()]]
    told = json.loads((training.home.training("main") / "attribution.json").read_text())
    passages = [one for one in told["passages"] if one["kind"] == "generated"]
    paying = period_scores(training, [_Passage(Query(tuple(p["tokens"]), p["start"])) for p in passages], silent).total
    distinct = [list(spans.values()).count(text) == 1 for text in spans.values()]
    paid = paying.scores_QN[0][distinct]  # differences in single precision: other rows beside them, other rounding
    assert np.allclose(scores[distinct], paid, atol=0.03 * np.abs(paid).max())
    assert np.corrcoef(scores[distinct], paid)[0, 1] > 0.999
    assert book.scores_QS[0, book.places["a"]] == 0  # one token follows nothing
    assert book.scores_QS[0, book.places["the river was slow"]] != 0


def test_a_short_span_in_a_batch_has_the_loss_that_it_has_alone(project):
    training = Training.open(Home.open(project.home), "main")
    plain = LanguageTask.of(training.corpus)
    example = training.corpus.examples[0].id
    whole = plain.tokens_of[example]
    task = SpanTask(plain, {"short": whole[:7].tolist(), "one": [3]})
    batch, model = task.batch([example, "short", "one"], 0), training.model()
    losses_B = task.losses(task.outputs(model, batch), batch)
    alone = [plain.losses(plain.outputs(model, row[None]), row[None]) for row in (whole, whole[:7])]
    assert torch.allclose(losses_B[:2], torch.cat(alone), atol=1e-5) and losses_B[2] == 0


@dataclass(frozen=True)
class _Passage:
    query: Query
