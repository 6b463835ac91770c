"""R1 and R2 by finite differences: the exact law for a linear critic, and what needs no graph."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.losses import finite_r1, finite_r2, r1

W = torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64)  # |w|^2 = 25
X = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def linear(samples):
    return samples @ W.to(samples.dtype)


def test_one_direction_gives_the_squared_slope_along_it():
    noise = torch.tensor([[1.0, 5, 0], [0, 0, 1], [1, 1, 1], [0, 9, 0]], dtype=torch.float64)
    wanted = (9 + 16 + 49 + 0) / 4  # (w . n)^2 for each
    for penalty in (finite_r1, finite_r2):
        assert penalty(linear, X, noise=noise).item() == pytest.approx(wanted, rel=1e-9)
        assert penalty(linear, X, noise=noise, sigma=2.0).item() == pytest.approx(wanted)
    known = finite_r1(linear, X, noise=noise, logits=linear(X))
    assert known.item() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_over_directions_it_has_the_mean_and_the_variance_of_its_law(dtype):
    """(w . n)^2 is |w|^2 chi^2_1: mean 25, variance 2 |w|^4 = 1250, fourth moment 60 |w|^8."""
    count = 200_000
    noise = torch.randn(count, 3, generator=torch.Generator().manual_seed(1)).to(dtype)
    point = X[:1].to(dtype)

    class Each(nn.Module):  # keeps the samples' own logits for the variance
        def forward(self, samples):
            self.logits = linear(samples)
            return self.logits

    critic = Each()
    value = finite_r1(critic, point.expand(count, 3), noise=noise)
    squares = ((critic.logits - linear(point)) / 0.01).square().double()
    assert value.item() == pytest.approx(25, abs=4 * math.sqrt(1250 / count))
    assert squares.var().item() == pytest.approx(1250, abs=4 * 625 * math.sqrt(56 / count))
    assert value.item() == pytest.approx(squares.mean().item(), rel=1e-4)


def test_a_curved_critic_shows_the_bias_of_the_step():
    """D = a |x|^2 / 2 has the difference quotient a (x . n + sigma |n|^2 / 2)."""
    a, sigma, noise = 1.5, 0.5, torch.ones_like(X)
    value = finite_r1(lambda x: a * x.square().sum(1) / 2, X, sigma=sigma, noise=noise)
    wanted = (a * (X.sum(1) + sigma * 3 / 2)).square().mean()
    assert value.item() == pytest.approx(wanted.item())


def test_its_gradient_is_that_of_the_closed_form():
    weight = W.clone().requires_grad_()
    noise = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    finite_r1(lambda x: x @ weight, X[:1], noise=noise).backward()
    assert torch.allclose(weight.grad, 2 * (W @ noise[0]) * noise[0])  # 2 (w . n) n


def test_maps_of_logits_and_tuples_are_summed_per_sample():
    parts = (X, X[:, :2])
    noise = (torch.ones_like(X), torch.ones(4, 2, dtype=torch.float64))
    two = finite_r1(lambda a, b: torch.stack([a @ W, b.sum(1)], 1), parts, noise=noise)
    assert two.item() == pytest.approx((7 + 2) ** 2)


def test_dropout_is_the_same_in_both_passes():
    critic = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1, bias=False)).double()
    with torch.no_grad():
        critic[1].weight.copy_(W)
    torch.manual_seed(0)
    noise = torch.ones_like(X)
    value = finite_r1(critic, X, noise=noise).item()
    torch.manual_seed(0)
    kept = nn.functional.dropout(torch.ones_like(X), 0.5)
    assert value == pytest.approx((kept @ W).square().mean().item())  # sigma = 0.01 would show


class Attention(nn.Module):
    """A critic by fused attention, whose second derivative torch does not have."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.score = nn.Linear(1, 8), nn.Linear(8, 1)

    def forward(self, samples):
        x = self.embed(samples[:, None, :, None])
        with nn.attention.sdpa_kernel(nn.attention.SDPBackend.FLASH_ATTENTION):
            x = nn.functional.scaled_dot_product_attention(x, x, x)
        return self.score(x).sum((1, 2, 3))


def test_fused_attention_can_be_penalised():
    critic, point, noise = Attention(), X.float(), torch.ones(4, 3)
    with pytest.raises(RuntimeError, match="derivative"):
        r1(critic, point).backward()
    value = finite_r1(critic, point, noise=noise)
    value.backward()
    rise = (critic(point + 0.01 * noise) - critic(point)) / 0.01
    assert value.item() == pytest.approx(rise.square().mean().item())
    assert all(p.grad.isfinite().all() for p in critic.parameters())


def test_a_compiled_critic_runs_compiled_and_in_float32():
    from torch._dynamo.testing import CompileCounter

    class Critic(nn.Module):  # a bare nn.Sequential stays uncompiled
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, samples):
            return self.layer(samples)[:, 0]

    counter = CompileCounter()
    critic = Critic()
    point, noise = X.float(), torch.ones(4, 3)
    plain = finite_r1(critic, point, noise=noise)
    critic.compile(backend=counter)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = finite_r1(critic, point, noise=noise)
    assert counter.frame_count == 1 and value.dtype == torch.float32
    assert value.item() == pytest.approx(plain.item(), rel=1e-6)
    slope = critic.layer.weight.sum().square().item()
    assert value.item() == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sigma": 0.0}, "must be positive, not 0.0"),
        ({"noise": torch.ones(3)}, r"noise \(3,\) does not have the shape .* \(4, 3\)"),
        ({"logits": torch.ones(4).bfloat16()}, "in float32, not torch.bfloat16: leave them out"),
    ],
)
def test_refusals(wrong, message):
    with pytest.raises(UserError, match=message):
        finite_r1(linear, X, **wrong)
