"""lsgan, wgan, dragan, rgan, ragan, pacgan, unrolled: what their turns compute."""

from __future__ import annotations

from itertools import repeat

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from zerosum.core import registry
from zerosum.core.engine import play_step
from zerosum.core.game import Game, Turn
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.losses import OBJECTIVES, Adam


def build(name, **options) -> Game:
    """The game of a system's preset `tiny`, for 8x8 grey images."""
    torch.manual_seed(0)
    found = registry.system(name)
    model = found.presets["tiny"].model.model_copy(
        update={"channels": 1, "size": (8, 8), "classes": 10, **options}
    )
    return found.game(model)


def play(game, steps=1, lr=0.05, batch=16):
    """Some steps of all players on random images."""
    optimizers = {
        name: torch.optim.SGD([p for m in modules for p in m.parameters()], lr=lr)
        for name, modules in game.players().items()
    }
    images = {"image": torch.rand(batch, 1, 8, 8) * 2 - 1}
    runtime = Runtime(torch.device("cpu"))
    for _ in range(steps):
        log = play_step(game, repeat(images), optimizers, runtime)
    return log


def test_least_squares_wants_its_targets():
    game = build("lsgan", fake_target=-1.0, real_target=1.0, wanted=0.0)
    game.discriminator = Constant(3.0)
    images = {"image": torch.zeros(4, 1, 8, 8)}
    assert game.discriminator_loss(images)["adversarial"].item() == pytest.approx((4 + 16) / 2)
    assert game.generator_loss(images)["adversarial"].item() == pytest.approx(9 / 2)


class Constant(nn.Module):
    """A discriminator that always says the same."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, images):
        return self.value.expand(len(images))


def test_the_weights_of_the_wgan_critic_are_clipped_after_each_of_its_moves():
    game = build("wgan", limit=0.02)
    assert all(p.abs().max() <= 0.02 for p in game.critic.parameters())
    before = [p.clone() for p in game.critic.parameters()]
    play(game, lr=5.0)
    assert all(p.abs().max() <= 0.02 for p in game.critic.parameters())
    assert any(p.abs().max().item() == pytest.approx(0.02) for p in game.critic.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, game.critic.parameters()))


def test_the_wgan_critic_plays_as_often_as_told():
    first, _ = build("wgan", critic_steps=3).turns()
    assert isinstance(first, Turn) and first.repeat == 3


@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_the_dragan_penalty_of_a_linear_discriminator_is_exact(slope):
    game = build("dragan", penalty=3.0, slope=slope)
    linear = nn.Linear(64, 1)
    game.discriminator = nn.Sequential(nn.Flatten(), linear, nn.Flatten(0))
    terms = game.discriminator_loss({"image": torch.randn(5, 1, 8, 8)})
    expected = 3 * (linear.weight.norm() - slope).square()
    assert terms["penalty"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "objective"),
    [("rgan", "rpgan"), ("rgan", "rhinge"), ("ragan", "rasgan"), ("ragan", "ralsgan")],
)
def test_relativistic_losses_see_differences_of_scores_only(name, objective):
    game = build(name, objective=objective)
    images = {"image": torch.randn(6, 1, 8, 8)}

    def losses(shift):
        torch.manual_seed(1)
        game.eval()
        with torch.no_grad():
            list(game.discriminator.parameters())[-1].fill_(shift)
        return game.discriminator_loss(images)["adversarial"], game.generator_loss(images)[
            "adversarial"
        ]

    for a, b in zip(losses(0.0), losses(5.0)):
        assert torch.allclose(a, b, atol=1e-5)
    assert game.objective is OBJECTIVES[objective]


def test_a_pair_is_no_average():
    with pytest.raises(ValidationError, match="rasgan"):
        registry.recipe("rgan/tiny").model.model_validate({"objective": "rasgan"})


def test_a_pack_judges_its_samples_together():
    game = build("pacgan", pack=2)
    images = torch.randn(6, 1, 8, 8)
    logits = game.judge(images)
    assert logits.shape == (3,)
    moved = images.clone()
    moved[1] += 1
    changed = game.judge(moved) != logits
    assert changed.tolist() == [True, False, False]
    with pytest.raises(UserError, match="packing"):
        game.judge(images[:5])


def test_unrolling_by_no_steps_is_the_plain_game():
    losses = []
    for name, options in (("unrolled", {"steps": 0}), ("unrolled", {"steps": 3, "rate": 0.0})):
        game = build(name, **options)
        torch.manual_seed(2)
        losses.append(game.generator_loss({"image": torch.zeros(8, 1, 8, 8)})["adversarial"])
    game = build("unrolled", steps=0)
    torch.manual_seed(2)
    fake = game.sample(8)["image"]
    plain = OBJECTIVES["nonsaturating"].generator(game.discriminator(fake))
    assert torch.allclose(losses[0], plain) and torch.allclose(losses[1], plain)


def test_a_discriminator_that_is_ahead_is_harder_to_please():
    """Its steps lower its loss on these very samples, so the generator's loss there rises."""
    values = []
    for steps in (0, 5):
        game = build("unrolled", steps=steps, rate=0.5)
        torch.manual_seed(3)
        batch = {"image": torch.ones(16, 1, 8, 8)}
        values.append(game.generator_loss(batch)["adversarial"].item())
    assert values[1] > values[0] + 0.01


def test_unrolling_by_adam_begins_where_the_discriminators_adam_stands(monkeypatch):
    game = build("unrolled", steps=2, rule="adam")
    seen = []
    of = Adam.of

    def noted(optimizer, weights):
        seen.append(of(optimizer, weights))
        return seen[-1]

    monkeypatch.setattr(Adam, "of", noted)
    optimizers = {
        name: torch.optim.Adam([p for m in modules for p in m.parameters()], lr=0.01)
        for name, modules in game.players().items()
    }
    images = {"image": torch.rand(16, 1, 8, 8) * 2 - 1}
    for _ in range(3):
        play_step(game, repeat(images), optimizers, Runtime(torch.device("cpu")))
    assert [rule.step for rule in seen] == [1, 2, 3]
    names = [name for name, _ in game.discriminator.named_parameters()]
    assert list(seen[-1].first) == names
    assert all(value.abs().sum() > 0 for value in seen[-1].second.values())
    assert game.optimizers == {}


def test_the_generator_learns_while_the_discriminator_is_frozen():
    game = build("unrolled", steps=2)
    log = play(game)
    assert log["generator/grad_norm"] > 0
    assert log["generator/skipped"] == 0
