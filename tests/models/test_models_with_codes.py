"""infogan, bigan, veegan: codes that are read off images."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zerosum.core import registry


def build(name, **options):
    torch.manual_seed(0)
    found = registry.system(name)
    model = found.presets["tiny"].model.model_copy(
        update={"channels": 1, "size": (8, 8), **options}
    )
    return found.game(model).eval()


IMAGES = torch.linspace(-1, 1, 5 * 64).reshape(5, 1, 8, 8)


def test_infogan_reads_its_codes_off_images():
    game = build("infogan", categories=4, styles=2)
    found = game.infer(IMAGES)
    assert {name: tuple(t.shape) for name, t in found.items()} == {
        "category": (5, 4),
        "style": (5, 2),
    }
    assert torch.equal(game.cluster(IMAGES), found["category"].argmax(1))


def test_infogan_bound_is_zero_for_a_blind_recogniser_and_at_most_log_k():
    game = build("infogan", categories=4, styles=0)
    last = game.recogniser[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    game.generator_loss({"image": IMAGES})
    assert game.signals["category_information"].item() == pytest.approx(0, abs=1e-6)
    found = game.infer(IMAGES)["category"]
    assert found.shape[1] == 4
    last.bias.data = torch.tensor([50.0, 0, 0, 0])  # always sure of the first category
    torch.manual_seed(1)
    game.generator_loss({"image": IMAGES.repeat(8, 1, 1, 1)})
    assert game.signals["category_information"] < 0 < math.log(4)


def test_infogan_learns_its_category():
    """A few hundred steps on nothing but information: the recogniser tells the categories."""
    game = build("infogan", categories=4, styles=0, category_weight=1.0)
    modules = [game.generator, game.trunk, game.recogniser]
    adam = torch.optim.Adam([p for m in modules for p in m.parameters()], lr=3e-3)
    game.train()
    for _ in range(60):
        loss = game.generator_loss({"image": IMAGES.repeat(4, 1, 1, 1)})["category"]
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert -loss.item() > 0.8 * math.log(4)


def test_infogan_sweep_changes_one_code_at_a_time():
    game = build("infogan", categories=3, styles=2)
    rows = game.sweep(steps=4, style=1, rng=torch.Generator().manual_seed(0))
    assert rows.shape == (3, 4, 1, 8, 8)
    z = game.latent(1, torch.Generator().manual_seed(0))
    z[:, -1] = 2.0
    last = game.decode(z, {"category": torch.tensor([2])})["image"][0]
    assert torch.allclose(rows[2, 3], last, atol=1e-5)


def test_infogan_styles_are_uniform_and_noise_is_normal():
    game = build("infogan", noise=3, styles=2)
    z = game.latent(20_000, torch.Generator().manual_seed(0))
    noise, styles = z[:, :3], z[:, 3:]
    assert styles.abs().max() <= 1
    assert styles.var().item() == pytest.approx(1 / 3, rel=0.03)
    assert noise.var().item() == pytest.approx(1, rel=0.03)


def test_a_bigan_has_one_code_per_image_and_an_ali_a_gaussian():
    plain, drawn = build("bigan", stochastic=False), build("bigan", stochastic=True)
    mean, deviation = plain.posterior(IMAGES)
    assert deviation.abs().max() == 0 and torch.equal(mean, plain.encode(IMAGES))
    mean, deviation = drawn.posterior(IMAGES)
    assert mean.shape == (5, 8) and deviation.min() > 0
    for game, same in ((plain, True), (drawn, False)):
        (_, first), _ = game._pairs(IMAGES)
        (_, second), _ = game._pairs(IMAGES)
        assert torch.equal(first, second) == same
        assert game.reconstruct(IMAGES).shape == IMAGES.shape


def test_the_bigan_players_play_the_same_game_from_both_ends():
    """With exchanged labels the loss of generator and encoder is the discriminator's of 1 - D."""
    game = build("bigan", stochastic=False)
    batch = {"image": IMAGES}
    torch.manual_seed(1)
    moved = sum(game.generator_loss(batch).values())
    last = game.discriminator.pair[-1]
    nn.init.constant_(last.weight, 0)
    nn.init.constant_(last.bias, 0)
    assert torch.isfinite(moved)
    found = sum(game.generator_loss(batch).values()).item()
    assert found == pytest.approx(2 * math.log(2))
    assert game.discriminator_loss(batch)["adversarial"].item() == pytest.approx(found)
    with torch.no_grad():
        last.bias.fill_(3.0)  # everything is real: good for the generator, bad for the encoder
    terms = game.generator_loss(batch)
    assert terms["generator"].item() == pytest.approx(math.log1p(math.exp(-3)), rel=1e-4)
    assert terms["encoder"].item() == pytest.approx(math.log1p(math.exp(3)), rel=1e-4)


def test_the_codes_of_a_veegan_are_drawn_around_their_mean():
    spread = 0.7
    game = build("veegan", spread=spread)
    seen = []
    inner = game.discriminator.forward
    game.discriminator.forward = lambda images, codes: seen.append(codes) or inner(images, codes)
    images = IMAGES.repeat(200, 1, 1, 1)
    game.discriminator_loss({"image": images})
    noise = seen[0] - game.encode(images)
    assert noise.std().item() == pytest.approx(spread, rel=0.05)
    assert torch.equal(game.encode(images), game.encode(images))


def test_the_reconstructor_of_a_veegan_follows_reconstruction_alone():
    game = build("veegan", reconstruction=2.0)
    torch.manual_seed(1)
    terms = game.generator_loss({"image": IMAGES})
    parameters = list(game.reconstructor.parameters())
    found = torch.autograd.grad(
        terms["adversarial"], parameters, allow_unused=True, retain_graph=True
    )
    assert all(gradient is None for gradient in found)
    torch.manual_seed(1)
    z = game.latent(5)
    error = (game.encode(game.decode(z, {})["image"]) - z).square().sum(1).mean()
    assert terms["reconstruction"].item() == pytest.approx(2 * error.item(), rel=1e-5)
    expected = -game.discriminator(game.generator(z), z).mean()
    assert torch.allclose(terms["adversarial"], expected, atol=1e-6)


def test_what_an_infogan_tells_of_its_styles_is_what_the_means_tell():
    game = build("infogan", styles=2)
    z, category, fake = game._drawn(400)
    missed = 0.1

    def read(seen):
        return {"category": torch.zeros(400, game.categories), "style": told + missed}

    game._codes = read
    told = z[:, game.noise :]
    game._information(game.trunk(fake), z, category)
    per_code = math.log(2) - math.log(2 * math.pi * math.e * missed**2) / 2
    assert game.signals["style_information"].item() == pytest.approx(2 * per_code, rel=1e-4)


def test_an_infogan_may_have_no_continuous_codes():
    found = registry.recipe("infogan/tiny").override({"model.styles": 0})
    game = build("infogan", styles=found.model.styles)
    assert game.latent(3).shape == (3, found.model.noise)
    assert "style" not in game.generator_loss({"image": IMAGES})
