"""Energies, matching, reconstruction, information, consistency, weights, stabilisers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.losses import (
    HistoricalAverage,
    LeCamAnchors,
    bcr,
    began_balance,
    began_convergence,
    began_critic,
    began_generator,
    categorical_information,
    charbonnier,
    clip_weights_,
    cr,
    ebgan_critic,
    ebgan_generator,
    feature_matching,
    gaussian_information,
    instance_noise,
    l1,
    l2,
    lecam,
    mean_matching,
    orthogonal,
    orthogonal_off_diagonal,
    psnr,
    pulling_away,
    top_k,
    zcr_critic,
    zcr_generator,
)

REAL_ENERGY, FAKE_ENERGY = torch.tensor([1.0, 3.0]), torch.tensor([0.5, 4.5])


def test_ebgan():
    assert ebgan_critic(REAL_ENERGY, FAKE_ENERGY, margin=4).item() == 2 + (3.5 + 0) / 2
    assert ebgan_generator(FAKE_ENERGY).item() == 2.5
    with pytest.raises(UserError, match="margin"):
        ebgan_critic(REAL_ENERGY, FAKE_ENERGY, margin=0)


def test_pulling_away():
    assert pulling_away(torch.eye(3)).item() == 0
    assert pulling_away(torch.tensor([[1.0, 2.0], [-2.0, -4.0]])).item() == pytest.approx(1)
    angled = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    assert pulling_away(angled).item() == pytest.approx((0.5 + 0 + 0.5) / 3)
    with pytest.raises(UserError, match="B >= 2"):
        pulling_away(torch.ones(1, 4))


def test_began_control_settles_where_the_energies_have_the_wanted_ratio():
    k = torch.tensor(0.3)
    assert began_critic(REAL_ENERGY, FAKE_ENERGY, k).item() == pytest.approx(2 - 0.3 * 2.5)
    assert began_generator(FAKE_ENERGY).item() == 2.5
    moved = began_balance(k, REAL_ENERGY, FAKE_ENERGY, diversity=0.5, rate=0.1)
    assert moved.item() == pytest.approx(0.3 + 0.1 * (0.5 * 2 - 2.5))
    assert began_balance(k, REAL_ENERGY, FAKE_ENERGY, rate=1.0).item() == 0  # clipped
    assert began_balance(k, REAL_ENERGY, 0 * FAKE_ENERGY, rate=1.0).item() == 1
    assert began_balance(k, REAL_ENERGY, 0.4 * FAKE_ENERGY).item() == pytest.approx(0.3)
    assert began_convergence(REAL_ENERGY, FAKE_ENERGY).item() == 2 + 1.5
    assert not began_balance(k, REAL_ENERGY.requires_grad_(), FAKE_ENERGY).requires_grad


def test_feature_matching():
    real = [torch.zeros(2, 3), torch.ones(2, 4, 5, 5)]
    fake = [torch.full((2, 3), -2.0, requires_grad=True), torch.full((2, 4, 5, 5), 1.5)]
    assert feature_matching(real, fake).item() == 2 + 0.5
    assert feature_matching(real[1], fake[1]).item() == 0.5
    target = torch.zeros(2, 3, requires_grad=True)
    feature_matching(target, fake[0]).backward()
    assert target.grad is None and fake[0].grad is not None
    with pytest.raises(UserError, match="as many real layers"):
        feature_matching(real, fake[:1])
    with pytest.raises(UserError, match="differ in shape"):
        feature_matching(real[0], fake[1])


def test_mean_matching_needs_equal_means_only():
    real = torch.tensor([[1.0, 0.0], [3.0, 2.0]])
    fake = torch.tensor([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    assert mean_matching(real, fake).item() == 0
    assert mean_matching(real, fake + torch.tensor([3.0, -4.0])).item() == 25
    with pytest.raises(UserError, match="differ in shape"):
        mean_matching(real, torch.ones(2, 3))


def test_reconstruction_values():
    prediction, target = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2.0]])
    assert l1(prediction, target).item() == 2.5
    assert l2(prediction, target).item() == 8.5
    soft = (math.sqrt(1 + 0.25) + math.sqrt(16 + 0.25)) / 2
    assert charbonnier(prediction, target, softness=0.5).item() == pytest.approx(soft)
    mask = torch.tensor([[0.0, 1.0]])
    assert l1(prediction, target, mask).item() == 4
    assert l2(prediction, target, mask).item() == 16
    assert l1(prediction, target, 0 * mask).item() == 0


def test_masks_broadcast_over_channels():
    error = torch.arange(8.0).reshape(1, 2, 2, 2)
    mask = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).reshape(1, 1, 2, 2)
    assert l1(error, torch.zeros_like(error), mask).item() == (0 + 4) / 2


def test_psnr_is_per_sample():
    target = torch.zeros(2, 1, 2, 2)
    prediction = target.clone()
    prediction[0] += 0.2
    found = psnr(prediction, target)
    assert found[0].item() == pytest.approx(20.0, abs=1e-5)  # 10 log10(4 / 0.04)
    assert found[1].item() == math.inf
    assert psnr(prediction, target, span=1)[0].item() == pytest.approx(10 * math.log10(25))


@pytest.mark.parametrize("loss", [l1, l2, charbonnier, psnr])
def test_reconstruction_refuses_to_broadcast(loss):
    with pytest.raises(UserError, match="differ in shape"):
        loss(torch.zeros(4, 1), torch.zeros(4))


def test_categorical_information_is_reached_at_the_posterior():
    codes = torch.tensor([0, 1, 2, 3])
    sure = 50 * torch.eye(4)
    assert categorical_information(sure, codes).item() == pytest.approx(math.log(4))
    assert categorical_information(torch.zeros(4, 4), codes).item() == pytest.approx(0)
    assert categorical_information(sure, torch.eye(4)).item() == pytest.approx(math.log(4))
    # A noisy channel: x = c with probability 0.8, else the other bit. Its information is
    # ln 2 - H(0.2), and the bound is exact for the true posterior.
    codes = torch.tensor([0] * 5 + [1] * 5)
    seen = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1, 0])
    posterior = torch.where(seen[:, None] == torch.arange(2), 0.8, 0.2).double()
    truth = math.log(2) + 0.8 * math.log(0.8) + 0.2 * math.log(0.2)
    assert categorical_information(posterior.log(), codes).item() == pytest.approx(truth)
    wrong = categorical_information(0.5 * posterior.log(), codes).item()
    assert wrong < truth
    prior = torch.tensor([0.5, 0.25, 0.25, 0.0])
    found = categorical_information(sure[:3], codes=torch.arange(3), prior=prior)
    assert found.item() == pytest.approx(1.5 * math.log(2))
    with pytest.raises(UserError, match="do not fit"):
        categorical_information(sure, codes)


def test_gaussian_information_of_a_noisy_channel():
    """c ~ N(0, 1), x = c + s e: I(c; x) = ln(1 + 1/s^2)/2, reached at the posterior."""
    noise = 0.5
    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(40_000, 2, dtype=torch.float64, generator=rng)
    seen = codes + noise * torch.randn(codes.shape, dtype=torch.float64, generator=rng)
    variance = torch.tensor(noise**2 / (1 + noise**2), dtype=torch.float64)
    entropy = (1 + math.log(2 * math.pi)) / 2
    bound = gaussian_information(
        seen / (1 + noise**2), codes, variance.log(), prior_entropy=entropy
    ).item()
    truth = 2 * math.log(1 + 1 / noise**2) / 2
    # Each component's log density has standard deviation 1/sqrt(2).
    assert abs(bound - truth) < 4 * math.sqrt(2 * 0.5 / len(codes))
    worse = gaussian_information(seen, codes, variance.log(), prior_entropy=entropy).item()
    assert worse < truth - 0.1
    exact = gaussian_information(codes[:1], codes[:1]).item()
    assert exact == pytest.approx(2 * (math.log(2) - math.log(2 * math.pi) / 2))
    with pytest.raises(UserError, match=r"\(B, K\)"):
        gaussian_information(codes, codes[:, :1])


def test_consistency():
    weight = torch.tensor([1.0, 2.0])
    real, fake = torch.ones(3, 2), torch.zeros(4, 2, requires_grad=True)
    on_real, on_fake = bcr(lambda x: x @ weight, lambda x: x + 1, real, fake)
    assert on_real.item() == on_fake.item() == 9
    assert not on_fake.requires_grad
    assert cr(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.0])).item() == 2.5
    assert zcr_critic(torch.tensor([1.0]), torch.tensor([4.0])).item() == 9
    assert zcr_generator(torch.zeros(2, 3), torch.full((2, 3), 2.0)).item() == -4
    with pytest.raises(UserError, match="like with like"):
        cr(torch.zeros(2, 1), torch.zeros(2))


def test_clipping():
    module = nn.Linear(2, 1)
    nn.init.constant_(module.weight, 3.0)
    nn.init.constant_(module.bias, -0.005)
    clip_weights_([module], 0.01)
    assert module.weight.tolist() == [[pytest.approx(0.01)] * 2]
    assert module.bias.item() == pytest.approx(-0.005)
    clip_weights_(module, 0.001)
    assert module.bias.item() == pytest.approx(-0.001)
    with pytest.raises(UserError, match="limit"):
        clip_weights_(module, 0)


def test_orthogonal():
    angle = torch.tensor(0.3)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)
    assert orthogonal(turn).item() == pytest.approx(0, abs=1e-12)
    assert orthogonal(2 * turn).item() == pytest.approx(2 * 9)  # (4 - 1)^2 per row
    assert orthogonal_off_diagonal(2 * turn).item() == pytest.approx(0, abs=1e-12)
    slanted = torch.tensor([[1.0, 0.0], [2.0, 1.0]])
    assert orthogonal_off_diagonal(slanted).item() == 2 * 4
    assert orthogonal([slanted, turn, torch.ones(3)]).item() == pytest.approx(16 + 8)
    with pytest.raises(UserError, match="two dimensions"):
        orthogonal(torch.ones(3))


def test_official_biggan_orthogonal_gradient():
    """The official code adds the gradient of half the penalty, times its strength of 1e-4."""
    stored = np.load(Path(__file__).parent / "biggan_ortho_reg.npz")
    for layer in ("0", "1"):
        weight = torch.from_numpy(stored[f"p/{layer}.weight"]).requires_grad_()
        (1e-4 / 2 * orthogonal_off_diagonal(weight)).backward()
        expected = torch.from_numpy(stored[f"out/grad/{layer}.weight"])
        torch.testing.assert_close(weight.grad, expected, rtol=1e-5, atol=1e-9)


def test_historical_average():
    parameter = nn.Parameter(torch.tensor([0.0, 0.0]))
    history = HistoricalAverage([parameter])
    for step in (1, 2, 3):
        parameter.data.fill_(float(step))
        history.update([parameter])
    # The average of 0, 1, 2, 3 is 1.5; the parameter stands at 3.
    loss = history([parameter])
    assert loss.item() == pytest.approx(2 * 1.5**2)
    loss.backward()
    torch.testing.assert_close(parameter.grad, torch.tensor([3.0, 3.0]))
    again = HistoricalAverage([parameter])
    again.load_state_dict(history.state_dict())
    assert again([parameter]).item() == loss.item()
    assert list(history.parameters()) == []
    with pytest.raises(UserError, match="holds 1"):
        history([parameter, parameter])


def test_instance_noise():
    samples = torch.full((20_000,), 2.0)
    noisy = instance_noise(samples, 0.5, rng=torch.Generator().manual_seed(0))
    assert abs(noisy.mean().item() - 2) < 4 * 0.5 / math.sqrt(20_000)
    assert abs(noisy.std().item() - 0.5) < 4 * 0.5 / math.sqrt(40_000)
    again = instance_noise(samples, 0.5, rng=torch.Generator().manual_seed(0))
    assert torch.equal(noisy, again)
    assert instance_noise(samples, 0.0) is samples
    with pytest.raises(UserError, match="sigma"):
        instance_noise(samples, -1)


def test_top_k():
    logits = torch.tensor([0.1, 3.0, -2.0, 1.0, 0.5], requires_grad=True)
    assert top_k(logits, 0.6).tolist() == pytest.approx([3.0, 1.0, 0.5])
    assert len(top_k(logits, 0.61)) == 4
    assert len(top_k(logits, 1.0)) == 5
    assert len(top_k(logits, 0.01)) == 1
    top_k(logits, 0.4).sum().backward()
    assert logits.grad is not None and logits.grad.tolist() == [0, 1, 0, 1, 0]
    assert top_k(torch.tensor([[1.0, 3.0], [0.0, 1.0]]), 0.5).tolist() == [2.0]
    with pytest.raises(UserError, match="share"):
        top_k(logits, 0)


def test_lecam():
    anchors = LeCamAnchors(decay=0.75)
    anchors.update(torch.tensor([2.0, 4.0]), torch.tensor([-1.0, -1.0]))
    assert (anchors.real.item(), anchors.fake.item()) == (3, -1)  # no start at zero
    anchors.update(torch.tensor([7.0]), torch.tensor([-5.0]))
    assert (anchors.real.item(), anchors.fake.item()) == (4, -2)
    real, fake = torch.tensor([1.0, -2.0], requires_grad=True), torch.tensor([4.0, 3.0])
    loss = lecam(real, fake, anchors)
    assert loss.item() == (9 + 0) / 2 + (0 + 1) / 2
    loss.backward()
    assert real.grad is not None and real.grad.tolist() == [3, 0]
    again = LeCamAnchors(decay=0.75)
    again.load_state_dict(anchors.state_dict())
    again.update(torch.tensor([4.0]), torch.tensor([-2.0]))
    assert (again.real.item(), again.fake.item()) == (4, -2)
    with pytest.raises(UserError, match="decay"):
        LeCamAnchors(decay=1)
