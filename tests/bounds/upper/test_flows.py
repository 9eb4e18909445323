"""Flows: determinants against autograd, inverses, and who sees whom."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rdzip.bounds.upper.flows import Flow
from rdzip.bounds.upper.layers import Autoregressive, Linear, Perceptron
from rdzip.errors import InputError


def disturbed(net: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The network with random numbers for every parameter: fresh ones are the identity."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        parameter.data = 0.4 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return net.double()


def jacobian(net: torch.nn.Module, z: Tensor, context: Tensor | None) -> Tensor:
    """d v / d z of one sample of the first copy."""
    return torch.autograd.functional.jacobian(lambda part: net(part, context)[0][0, 0], z)[:, 0, 0]


@pytest.mark.parametrize("order", ["reverse", "shift"])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_determinants_are_those_of_autograd(order: str, dim: int) -> None:
    flow = disturbed(Flow(1, dim, (16, 16), 3, order, context=4))
    z, context = torch.randn(1, 1, dim).double(), torch.randn(1, 1, 4).double()
    _, log_det = flow(z, context)
    assert log_det.item() == pytest.approx(torch.linalg.slogdet(jacobian(flow, z, context))[1].item(), abs=1e-9)


@pytest.mark.parametrize("order", ["reverse", "shift"])
@pytest.mark.parametrize("units", [(), (32,), (16, 16)])
def test_inverse_undoes_the_flow(order: str, units: tuple[int, ...]) -> None:
    flow = disturbed(Flow(2, 5, units, 3, order))
    z = torch.randn(2, 7, 5).double()
    torch.testing.assert_close(flow.inverse(flow(z)[0]), z)


def test_context_changes_the_flow_and_a_fresh_one_is_the_identity() -> None:
    flow = Flow(1, 3, (8,), 2, "reverse", context=2)
    z, context = torch.randn(1, 4, 3), torch.randn(1, 4, 2)
    v, log_det = flow(z, context)
    assert torch.equal(v, z)
    assert torch.equal(log_det, torch.zeros(1, 4))
    disturbed(flow)
    one, other = (flow(z.double(), c * context.double())[0] for c in (1, 2))
    assert not torch.allclose(one, other)


def test_an_autoregressive_network_sees_earlier_coordinates_only() -> None:
    net = disturbed(Autoregressive(1, 4, (16, 16), 3))
    z = torch.randn(1, 1, 4).double()
    seen = torch.autograd.functional.jacobian(net, z)[0, 0, :, :, 0, 0].abs().sum(1)
    assert torch.equal(seen.bool(), torch.ones(4, 4).tril(-1).bool())


def test_copies_do_not_interact() -> None:
    net = disturbed(Perceptron(3, 4, (8,), 2))
    x = torch.randn(1, 5, 4).double()
    net(x)[1].sum().backward()
    for parameter in net.parameters():
        assert not parameter.grad[[0, 2]].any()
    assert net.last.weight.grad[1].any()


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected an order of coordinates of reverse, shift, found 'odd'"):
        Flow(1, 2, (4,), 1, "odd")


def test_copies_start_alike() -> None:
    layer = Linear(3, 4, 5)
    assert torch.equal(layer.weight[0], layer.weight[2])
