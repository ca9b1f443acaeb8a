"""Every baseline against a slow loop that follows its definition, and all of them on their sign."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from baselines import ekfac, gradients, lexical, own
from baselines.recorded import columns, load, record
from tests.benchmarks.tiny_bench import tiny_bench

from byline.attribution import EKFAC
from byline.core import ScoreTable

# torch's own decompositions, loaded at the first forward-mode derivative of a process
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    torch.set_num_threads(1)
    bench = tiny_bench()
    return bench, record(bench, tmp_path_factory.mktemp("bench") / "tiny")


def loss_gradient(bench, model, n):
    """(P,) by the plainest way there is."""
    batch = bench.task.batch([bench.example_ids[n]], 0)
    return flat(bench.task.losses(bench.task.outputs(model, batch), batch).sum(), model)


def flat(value, model):
    return torch.cat([part.flatten() for part in torch.autograd.grad(value, list(model.parameters()))])


PAIRS = [(0, 0), (3, 40), (39, 107)]


def test_dots_and_cosines_of_gradients(tiny):
    bench, recorded = tiny
    dots, cost = gradients.grad_dot(bench, recorded)
    cosines, _ = gradients.grad_cos(bench, recorded)
    assert cost == pytest.approx(1 + len(recorded.queries) / len(bench.example_ids))
    for q, n in PAIRS:
        query_P = flat(bench.measure(recorded.model, recorded.queries[q]), recorded.model)
        loss_P = loss_gradient(bench, recorded.model, n)
        assert float(dots[q, n]) == pytest.approx(-float(query_P @ loss_P), rel=1e-4, abs=1e-6)
        expected = -float(query_P @ loss_P / query_P.norm() / loss_P.norm())
        assert float(cosines[q, n]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("adam", [False, True])
def test_tracin_sums_over_kept_states(tiny, adam):
    bench, recorded = tiny
    found, _ = (gradients.tracin_adam if adam else gradients.tracin)(bench, recorded)
    path, model = recorded.trajectory, bench.model(0)
    for q, n in PAIRS:
        total = 0.0
        for before, after in pairwise(path.kept):  # the trapezoid rule over the summed learning rate
            mass = sum(step.rates[0] for step in path.steps[before:after]) / len(bench.example_ids)
            total -= mass / 2 * sum(_dot(bench, path, model, taken, q, n, recorded, adam) for taken in (before, after))
        assert float(found[q, n]) == pytest.approx(total, rel=1e-3, abs=1e-7)


def _dot(bench, path, model, taken, q, n, recorded, adam):
    state = path.state(taken)
    load(model, state.weights)
    query_P, loss_P = flat(bench.measure(model, recorded.queries[q]), model), loss_gradient(bench, model, n)
    if adam:
        moments = path.state(taken or path.kept[1])  # none is known before the first step: the next one's
        settings = path.groups[0].settings
        second = torch.cat([moments.moments["exp_avg_sq"][name].flatten() for name in columns(model)])
        loss_P = loss_P / ((second / (1 - settings["beta2"] ** moments.taken)).sqrt() + settings["eps"])
    return float(query_P @ loss_P)


def test_trackstar_is_a_cosine_in_the_damped_inverse_fisher(tiny):
    bench, recorded = tiny
    found, _ = gradients.trackstar(bench, recorded)
    scale_P = gradients.preconditioner(bench, recorded, len(recorded.trajectory.steps))
    rows, queries = (part * scale_P for part in (recorded.gradients_NP, recorded.queries_QP))
    dots, left, right = torch.zeros(len(queries), len(rows)), torch.zeros(len(queries)), torch.zeros(len(rows))
    for part in columns(recorded.model).values():
        g, q = rows[:, part].double(), queries[:, part].double()
        fisher = g.T @ g / len(g)
        ridge = 0.1 * float(fisher.trace()) / min(g.shape)
        inverse = torch.linalg.inv(fisher + ridge * torch.eye(len(fisher), dtype=torch.float64))
        dots, left = dots + q @ inverse @ g.T, left + ((q @ inverse) * q).sum(1)
        right = right + ((g @ inverse) * g).sum(1)
    assert torch.allclose(found.double(), -dots / (left[:, None] * right).sqrt(), rtol=1e-3, atol=1e-5)


def test_ekfac_is_the_product_s_and_its_layers_add_up(tiny):
    bench, recorded = tiny
    ours = EKFAC().fit(bench.model(0), bench.task, recorded.trajectory)
    table = ours.score({str(q): query for q, query in enumerate(recorded.queries)}, bench.measure)
    whole, part, head = (
        method(bench, recorded)[0] for method in (ekfac.with_head, ekfac.without_head, ekfac.head_alone)
    )
    place = [table.example_ids.index(example) for example in bench.example_ids]
    assert torch.allclose(whole, torch.from_numpy(table.scores_QN[:, place].copy()), atol=1e-5)
    assert torch.allclose(whole, part + head, atol=1e-5)
    assert torch.allclose(head, ekfac.layer_scores(recorded)["2"]) and head.abs().max() > 0 < part.abs().max()
    assert ekfac.with_head(bench, recorded)[1] == pytest.approx(3 + len(recorded.queries) / len(bench.example_ids))


def test_an_example_is_its_own_proponent(tiny):
    """Asked about a training example, every method of gradients gives that example a positive score."""
    bench, recorded = tiny
    batch_of = [bench.task.batch([example], 0) for example in bench.example_ids[:5]]
    asked = [(batch[0][0], batch[1][0]) for batch in batch_of]
    likely = SimpleNamespace(**{name: getattr(bench, name) for name in bench.__dataclass_fields__})
    likely.measure = lambda model, query: -F.cross_entropy(model(query[0][None]), query[1][None])
    here = type(recorded)(likely, recorded.model, recorded.trajectory, tuple(asked), recorded.folder)
    methods = [gradients.grad_dot, gradients.grad_cos, gradients.tracin, gradients.trackstar, ekfac.with_head]
    for method in [*methods, own.sketch, lambda b, r: (own.transport(b, r, list(range(5)))["byline-transport"][0], 0)]:
        scores_QN = torch.as_tensor(method(likely, here)[0])
        assert (scores_QN[range(5), range(5)] > 0).all()
    assert torch.allclose(torch.as_tensor(gradients.grad_cos(likely, here)[0]).diagonal(), torch.ones(5), atol=1e-4)
    assert torch.allclose(torch.as_tensor(gradients.trackstar(likely, here)[0]).diagonal(), torch.ones(5), atol=1e-3)


def test_channels_of_transport_add_up(tiny):
    bench, recorded = tiny
    found = own.transport(bench, recorded, [4, 39, 0])
    total, body, head = (found[name][0] for name in ("byline-transport", "byline-body", "byline-head"))
    assert torch.allclose(total, body + head, atol=1e-5) and total.shape == (3, len(bench.example_ids))
    alone, cost = own.head_transport(bench, recorded, [4, 39, 0])
    assert alone.shape == total.shape and 0 < cost < found["byline-head"][1]


def test_tables_are_put_in_the_order_of_the_task(tiny):
    bench, _ = tiny
    order = [5, 2, 7]
    table = ScoreTable(np.array([[1.0, 2, 3]], np.float32), ("q",), tuple(bench.example_ids[n] for n in order), "m")
    found = own.aligned(bench, table)
    assert found[0, order].tolist() == [1, 2, 3] and float(found.sum()) == 6


def test_similarities_of_texts_find_the_text_itself():
    texts = ("the treaty with the northern tribes", "a tariff on imported sugar", "railways and canals of the west", "")
    bench = SimpleNamespace(example_ids=tuple("abcd"), example_texts=texts, query_text=lambda query: query)
    recorded = SimpleNamespace(queries=texts[:3])
    for method in (lexical.bm25, lexical.tfidf):
        scores_QN, cost = method(bench, recorded)
        assert np.argmax(scores_QN, axis=1).tolist() == [0, 1, 2] and cost == 0
    tfidf_QN = lexical.tfidf(bench, recorded)[0]
    assert np.diag(tfidf_QN[:, :3]) == pytest.approx(1) and tfidf_QN[1, 2] == 0


def test_similarities_of_images_are_cosines(tiny):
    bench, recorded = tiny
    images, flatten = bench.features()
    mean = images.mean(0)
    for q, n in PAIRS:
        expected = F.cosine_similarity(flatten(recorded.queries[q]) - mean, images[n] - mean, dim=0)
        assert lexical.pixels(bench, recorded)[0][q, n] == pytest.approx(float(expected), abs=1e-5)
    whitened = lexical.components(bench, recorded)[0]
    assert whitened.shape == (len(recorded.queries), len(images)) and np.abs(whitened).max() <= 1 + 1e-9


def test_chance_is_the_same_every_time_and_knows_nothing(tiny):
    bench, recorded = tiny
    first, again = (lexical.chance(bench, recorded)[0] for _ in range(2))
    assert np.array_equal(first, again) and abs(first.mean()) < 0.05 and first.std() == pytest.approx(1, abs=0.05)
