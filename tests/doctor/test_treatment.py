"""Each change of the policy `act` on its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.core.ema import EMA
from zerosum.core.game import Progress
from zerosum.core.optim import build_optimizers
from zerosum.core.registry import recipe, system
from zerosum.core.runtime import Runtime
from zerosum.data.source import Source
from zerosum.doctor.event import Event
from zerosum.doctor.treatment import Treatment
from zerosum.training.prepare import prepare

CRITICS = ("discriminator",)


def treated(name: str = "dcgan/tiny", state=None) -> Treatment:
    module = "zerosum.bench.ward.patients.leaky" if name.startswith("leaky/") else None
    _, found = prepare(recipe(name, module), Runtime.start("cpu"))
    torch.manual_seed(0)
    game = system(found.system, module).game(found.model)
    game.progress = Progress(10, 100, 1_100)
    return Treatment(game, EMA(game, 500), state or {})


def event(failure, signal="") -> Event:
    return Event(failure, 10, 100, signal, 1.0, 0.5, 1, "evidence", "remedy")


RATES = {"discriminator": 2e-4, "generator": 1e-9}


def test_the_penalty_is_the_critics_squared_slope():
    """For a linear critic w x on points: gamma / 2 |w|^2 on real and on generated ones each."""
    treatment = treated("toy/tiny", {"penalised": True})
    critic = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Flatten(0))
    treatment.game.discriminator = critic
    (turn,) = treatment.turns()
    assert turn.players == CRITICS
    value = turn.loss({"point": torch.randn(16, 2)})["penalty"]
    weight = critic[0].weight
    gamma = 0.5 * 2**0.25
    assert value.item() == pytest.approx(2 * gamma / 2 * weight.square().sum().item(), rel=1e-5)
    value.backward()
    assert torch.allclose(weight.grad, 2 * gamma * weight, rtol=1e-4)


@pytest.mark.parametrize(
    "name", ["dcgan", "acgan", "projection", "sagan", "cgan", "infogan", "rpgan", "pacgan"]
)
def test_the_penalty_is_that_of_finite_differences(name):
    """Of the logits alone, whatever trunks and heads they come from: each pixel is moved."""
    split, found = prepare(recipe(f"{name}/tiny"), Runtime.start("cpu"))
    torch.manual_seed(0)
    game = system(name).game(found.model)
    game.eval()  # so that spectral norms and dropout stay as they are between evaluations
    assert isinstance(split.train, Source)
    batch = split.train.finished(range(4))
    made = {key: value.detach() for key, value in game.answered(batch).items()}
    game.double()
    for part in (batch, made):
        part["image"] = part["image"].double()
    treatment = Treatment(game, EMA(game, 500), {"penalised": True})
    game.answered = lambda batch, rng=None: made
    value = treatment.penalty(batch)["penalty"].item()

    (critic,) = game.critics().values()
    step, expected = 1e-5, 0.0
    for part in (batch, made):
        slopes = torch.zeros(part["image"].shape, dtype=torch.float64)
        for place in range(slopes[0].numel()):
            for row in range(len(slopes)):  # one image at a time: packs mix the logits of several
                ends = []
                for sign in (1, -1):
                    moved = part["image"].clone()
                    moved[row].view(-1)[place] += sign * step
                    ends.append(critic({**part, "image": moved}).sum().item())
                slopes[row].view(-1)[place] = (ends[0] - ends[1]) / (2 * step)
        gamma = 0.5 * slopes[0].numel() ** 0.25
        expected += gamma / 2 * slopes.flatten(1).square().sum(1).mean().item()
    assert value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["dcgan", "cgan", "lapgan", "pacgan", "infogan", "bigan"])
def test_any_critic_can_be_penalised_and_is_left_as_it_was(name):
    from zerosum.core.engine import play_step
    from zerosum.data.feed import feed

    runtime = Runtime.start("cpu")
    split, found = prepare(recipe(f"{name}/tiny"), runtime)
    game = system(name).game(found.model)
    treatment = Treatment(game, EMA(game, 500), {"penalised": True})
    optimizers = build_optimizers(found.optim, game.players())
    batches = feed(split.train, batch=16, seed=0)
    log = play_step(game, batches, optimizers, runtime, more=treatment.turns())
    batches.close()
    assert log["discriminator/penalty"] > 0 and not log["discriminator/skipped"]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in game.modules())


def test_images_are_augmented_for_critics_that_take_images():
    treatment = treated()
    assert treatment.prescribe(event("discriminator overfit"), RATES) == [
        "the critic sees shifted and blanked images"
    ]
    seen = []
    treatment.game.discriminator.register_forward_pre_hook(
        lambda module, given: seen.append(given[0])
    )
    treatment.game.discriminator.train()
    treatment.game.discriminator(torch.ones(8, 1, 8, 8))
    assert seen[0].min() < 0.5 and seen[0].shape == (8, 1, 8, 8)
    flat = treated("gan/tiny")
    assert flat.prescribe(event("memorisation"), RATES) == ["R1 and R2 for the critic"]


@pytest.mark.parametrize("how", ["prescribed", "resumed"])
def test_an_augmentation_that_leaks_is_switched_off(how):
    treatment = treated("leaky/tiny", {"plain": how == "resumed"})
    if how == "prescribed":
        done = treatment.prescribe(event("augmentation leak"), RATES)
        assert done == ["the game's own augmentation is off"]
    pictures = torch.randn(8, 1, 8, 8)
    assert torch.equal(treatment.game.augment(pictures), pictures)
    assert treatment.prescribe(event("augmentation leak"), RATES) == []  # it is off already


def test_rates_are_bounded_and_multiply():
    treatment = treated()
    assert treatment.prescribe(event("dead run", "stride/generator"), RATES) == [
        "learning rate of the generator x 2e+05"
    ]
    for _ in range(9):
        treatment.prescribe(event("exploding"), RATES)
    assert treatment.factor("discriminator") == 1e-3
    assert treatment.factor("generator") == 1e-3  # of 2e5 x 30^-9, which is less


def test_imbalance_gives_the_slow_player_the_other_ones_rate():
    treatment = treated()
    treatment.prescribe(event("imbalance", "uneven"), RATES)
    assert 1e-9 * treatment.factor("generator") == pytest.approx(2e-4)
    assert treatment.factor("discriminator") == 1


def test_oscillation_makes_averages_longer():
    treatment = treated()
    done = treatment.prescribe(event("oscillation"), RATES)
    assert done == ["R1 and R2 for the critic", "averages with a half-life of 55 examples"]
    assert treatment.ema.half_life == pytest.approx(0.05 * 1_100) and treatment.ema.ramp == 0


@pytest.mark.parametrize("failure", ["data problem", "condition ignored", "augmentation leak"])
def test_what_no_setting_mends_is_left(failure):
    treatment = treated()
    assert treatment.prescribe(event(failure), RATES) == [] and treatment.taken == 0


def test_state_goes_through_json_and_back():
    import json

    first = treated()
    for failure in ("vanishing gradient", "discriminator overfit", "mode collapse"):
        first.prescribe(event(failure), RATES)
    again = treated(state=json.loads(json.dumps(first.state())))
    assert again.state() == first.state() and first.half_life
    assert again.ema.half_life == first.ema.half_life
