"""Growth, fade-in and the terms of progan."""

from __future__ import annotations

import pytest
import torch

from zerosum.core.game import Progress
from zerosum.layers.equalised import EqualisedConv2d
from zerosum.models.images.progan import (
    Critic,
    Generator,
    ProGAN,
    doubled,
    faded,
    halved,
    level_at,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_phases_alternate_between_training_and_fading_in():
    levels = [level_at(Progress(0, seen, 1000), 2, 0.8) for seen in range(0, 1001, 100)]
    assert levels == pytest.approx([0, 0, 0, 0.5, 1, 1, 1, 1.5, 2, 2, 2])
    assert level_at(Progress(0, 0, 0), 3, 0.5) == 3  # no end: finished
    assert level_at(Progress(0, 0, 1000), 3, 0) == 3  # no growth
    assert level_at(Progress(0, 1000, 1000), 3, 1.0) == 3


def test_real_images_lose_their_detail_as_generated_ones_do():
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(faded(images, 1.0), images)
    coarse = doubled(halved(images, 1), 1)
    assert torch.allclose(faded(images, 0.25), 0.25 * images + 0.75 * coarse, atol=1e-6)
    assert torch.allclose(halved(faded(images, 0.25), 1), halved(images, 1), atol=1e-6)


def test_the_generator_fades_from_one_level_into_the_next():
    generator = Generator(5, 1, (4, 4), [16, 8, 4])
    z = torch.randn(3, 5)

    def at(level):
        generator.level.fill_(level)
        return generator(z)

    assert [tuple(at(level).shape[2:]) for level in (0, 1, 2)] == [(4, 4), (8, 8), (16, 16)]
    expected = 0.3 * at(2.0) + 0.7 * doubled(at(1.0), 1)
    assert torch.allclose(at(1.3), expected, atol=1e-6)
    # Just after the start of a fade nothing has changed, and at its end nothing jumps.
    assert torch.allclose(at(1e-6), doubled(at(0.0), 1), atol=1e-4)


def test_the_critic_does_not_notice_a_level_that_begins():
    critic = Critic(1, (4, 4), [16, 8, 4], group=4)
    images = torch.randn(4, 1, 16, 16)
    coarse = halved(images, 1)
    assert torch.allclose(critic(images, 1 + 1e-6), critic(coarse, 1.0), atol=1e-4)
    assert torch.allclose(critic(images, 2 - 1e-6), critic(images, 2.0), atol=1e-4)
    assert critic(halved(images, 2), 0.0).shape == (4,)


def build(**changes):
    config = {"latent": 8, "width": 4, "channels": 1, "size": (16, 16), "growing": 0.5}
    return ProGAN(ProGAN.Config(**{**config, **changes}))


def test_losses_see_images_of_the_level_and_samples_have_full_size():
    game, seen = build(), []
    game.critic.register_forward_hook(lambda m, x, y: seen.append((x[0].shape[2], x[1])))
    batch = {"image": torch.rand(4, 1, 16, 16)}
    for images, size, level in [(0, 4, 0.0), (187, 8, 0.496), (1000, 16, 2.0)]:
        game.progress = Progress(1, images, 1000)
        seen.clear()
        game.critic_loss(batch)
        game.generator_loss(batch)
        assert {s for s, _ in seen} == {size}
        assert all(at == pytest.approx(level) for _, at in seen)
        sample = game.sample(3)["image"]
        assert sample.shape == (3, 1, 16, 16)
        assert sample.abs().max() <= 1
        # Below full size each block of pixels is one pixel, enlarged.
        assert torch.allclose(sample, doubled(halved(sample, 2), 2), atol=1e-6) == (size == 4)


def test_the_level_is_in_the_state_so_that_an_unfinished_run_can_be_loaded():
    game, again = build(), build()
    game.progress = Progress(1, 187, 1000)
    game.generator_loss({"image": torch.rand(4, 1, 16, 16)})
    again.load_state_dict(game.state_dict())
    z = torch.randn(2, 8)
    assert torch.equal(again.decode(z, {})["image"], game.decode(z, {})["image"])


def test_levels_that_are_not_there_yet_get_no_gradient():
    game = build()
    game.progress = Progress(1, 0, 1000)
    sum(game.critic_loss({"image": torch.rand(4, 1, 16, 16)}).values()).backward()
    assert all(p.grad is None for p in game.critic.blocks.parameters())
    assert game.critic.colours[0].weight.grad is not None


def test_drift_is_the_mean_square_of_real_logits():
    game = build(drift=0.5)
    images = torch.rand(4, 1, 16, 16)
    terms = game.critic_loss({"image": images})
    logits = game.critic(images, 2.0)
    assert terms["drift"].item() == pytest.approx(0.5 * logits.square().mean().item(), rel=1e-4)


def test_latent_codes_live_on_a_sphere():
    game = build()
    z = torch.randn(3, 8)
    assert torch.allclose(game.generator(z), game.generator(5 * z), atol=1e-4)


def test_all_convolutions_are_equalised():
    game = build()
    convs = [m for m in game.modules() if isinstance(m, torch.nn.Conv2d | EqualisedConv2d)]
    assert convs and all(isinstance(m, EqualisedConv2d) for m in convs)
