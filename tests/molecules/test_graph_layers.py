"""Layers on dense graphs: blind to the order of nodes, and equal to their equations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.layers.graph import GatedSum, GraphEncoder, RelationalConvolution
from zerosum.losses.penalties import gradient_penalty


def _graphs(batch: int = 4, nodes: int = 7, kinds: int = 3, relations: int = 2):
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(batch, nodes, kinds, generator=rng)
    a = torch.rand(batch, nodes, nodes, relations, generator=rng)
    return x, (a + a.transpose(1, 2)) / 2


@pytest.mark.parametrize("mean", [False, True])
def test_order_of_nodes_does_not_matter(mean: bool) -> None:
    torch.manual_seed(0)
    x, a = _graphs()
    order = torch.randperm(7)
    moved = (x[:, order], a[:, order][:, :, order])
    layer = RelationalConvolution(3, 5, 2, mean=mean)
    torch.testing.assert_close(layer(*moved), layer(x, a)[:, order], atol=1e-5, rtol=0)
    gather = GatedSum(3, 6)
    torch.testing.assert_close(gather(moved[0]), gather(x), atol=1e-5, rtol=0)
    encoder = GraphEncoder(3, 2, (8, 4), 6, mean=mean)
    torch.testing.assert_close(encoder(*moved), encoder(x, a), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mean", [False, True])
def test_a_convolution_is_its_equation(mean: bool) -> None:
    torch.manual_seed(0)
    x, a = _graphs(batch=1, nodes=3)
    a = a * 3  # degrees above one, so that the mean is a mean
    layer = RelationalConvolution(3, 4, 2, mean=mean)
    weight, bias = layer.messages.weight.view(2, 4, 3), layer.messages.bias.view(2, 4)
    for i in range(3):
        heard = torch.zeros(4)
        for j in range(3):
            for r in range(2):
                heard += a[0, i, j, r] * (weight[r] @ x[0, j] + bias[r])
        if mean:
            heard /= a[0, i].sum()
        want = torch.tanh(layer.own(x[0, i]) + heard)
        torch.testing.assert_close(layer(x, a)[0, i], want, atol=1e-5, rtol=1e-5)


def test_a_gated_sum_is_its_equation() -> None:
    layer = GatedSum(2, 2)
    with torch.no_grad():
        for linear in (layer.gate, layer.value):
            linear.weight.copy_(torch.eye(2))
            linear.bias.zero_()
    h = torch.tensor([[[1.0, 0.0], [2.0, -1.0]]])
    one = torch.sigmoid(torch.tensor(1.0)) * torch.tanh(torch.tensor(1.0))
    two = torch.sigmoid(torch.tensor(2.0)) * torch.tanh(torch.tensor(2.0))
    other = torch.sigmoid(torch.tensor(-1.0)) * torch.tanh(torch.tensor(-1.0))
    torch.testing.assert_close(layer(h)[0], torch.tanh(torch.stack([one + two, other])))


def test_one_norm_per_sample_over_both_tensors_by_hand() -> None:
    """A linear critic: its gradient is (w, v) everywhere, of norm 5 where |w| = 3 and |v| = 4."""
    w, v = torch.zeros(2, 3), torch.zeros(2, 2, 2)
    w[0, 1], v[1, 0, 1] = 3.0, 4.0

    class Linear(nn.Module):
        def forward(self, x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
            return (x * w).sum((1, 2)) + (a * v).sum((1, 2, 3))

    rng = torch.Generator().manual_seed(0)
    real, fake = (
        (torch.rand(6, 2, 3, generator=rng), torch.rand(6, 2, 2, 2, generator=rng))
        for _ in range(2)
    )
    assert gradient_penalty(Linear(), real, fake).item() == pytest.approx((5 - 1) ** 2)


def test_each_sample_has_its_own_norm() -> None:
    """f = s^2 / 2, s the sum over both tensors: the norm is |s| times the root of 10 entries."""

    def critic(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        return (x.sum((1, 2)) + a.sum((1, 2, 3))).square() / 2

    real = (torch.ones(2, 2, 1), torch.zeros(2, 2, 2, 2))
    fake = (torch.zeros(2, 2, 1), torch.zeros(2, 2, 2, 2))
    # Mixed with share t the sum is 2 t: norms 2 t sqrt(10) at t = 0.5 and t = 1.
    mix = torch.tensor([0.5, 1.0])
    want = ((10**0.5 - 1) ** 2 + (2 * 10**0.5 - 1) ** 2) / 2
    assert gradient_penalty(critic, real, fake, mix=mix).item() == pytest.approx(want, rel=1e-5)
