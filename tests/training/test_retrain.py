"""Retraining in processes of their own gives the bits of retraining here, however many run at once."""

import multiprocessing
import time

import pytest
import torch

from byline.capture import weights_digest
from byline.core import TrainingError
from byline.training import (
    Job,
    Query,
    Retraining,
    load_model,
    measure_query,
    pretrain,
    run_job,
    save_corpus,
    save_model,
    train,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, corpus, recipe):
    path = tmp_path_factory.mktemp("training")
    save_corpus(path, corpus, recipe)
    save_model(path, pretrain(corpus, recipe), "base")
    return path


@pytest.fixture(scope="module")
def jobs(folder, corpus):
    query = Query(tuple(corpus.held_out_MT[0].tolist()), 4)
    without = frozenset(example.id for example in corpus.examples if example.work == "work:1")
    return [Job(folder, names, (query,)) for names in (frozenset(), without, frozenset())]


def test_one_process_or_two_or_none(jobs):
    here = [run_job(index, job) for index, job in enumerate(jobs)]
    counted = []
    one = Retraining(jobs, processes=1).wait()
    two = Retraining(jobs, processes=2).wait(counted.append)
    for outcomes in (one, two):
        assert [(o.weights, o.log_likelihoods) for o in outcomes] == [(o.weights, o.log_likelihoods) for o in here]
    assert here[0].weights == here[2].weights != here[1].weights
    assert here[0].log_likelihoods != here[1].log_likelihoods
    assert counted[-1] == [10, 10, 10]  # 20 examples, batches of 4, two epochs


def test_a_job_is_the_training_with_examples_at_weight_zero(jobs, folder, corpus, recipe):
    weights_N = torch.tensor([float(example.work != "work:1") for example in corpus.examples])
    model = train(load_model(folder, recipe, "base"), corpus, recipe, weights_N=weights_N).model
    outcome = run_job(0, jobs[1])
    assert outcome.weights == weights_digest(model).hex()
    assert outcome.log_likelihoods == (float(measure_query(model, jobs[1].queries[0])),)


@torch.no_grad()
def test_what_a_query_measures(folder, recipe):
    model, tokens = load_model(folder, recipe, "base"), (5, 6, 7, 8)
    log_p = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
    for start, targets in ((2, [2, 3]), (1, [1, 2, 3]), (0, [1, 2, 3])):  # the first token has no prediction
        want = sum(float(log_p[t - 1, tokens[t]]) for t in targets) / len(targets)
        assert float(measure_query(model, Query(tokens, start))) == pytest.approx(want, rel=1e-4)


def test_a_fault_in_a_process_comes_back_whole(tmp_path):
    with pytest.raises(TrainingError) as fault:
        Retraining([Job(tmp_path, frozenset(), ())]).wait()
    assert fault.value.code == "no-training" and fault.value.fix


def test_a_process_that_is_killed_is_told_not_waited_for(jobs):
    retraining = Retraining(jobs, processes=1)
    before = time.monotonic()
    while not (workers := multiprocessing.active_children()) and time.monotonic() < before + 60:
        time.sleep(0.05)
    for worker in workers:
        worker.kill()
    with pytest.raises(TrainingError) as fault:
        retraining.wait()
    assert fault.value.code == "worker-died"
