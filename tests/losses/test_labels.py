"""Smoothed and flipped labels change the best critic as the theory says."""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.errors import UserError
from zerosum.losses import OBJECTIVES, flipped, label_smoothed

P_COUNTS, Q_COUNTS = torch.tensor([6, 1, 1]), torch.tensor([1, 2, 5])
P, Q = P_COUNTS.double() / 8, Q_COUNTS.double() / 8


def gradient_at(objective, v):
    v = v.clone().requires_grad_()
    atoms = torch.arange(3)
    real, fake = v[atoms.repeat_interleave(P_COUNTS)], v[atoms.repeat_interleave(Q_COUNTS)]
    return torch.autograd.grad(objective.critic(real, fake), v)[0]


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "lsgan"])
@pytest.mark.parametrize("target", [0.7, 0.9, 1.0])
def test_the_best_smoothed_critic_is_the_target_times_the_usual_one(name, target):
    probability = target * P / (P + Q)
    v = probability if name == "lsgan" else torch.logit(probability)
    assert gradient_at(label_smoothed(name, target), v).abs().max() < 1e-12
    assert gradient_at(label_smoothed(name, target), v + 0.1).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "lsgan"])
def test_smoothing_leaves_the_generator_alone(name):
    fake = torch.randn(5)
    smoothed = label_smoothed(name, 0.8).generator(fake)
    assert smoothed.item() == OBJECTIVES[name].generator(fake).item()


def test_wrong_smoothing_is_refused():
    with pytest.raises(UserError, match="no label"):
        label_smoothed("hinge")
    with pytest.raises(UserError, match=r"\(0, 1\]"):
        label_smoothed("minimax", 1.1)


@pytest.mark.parametrize("name", ["nonsaturating", "rpgan", "hinge"])
def test_flipping_never_and_always(name):
    real, fake = torch.randn(6), torch.randn(6)
    objective = OBJECTIVES[name]
    assert flipped(objective, 0.0).critic(real, fake) == objective.critic(real, fake)
    assert flipped(objective, 1.0).critic(real, fake) == objective.critic(fake, real)
    noisy = flipped(objective, 1.0)
    assert noisy.generator(fake, real) == objective.generator(fake, real)
    assert noisy.relativistic == objective.relativistic


def test_flipping_bounds_the_perfect_critic():
    """On disjoint supports the best logit is ln((1 - e)/e) instead of infinity."""
    count, e = 40_000, 0.1
    objective = flipped(OBJECTIVES["nonsaturating"], e, torch.Generator().manual_seed(0))
    v = torch.tensor(math.log((1 - e) / e), dtype=torch.float64, requires_grad=True)
    loss = objective.critic(v.expand(count), -v.expand(count))
    (gradient,) = torch.autograd.grad(loss, v)
    # The gradient is 2 (share flipped - e); the share has this standard deviation.
    assert abs(gradient.item()) / 2 < 4 * math.sqrt(e * (1 - e) / count)


def test_flips_follow_their_generator_and_refuse_nonsense():
    real, fake = torch.randn(50), torch.randn(50)
    first, second, third = (
        flipped(OBJECTIVES["wasserstein"], 0.5, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    value = first.critic(real, fake)
    assert value == second.critic(real, fake)
    assert value != third.critic(real, fake)
    with pytest.raises(UserError, match="one shape"):
        first.critic(real[:3], fake)
    with pytest.raises(UserError, match="probability"):
        flipped(OBJECTIVES["hinge"], 1.5)
