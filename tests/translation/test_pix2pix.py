"""pix2pix beside a step written by hand, and what it refuses."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from zerosum.core.engine import play_step
from zerosum.core.optim import build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images.fields import ImageField
from zerosum.models.translation.pix2pix import PRESETS, Pix2Pix


def game(**settings) -> Pix2Pix:
    torch.manual_seed(3)
    config = Pix2Pix.Config(
        input_channels=1, channels=3, size=(16, 16), width=4, critic_width=4, **settings
    )
    return Pix2Pix(config)


def pairs(count: int = 4) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(5)
    return {
        "input": 2 * torch.rand(count, 1, 16, 16, generator=rng) - 1,
        "image": 2 * torch.rand(count, 3, 16, 16, generator=rng) - 1,
    }


def test_a_step_equals_one_written_by_hand():
    ours, batch = game(), pairs()
    theirs = copy.deepcopy(ours)
    optimizers = build_optimizers(PRESETS["facades-256"].optim, ours.players())
    torch.manual_seed(11)
    log = play_step(ours, iter([batch]), optimizers, Runtime(torch.device("cpu")))

    generator, critic = theirs.generator, theirs.discriminator
    g_moves = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_moves = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    x, y = batch["input"], batch["image"]
    torch.manual_seed(11)
    with torch.no_grad():
        fake = generator(x)
    real_says, fake_says = critic(torch.cat([x, y], 1)), critic(torch.cat([x, fake], 1))
    critic_loss = 0.5 * (
        F.binary_cross_entropy_with_logits(real_says, torch.ones_like(real_says))
        + F.binary_cross_entropy_with_logits(fake_says, torch.zeros_like(fake_says))
    )
    critic_loss.backward()
    d_moves.step()
    fake = generator(x)
    says = critic(torch.cat([x, fake], 1))
    adversarial = F.binary_cross_entropy_with_logits(says, torch.ones_like(says))
    distance = 100 * (fake - y).abs().mean()
    generator.zero_grad()
    (adversarial + distance).backward()
    g_moves.step()

    assert log["discriminator/adversarial"].item() == pytest.approx(critic_loss.item(), rel=1e-5)
    assert log["generator/adversarial"].item() == pytest.approx(adversarial.item(), rel=1e-5)
    assert log["generator/l1"].item() == pytest.approx(distance.item(), rel=1e-5)
    for name, weight in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[name], weight, atol=1e-6), name


def test_the_first_losses_are_those_of_a_critic_that_knows_nothing():
    blind = game()
    for parameter in blind.discriminator[-1].parameters():
        torch.nn.init.zeros_(parameter)
    assert blind.discriminator_loss(pairs())["adversarial"].item() == pytest.approx(math.log(2))
    assert blind.generator_loss(pairs())["adversarial"].item() == pytest.approx(math.log(2))


def test_without_a_game_the_critic_rests():
    alone = game(adversarial=0.0)
    assert [turn.player for turn in alone.turns()] == ["generator"]
    assert alone.critics() == {}
    assert set(alone.generator_loss(pairs())) == {"l1"}


def test_the_critic_judges_the_pair_and_not_the_answer_alone():
    judged, batch = game().eval(), pairs()
    logits = judged.critics()["discriminator"](batch)
    other = judged.critics()["discriminator"]({**batch, "input": batch["input"].flip(0)})
    assert logits.shape == other.shape
    assert logits.shape[0] == 4
    assert not torch.allclose(logits, other)


def test_a_relativistic_objective_sees_the_true_pair():
    relative, batch = game(objective="rpgan"), pairs()
    torch.manual_seed(1)
    loss = relative.generator_loss(batch)["adversarial"]
    torch.manual_seed(1)
    fake = relative.sample(4, input=batch["input"])
    wanted = OBJECTIVES["rpgan"].generator(relative.judge(fake), relative.judge(batch))
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)


def test_samples_repeat_under_a_generator_and_options_still_the_noise():
    drawn, given = game().eval(), pairs()["input"]

    def sample(seed: int) -> torch.Tensor:
        made = drawn.sample(4, rng=torch.Generator().manual_seed(seed), input=given)
        assert torch.equal(made["input"], given)
        return made["image"]

    assert torch.equal(sample(0), sample(0))
    assert not torch.equal(sample(0), sample(1))
    drawn.options = Pix2Pix.Options(noise=False)
    assert torch.equal(sample(0), sample(1))


def test_inputs_are_named_and_refused_where_they_do_not_fit():
    needy = game()
    assert needy.inputs() == {"input": ImageField(shape=(1, 16, 16))}
    with pytest.raises(UserError, match="give the pictures as input"):
        needy.sample(4)
    with pytest.raises(UserError, match="3 samples were asked for with 4 inputs"):
        needy.sample(3, input=pairs()["input"])


def test_the_configuration_follows_the_data_and_refuses_others():
    fields = {"input": ImageField(shape=(1, 32, 64)), "image": ImageField(shape=(3, 32, 64))}
    found = Pix2Pix.Config().matched(DataSpec(fields))
    assert (found.input_channels, found.channels, found.size) == (1, 3, (32, 64))
    assert found.matched(DataSpec(fields)) == found
    with pytest.raises(UserError, match=r"model.channels=1 but the data have 3"):
        Pix2Pix.Config(channels=1).matched(DataSpec(fields))
    with pytest.raises(UserError, match="learns from 'input', but the data hold image"):
        Pix2Pix.Config().matched(DataSpec({"image": fields["image"]}))
    fields["input"] = ImageField(shape=(1, 32, 32))
    with pytest.raises(UserError, match="32x32 and 32x64"):
        Pix2Pix.Config().matched(DataSpec(fields))
    with pytest.raises(UserError, match=r"patch=70 leaves no logit .* model.patch=7"):
        game(patch=70)


def test_the_papers_preset_has_the_papers_numbers():
    recipe = PRESETS["facades-256"]
    assert recipe.model == Pix2Pix.Config()
    assert (recipe.model.distance, recipe.model.width, recipe.model.patch) == (100.0, 64, 0)
    assert recipe.train.examples == 200 * 400
    assert recipe.train.batch == 1
    for rule in recipe.optim.values():
        assert (rule.lr, rule.betas) == (2e-4, (0.5, 0.999))
