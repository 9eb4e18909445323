"""Integer layers: exact under any order of summation, bounded, and equal to the trained form."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.errors import ModelError
from rdzip.exact.integers import ACT_MAX, PRODUCT_ALONE, PRODUCT_ROWS, IntegerLayer, check_stream
from rdzip.exact.layers import IntegerLinear, QuantisedLinear, activate, ste_round


def integer_layer(inputs: int, outputs: int, seed: int, exponent: int = 7) -> IntegerLinear:
    g = torch.Generator().manual_seed(seed)
    weight = torch.randint(-127, 128, (outputs, inputs), generator=g, dtype=torch.int32).to(torch.int8)
    bias = torch.randint(-5000, 5001, (outputs,), generator=g, dtype=torch.int32)
    return IntegerLinear(weight, torch.full((outputs,), exponent, dtype=torch.int8), bias)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 300), st.integers(1, 70), st.integers(1, 40))
def test_forward_is_the_integer_sum(seed: int, inputs: int, outputs: int, n: int) -> None:
    layer = integer_layer(inputs, outputs, seed)
    a = np.random.default_rng(seed).integers(0, ACT_MAX + 1, (n, inputs))
    w, b = layer.integers["weight"].numpy().astype(np.int64), layer.integers["bias"].numpy().astype(np.int64)
    expected = (a @ w.T + b) / 2.0**7
    y = layer(torch.from_numpy(a).float())
    np.testing.assert_array_equal(y.numpy(), expected)
    assert (np.abs(expected) <= layer.bound).all()


@pytest.mark.parametrize("n", [0, 1, PRODUCT_ROWS - 1, PRODUCT_ROWS, 3 * PRODUCT_ROWS + 1])
def test_products_in_parts_are_the_product(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In numpy, none of more multiply-adds than OpenBLAS computes in one thread."""
    rng = np.random.default_rng(n)
    weight = rng.integers(-5, 6, (97, 230)).astype(np.int8)
    layer = IntegerLayer(weight, np.full(97, 7, np.int8), rng.integers(-9, 10, 97).astype(np.int32))
    a = rng.integers(0, ACT_MAX + 1, (n, 230))
    sizes = []

    def matmul(a: Any, b: Any, out: Any, product: Any = np.matmul) -> Any:
        sizes.append(a.shape[0] * a.shape[1] * b.shape[1])
        return product(a, b, out=out)

    monkeypatch.setattr(np, "matmul", matmul)
    found = layer(a.astype(np.float32))
    np.testing.assert_array_equal(found, (a @ weight.T.astype(np.int64) + layer.integers["bias"]) / 2.0**7)
    assert max(sizes, default=0) <= PRODUCT_ALONE
    assert sum(sizes) == n * weight.size


def test_largest_sums_stay_exact() -> None:
    weight = torch.full((1, 512), 127, dtype=torch.int8)
    layer = IntegerLinear(weight, torch.tensor([7], dtype=torch.int8), torch.tensor([0], dtype=torch.int32))
    a = torch.full((3, 512), float(ACT_MAX))
    a[1, ::2] = 254
    expected = (a.double() @ weight.double().T) / 128
    assert torch.equal(layer(a).double(), expected)


def test_bound_is_checked_for_every_channel() -> None:
    weight = torch.zeros((3, 600), dtype=torch.int8)
    weight[1] = 127
    with pytest.raises(ModelError, match="16777216"):
        IntegerLinear(weight, torch.full((3,), 7, dtype=torch.int8), torch.zeros(3, dtype=torch.int32))
    with pytest.raises(ModelError, match="below"):
        IntegerLinear(weight[:1], torch.full((1,), 7, dtype=torch.int8), torch.tensor([2**24], dtype=torch.int32))


def test_sum_of_layers_is_checked() -> None:
    layers = [integer_layer(250, 4, seed) for seed in range(12)]
    check_stream(layers[:2])
    with pytest.raises(ModelError):
        check_stream(layers)


def test_shapes_are_checked() -> None:
    with pytest.raises(ModelError, match="expected weight"):
        IntegerLinear(
            torch.zeros((2, 3), dtype=torch.int8), torch.zeros(3, dtype=torch.int8), torch.zeros(2, dtype=torch.int32)
        )


def test_frozen_layer_equals_the_trained_forward() -> None:
    torch.manual_seed(0)
    layer = QuantisedLinear(40, 24)
    with torch.no_grad():
        layer.bias.uniform_(-3, 3)
        layer.weight[3] *= 100
        layer.weight[4] *= 1e-4
    a = torch.randint(0, 256, (17, 40)).float()
    assert torch.equal(layer(a), layer.to_integer()(a))


def test_float_forward_is_close_to_the_quantised_one() -> None:
    torch.manual_seed(0)
    layer = QuantisedLinear(64, 8)
    a = torch.randint(0, 256, (50, 64)).float()
    difference = (layer(a) - layer(a, quantise=False)).abs().mean()
    assert 0 < difference < 0.02 * layer(a).abs().mean()


def test_rounding_and_activation_pass_gradients_straight_through() -> None:
    x = torch.tensor([-3.2, 0.4, 0.5, 99.7, 300.0], requires_grad=True)
    y = activate(x)
    assert y.tolist() == [0, 0, 1, 100, 255]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 1, 1, 0]
    z = torch.tensor([1.5, -1.5], requires_grad=True)
    ste_round(z).sum().backward()
    assert ste_round(z).tolist() == [2, -1]
    assert z.grad is not None
    assert z.grad.tolist() == [1, 1]


def test_activation_in_bfloat16_holds_all_values() -> None:
    h = torch.arange(0, 256).float()
    assert torch.equal(activate(h, dtype=torch.bfloat16).float(), h)
