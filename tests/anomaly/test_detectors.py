"""AnoGAN, f-AnoGAN and GANomaly: equations, phases, scores that depend on nobody else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.core.detect import anomalies, anomaly_maps
from zerosum.core.game import Progress
from zerosum.core.registry import recipe, system
from zerosum.errors import UserError

NAMES = ("anogan", "f_anogan", "ganomaly")
QUICK = {"anogan": {"steps": 2}}


class Constant(nn.Module):
    """Gives the same tensor for each example."""

    def __init__(self, value):
        super().__init__()
        self.register_buffer("value", value)

    def forward(self, x):
        return self.value.expand(len(x), *self.value.shape)


def build(name, **changes):
    torch.manual_seed(0)
    config = recipe(f"{name}/tiny").model.model_copy(
        update={"channels": 1, "size": (8, 8), **changes}
    )
    return system(name).game(config)


def images(count=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, 1, 8, 8, generator=rng) * 2 - 1


def options(game, name):
    return game.Options(**QUICK.get(name, {}))


@pytest.mark.parametrize("name", NAMES)
def test_a_score_depends_on_its_picture_alone(name):
    game, x = build(name), images(70)
    for module in game.modules():  # statistics as after some training
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    game.train()
    chosen = options(game, name)
    together = anomalies(game, {"image": x}, chosen)
    alone = torch.cat([anomalies(game, {"image": x[i : i + 1]}, chosen) for i in (0, 5, 69)])
    assert torch.equal(alone, together[[0, 5, 69]])
    order = torch.randperm(70, generator=torch.Generator().manual_seed(1))
    assert torch.equal(anomalies(game, {"image": x[order]}, chosen), together[order])
    assert together.std() > 0.01 * together.mean()  # and on its picture it does depend
    assert game.training  # left as it was
    assert all(parameter.grad is None for parameter in game.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_distances_of_pixels(name):
    game, x = build(name, channels=3), torch.rand(2, 3, 8, 8) * 2 - 1
    made = torch.linspace(-0.9, 0.9, 192).view(3, 8, 8)
    setattr(game, "decoder" if name == "ganomaly" else "generator", Constant(made))
    if name == "anogan":
        game.search = lambda images: images
    found = anomaly_maps(game, {"image": x})
    assert found.shape == (2, 1, 8, 8)
    assert torch.allclose(found[:, 0], (x - made).abs().mean(1))


def test_f_anogans_sum_by_hand():
    game, x = build("f_anogan", kappa=3.0), images()
    made = torch.linspace(-0.9, 0.9, 64).view(1, 8, 8)
    game.generator = Constant(made)
    features = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
    game.critic = nn.Sequential(features, nn.Linear(7, 1))
    pixels = (x - made).square().sum((1, 2, 3)) / 64
    seen = (features(x) - features(made[None])).square().sum(1) / 7
    assert torch.allclose(game.anomaly({"image": x}), pixels + 3 * seen)
    terms = game.encoder_loss({"image": x})
    assert terms["image"].item() == pytest.approx(pixels.mean().item())
    assert terms["features"].item() == pytest.approx(3 * seen.mean().item(), rel=1e-5)


def test_f_anogan_plays_first_and_encodes_then():
    game = build("f_anogan", encoder_from=0.25)

    def movers(seen):
        game.progress = Progress(seen, seen, 100)
        return [turn.player for turn in game.turns()]

    assert movers(0) == movers(24) == ["critic", "generator"]
    assert movers(25) == movers(99) == ["encoder"]
    game.progress = Progress(5, 5, 0)  # a run without an end plays on
    assert [turn.player for turn in game.turns()] == ["critic", "generator"]


def test_the_generator_rests_while_the_encoder_learns():
    game = build("f_anogan").train()
    before = {k: v.clone() for k, v in game.generator.state_dict().items()}
    game.encoder_loss({"image": images(16)})["image"].backward()
    after = game.generator.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert game.generator.training


def test_ganomalys_three_terms_and_its_score_by_hand():
    game, x = build("ganomaly", adversarial=2.0, contextual=50.0, consistency=3.0), images()
    made = torch.linspace(-0.9, 0.9, 64).view(1, 8, 8)
    again = torch.linspace(0, 1, 8)
    code = nn.Sequential(nn.Flatten(), nn.Linear(64, 8))
    features = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
    game.encoder, game.decoder, game.second = code, Constant(made), Constant(again)
    game.discriminator = nn.Sequential(features, nn.Linear(7, 1), nn.Flatten(0))
    terms = {k: v.item() for k, v in game.generator_loss({"image": x}).items()}
    assert terms == pytest.approx(
        {
            "adversarial": 2 * (features(x) - features(made[None])).square().mean().item(),
            "contextual": 50 * (x - made).abs().mean().item(),
            "latent": 3 * (code(x) - again).square().mean().item(),
        },
        rel=1e-5,
    )
    assert torch.allclose(game.anomaly({"image": x}), (code(x) - again).abs().mean(1))
    real, fake = game.discriminator(x), game.discriminator(made[None])
    loss = (nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()) / 2
    assert game.discriminator_loss({"image": x})["adversarial"].item() == pytest.approx(
        loss.item(), rel=1e-5
    )


def test_anogans_distance_by_hand():
    game, x = build("anogan"), images()
    made = torch.linspace(-0.9, 0.9, 64).view(1, 8, 8)
    features = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
    game.discriminator = nn.Sequential(features, nn.Linear(7, 1))
    seen = (features(x) - features(made[None])).abs().sum(1)
    expected = 0.9 * (x - made).abs().sum((1, 2, 3)) + 0.1 * seen
    found = game.distance(made.expand(3, -1, -1, -1), x, features(x))
    assert torch.allclose(found, expected)


def test_anogans_search_finds_what_the_generator_can_make():
    game = build("anogan", latent=64, discrimination=0.0)
    game.generator = nn.Unflatten(1, (1, 8, 8))  # any picture is its own code
    x = images()
    chosen = game.Options(steps=400, rate=0.02)
    assert anomalies(game, {"image": x}, chosen).max() < 64 * 0.01
    few = anomalies(game, {"image": x}, game.Options(steps=1, rate=0.02))
    start = game.normal(1, 64, rng=torch.Generator().manual_seed(0))
    # One step of Adam moves each number by the rate, towards its pixel.
    moved = start + 0.02 * (x.flatten(1) - start).sign()
    assert few.tolist() == pytest.approx((x.flatten(1) - moved).abs().sum(1).tolist(), rel=1e-5)


def test_another_start_finds_another_score():
    game, x = build("anogan"), images()
    first = anomalies(game, {"image": x}, game.Options(steps=3))
    assert torch.equal(first, anomalies(game, {"image": x}, game.Options(steps=3)))
    other = anomalies(game, {"image": x}, game.Options(steps=3, start=1))
    assert not torch.equal(first, other)


def test_who_detects_nothing_says_so():
    game = system("dcgan").game(
        recipe("dcgan/tiny").model.model_copy(update={"channels": 1, "size": (8, 8)})
    )
    with pytest.raises(UserError, match="DCGAN does not say how anomalous an example is"):
        anomalies(game, {"image": images()})


def test_scores_that_are_no_numbers_are_refused():
    game = build("ganomaly")
    next(game.second.parameters()).data.fill_(float("nan"))
    with pytest.raises(UserError, match="NaN or infinity"):
        anomalies(game, {"image": images()})
