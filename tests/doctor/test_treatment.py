"""Each change of the policy `act` on its own."""

from __future__ import annotations

import pytest
import torch

from zerosum.core.ema import EMA
from zerosum.core.game import Progress
from zerosum.core.optim import build_optimizers
from zerosum.core.prepare import prepare
from zerosum.core.registry import recipe, system
from zerosum.core.run import Actors
from zerosum.core.runtime import Runtime
from zerosum.doctor.event import Event
from zerosum.doctor.treatment import Treatment

CRITICS = ("discriminator",)


def actors(name: str = "dcgan/tiny") -> Actors:
    runtime = Runtime.start("cpu")
    _, found = prepare(recipe(name), runtime)
    torch.manual_seed(0)
    game = system(found.system).game(found.model)
    game.progress = Progress(10, 100, 1_100)
    rule = build_optimizers(found.optim, game.players())
    return Actors(game, rule, EMA(game, 500), runtime)


def event(failure, signal="") -> Event:
    return Event(failure, 10, 100, signal, 1.0, 0.5, 1, "evidence", "remedy")


RATES = {"discriminator": 2e-4, "generator": 1e-9}


def test_noise_is_shown_to_the_critic_while_it_learns_and_fades():
    all_ = actors()
    treatment = Treatment(all_, CRITICS, {})
    critic, images = all_.game.discriminator, torch.zeros(16, 1, 8, 8)
    critic.eval()
    quiet = critic(images)
    done = treatment.prescribe(event("vanishing gradient"), RATES, spread=1.0)
    assert done == [
        "learning rate of the discriminator x 0.1",
        "instance noise of 0.5, falling to 0 at the end",
    ]
    assert torch.equal(critic(images), quiet)  # not while it judges for others
    critic.train()
    assert critic(images).std() > 1e-4
    assert treatment._sigma() == 0.5
    all_.game.progress = Progress(60, 600, 1_100)
    assert treatment._sigma() == pytest.approx(0.25)
    all_.game.progress = Progress(110, 1_100, 1_100)
    assert treatment._sigma() == 0


def test_noise_lets_gradients_through_to_the_generator():
    all_ = actors()
    Treatment(all_, CRITICS, {"noise": [0.5, 0]})
    all_.game.train()
    sample = all_.game.sample(4)["image"]
    all_.game.discriminator(sample).sum().backward()
    assert all(p.grad is not None for p in all_.game.generator.parameters())


def test_images_are_augmented_for_critics_that_take_images():
    all_ = actors()
    treatment = Treatment(all_, CRITICS, {})
    assert treatment.prescribe(event("discriminator overfit"), RATES, 1.0) == [
        "the critic sees shifted and blanked images"
    ]
    seen = []
    all_.game.discriminator.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    all_.game.discriminator.train()
    all_.game.discriminator(torch.ones(8, 1, 8, 8))
    assert seen[0].min() < 0.5 and seen[0].shape == (8, 1, 8, 8)
    flat = Treatment(actors("gan/tiny"), CRITICS, {})
    assert "instance noise" in flat.prescribe(event("memorisation"), RATES, 1.0)[0]


def test_rates_are_bounded_and_multiply():
    treatment = Treatment(actors(), CRITICS, {})
    assert treatment.prescribe(event("dead run", "stride/generator"), RATES, 1.0) == [
        "learning rate of the generator x 2e+05"
    ]
    for _ in range(9):
        treatment.prescribe(event("exploding"), RATES, 1.0)
    assert treatment.factor("discriminator") == 1e-3
    assert treatment.taken == 10 or treatment.factor("generator") >= 1e-3


def test_imbalance_gives_the_slow_player_the_other_ones_rate():
    treatment = Treatment(actors(), CRITICS, {})
    treatment.prescribe(event("imbalance", "uneven"), RATES, 1.0)
    assert 1e-9 * treatment.factor("generator") == pytest.approx(2e-4)
    assert treatment.factor("discriminator") == 1


def test_oscillation_makes_averages_longer():
    all_ = actors()
    treatment = Treatment(all_, CRITICS, {})
    treatment.prescribe(event("oscillation"), RATES, 1.0)
    assert all_.ema.half_life == pytest.approx(0.2 * 1_100) and all_.ema.ramp == 0


@pytest.mark.parametrize("failure", ["data problem", "condition ignored", "augmentation leak"])
def test_what_no_setting_mends_is_left(failure):
    treatment = Treatment(actors(), CRITICS, {})
    assert treatment.prescribe(event(failure), RATES, 1.0) == [] and treatment.taken == 0


def test_state_goes_through_json_and_back():
    import json

    first = Treatment(actors(), CRITICS, {})
    for failure in ("vanishing gradient", "discriminator overfit", "oscillation"):
        first.prescribe(event(failure), RATES, 1.0)
    again = Treatment(actors(), CRITICS, json.loads(json.dumps(first.state())))
    assert again.state() == first.state()
    assert again.actors.ema.half_life == first.actors.ema.half_life
