"""Flows and diffusions, by the identities that define them."""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.errors import UserError
from zerosum.layers.embed import Sinusoids
from zerosum.nets.autoencoder import normal_kl
from zerosum.nets.diffusion import Diffusion, linear_betas, variance_preserving_betas
from zerosum.nets.flow import Flow, Pixels
from zerosum.nets.unet import UNet, halvings


def disturbed(module, seed=0):
    """The module in float64 with weights away from their start, which is the identity here."""
    rng = torch.Generator().manual_seed(seed)
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
    return module


@pytest.fixture
def flow():
    return disturbed(Flow(5, 4, (16,)))


def test_a_flow_and_its_inverse_undo_each_other(flow):
    x = torch.randn(7, 5, dtype=torch.float64)
    z, _ = flow(x)
    assert not torch.allclose(z, x, atol=1e-2)
    torch.testing.assert_close(flow.inverse(z), x)


def test_a_flows_determinant_is_its_jacobians(flow):
    x = torch.randn(3, 5, dtype=torch.float64)
    _, claimed = flow(x)
    for row, value in zip(x, claimed):
        jacobian = torch.autograd.functional.jacobian(lambda r: flow(r[None])[0][0], row)
        torch.testing.assert_close(value, torch.linalg.slogdet(jacobian)[1])


def test_a_flows_density_integrates_to_one():
    flow = disturbed(Flow(2, 4, (8,)))
    axis = torch.linspace(-12, 12, 801, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    mass = flow.log_density(points).detach().exp().sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1, abs=2e-3)


def test_every_coordinate_is_changed_by_some_coupling():
    masks = torch.stack([c.mask for c in Flow(9, 2, (4,)).couplings])
    assert (masks == 0).any(0).all() and (masks == 1).any(0).all()


def test_pixels_come_back_and_their_volume_is_right():
    pixels = Pixels(levels=17)
    images = torch.randint(17, (4, 1, 3, 3)).double() / 16 * 2 - 1
    half = torch.full_like(images, 0.5)
    vectors, change = pixels(images, half)
    torch.testing.assert_close(pixels.inverse(vectors).view_as(images), images)
    noise = torch.rand_like(images[:1])
    jacobian = torch.autograd.functional.jacobian(
        lambda u: pixels(images[:1], u)[0][0], noise
    ).view(9, 9)
    _, change = pixels(images[:1], noise)
    torch.testing.assert_close(change[0], torch.linalg.slogdet(jacobian)[1])


def test_a_uniform_law_over_levels_has_the_likelihood_of_its_levels():
    """-log2 p of a uniform pixel is log2(17) bits: the bound is tight where density is flat."""
    pixels, n = Pixels(levels=17, alpha=0.0), 4_000
    images = torch.randint(17, (n, 1), dtype=torch.float64) / 16 * 2 - 1
    vectors, change = pixels(images, torch.rand(n, 1, dtype=torch.float64) * 0.98 + 0.01)
    logistic = -(vectors + 2 * torch.nn.functional.softplus(-vectors)).sum(1)  # logit of uniform
    torch.testing.assert_close(
        logistic + change, torch.full((n,), -math.log(17), dtype=torch.float64)
    )


def test_noise_is_added_and_taken_away():
    diffusion = Diffusion(linear_betas(100))
    data, noise = torch.randn(2, 6, 1, 4, 4, dtype=torch.float64)
    time = torch.tensor([1, 5, 20, 50, 99, 100])
    noised = diffusion.noised(data, time, noise)
    torch.testing.assert_close(diffusion.without(noised, time, noise), data)
    assert torch.equal(diffusion.noised(data, torch.zeros_like(time), noise), data)


def test_one_step_after_another_is_the_whole():
    """Variances of the steps compose: q(x_t | x_0) from q(x_(t-1) | x_0) and beta_t."""
    betas = linear_betas(50)
    kept = Diffusion(betas).kept
    for t in (1, 10, 50):
        beta = betas[t - 1]
        assert (1 - kept[t]) == pytest.approx(float((1 - beta) * (1 - kept[t - 1]) + beta))


def test_the_posterior_is_bayes_rule():
    """Products of Gaussians: precision-weighted means of likelihood and prior."""
    betas = variance_preserving_betas(4)
    diffusion = Diffusion(betas)
    data, later = torch.randn(2, 4, 3, dtype=torch.float64)
    time = torch.tensor([4, 3, 2, 2])
    mean, variance = diffusion.posterior(data, later, time)
    for i, t in enumerate(time.tolist()):
        beta, before = betas[t - 1], diffusion.kept[t - 1]
        precision = (1 - beta) / beta + 1 / (1 - before)
        expected = (
            later[i] * (1 - beta).sqrt() / beta + before.sqrt() * data[i] / (1 - before)
        ) / precision
        torch.testing.assert_close(mean[i], expected)
        assert float(variance[i]) == pytest.approx(float(1 / precision))


def test_the_last_step_back_is_the_data():
    diffusion = Diffusion(variance_preserving_betas(4))
    data, later = torch.randn(2, 3, 2, dtype=torch.float64)
    mean, variance = diffusion.posterior(data, later, torch.ones(3, dtype=torch.long))
    torch.testing.assert_close(mean, data)
    assert not variance.any()


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_few_steps_end_as_noisy_as_many(steps):
    """The continuous process ends at exp(-(0.1 + 20) / 2), whatever the number of steps."""
    kept = Diffusion(variance_preserving_betas(steps)).kept[-1]
    assert float(kept) == pytest.approx(math.exp(-10.05), rel=1e-9)


def test_the_kl_of_codes_is_torchs():
    mean, log_variance = torch.randn(2, 5, 3)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (log_variance / 2).exp()),
        torch.distributions.Normal(0.0, 1.0),
    ).sum(1)
    torch.testing.assert_close(normal_kl(mean, log_variance), expected)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (16, 24)])
def test_a_unet_keeps_the_size_and_listens(size):
    network = UNet(1, 2, width=8, levels=halvings(size, 2), told=6)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    images, told = torch.randn(2, 1, *size), torch.randn(2, 6)
    out = network(images, told)
    assert out.shape == (2, 2, *size)
    assert not torch.allclose(out, network(images, told + 1))


def test_sizes_that_cannot_be_halved_are_named():
    with pytest.raises(UserError, match=r"9x9 cannot be: set data\.size to a multiple"):
        halvings((9, 9), 2)


def test_sinusoids_tell_times_apart():
    vectors = Sinusoids(16)(torch.arange(1_000.0))
    assert torch.cdist(vectors, vectors).fill_diagonal_(1).min() > 0.1
