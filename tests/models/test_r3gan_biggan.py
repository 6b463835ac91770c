"""What is particular to r3gan and biggan as games."""

from __future__ import annotations

from itertools import count, repeat

import pytest
import torch
from torch.nn import functional as F

from zerosum.core.draw import draw
from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.optim import build_optimizers
from zerosum.core.registry import recipe, system
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.losses.weights import orthogonal_off_diagonal
from zerosum.models.images.biggan import BigGAN
from zerosum.models.images.r3gan import R3GAN

WIDTHS = {
    "r3gan": (("stages.0.layers.0.start", 768), ("to_image", 96)),
    "biggan": (("linear.weight", 16 * 96 * 16), ("output_layer.2.weight", 96)),
}
"""Feature maps of the smallest and of the largest map at 256 pixels."""


def r3gan(size=(8, 8), classes=0, **settings):
    torch.manual_seed(0)
    made = {"latent": 8, "width": 16, "cardinality": 4, "blocks": 1, "gamma": 2.0} | settings
    game = R3GAN(R3GAN.Config(channels=1, size=size, labels=classes > 0, classes=classes, **made))
    for name, parameter in game.named_parameters():
        if name.rpartition(".")[2] in ("contract", "bias1", "bias2"):
            torch.nn.init.normal_(parameter, 0.0, 0.1)  # beyond the identity of the start
    return game


def biggan(size=(8, 8), **settings):
    torch.manual_seed(0)
    made = {"latent": 8, "width": 2, "critic_width": 2, "shared": 4} | settings
    return BigGAN(BigGAN.Config(channels=1, size=size, classes=3, **made))


def batch(n=4, size=8):
    rng = torch.Generator().manual_seed(1)
    images = torch.rand(n, 1, size, size, generator=rng) * 2 - 1
    return {"image": images, "label": torch.tensor([0, 2, 1, 2, 0, 1, 1, 0])[:n]}


@pytest.mark.parametrize("classes", [0, 3])
def test_r3gan_discriminator_minimises_the_paper_s_loss(classes):
    """Section 2: softplus(-(D(x) - D(G(z)))) + gamma / 2 (|grad D(x)|^2 + |grad D(G(z))|^2), of
    whose value and gradient the plain form by autograd is written here."""
    game, given = r3gan(classes=classes), batch()
    told = F.one_hot(given["label"], 3).float() if classes else None
    torch.manual_seed(7)
    terms = game.discriminator_loss(given)
    found = torch.autograd.grad(sum(terms.values()), list(game.discriminator.parameters()))

    torch.manual_seed(7)
    with torch.no_grad():
        fake = game.generator(torch.randn(4, 8), told)
    logits, slopes = [], []
    for x in (given["image"].clone(), fake):
        logits.append(game.discriminator(x.requires_grad_(), told))
        (slope,) = torch.autograd.grad(logits[-1].sum(), x, create_graph=True)
        slopes.append(slope.square().sum((1, 2, 3)).mean())
    loss = F.softplus(logits[1] - logits[0]).mean() + slopes[0] + slopes[1]
    wanted = torch.autograd.grad(loss, list(game.discriminator.parameters()))
    torch.testing.assert_close(sum(terms.values()), loss)
    for one, other in zip(found, wanted):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_r3gan_logits_are_homogeneous_in_images_and_biases():
    game, given = r3gan(classes=3), batch()
    told = game.told(given)
    plain = game.discriminator(given["image"], told)
    scale = torch.tensor([0.5, 1.0, 2.0, 3.0])
    found = game.discriminator(given["image"], told, scale)
    torch.testing.assert_close(found, plain * scale, rtol=1e-4, atol=1e-6)


def test_r3gan_turns_see_different_real_images():
    game = r3gan()
    numbers, seen = count(), []

    def batches():
        while True:
            seen.append(next(numbers))
            yield batch()

    made = recipe("r3gan/tiny")
    optimizers = build_optimizers(made.optim, game.players())
    play_step(game, batches(), optimizers, Runtime(torch.device("cpu")))
    assert seen == [0, 1]


def test_r3gan_begins_at_the_grid_that_the_size_asks_for():
    """28 pixels at 7x7; widths and groups are halved with each map beyond the wide ones."""
    game = r3gan(size=(28, 56), wide=2)
    assert game.generator.stages[0].layers[0].start.shape == (16, 7, 14)
    mixes = [stage.layers[1].mix.shape for stage in game.generator.stages]
    assert mixes == [(32, 8, 3, 3), (32, 8, 3, 3), (16, 8, 3, 3)]
    assert [stage.layers[0].mix.shape for stage in game.discriminator.stages] == mixes[::-1]
    assert draw(game, 2, 0)["image"].shape == (2, 1, 28, 56)


def test_r3gan_samples_stay_in_range_though_the_last_layer_is_linear():
    game = r3gan()
    with torch.no_grad():
        game.generator.to_image.fill_(50.0)
    assert float(draw(game, 8, 0)["image"].abs().max()) == 1.0
    assert game.generated(batch()).abs().max().item() > 1.0


