"""Each method of the bench is the game of `models/` that users train: three steps of both agree.

The bench stacks its seeds in networks of its own and takes its steps without the engine. Here the
model file's game gets the same networks at the same weights, the same batches and random numbers,
and `play_step`; then every weight, moment of Adam and average must be those of the bench.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from zerosum.bench.modes.methods import METHODS
from zerosum.bench.modes.networks import Networks, joint_discriminator, reconstructor
from zerosum.bench.modes.settings import NETWORKS, SETTINGS
from zerosum.bench.modes.stack import Streams
from zerosum.bench.modes.suites import Points
from zerosum.bench.modes.train import Trial
from zerosum.core.ema import EMA
from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.optim import Optim, build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.core.schedule import Cosine
from zerosum.losses import finite_r1, finite_r2, r1
from zerosum.models.images.dragan import DRAGAN
from zerosum.models.images.gan import GAN
from zerosum.models.images.lsgan import LSGAN
from zerosum.models.images.pacgan import PacGAN
from zerosum.models.images.rgan import RGAN
from zerosum.models.images.rpgan import RpGAN
from zerosum.models.images.unrolled import UnrolledGAN
from zerosum.models.images.veegan import VEEGAN
from zerosum.models.images.wgan_gp import WGANGP

CPU, STEPS, SEEDS = torch.device("cpu"), 3, [0, 5]
ALTERNATING = replace(SETTINGS["ring", "smoke"], batch=8, updates=STEPS, half_life=2)
SIMULTANEOUS = replace(ALTERNATING, simultaneous=True, betas=(0.8, 0.999), lr=1e-3)
TWICE = replace(ALTERNATING, generator_steps=2, critic_rate=0.5)
NORMALISED = replace(ALTERNATING, networks="normalised")


def normalised(inputs):
    """With batch normalisation, under which real and generated samples need own passes."""
    layers = [nn.Linear(inputs, 16, bias=False), nn.BatchNorm1d(16, track_running_stats=False)]
    return nn.Sequential(*layers, nn.LeakyReLU(0.2))


BOTH_NORMALISED = Networks(
    lambda latent, shape: nn.Sequential(normalised(latent), nn.Linear(16, *shape)),
    lambda shape, pack: nn.Sequential(
        normalised(pack * shape[0]), nn.Linear(16, 1), nn.Flatten(0)
    ),
    width=16,
)


class GANR1(GAN):
    """Mescheder et al. 2018: no model file has R1 alone beside the game of 2014."""

    gamma = 0.0

    def discriminator_loss(self, batch):
        penalty = self.gamma / 2 * r1(self.judge, batch["image"])
        return super().discriminator_loss(batch) | {"r1": penalty}


class FiniteRpGAN(RGAN):
    """Relativistic pairing with R1 and R2 by finite differences, which no model file has."""

    gamma = 0.0

    def discriminator_loss(self, batch):
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        logits = self.discriminator(real), self.discriminator(fake)
        steps = {"sigma": 0.001}
        of_real = finite_r1(self.discriminator, real, logits=logits[0], **steps)
        of_fake = finite_r2(self.discriminator, fake, logits=logits[1], **steps)
        penalty = self.gamma / 2 * (of_real + of_fake)
        return {"adversarial": self.objective.critic(*logits), "penalty": penalty}


class Pair(nn.Module):
    """The bench's joint network (code, sample), called as the model calls its own."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, image, code):
        return self.inner(code, image)


def game_of(model, **config):
    sizes = {"channels": 1, "size": (8, 8), "latent": 2}
    return model(model.Config.model_validate(sizes | config))


GAMES: dict[str, Callable] = {
    "gan": lambda: game_of(GAN),
    "gan_long": lambda: game_of(GAN),
    "minimax": lambda: game_of(GAN, objective="minimax"),
    "lsgan": lambda: game_of(LSGAN),
    "pacgan2": lambda: game_of(PacGAN, pack=2),
    "pacgan3": lambda: game_of(PacGAN, pack=3),
    "pacgan4": lambda: game_of(PacGAN, pack=4),
    "unrolled": lambda: game_of(UnrolledGAN, steps=5, rule="adam"),
    "unrolled_first_order": lambda: game_of(UnrolledGAN, steps=5, rule="adam", second_order=False),
    "veegan": lambda: game_of(VEEGAN, reconstruction=1.0, spread=0.0),
    "wgan_gp": lambda: game_of(WGANGP),
    "dragan": lambda: game_of(DRAGAN),
    "gan_r1": lambda: game_of(GANR1),
    "rpgan": lambda: game_of(RGAN),
    "rpgan_r1r2": lambda: game_of(RpGAN),
    "rpgan_finite": lambda: game_of(FiniteRpGAN),
}


@pytest.fixture
def ring():
    """The ring in float64, where different orders of summation do not matter."""
    torch.set_default_dtype(torch.float64)
    points = Points("ring", CPU)
    points.points = points.points.double()
    yield points
    torch.set_default_dtype(torch.float32)


