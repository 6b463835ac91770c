"""Seeds side by side equal seeds alone; looking ahead is Adam; trainings go on exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import zerosum
from zerosum.bench.modes.bench import SUITES, run
from zerosum.bench.modes.measure import coverage
from zerosum.bench.modes.methods import METHODS
from zerosum.bench.modes.networks import (
    dcgan_discriminator,
    dcgan_generator,
    pacgan_discriminator,
    pacgan_generator,
)
from zerosum.bench.modes.settings import NETWORKS, SETTINGS
from zerosum.bench.modes.settings import setting as find_setting
from zerosum.bench.modes.stack import Stack, Streams
from zerosum.bench.modes.suites import Points, Suite
from zerosum.bench.modes.train import Trial
from zerosum.errors import UserError
from zerosum.losses import OBJECTIVES, Adam, r1, r2
from zerosum.models.images.r3gan import R3GAN

CPU = torch.device("cpu")
SMOKE = replace(SETTINGS["ring", "smoke"], batch=16, updates=12, half_life=3)
PAPER = replace(SETTINGS["ring", "paper"], batch=8, updates=4)


class Pictures(Suite):
    """Noise of the size of stacked digits, to train on quickly."""

    shape = (3, 28, 28)
    modes, samples = 1_000, 4

    def draw(self, streams: Streams, rows):
        return streams.uniform(rows, *self.shape)

    def oracle(self, rng):
        raise NotImplementedError

    def judge(self, samples):
        raise NotImplementedError


@pytest.fixture(scope="module")
def ring():
    return Points("ring", CPU)


@pytest.fixture
def exact():
    """The ring in float64, where different orders of summation do not matter."""
    torch.set_default_dtype(torch.float64)
    points = Points("ring", CPU)
    points.points = points.points.double()
    yield points
    torch.set_default_dtype(torch.float32)


def trained(setting, name, suite, seeds, updates=None):
    trial = Trial(setting, METHODS[name], suite, seeds, CPU)
    trial.run(setting.updates if updates is None else updates)
    return trial


def weights(trial):
    stacks = [trial.generator, trial.table.discriminator]
    return [weight.detach() for stack in stacks for weight in stack.parameters()]


@pytest.mark.parametrize("name", METHODS)
def test_a_seed_among_others_equals_the_seed_alone(exact, name):
    setting = replace(SMOKE, updates=4)
    # A difference of logits over a step of 0.001, squared, enlarges their rounding a millionfold.
    error = 1e-6 if name == "rpgan_finite" else 1e-10
    both = trained(setting, name, exact, [0, 5])
    alone = trained(setting, name, exact, [5])
    for together, apart in zip(weights(both), weights(alone)):
        torch.testing.assert_close(together[1], apart[0], atol=error, rtol=0)
    samples = both.samples()
    torch.testing.assert_close(samples[1], alone.samples()[0], atol=10 * error, rtol=0)
    assert not torch.allclose(samples[0], samples[1], atol=1e-3)


def test_the_papers_networks_with_batch_norm_side_by_side_too(exact):
    both = trained(PAPER, "pacgan2", exact, [0, 5])
    alone = trained(PAPER, "pacgan2", exact, [5])
    for together, apart in zip(weights(both), weights(alone)):
        torch.testing.assert_close(together[1], apart[0], atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["mlp-64x5", "conv-32", "pacgan", "dcgan-64", "r3gan-96"])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_stack_is_its_networks_side_by_side(name, player):
    networks, seeds = NETWORKS[name], [1, 2]
    shape = (3, 28, 28) if networks.images else (2,)
    # R3GAN's stages compute in float32 whatever they are given.
    errors = {"rtol": 1e-4, "atol": 1e-5} if name == "r3gan-96" else {}

    def build():
        if player == "generator":
            return networks.generator(6, shape).double()
        return networks.discriminator(shape, 1).double()

    stack, alone = Stack(build, seeds), []
    for seed in seeds:
        torch.manual_seed(seed)
        alone.append(build())
    size = (6,) if player == "generator" else shape
    x = torch.rand(2, 5, *size, dtype=torch.float64)
    found, wanted = stack(x.flatten(0, 1)), torch.cat([net(b) for net, b in zip(alone, x)])
    torch.testing.assert_close(found, wanted, **errors)
    slopes = torch.autograd.grad(found.sin().sum(), list(stack.parameters()))
    wanted.sin().sum().backward()
    for slope, *each in zip(slopes, *[net.parameters() for net in alone]):
        each = torch.stack([weight.grad for weight in each])
        torch.testing.assert_close(slope, each, **errors)


def test_a_trial_equals_the_plain_loop(exact):
    """Written out with modules, backward and optimizers: the last setting of the table."""
    setting, seed = replace(SMOKE, lr_end=SMOKE.lr, gamma_end=SMOKE.gamma), 5
    trial = trained(setting, "rpgan_r1r2", exact, [0, seed])
    networks, game = NETWORKS[setting.networks], OBJECTIVES["rpgan"]
    torch.manual_seed(3 * seed)
    generator = networks.generator(setting.latent, (2,))
    torch.manual_seed(3 * seed + 1)
    critic = networks.discriminator((2,), 1)
    adams = [
        torch.optim.Adam(net.parameters(), setting.lr, betas=setting.betas)
        for net in (critic, generator)
    ]
    streams, half_gamma = Streams([1_000_003 + seed]), setting.gamma / 2
    for _ in range(setting.updates):
        real = exact.draw(streams, setting.batch)
        fake = generator(streams.normal(setting.batch, setting.latent)).detach()
        loss = game.critic(critic(real), critic(fake))
        loss = loss + half_gamma * (r1(critic, real) + r2(critic, fake))
        adams[0].zero_grad()
        loss.backward()
        adams[0].step()
        fake = generator(streams.normal(setting.batch, setting.latent))
        adams[1].zero_grad()
        game.generator(critic(fake), critic(real)).backward()
        adams[1].step()
    plain = [*generator.parameters(), *critic.parameters()]
    for together, apart in zip(weights(trial), plain, strict=True):
        torch.testing.assert_close(together[1], apart.detach(), atol=1e-10, rtol=0)


def test_looking_ahead_is_adam_and_can_be_differentiated():
    start = torch.linspace(0.5, 2, 5, dtype=torch.float64).requires_grad_()
    live = start.detach().clone().requires_grad_()
    adam = torch.optim.Adam([live], lr=0.1, betas=(0.5, 0.9))
    for _ in range(2):
        live.grad = live.detach() ** 3
        adam.step()
    memory, ahead = Adam.of(adam, {"w": live}), {"w": live.detach().clone()}
    for _ in range(3):
        live.grad = live.detach() ** 3
        adam.step()
        ahead, memory = memory.moved(ahead, {"w": ahead["w"] ** 3})
    torch.testing.assert_close(ahead["w"], live.detach(), rtol=1e-5, atol=0)

    def after(scale):
        one, memory = {"w": start.detach()}, Adam.of(torch.optim.Adam([start]), {"w": start})
        for _ in range(2):
            one, memory = memory.moved(one, {"w": one["w"] ** 3 + scale})
        return one["w"]

    scale = torch.full((5,), 0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(after, scale)


def test_unrolling_changes_the_generators_gradient_only(ring):
    setting = replace(SMOKE, updates=1)
    unrolled, plain = (trained(setting, name, ring, [0], 0) for name in ("unrolled", "gan"))
    before = [weight.clone() for weight in weights(unrolled)]
    unrolled.run(1)
    plain.run(1)
    judge = len([*unrolled.generator.parameters()])
    for at, (mine, theirs) in enumerate(zip(weights(unrolled), weights(plain))):
        assert not torch.equal(mine, before[at])
        assert torch.equal(mine, theirs) == (at >= judge)


@pytest.mark.parametrize(
    "start",
    [SMOKE, pytest.param(replace(PAPER, updates=12), marks=pytest.mark.slow)],
    ids=["smoke", "paper"],
)
def test_unrolling_has_the_slope_of_finite_differences(exact, start):
    """Through five steps of Adam, whose memory is that of a critic in training."""
    trial = trained(start, "unrolled", exact, [0])
    real, z = trial._real(), trial._codes()
    fake = trial.generator(z).detach().requires_grad_()

    def loss(samples):
        return trial.method.generator(trial.table, real, samples, z)

    (slope,) = torch.autograd.grad(loss(fake), fake)
    step = 1e-6
    for row, column in ((0, 0), (1, 1), (5, 0), (7, 1)):
        nudge = torch.zeros_like(slope)
        nudge[row, column] = step
        rise = (loss(fake.detach() + nudge) - loss(fake.detach() - nudge)) / (2 * step)
        torch.testing.assert_close(rise.detach(), slope[row, column], rtol=1e-4, atol=1e-9)
    plain = METHODS["gan"].generator(trial.table, real, fake, z)
    (shorter,) = torch.autograd.grad(plain, fake)
    assert (slope - shorter).norm() > 0.05 * shorter.norm()  # the steps do matter


@pytest.mark.parametrize("name", ["gan", "veegan", "wgan_gp"])
def test_a_stopped_training_goes_on_exactly(ring, tmp_path, name):
    whole = trained(SMOKE, name, ring, [0, 1])
    first = trained(SMOKE, name, ring, [0, 1], 5)
    first.save(tmp_path / "checkpoint.pt")
    second = Trial(SMOKE, METHODS[name], ring, [0, 1], CPU)
    second.restore(tmp_path / "checkpoint.pt")
    second.run(SMOKE.updates)
    assert torch.equal(whole.samples(), second.samples())


def test_the_papers_networks_have_the_papers_numbers_of_weights():
    def count(network):
        return sum(weight.numel() for weight in network.parameters())

    assert count(pacgan_generator(2, (2,))) == 484_802
    assert count(pacgan_discriminator((2,), 1)) == 405_201
    assert dcgan_generator(100, (3, 28, 28))(torch.randn(2, 100)).shape == (2, 3, 28, 28)
    assert dcgan_discriminator((3, 28, 28), 2)(torch.randn(2, 6, 28, 28)).shape == (2,)


@pytest.mark.parametrize("name", ["gan", "pacgan2", "veegan", "dragan"])
def test_methods_play_on_pictures(name):
    setting = replace(SETTINGS["stacked-mnist", "smoke"], batch=2, updates=1)
    trial = trained(setting, name, Pictures(), [0, 1])
    samples = trial.samples()
    assert samples.shape == (2, 4, 3, 28, 28) and samples.abs().max() <= 1


def test_r3gans_networks_are_those_of_its_preset_on_fashion():
    recipe = zerosum.recipe("r3gan/fashion")
    shape = (3, 28, 28)
    config = recipe.model.model_copy(update={"channels": 3, "size": (28, 28)})
    game, networks = R3GAN(config), NETWORKS["r3gan-96"]
    wanted = networks.generator(config.latent, shape), networks.discriminator(shape, 1)
    for mine, theirs in zip(wanted, (game.generator, game.discriminator)):
        found = {name.removeprefix("network."): w.shape for name, w in mine.named_parameters()}
        assert found == {name: weight.shape for name, weight in theirs.named_parameters()}


class Judged(Pictures):
    """The same, with all that the bench asks of a law."""

    def __init__(self, device):
        self.law = torch.full((self.modes,), 1 / self.modes)

    def oracle(self, rng):
        return torch.rand(self.samples, *self.shape, generator=rng)

    def judge(self, samples):
        assert samples.shape == (self.samples, *self.shape)
        return coverage(torch.ones(self.modes), self.modes, self.law)


def test_a_bench_of_r3gans_networks(monkeypatch, tmp_path):
    monkeypatch.setitem(SUITES, "stacked-mnist", Judged)
    report = run("stacked-mnist", "r3gan", updates=1, out=tmp_path)
    assert [result.method for result in report.results] == ["oracle", "rpgan_r1r2"]
    assert (tmp_path / "stacked-mnist-r3gan" / "rpgan_r1r2" / "samples.png").is_file()


def test_a_profile_that_a_suite_has_not_is_refused():
    with pytest.raises(UserError, match="ring has no profile 'r3gan'"):
        find_setting("ring", "r3gan")


def test_networks_with_state_beside_the_weights_are_refused():
    with pytest.raises(ValueError, match="buffers"):
        Stack(lambda: torch.nn.BatchNorm1d(3), [0])
    dropout = Stack(lambda: torch.nn.Sequential(torch.nn.Dropout()), [0])
    with pytest.raises(TypeError, match="Dropout"):
        dropout(torch.zeros(2, 3))
