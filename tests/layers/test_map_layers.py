"""Attention, minibatch layers, norms and equalised layers against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.layers.attention import SelfAttention
from zerosum.layers.equalised import EqualisedConv2d, EqualisedLinear
from zerosum.layers.minibatch import MinibatchDiscrimination, MinibatchStddev
from zerosum.layers.norm import (
    ConditionalBatchNorm2d,
    PixelNorm,
    Referred,
    VirtualBatchNorm2d,
    layer_norm,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("pool", [False, True])
def test_attention_starts_as_the_identity_and_gamma_learns(pool):
    layer = SelfAttention(16, pool=pool)
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert layer.gamma.grad.abs() > 0


def test_attention_is_the_papers_sum_place_by_place():
    layer = SelfAttention(8).double()
    nn.init.constant_(layer.gamma, 0.7)
    x = torch.randn(1, 8, 2, 3, dtype=torch.float64)
    flat = x[0].flatten(1)  # (C, N)
    f, g = layer.key.weight.flatten(1) @ flat, layer.query.weight.flatten(1) @ flat
    h, o = layer.value.weight.flatten(1) @ flat, layer.out.weight.flatten(1)
    expected = torch.empty_like(flat)
    for j in range(flat.shape[1]):
        beta = torch.softmax(torch.stack([f[:, i] @ g[:, j] for i in range(flat.shape[1])]), 0)
        expected[:, j] = flat[:, j] + 0.7 * o @ (h * beta).sum(1)
    assert torch.allclose(layer(x)[0].flatten(1), expected)


def test_attention_does_not_know_where_places_are():
    """Without pooling, mirroring the map mirrors the result."""
    layer = SelfAttention(8)
    nn.init.ones_(layer.gamma)
    x = torch.randn(2, 8, 4, 4)
    assert torch.allclose(layer(x.flip(3)), layer(x).flip(3), atol=1e-5)
    assert SelfAttention(8, pool=True).weights(x).shape == (2, 4, 16)


def test_attention_is_differentiable_twice():
    layer = SelfAttention(4).double()
    nn.init.ones_(layer.gamma)
    x = torch.randn(1, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, x)


def test_minibatch_discrimination_counts_equal_samples():
    layer = MinibatchDiscrimination(3, kernels=5, dimension=2)
    same = torch.randn(1, 3).expand(4, -1)
    assert torch.allclose(layer(same)[:, 3:], torch.full((4, 5), 4.0))
    far = torch.randn(4, 3) * 1e4
    assert torch.allclose(layer(far)[:, 3:], torch.ones(4, 5))  # each is close to itself
    assert torch.equal(layer(far)[:, :3], far)


def test_minibatch_discrimination_is_the_papers_sum():
    layer = MinibatchDiscrimination(3, kernels=2, dimension=4).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    rows = layer.project(x).detach().reshape(5, 2, 4)
    for i in range(5):
        for b in range(2):
            expected = sum(math.exp(-(rows[i, b] - rows[j, b]).abs().sum()) for j in range(5))
            assert layer(x)[i, 3 + b].item() == pytest.approx(expected)


def test_minibatch_deviation_is_the_mean_deviation_of_a_group():
    x = torch.randn(8, 6, 3, 3, dtype=torch.float64)
    added = MinibatchStddev(group=None)(x)[:, 6:]
    assert torch.allclose(added, x.std(0, correction=0).mean().expand(8, 1, 3, 3), atol=1e-6)
    # Groups of four of eight: samples 0, 2, 4, 6 and 1, 3, 5, 7; two features of three maps.
    added = MinibatchStddev(group=4, features=2)(x)[:, 6:]
    for i in range(8):
        deviation = x[i % 2 :: 2].std(0, correction=0)
        expected = deviation.reshape(2, 3, 3, 3).mean((1, 2, 3))
        assert torch.allclose(added[i, :, 0, 0], expected, atol=1e-6)
        assert torch.equal(added[i], added[i, :, :1, :1].expand(2, 3, 3))


def test_minibatch_deviation_of_odd_batches():
    x = torch.randn(6, 2, 1, 1)
    assert torch.equal(MinibatchStddev(4)(x), MinibatchStddev(3)(x))
    assert torch.allclose(MinibatchStddev(4)(x[:1])[:, 2], torch.full((1, 1, 1), 1e-4))
    with pytest.raises(UserError, match="cannot be shared among 3"):
        MinibatchStddev(features=3)(x)


def test_pixel_norm_sets_the_mean_square_to_one():
    x = torch.randn(2, 5, 3, 3) * 7
    assert torch.allclose(PixelNorm()(x).square().mean(1), torch.ones(2, 3, 3))
    assert torch.allclose(PixelNorm()(3 * x), PixelNorm()(x))
    assert torch.equal(PixelNorm()(torch.zeros(1, 2)), torch.zeros(1, 2))


def test_layer_norm_is_torchs_own():
    x = torch.randn(2, 5, 3, 3) * 7 + 2
    expected = nn.functional.layer_norm(x, x.shape[1:])
    assert torch.allclose(layer_norm(5)(x), expected, atol=1e-6)


def test_virtual_batch_norm_adds_each_sample_to_the_reference():
    layer = VirtualBatchNorm2d(3, reference=4).double()
    reference, x = torch.randn(4, 3, 2, 2).double(), torch.randn(2, 3, 2, 2).double() * 3
    y = layer(torch.cat([reference, x]))
    plain = nn.BatchNorm2d(3, affine=False).double()
    assert torch.allclose(y[:4], plain(reference))
    for i in range(2):
        joined = torch.cat([reference, x[i : i + 1]])
        assert torch.allclose(y[4 + i], plain(joined)[-1])


def test_virtual_batch_norm_keeps_samples_apart():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), VirtualBatchNorm2d(3, 4), nn.ReLU())
    referred = Referred(network, torch.randn(4, 1, 5, 5))
    x = torch.randn(3, 1, 5, 5)
    assert torch.allclose(referred(x)[:1], referred(x[:1]), atol=1e-6)
    assert "reference" in referred.state_dict()
    with pytest.raises(UserError, match="fewer than its reference"):
        VirtualBatchNorm2d(1, 4)(x)


def test_conditional_batch_norm_is_batch_norm_until_told_otherwise():
    layer, plain = ConditionalBatchNorm2d(3, classes=2), nn.BatchNorm2d(3)
    x, label = torch.randn(6, 3, 2, 2) * 3 + 1, torch.tensor([0, 1, 0, 1, 0, 1])
    assert torch.allclose(layer(x, label), plain(x), atol=1e-6)
    with torch.no_grad():
        layer.gain_table[1], layer.bias_table[1] = 1.0, 5.0
    assert torch.allclose(layer.eval()(x, label)[::2], plain.eval()(x)[::2], atol=1e-6)
    assert torch.allclose(layer(x, label)[1::2], 2 * plain(x)[1::2] + 5, atol=1e-5)


def test_conditional_batch_norm_of_vectors_is_linear_in_them():
    layer = ConditionalBatchNorm2d(3, vector=4).eval()
    x, code = torch.randn(2, 3, 2, 2), torch.randn(2, 4)
    plain = nn.BatchNorm2d(3).eval()(x)
    assert torch.allclose(layer(x, torch.zeros(2, 4)), plain, atol=1e-6)
    once, twice = layer(x, code) - plain, layer(x, 2 * code) - plain
    assert torch.allclose(twice, 2 * once, atol=1e-5)
    assert once.abs().min() > 0
    with pytest.raises(UserError, match="either classes or vector"):
        ConditionalBatchNorm2d(3)


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_equalised_layers_keep_the_scale_and_slow_the_learning(rate):
    linear = EqualisedLinear(400, 500, gain=1.0, rate=rate)
    assert linear(torch.randn(200, 400)).std().item() == pytest.approx(1, rel=0.02)
    conv = EqualisedConv2d(64, 64, 3, padding=1, gain=1.0, rate=rate)
    inside = conv(torch.randn(8, 64, 6, 6))[:, :, 1:-1, 1:-1]
    assert inside.std().item() == pytest.approx(1, rel=0.05)
    # A step of one in all stored numbers changes the function by `rate` times He's constant.
    x = torch.randn(3, 400)
    before = linear(x)
    with torch.no_grad():
        linear.weight += 1
        linear.bias += 1
    expected = rate * (x.sum(1, keepdim=True) / 20 + 1)
    assert torch.allclose(linear(x) - before, expected.expand(-1, 500), atol=1e-4)