class Seed:
    """The random numbers of one seed of the bench, in the place of a game's own."""

    def __init__(self, seed, game, monkeypatch, shared):
        self.streams, self.shared, self.codes = Streams([1_000_003 + seed]), shared, None
        usual = torch.rand

        def rand(*shape, generator=None, **where):
            if generator is None:
                return self.streams.uniform(*shape)
            return usual(*shape, generator=generator, **where)

        monkeypatch.setattr(torch, "rand", rand)
        monkeypatch.setattr(torch, "randn_like", lambda x: self.streams.normal(*x.shape))
        monkeypatch.setattr(torch, "rand_like", lambda x: self.streams.uniform(*x.shape))
        monkeypatch.setattr(game, "latent", self.latent)

    def latent(self, n, rng=None):
        """Codes; where both players move at once the bench gives both the same ones."""
        if not self.shared or self.codes is None:
            self.codes = self.streams.normal(n, 2)
        return self.codes


def dressed(game, setting, method, seed):
    """The game with the networks of the bench at the weights of a seed; its three networks."""
    trial = Trial(setting, method, Points("ring", CPU), [seed], CPU)
    networks, shape = NETWORKS[setting.networks], (2,)
    stacks = [trial.generator, trial.table.discriminator, trial.table.reconstructor]
    generator = networks.generator(setting.latent, shape)
    if method.joint:
        judge = joint_discriminator(networks, setting.latent, shape)
        back = reconstructor(networks, setting.latent, shape)
        game.discriminator, game.reconstructor = Pair(judge), back
    else:
        judge, back = networks.discriminator(shape, method.pack), None
        if isinstance(game, GAN):  # which takes one column of logits, and flat pictures
            game.discriminator = nn.Sequential(judge, nn.Unflatten(0, (-1, 1)))
        else:
            setattr(game, "critic" if isinstance(game, WGANGP) else "discriminator", judge)
    game.generator, game.shape = generator, shape
    mine = [network for network in (generator, judge, back) if network is not None]
    with torch.no_grad():
        for network, stack in zip(mine, filter(None, stacks), strict=True):
            for name, weight in network.named_parameters():
                weight.copy_(stack.network.get_parameter(name)[0])
    return game, mine


def played(game, setting, method, data, source):
    """Three steps as the trainer takes them; optimizers and averages."""
    rows = setting.batch * method.pack
    rate = Cosine(start=setting.lr, end=setting.lr_end)
    critics = rate.model_copy(
        update={"start": setting.critic_rate * rate.start, "end": setting.critic_rate * rate.end}
    )
    rules = {
        name: Optim(lr=critics if name in game.critics() else rate, betas=setting.betas)
        for name in game.players()
    }
    optimizers = build_optimizers(rules, game.players())
    averages = EMA(game, setting.half_life * rows)
    order = "alternating"
    if setting.simultaneous and method.critic_steps == 1:
        order = "simultaneous"
    game.progress = Progress(total=STEPS * rows)

    def batches():
        while True:
            yield {"image": data.draw(source.streams, rows)}

    stream = batches()
    more = game.turns()[1:] * (setting.generator_steps - 1)
    for step in range(STEPS):
        source.codes, done = None, step / STEPS
        for name, optimizer in optimizers.items():
            rules[name].advance(optimizer, game.progress)
        if getattr(method, "penalty", ""):
            game.gamma = setting.gamma ** (1 - done) * setting.gamma_end**done
        play_step(game, stream, optimizers, Runtime(CPU), order=order, more=more)
        game.progress = game.progress.after(rows)
        averages.update(rows, game.progress)
    return optimizers, averages


@pytest.mark.parametrize(
    "setting",
    [ALTERNATING, SIMULTANEOUS, TWICE, NORMALISED],
    ids=["in turn", "at once", "generator twice", "normalised"],
)
@pytest.mark.parametrize("name", METHODS)
def test_three_steps_are_those_of_the_models_game(ring, monkeypatch, name, setting):
    monkeypatch.setitem(NETWORKS, "normalised", BOTH_NORMALISED)
    method = METHODS[name]
    # A difference of logits over a step of 0.001, squared, enlarges their rounding a millionfold.
    error = 1e-6 if name == "rpgan_finite" else 1e-9
    trial = Trial(setting, method, ring, SEEDS, CPU)
    trial.run(STEPS)
    stacks = [trial.generator, trial.table.discriminator, trial.table.reconstructor]
    bench = trial._adams[0].state | trial._adams[1].state
    at_once = setting.simultaneous and method.critic_steps == 1
    for place, seed in enumerate(SEEDS):
        game, networks = dressed(GAMES[name](), setting, method, seed)
        start = [next(network.parameters()).detach().clone() for network in networks]
        with monkeypatch.context() as patched:
            source = Seed(seed, game, patched, at_once)
            optimizers, averages = played(game, setting, method, ring, source)
        moments = {}
        for optimizer in optimizers.values():
            moments |= optimizer.state
        for network, stack in zip(networks, filter(None, stacks), strict=True):
            for key, weight in network.named_parameters():
                mine = stack.network.get_parameter(key)
                close(mine[place], weight, error)
                for moment in ("exp_avg", "exp_avg_sq"):
                    close(bench[mine][moment][place], moments[weight][moment], error)
        shadow = {id(game.get_parameter(k)): v for k, v in averages.shadow.items()}
        for key, weight in networks[0].named_parameters():
            close(trial.averages[f"network.{key}"][place], shadow[id(weight)], error)
        for before, network in zip(start, networks):  # equal because both moved
            assert (next(network.parameters()) - before).abs().max() > setting.lr / 2


def close(found, wanted, error):
    torch.testing.assert_close(found.detach(), wanted.detach(), atol=error, rtol=1e-7)
