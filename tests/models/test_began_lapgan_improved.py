"""began, lapgan, improved: a control loop, a pyramid, and a classifier from few labels."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.core import registry
from zerosum.models.images.lapgan import double, halve


def build(name, **options):
    torch.manual_seed(0)
    found = registry.system(name)
    model = found.presets["tiny"].model.model_copy(
        update={"channels": 1, "size": (8, 8), **options}
    )
    return found.game(model).eval()


IMAGES = torch.linspace(-1, 1, 6 * 64).reshape(6, 1, 8, 8)


class Blank(nn.Module):
    """An auto-encoder that reproduces nothing."""

    def forward(self, images):
        return torch.zeros_like(images)


def test_the_balance_moves_towards_the_wanted_ratio_of_energies():
    game = build("began", diversity=0.5, rate=0.1)
    game.discriminator = Blank()
    real = torch.ones(4, 1, 8, 8)
    game.discriminator_loss({"image": real})
    assert game.real_energy.item() == 1
    energy = game.generator_loss({"image": real})["adversarial"]
    expected = max(0.0, 0.1 * (0.5 - energy.item()))
    assert game.balance.item() == 0, "a loss that is evaluated moves nothing"
    game.after_step(game.progress)
    assert game.balance.item() == pytest.approx(expected, abs=1e-6) and expected > 0
    convergence = 1 + abs(0.5 - energy.item())
    assert game.signals["convergence"].item() == pytest.approx(convergence, rel=1e-5)
    loss = game.discriminator_loss({"image": real})["adversarial"]
    fake = game.signals["fake_energy"].mean()
    assert loss.item() == pytest.approx(1 - game.balance.item() * fake.item(), rel=1e-5)


def test_the_balance_is_saved_with_the_weights():
    game = build("began")
    game.balance.fill_(0.25)
    other = build("began")
    other.load_state_dict(game.state_dict())
    assert other.balance.item() == 0.25


def test_codes_of_began_are_uniform():
    z = build("began").latent(2_000, torch.Generator().manual_seed(0))
    assert z.abs().max() <= 1 and z.var().item() == pytest.approx(1 / 3, rel=0.05)


def test_the_pyramid_loses_nothing():
    """A level is what is below, enlarged, plus its band: halving and doubling may be any."""
    game = build("lapgan", size=(16, 16))
    images = torch.randn(2, 1, 16, 16)
    small, middle, large = game.pyramid(images)
    assert small.shape == (2, 1, 4, 4) and torch.equal(large, images)
    assert torch.equal(small, halve(middle))
    bands = [middle - double(small), large - double(middle)]
    again = small
    for band in bands:
        again = double(again) + band
    assert torch.allclose(again, images, atol=1e-6)


def test_a_sample_climbs_the_levels():
    game = build("lapgan", size=(16, 16))
    z = game.latent(3, torch.Generator().manual_seed(0))
    assert z.shape == (3, 8 + 16 + 64)
    levels = game.climb(z)
    assert [tuple(level.shape[2:]) for level in levels] == [(4, 4), (8, 8), (16, 16)]
    assert torch.equal(game.decode(z, {})["image"], levels[-1].clamp(-1, 1))
    moved = z.clone()
    moved[:, -64:] += 1  # noise of the last level alone
    again = game.climb(moved)
    assert all(torch.equal(a, b) for a, b in zip(levels[:2], again[:2]))
    assert not torch.equal(levels[2], again[2])


@pytest.mark.parametrize("loss", ["discriminator_loss", "generator_loss"])
def test_no_gradient_links_the_levels(loss):
    game = build("lapgan", size=(16, 16))
    terms = getattr(game, loss)({"image": torch.randn(4, 1, 16, 16)})
    assert list(terms) == ["4px", "8px", "16px"]
    lists = {
        "discriminator_loss": [game.discriminator, *game.judges],
        "generator_loss": [game.generator, *game.details],
    }
    for i, term in enumerate(terms.values()):
        for j, module in enumerate(lists[loss]):
            found = torch.autograd.grad(
                term, list(module.parameters()), allow_unused=True, retain_graph=True
            )
            assert all((gradient is not None) == (i == j) for gradient in found)


def test_refining_keeps_what_is_below():
    game = build("lapgan")
    with torch.no_grad():
        for parameter in game.details[-1].layers[-1].parameters():
            parameter.zero_()
    assert torch.equal(game.refine(IMAGES), double(halve(IMAGES)).clamp(-1, 1))


def labelled_game(**options):
    return build("improved", classes=10, **options)


def pictures(count):
    levels = torch.randint(0, 17, (count, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    return (levels * 255 / 16).round() / 127.5 - 1


def test_about_the_asked_share_is_labelled_always_the_same():
    images = pictures(20_000)
    game = labelled_game(labelled=0.06)
    chosen = game.labelled(images)
    assert chosen.float().mean().item() == pytest.approx(0.06, abs=0.006)
    order = torch.randperm(len(images))
    assert torch.equal(game.labelled(images[order]), chosen[order])
    more = labelled_game(labelled=0.2).labelled(images)
    assert not (chosen & ~more).any()  # a larger share adds labels and takes none away
    assert labelled_game(labelled=1.0).labelled(images).all()
    assert not labelled_game(labelled=0.0).labelled(images).any()


def test_images_that_differ_in_one_pixel_draw_anew():
    images = pictures(4_000)
    near = images.clone()
    near[:, 0, 4, 4] = torch.where(near[:, 0, 4, 4] > 0, near[:, 0, 4, 4] - 0.2, 0.5)
    game = labelled_game(labelled=0.5)
    same = (game.labelled(images) == game.labelled(near)).float().mean()
    assert same.item() == pytest.approx(0.5, abs=0.05)


def test_labels_that_may_not_be_seen_change_nothing():
    game = labelled_game(labelled=0.5)
    images = pictures(64)
    known = game.labelled(images)
    label = torch.zeros(64, dtype=torch.long)

    def loss(labels):
        torch.manual_seed(1)
        return game.discriminator_loss({"image": images, "label": labels})["supervised"]

    assert torch.equal(loss(label), loss(torch.where(known, label, 7)))
    assert not torch.equal(loss(label), loss(torch.where(known, 7, label)))


def test_no_labelled_image_in_a_batch_costs_nothing():
    game = labelled_game(labelled=0.0)
    terms = game.discriminator_loss({"image": IMAGES, "label": torch.zeros(6, dtype=torch.long)})
    assert terms["supervised"].item() == 0 and torch.isfinite(terms["adversarial"])


def test_each_step_has_a_batch_of_the_labelled_images_that_were_met():
    game = labelled_game(labelled=0.1)
    images = pictures(200)
    label = torch.arange(200) % 10
    known = game.labelled(images)
    without = {"image": images[~known][:16], "label": label[~known][:16]}
    assert game.discriminator_loss(without)["supervised"].item() == 0  # none was met yet
    for _ in range(2):  # the second time they are known already
        game.discriminator_loss({"image": images, "label": label})
        game.after_step(game.progress)
    assert len(game.shown) == int(known.sum())
    assert torch.equal(game.shown.images, images[known])
    assert torch.equal(game.shown.labels, label[known])

    again = labelled_game(labelled=0.1)
    again.load_state_dict(game.state_dict())
    losses = []
    for one in (game, again):
        one.eval()  # no dropout
        torch.manual_seed(3)
        losses.append(one.discriminator_loss(without)["supervised"])
    assert torch.equal(*losses)
    again.shown.draw = lambda n: (images[known], label[known])
    expected = torch.nn.functional.cross_entropy(again.classify(images[known]), label[known])
    assert torch.equal(again.discriminator_loss(without)["supervised"], expected)
    drawn, _ = game.shown.draw(1_000)
    assert len(drawn) == 1_000 and len(drawn.flatten(1).unique(dim=0)) == int(known.sum())


def test_being_real_is_being_of_any_class():
    """Z / (Z + 1) of the paper is the sigmoid of the logsumexp of the logits."""
    game = labelled_game(technique="features")
    logits = game.classify(IMAGES)
    assert logits.shape == (6, 10)
    z = logits.exp().sum(1)
    assert torch.allclose(torch.sigmoid(logits.logsumexp(1)), z / (z + 1))


def test_feature_matching_is_still_where_the_means_agree():
    game = labelled_game(technique="features")
    game.generator = Echo()
    terms = game.generator_loss({"image": IMAGES, "label": torch.zeros(6, dtype=torch.long)})
    assert terms["features"].item() == pytest.approx(0, abs=1e-10)


class Echo(nn.Module):
    """A generator of the real images in another order."""

    def forward(self, z):
        return IMAGES.flip(0)
