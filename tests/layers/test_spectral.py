"""Spectral normalisation against singular value decompositions and the official release."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from zerosum.errors import UserError
from zerosum.layers.spectral import (
    Matrix,
    SpectralNorm,
    conv_spectral_value,
    spectral_norm,
    spectral_norm_all,
    spectral_value,
)

FIXTURE = Path(__file__).with_name("biggan_spectral_norm.npz")


def estimate(module) -> SpectralNorm:
    return module.parametrizations.weight[0]


def largest(matrix) -> float:
    return torch.linalg.svdvals(matrix)[0].item()


@torch.no_grad()
def spectrum_of_halves(layer, out) -> torch.Tensor:
    """A copy of a layer's weight, whose matrix now has the singular values 3, 1.5, 0.75, ...

    How fast power iteration converges hangs on the gap between the first two.
    """
    matrix = layer.weight.movedim(out, 0).flatten(1)
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    made = u @ torch.diag(3 * 0.5 ** torch.arange(len(values)).double()) @ v
    layer.weight.movedim(out, 0).copy_(made.view_as(layer.weight.movedim(out, 0)))
    return layer.weight.clone()


def dense(operator, size, channels) -> torch.Tensor:
    """A linear map of maps as a matrix, column by column."""
    columns = torch.eye(channels * size[0] * size[1], dtype=torch.float64)
    return operator(columns.reshape(-1, channels, *size)).flatten(1).T


@pytest.mark.parametrize(
    ("layer", "out"),
    [
        (nn.Linear(6, 4), 0),
        (nn.Embedding(7, 3), 0),
        (nn.Conv2d(3, 5, 3), 0),
        (nn.Conv2d(4, 6, 3, groups=2), 0),
        (nn.ConvTranspose2d(3, 5, 4, 2, 1), 1),
    ],
)
def test_training_converges_to_the_largest_singular_value(layer, out):
    raw = spectrum_of_halves(layer.double(), out)
    assert spectral_value(raw, 100, out).item() == pytest.approx(3, rel=1e-12)
    spectral_norm(layer)
    for _ in range(100):
        weight = layer.weight
    assert torch.allclose(weight, raw / 3, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("conv", "size"),
    [
        (nn.Conv2d(2, 3, 3, 1, 1), (5, 4)),
        (nn.Conv2d(2, 3, 4, 2, 1), (6, 6)),
        (nn.Conv2d(3, 2, 3, 2), (6, 5)),  # the stride leaves a row unread
        (nn.Conv2d(2, 4, 3, 1, 2, dilation=2, groups=2), (5, 5)),
        (nn.ConvTranspose2d(3, 2, 4, 2, 1), (3, 4)),
        (nn.ConvTranspose2d(3, 2, 3, 2, 1, output_padding=1), (3, 3)),
    ],
)
def test_true_norm_of_a_convolution_is_that_of_its_dense_matrix(conv, size):
    torch.manual_seed(0)
    conv.reset_parameters()  # those drawn when the module was read hang on the modules before it
    conv = conv.double()
    with torch.no_grad():
        conv.bias.zero_()
        sigma = largest(dense(conv, size, conv.in_channels))
    assert conv_spectral_value(conv, size, 2000).item() == pytest.approx(sigma, rel=1e-4)
    spectral_norm(conv, iterations=50, size=size)
    for _ in range(30):
        conv.weight  # noqa: B018 (each access is a forward pass of the parametrisation)
    with torch.no_grad():
        conv.eval()
        assert largest(dense(conv, size, conv.in_channels)) == pytest.approx(1, rel=1e-4)


def test_the_reshaped_norm_is_another_number_than_the_true_one():
    conv = nn.Conv2d(1, 1, 3, 1, 1)
    nn.init.ones_(conv.weight)
    assert spectral_value(conv.weight).item() == pytest.approx(3)  # the root of nine
    # The gain of a box filter is (1 + 2 cos(pi / (n + 1)))^2 on n x n maps.
    true = (1 + 2 * np.cos(np.pi / 17)) ** 2
    assert conv_spectral_value(conv, (16, 16), 3000).item() == pytest.approx(true, rel=1e-4)


def test_gradient_holds_the_vectors_constant():
    """d<c, W / s>/dW with s = u'Wv is c / s - <c, W> uv' / s^2."""
    torch.manual_seed(0)
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    cotangent = torch.randn(4, 3, dtype=torch.float64)
    norm = SpectralNorm(weight.detach(), Matrix())
    (norm(weight) * cotangent).sum().backward()
    u, v = norm.u, norm.v
    sigma = u @ weight.detach() @ v
    inner = (cotangent * weight.detach()).sum()
    expected = cotangent / sigma - inner * torch.outer(u, v) / sigma**2
    assert torch.allclose(weight.grad, expected, rtol=1e-10)


def test_differentiable_twice():
    torch.manual_seed(0)
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    norm = SpectralNorm(weight.detach(), Matrix()).eval()
    assert torch.autograd.gradgradcheck(norm, weight)
    conv = nn.Conv2d(2, 3, 3, 1, 1).double()
    spectral_norm(conv, size=(4, 4))
    norm = estimate(conv).eval()
    assert torch.autograd.gradgradcheck(norm, conv.parametrizations.weight.original)


def test_several_passes_before_one_backward():
    """A discriminator sees real and fake samples before the gradient is taken."""
    layer = spectral_norm(nn.Linear(3, 2))
    (layer(torch.randn(4, 3)) - layer(torch.randn(4, 3))).mean().backward()
    assert layer.parametrizations.weight.original.grad is not None


def test_evaluation_moves_nothing_and_training_does():
    layer = nn.Linear(6, 6)
    spectral_norm(layer)
    before = estimate(layer).u.clone()
    layer.eval()(torch.randn(2, 6))
    assert torch.equal(estimate(layer).u, before)
    layer.train()(torch.randn(2, 6))
    assert not torch.equal(estimate(layer).u, before)


def test_state_dict_carries_the_vectors_so_that_runs_go_on_exactly():
    first = spectral_norm_all(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)))
    second = spectral_norm_all(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)))
    second.load_state_dict(first.state_dict())
    x = torch.randn(3, 5)
    for _ in range(3):
        assert torch.equal(first(x), second(x))
    third = copy.deepcopy(first)
    assert torch.equal(third(x), first(x))


def test_all_layers_of_a_network_once():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), spectral_norm(nn.Linear(2, 2)))
    assert spectral_norm_all(network) is network
    assert parametrize.is_parametrized(network[0], "weight")
    assert not parametrize.is_parametrized(network[1])
    assert len(network[2].parametrizations.weight) == 1


def test_zero_weights_stay_zero_and_may_leave_it():
    layer = nn.Linear(3, 3)
    nn.init.zeros_(layer.weight)
    assert spectral_norm(layer).weight.abs().sum() == 0
    raw = layer.parametrizations.weight.original
    nn.init.eye_(raw)
    assert torch.allclose(layer.weight, raw, atol=1e-5)


def test_agrees_with_the_official_release_of_biggan():
    data = np.load(FIXTURE)
    inputs = {name: torch.from_numpy(data[f"in/{name}"]) for name in ("x", "w", "bias", "u")}
    conv = nn.Conv2d(5, 7, 3, padding=1)
    with torch.no_grad():
        conv.weight.copy_(inputs["w"])
        conv.bias.copy_(inputs["bias"])
    spectral_norm(conv)
    norm = estimate(conv)
    norm.u.copy_(inputs["u"][0])
    for step in range(3):
        y = conv(inputs["x"])
        sigma = (conv.parametrizations.weight.original.flatten(1) @ norm.v) @ norm.u
        for name, value in {"y": y, "u": norm.u[None], "sv": sigma[None]}.items():
            expected = torch.from_numpy(data[f"out/{name}{step}"])
            assert torch.allclose(value, expected, rtol=1e-4, atol=1e-5), (name, step)


def test_refusals():
    with pytest.raises(UserError, match="BatchNorm2d cannot be normalised"):
        spectral_norm(nn.BatchNorm2d(3))
    with pytest.raises(UserError, match="parametrised weight already"):
        spectral_norm(spectral_norm(nn.Linear(2, 2)))
    with pytest.raises(UserError, match="a size belongs to a convolution"):
        spectral_norm(nn.Linear(2, 2), size=(4, 4))
    with pytest.raises(UserError, match="smaller than the kernel"):
        conv_spectral_value(nn.Conv2d(1, 1, 5), (3, 3))
    with pytest.raises(UserError, match="padding with zeros"):
        conv_spectral_value(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), (4, 4))
    with pytest.raises(UserError, match="at least one iteration"):
        spectral_norm(nn.Linear(2, 2), iterations=0)
