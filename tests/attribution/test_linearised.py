"""Products by differences against forward-mode derivatives, and what they must not depend on."""

import numpy as np
import pytest
import torch
from tests.attribution.walked import NAMES, TinyTask, tiny
from torch.func import functional_call, grad, jvp, vjp
from torch.nn.attention import SDPBackend, sdpa_kernel

from byline.attribution.linearised import Forward, Products

ROWS_B = torch.tensor([1.0, 0.0, 2.0, 1.0, 0.5, 1.0])
ADDED_B = torch.tensor([0.0, 1.0, 0.0, 0.5, 0.0, 0.0])


def oracle(model, task, batch, weights, vector, added_B):
    """G v by forward-mode derivatives of torch.func, with the definition of attention (fused kernels have none)."""

    def outputs(moved):
        return functional_call(Forward(model, task), {f"model.{n}": p for n, p in (weights | moved).items()}, (batch,))

    def total(free):
        return task.losses(free, batch).sum()

    at = {name: weights[name] for name in vector}
    with sdpa_kernel(SDPBackend.MATH):
        z, dz = jvp(outputs, (at,), (vector,))
        slope, curved = jvp(grad(total), (z,), (dz,))
        rows = ROWS_B.to(z.dtype).view(-1, 1, 1) * curved + added_B.to(z.dtype).view(-1, 1, 1) * slope
        return vjp(outputs, at)[1](rows)[0], (slope * dz).flatten(1).sum(1)


def case(dtype, vectors=3, seed=1):
    model, task = tiny(dtype), TinyTask()
    weights = {name: value.detach().clone() for name, value in model.named_parameters()}
    weights |= {name: value.clone() for name, value in model.named_buffers()}
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: value.shape for name, value in model.named_parameters()}
    v = {name: torch.randn(vectors, *shape, generator=generator, dtype=dtype) for name, shape in shapes.items()}
    return model, task, task.batch(NAMES, 0), weights, v


def products(model, task, batch, weights, v, channels=None, walk=None):
    count = len(next(iter(v.values())))
    added_KB = ADDED_B.to(next(iter(v.values())).dtype).repeat(count, 1)
    walk = walk or Products(Forward(model, task))
    return walk(batch, weights, v, channels or [list(v)], ROWS_B.to(added_KB.dtype), added_KB)


def apart(found, wanted):
    found, wanted = (torch.cat([p.flatten() for p in part.values()]).double() for part in (found, wanted))
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 5e-3)])
@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_it_is_the_forward_mode_product_whatever_the_length_of_the_vector(dtype, tolerance, size):
    model, task, batch, weights, v = case(dtype)
    v = {name: size * value for name, value in v.items()}
    pulled, dots_CKB = products(model, task, batch, weights, v)
    for k in range(3):
        one = {name: value[k] for name, value in v.items()}
        wanted, dots_B = oracle(model, task, batch, weights, one, ADDED_B)
        assert apart({name: value[k] for name, value in pulled.items()}, wanted) < tolerance
        assert torch.allclose(dots_CKB[0, k], dots_B, rtol=2 * tolerance, atol=tolerance * float(dots_B.abs().max()))


def test_vectors_do_not_touch_each_other():
    model, task, batch, weights, v = case(torch.float32)
    whole, dots = products(model, task, batch, weights, v)
    for k in range(3):
        alone, alone_dots = products(model, task, batch, weights, {name: value[k : k + 1] for name, value in v.items()})
        assert all(torch.equal(whole[name][k], alone[name][0]) for name in v)
        assert torch.equal(dots[:, k], alone_dots[:, 0])


def test_a_reach_from_the_step_before_that_no_longer_fits_is_corrected():
    model, task, batch, weights, v = case(torch.float64, vectors=1)
    walk = Products(Forward(model, task))
    products(model, task, batch, weights, v, walk=walk)
    longer = {name: 1e7 * value for name, value in v.items()}
    found, _ = products(model, task, batch, weights, longer, walk=walk)
    wanted, _ = oracle(model, task, batch, weights, {name: value[0] for name, value in longer.items()}, ADDED_B)
    assert apart({name: value[0] for name, value in found.items()}, wanted) < 1e-6


def test_channels_add_up_to_the_whole():
    model, task, batch, weights, v = case(torch.float64)
    names = list(v)
    whole, dots = products(model, task, batch, weights, v)
    parts, dots_CKB = products(model, task, batch, weights, v, [names[:2], names[2:5], names[5:]])
    assert apart(parts, whole) < 1e-6
    assert torch.allclose(dots_CKB.sum(0), dots[0], rtol=1e-6)


def test_a_vector_of_zeros_has_no_product_and_outputs_of_zero_do_no_harm():
    model, task, batch, weights, v = case(torch.float64)
    nothing = {name: torch.zeros_like(value) for name, value in v.items()}
    pulled, dots = products(model, task, batch, weights, nothing)
    assert not dots.any()
    wanted, _ = oracle(model, task, batch, weights, {name: value[0] for name, value in nothing.items()}, ADDED_B)
    assert apart({name: value[0] for name, value in pulled.items()}, wanted) < 1e-12  # what was added remains
    weights["head.weight"] = torch.zeros_like(weights["head.weight"])  # as many models begin
    pulled, _ = products(model, task, batch, weights, v)
    wanted, _ = oracle(model, task, batch, weights, {name: value[1] for name, value in v.items()}, ADDED_B)
    assert apart({name: value[1] for name, value in pulled.items()}, wanted) < 1e-6


def test_products_are_symmetric_and_never_negative():
    model, task, batch, weights, v = case(torch.float64)
    walk = Products(Forward(model, task))
    pulled, _ = walk(batch, weights, v, [list(v)], ROWS_B.double())
    table = np.array([[sum(float((v[n][i] * pulled[n][j]).sum()) for n in v) for j in range(3)] for i in range(3)])
    assert np.allclose(table, table.T, rtol=1e-5)
    assert np.linalg.eigvalsh((table + table.T) / 2).min() > 0
