"""A work that the project's own model wrote waits for a person; read once, kept, and released by a line."""

import pytest
import torch
from tiny_project import prose, write_csv

import byline.gate.echo
from byline.app.echo import _spans, echoes, text_excess, usual_excess
from byline.app.home import Home
from byline.app.model import Training
from byline.core import Verdict
from byline.training import excess_log_likelihood, generate


@pytest.fixture
def grown(project, tmp_path, monkeypatch):
    """The finished project, and two more works: one by a person, one that its model wrote."""
    monkeypatch.setattr(byline.gate.echo, "MIN_USUAL", 3)  # the tiny project holds few spans out
    copy = project.copy(tmp_path / "grown")
    training = Training.open(Home.open(copy.home), "main")
    length = training.recipe.sequence
    made = generate(training.model(), training.corpus.tokenizer.encode("the river").ids, 4 * length, 0, 0.05)
    files = {"Essay": training.corpus.tokenizer.decode(made), "Letter": prose("hill sheep dog gate whistle fold", 77)}
    for title, text in files.items():
        (tmp_path / f"{title}.txt").write_text(text, encoding="utf-8")
    rows = [(f"{title}.txt", title, "Eve Hart", "author", "2020-01-01", "test", "CC0-1.0") for title in files]
    header = ("path", "title", "contributor", "role", "created", "source", "licence")
    catalogue = write_csv(tmp_path / "more.csv", header, *rows)
    assert copy("register", catalogue).code == 0
    return copy


def verdicts(project):
    """Rule and reason of every work by its title."""
    done = project("check", "--json")
    assert done.code == 0, done.err
    home = Home.open(project.home)
    titles = {work.id: work.title for work in home.registry.works()}
    return {titles[one.work]: one for one in home.registry.decisions()}


def test_excess_is_the_mean_over_tokens_of_likelihood_and_entropy(project):
    training = Training.open(Home.open(project.home), "main")
    tokens_T = training.corpus.held_out_MT[0]
    with torch.no_grad():
        logp_TV = training.model()(input_ids=tokens_T[None]).logits[0, :-1].log_softmax(-1)
    by_hand = [
        float(row_V[token] - (row_V.exp() * row_V).sum()) for row_V, token in zip(logp_TV, tokens_T[1:], strict=True)
    ]
    assert usual_excess(training)[0] == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-4)
    whole = [float(value) for value in excess_log_likelihood(training.model(), training.corpus.held_out_MT, batch=1)]
    assert whole == pytest.approx(usual_excess(training), abs=1e-4)


def test_a_text_shorter_than_a_span_is_not_read_and_a_rest_of_half_a_span_is(project):
    training = Training.open(Home.open(project.home), "main")
    ids = training.corpus.tokenizer.encode((project.files / "0.txt").read_text(encoding="utf-8")).ids
    length = training.recipe.sequence
    assert [len(_spans(training, training.corpus.tokenizer.decode(ids[:n]))) for n in (length // 2, 0)] == [0, 0]
    assert text_excess(training, [training.corpus.tokenizer.decode(ids[: length // 2])]) == [None]
    whole = training.corpus.tokenizer.decode(ids)
    count = len(training.corpus.tokenizer.encode(whole).ids)
    assert len(_spans(training, whole)) == count // length + (2 * (count % length) >= length)


def test_what_the_model_wrote_waits_for_a_person_and_is_read_once(grown):
    found = verdicts(grown)
    assert found["Essay"].rule == "like-a-model" and found["Essay"].verdict is Verdict.REFUSE
    assert "model main" in found["Essay"].because
    assert found["Letter"].verdict is Verdict.ADMIT  # and so are all that the model was trained on
    assert {one.rule for title, one in found.items() if title != "Essay"} == {"admitted", "opt-out"}
    kept = grown.home / "trainings" / "main" / "echo.json"
    before = kept.stat().st_mtime_ns
    assert verdicts(grown)["Essay"].rule == "like-a-model" and kept.stat().st_mtime_ns == before

    (grown.home / "reviewed.txt").write_text(f"{found['Essay'].work}  # read by E. Hart: her own\n", encoding="utf-8")
    assert verdicts(grown)["Essay"].verdict is Verdict.ADMIT


def test_a_project_without_a_finished_training_asks_no_model(project, tmp_path):
    copy = project.copy(tmp_path / "bare")
    for told in (copy.home / "trainings").glob("*/training.json"):
        told.unlink()
    home = Home.open(copy.home)
    assert echoes(home, [work.id for work in home.registry.works()]) == ()