def test_r3gan_groups_that_do_not_fit():
    with pytest.raises(UserError, match="32 feature maps inside a block of width 16 cannot be"):
        r3gan(cardinality=5)


def test_r3gan_schedules_reach_the_penalty():
    """Half of the way from 4 to 0 is 2, so that the terms equal those of gamma = 2."""
    fixed, moving = r3gan(), r3gan(gamma={"kind": "linear", "start": 4.0, "end": 0.0})
    moving.progress = Progress(step=1, seen=50, total=100)
    values = []
    for game in (fixed, moving):
        torch.manual_seed(3)
        values.append(
            {name: term.item() for name, term in game.discriminator_loss(batch()).items()}
        )
    assert values[0] == pytest.approx(values[1])


def test_biggan_generator_pays_half_of_equation_3():
    """The embedding that all layers share is left out, as in the release."""
    game = biggan(orthogonal=0.5)
    terms = game.generator_loss(batch())
    weights = [p for name, p in game.generator.named_parameters() if name != "shared.weight"]
    torch.testing.assert_close(terms["orthogonal"], 0.25 * orthogonal_off_diagonal(weights))


def test_biggan_discriminator_moves_on_new_images_as_often_as_is_said():
    game, seen = biggan(critic_steps=3), []

    def batches():
        while True:
            seen.append(len(seen))
            yield batch()

    optimizers = build_optimizers(recipe("biggan/tiny").optim, game.players())
    before = game.discriminator.linear.u0.clone(), game.discriminator.embed.u0.clone()
    play_step(game, batches(), optimizers, Runtime(torch.device("cpu")))
    assert seen == [0, 1, 2]
    assert not torch.equal(before[1], game.discriminator.embed.u0)


def test_biggan_attends_at_one_height_in_both_networks():
    game = biggan(size=(32, 32), attention=16)
    assert [len(layers) for layers in game.generator.blocks] == [1, 2, 1]
    assert [len(layers) for layers in game.discriminator.blocks] == [2, 1, 1, 1]
    with pytest.raises(UserError, match="attention=5, but maps are 8, 16, 32 high"):
        biggan(size=(32, 32), attention=5)


def test_biggan_deep_attends_after_both_blocks_of_a_resolution():
    game = biggan(size=(32, 32), attention=16, deep=True)
    assert [len(layers) for layers in game.generator.blocks] == [2, 3, 2]
    assert [len(layers) for layers in game.discriminator.blocks] == [3, 2, 2]
    with pytest.raises(UserError, match="needs an embedding of the class"):
        biggan(deep=True, shared=0)


def test_biggan_deep_plays_and_samples_as_the_other_does():
    game = biggan(deep=True, orthogonal=0.5, critic_steps=1)
    before = {name: p.detach().clone() for name, p in game.named_parameters()}
    optimizers = build_optimizers(recipe("biggan/tiny").optim, game.players())
    play_step(game, repeat(batch()), optimizers, Runtime(torch.device("cpu")))
    after = dict(game.named_parameters())
    assert not torch.equal(
        before["generator.blocks.0.0.conv1.weight"], after["generator.blocks.0.0.conv1.weight"]
    )
    assert not torch.equal(
        before["discriminator.blocks.0.1.conv4.weight"],
        after["discriminator.blocks.0.1.conv4.weight"],
    )
    options = BigGAN.Options(truncation=0.5, standing=2)
    found = draw(game, 3, 0, options=options)["image"]
    assert found.shape == (3, 1, 8, 8) and torch.equal(
        draw(game, 3, 0, options=options)["image"], found
    )


def test_biggan_samples_with_truncation_and_standing_statistics():
    """Options change samples while they hold, and nothing of the game; twice the same."""
    game = biggan()
    state = {name: value.clone() for name, value in game.state_dict().items()}
    plain = draw(game, 3, 0)["image"]
    options = BigGAN.Options(truncation=0.5, standing=2)
    other = draw(game, 3, 0, options=options)["image"]
    assert torch.equal(draw(game, 3, 0, options=options)["image"], other)
    assert not torch.equal(other, plain) and torch.equal(draw(game, 3, 0)["image"], plain)
    assert all(torch.equal(state[name], value) for name, value in game.state_dict().items())
    settled = game.settled(options)
    assert settled is game.settled(options)
    with torch.no_grad():
        game.generator.linear.weight.mul_(2.0)
    assert game.settled(options) is not settled


def test_presets_of_the_papers_are_built_of_shapes_alone():
    for name in ("r3gan/ffhq256", "biggan/imagenet256"):
        made = recipe(name)
        size = {"channels": 3, "size": (256, 256)}
        more = {"classes": 1000, "begin": "N02"} if name.startswith("biggan") else {}
        config = made.model.model_copy(update=size | more)
        with torch.device("meta"):
            game = system(made.system).game(config)
        first, last = WIDTHS[made.system]
        shapes = {name: p.shape for name, p in game.generator.named_parameters()}
        assert shapes[first[0]][0] == first[1] and shapes[last[0]][1] == last[1]
