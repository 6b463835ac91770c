"""The networks of pix2pix: what a logit sees, which sizes pass, where the noise is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.nets.translate import (
    PATCHES,
    DrawnDropout,
    PatchCritic,
    TranslatingUNet,
    halvings,
    patch_for,
)


def seen_by(critic: PatchCritic, side: int) -> tuple[int, int]:
    """Rows and columns whose pixels move the middle logit."""
    pictures = torch.ones(1, 2, side, side, requires_grad=True)
    logits = critic(pictures)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    moved = pictures.grad[0].abs().sum(0) > 0
    return int(moved.any(1).sum()), int(moved.any(0).sum())


@pytest.mark.parametrize("patch", PATCHES[:5])
def test_a_logit_sees_a_patch_of_the_stated_side(patch):
    critic = PatchCritic(2, width=2, patch=patch).eval()  # statistics that are fixed
    for layer in critic:
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1.0)  # nothing cancels
    assert seen_by(critic, 320) == (patch, patch)


def test_the_default_critic_is_the_papers():
    critic = PatchCritic(6)
    widths = [layer.out_channels for layer in critic if isinstance(layer, nn.Conv2d)]
    strides = [layer.stride[0] for layer in critic if isinstance(layer, nn.Conv2d)]
    assert widths == [64, 128, 256, 512, 1]
    assert strides == [2, 2, 2, 1, 1]
    assert critic(torch.zeros(2, 6, 256, 256)).shape == (2, 1, 30, 30)
    assert PATCHES == (7, 16, 34, 70, 142, 286)


def test_small_pictures_get_small_patches():
    sides = {8: 7, 28: 16, 32: 16, 64: 34, 94: 70, 256: 70}
    assert {side: patch_for((side, side)) for side in sides} == sides
    assert patch_for((32, 512)) == 16  # the shorter side decides
    with pytest.raises(UserError, match="patches are 7, 16, 34, 70, 142, 286"):
        PatchCritic(6, patch=64)


@pytest.mark.parametrize(
    ("size", "levels"),
    [((64, 64), 6), ((32, 64), 5), ((8, 8), 3), ((96, 96), 5), ((28, 28), 2), ((100, 60), 2)],
)
def test_any_size_that_halves_keeps_its_size(size, levels):
    network = TranslatingUNet(3, 1, size, width=2, norm="instance")
    assert network.levels == levels
    made = network(torch.rand(2, 3, *size))
    assert made.shape == (2, 1, *size)
    assert made.abs().max() <= 1


def test_the_papers_network_has_eight_halvings_and_its_parameters():
    network = TranslatingUNet(3, 3, (256, 256))
    assert network.levels == 8
    down = [(3, 64), (64, 128), (128, 256), (256, 512)] + [(512, 512)] * 4
    up = [(512, 512)] + [(1024, 512)] * 3 + [(1024, 256), (512, 128), (256, 64), (128, 3)]
    weights = sum(16 * a * b for a, b in down + up)
    biases = 64 + 512 + 3  # of the layers without a normalisation: first, innermost, last
    gains = 2 * (128 + 256 + 3 * 512 + 512 + 4 * 512 + 256 + 128 + 64)
    assert sum(p.numel() for p in network.parameters()) == weights + biases + gains
    assert sum(isinstance(layer, DrawnDropout) for layer in network.modules()) == 3


@pytest.mark.parametrize("size", [(63, 64), (30, 30)])
def test_a_size_that_cannot_be_halved_is_refused_with_one_that_can(size):
    good = tuple(round(side / 4) * 4 for side in size)
    with pytest.raises(UserError, match=f"set data.size={good[0]}x{good[1]}"):
        halvings(size)
    with pytest.raises(UserError, match=r"8 times, .* set data.size=256x256"):
        halvings((200, 200), 8)


def test_weights_begin_at_a_fiftieth():
    torch.manual_seed(0)
    network = TranslatingUNet(3, 3, (64, 64), width=16)
    drawn = torch.cat([w.flatten() for n, w in network.named_parameters() if "convolution.w" in n])
    assert drawn.mean().item() == pytest.approx(0.0, abs=4 * 0.02 / math.sqrt(len(drawn)))
    assert drawn.std().item() == pytest.approx(0.02, rel=0.01)


def test_noise_is_a_function_of_the_generator_alone_in_either_mode():
    network = TranslatingUNet(1, 1, (16, 16), width=4, norm="instance")
    given = torch.rand(3, 1, 16, 16)

    def made(seed: int, **options: bool) -> torch.Tensor:
        return network(given, torch.Generator().manual_seed(seed), **options)

    network.eval()
    kept = made(0)
    torch.rand(1)  # the global generator has no say
    assert torch.equal(made(0), kept)
    assert not torch.equal(made(1), kept)
    assert torch.equal(made(0, noise=False), made(1, noise=False))
    network.train()
    assert torch.equal(made(0), kept)


def test_dropout_keeps_the_mean():
    made = DrawnDropout(0.25)(torch.ones(100_000), torch.Generator().manual_seed(0))
    assert made.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert made.mean().item() == pytest.approx(1.0, abs=4 * math.sqrt(1 / 3 / 100_000))
