"""Remedies that are often combined work together: gradients reach every weight, all finite."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.augment.diffaugment import DiffAugment
from zerosum.layers.attention import SelfAttention
from zerosum.layers.minibatch import MinibatchDiscrimination, MinibatchStddev
from zerosum.layers.norm import layer_norm
from zerosum.layers.spectral import spectral_norm_all
from zerosum.losses import (
    OBJECTIVES,
    Descent,
    LeCamAnchors,
    ReplayPool,
    bcr,
    dragan,
    gradient_penalty,
    instance_noise,
    label_smoothed,
    lecam,
    mode_seeking,
    orthogonal,
    packed,
    r1,
    r2,
    top_k,
    unrolled,
)

torch.set_num_threads(1)


class Pair:
    """A small generator and critic of 8x8 images, with one batch."""

    def __init__(self, channels=1, *layers):
        torch.manual_seed(0)
        self.critic = nn.Sequential(
            nn.Conv2d(channels, 8, 3, 1, 1),
            nn.LeakyReLU(0.2),
            *layers,
            nn.Flatten(),
            nn.LazyLinear(1),
            nn.Flatten(0),
        )
        self.generator = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
        self.z = torch.randn(16, 4)
        self.real = torch.rand(16, 1, 8, 8) * 2 - 1
        self.critic(torch.zeros(4, channels, 8, 8))  # tells the lazy layer its size

    def fake(self):
        return self.generator(self.z)

    def learns(self, loss, network):
        """The loss reaches every weight of a network, with finite gradients.

        Shifts may have none: relativistic and Wasserstein losses do not see the last bias.
        """
        network.zero_grad()
        loss.backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().sum() > 0 or name.endswith("bias"), name


def test_spectral_norm_hinge_attention_and_r1():
    pair = Pair(1, nn.Conv2d(8, 8, 4, 2, 1), SelfAttention(8))
    spectral_norm_all(pair.critic)
    with torch.no_grad():
        for module in pair.critic:
            if isinstance(module, SelfAttention):
                module.gamma.fill_(0.5)
    hinge = OBJECTIVES["hinge"]
    real, fake = pair.critic(pair.real), pair.critic(pair.fake().detach())
    pair.learns(hinge.critic(real, fake) + 5 * r1(pair.critic, pair.real), pair.critic)
    pair.learns(hinge.generator(pair.critic(pair.fake())), pair.generator)


@pytest.mark.parametrize("objective", ["wasserstein", "rpgan"])
def test_packing_with_a_gradient_penalty(objective):
    pair = Pair(2, nn.Conv2d(8, 8, 4, 2, 1), layer_norm(8))
    real, fake = packed(pair.real, 2), packed(pair.fake().detach(), 2)
    rule = OBJECTIVES[objective]
    loss = rule.critic(pair.critic(real), pair.critic(fake))
    pair.learns(loss + 10 * gradient_penalty(pair.critic, real, fake), pair.critic)
    logits = pair.critic(packed(pair.fake(), 2))
    pair.learns(rule.generator(logits, pair.critic(real)), pair.generator)


@pytest.mark.parametrize(
    "layers",
    [(MinibatchStddev(),), (nn.Flatten(), MinibatchDiscrimination(512, 4, 3))],
    ids=["stddev", "discrimination"],
)
def test_minibatch_statistics_with_r1_and_r2(layers):
    pair = Pair(1, *layers)
    fake = pair.fake().detach()
    loss = OBJECTIVES["rpgan"].critic(pair.critic(pair.real), pair.critic(fake))
    pair.learns(loss + r1(pair.critic, pair.real) + r2(pair.critic, fake), pair.critic)


def test_augmentation_consistency_and_lecam():
    pair, anchors = Pair(), LeCamAnchors(decay=0.9)
    change, fake = DiffAugment(("translation", "cutout")), pair.fake().detach()
    real_logits, fake_logits = pair.critic(change(pair.real)), pair.critic(change(fake))
    anchors.update(real_logits, fake_logits)
    real_logits, fake_logits = pair.critic(change(pair.real)), pair.critic(change(fake))
    loss = OBJECTIVES["nonsaturating"].critic(real_logits, fake_logits)
    loss = loss + 0.3 * lecam(real_logits, fake_logits, anchors)
    loss = loss + sum(bcr(pair.critic, change, pair.real, fake))
    pair.learns(loss, pair.critic)
    logits = pair.critic(change(pair.fake()))
    pair.learns(OBJECTIVES["nonsaturating"].generator(logits), pair.generator)


def test_noise_smoothing_replay_and_top_k():
    pair, pool = Pair(), ReplayPool(32)
    for _ in range(3):
        fake = pool.mix(pair.fake().detach())
    rule = label_smoothed("nonsaturating", real=0.9)
    noisy = instance_noise(pair.real, 0.1), instance_noise(fake, 0.1)
    loss = rule.critic(pair.critic(noisy[0]), pair.critic(noisy[1]))
    pair.learns(loss + dragan(pair.critic, pair.real), pair.critic)
    best = top_k(pair.critic(instance_noise(pair.fake(), 0.1)), 0.5)
    pair.learns(rule.generator(best), pair.generator)


def test_unrolling_a_spectrally_normalised_critic():
    pair = Pair(1, nn.Conv2d(8, 8, 4, 2, 1))
    spectral_norm_all(pair.critic)
    rule = OBJECTIVES["hinge"]
    before = [p.clone() for p in pair.critic.parameters()]

    def loss(critic):
        return rule.critic(critic(pair.real), critic(pair.fake()))

    ahead = unrolled(pair.critic, loss, steps=2, rule=Descent(0.1))
    pair.learns(rule.generator(ahead(pair.fake())), pair.generator)
    assert all(torch.equal(a, b) for a, b in zip(before, pair.critic.parameters()))


def test_mode_seeking_and_orthogonality_for_a_generator():
    pair = Pair()
    other = torch.randn_like(pair.z)
    one, two = pair.fake(), pair.generator(other)
    loss = OBJECTIVES["hinge"].generator(pair.critic(one))
    loss = loss + mode_seeking(one, two, pair.z, other)
    pair.learns(loss + 1e-2 * orthogonal(pair.generator.parameters()), pair.generator)
