"""What is particular to wgan_gp, sngan, projection, sagan, acgan and transgan."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from zerosum.core import registry
from zerosum.core.engine import play_step
from zerosum.core.runtime import Runtime
from zerosum.data.fields import Category
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.modalities.images import ImageField

SPEC = DataSpec({"image": ImageField(shape=(1, 8, 8)), "label": Category(count=3)})


def game(name: str, **changes):
    torch.manual_seed(0)
    system = registry.system(name)
    recipe = system.presets["tiny"].override({f"model.{k}": v for k, v in changes.items()})
    return system.game(recipe.model.matched(SPEC))


def batches(size=8):
    rng = torch.Generator().manual_seed(0)
    while True:
        label = torch.randint(3, (size,), generator=rng)
        noise = torch.rand(size, 1, 8, 8, generator=rng) / 4
        yield {"image": label[:, None, None, None] / 2 - 0.5 + noise, "label": label}


def train(game, steps, lr=1e-2):
    optimizers = {
        name: torch.optim.Adam([p for m in modules for p in m.parameters()], lr, (0.0, 0.9))
        for name, modules in game.players().items()
    }
    stream, runtime = batches(), Runtime(torch.device("cpu"))
    for _ in range(steps):
        log = play_step(game, stream, optimizers, runtime)
    return log


def test_the_critic_moves_five_times_per_step():
    for name in ("wgan_gp", "sngan", "projection"):
        first, second = game(name, critic_steps=5).turns()
        assert (first.repeat, second.repeat) == (5, 1), name


@pytest.mark.parametrize("backbone", ["dcgan", "resnet"])
def test_wgan_gp_critics_keep_samples_apart_and_hold_their_slope(backbone):
    system = game("wgan_gp", backbone=backbone)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in system.critic.modules())
    images = next(batches())["image"]
    assert torch.allclose(system.critic(images)[:1], system.critic(images[:1]), atol=1e-5)
    before = system.critic_loss({"image": images})["penalty"].item()
    train(system, 8, lr=5e-3)
    assert system.critic_loss({"image": images})["penalty"].item() < 0.7 * before


def test_wgan_gp_penalises_a_flat_critic_by_its_weight():
    system = game("wgan_gp", penalty=7.0)
    for parameter in system.critic.parameters():
        nn.init.zeros_(parameter)
    terms = system.critic_loss(next(batches()))
    assert terms["penalty"].item() == pytest.approx(7.0)
    assert terms["adversarial"].item() == 0


def test_sngan_layers_have_norm_one_after_training():
    system = game("sngan")
    train(system, 5, lr=1e-3)
    system.eval()
    for module in system.discriminator.modules():
        if parametrize.is_parametrized(module, "weight"):
            value = torch.linalg.matrix_norm(module.weight.flatten(1), 2).item()
            assert value == pytest.approx(1, rel=0.15)
    assert not any(parametrize.is_parametrized(m) for m in system.generator.modules())


def test_sagan_normalises_both_players_and_gamma_moves():
    """Toolkits that could not reproduce SAGAN often had an attention that never took part."""
    system = game("sagan")
    for network in (system.generator, system.trunk):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert layers and all(parametrize.is_parametrized(m, "weight") for m in layers)
    gammas = [system.generator.attention.gamma, system.trunk.attention.gamma]
    assert [gamma.item() for gamma in gammas] == [0, 0]
    train(system, 3)
    # The learned attention is differentiated only once gamma has left zero: take it at work.
    assert all(gamma.abs().item() > 1e-3 for gamma in gammas)
    logits = system.judge(next(batches())["image"], torch.zeros(8).long())
    logits.sum().backward()
    query = system.trunk.attention.query.parametrizations.weight.original
    assert query.grad.abs().max() > 0


@pytest.mark.parametrize("name", ["projection", "sagan"])
def test_the_label_moves_the_logit_by_an_inner_product(name):
    system = game(name).eval()
    images = next(batches())["image"]
    zero, one = torch.zeros(8).long(), torch.ones(8).long()
    difference = system.judge(images, one) - system.judge(images, zero)
    table = system.head.table.weight
    expected = system.trunk(images) @ (table[1] - table[0])
    assert torch.allclose(difference, expected, atol=1e-5)


def test_acgan_samples_follow_their_label():
    """The three classes differ in brightness: -0.5, 0 and 0.5, with noise above."""
    system = game("acgan")
    train(system, 60, lr=5e-3)
    label = torch.arange(3).repeat_interleave(40)
    means = system.sample(120, label=label)["image"].mean((1, 2, 3)).reshape(3, 40).mean(1)
    assert means[0] < means[1] < means[2]


def test_acgan_terms_of_a_discriminator_that_knows_nothing():
    system = game("acgan", weight=2.0)
    for parameter in (*system.source.parameters(), *system.classifier.parameters()):
        nn.init.zeros_(parameter)
    batch = next(batches())
    both, one = system.discriminator_loss(batch), system.generator_loss(batch)
    assert both["class"].item() == pytest.approx(2 * 2 * math.log(3))
    assert both["adversarial"].item() == pytest.approx(2 * math.log(2))
    assert one["class"].item() == pytest.approx(2 * math.log(3))
    assert one["adversarial"].item() == pytest.approx(math.log(2))


def test_transgan_places_matter_and_its_critic_can_be_penalised():
    system = game("transgan").eval()
    images = next(batches())["image"]
    shuffled = images.flatten(2)[:, :, torch.randperm(64)].unflatten(2, (8, 8))
    assert not torch.allclose(system.critic(images), system.critic(shuffled), atol=1e-6)
    terms = system.critic_loss({"image": images})
    terms["penalty"].backward()
    reached = system.critic.small.weight.grad
    assert reached is not None and reached.abs().max() > 0


def test_transgan_refuses_what_does_not_fit():
    with pytest.raises(UserError, match=r"model.patch=8"):
        game("transgan", patch=8)
    with pytest.raises(UserError, match=r"model.heads=3"):
        game("transgan", heads=3)
