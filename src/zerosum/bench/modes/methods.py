"""The methods that are compared, each as the losses of its two players.

All losses are means over the flat rows of all seeds; the trainer multiplies them by the number
of seeds (see `Stack`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from zerosum.bench.modes.stack import Stack, Streams
from zerosum.errors import UserError, nearest
from zerosum.losses import (
    OBJECTIVES,
    Adam,
    Critic,
    ObjectiveName,
    dragan,
    finite_r1,
    finite_r2,
    gradient_penalty,
    packed,
    r1,
    r2,
    unrolled,
)

STEP = 0.001
"""Length of the finite differences: the modes are narrow."""


@dataclass
class Table:
    """What a method plays with.

    Attributes:
        generator: Codes (N, latent) to samples (N, ...).
        discriminator: Packs of samples to logits; for `joint` methods codes and samples.
        reconstructor: Samples to codes, for `joint` methods.
        streams: Each seed's random numbers.
        gamma: Weight of R1 and R2.
        adam: The discriminator's optimizer, over `discriminator.parameters()`.
    """

    generator: Stack
    discriminator: Stack
    reconstructor: Stack | None
    streams: Streams
    gamma: float
    adam: torch.optim.Adam


class Method(ABC):
    """A way to play.

    Attributes:
        name: Its key in `METHODS`.
        pack: Samples that the discriminator judges together.
        critic_steps: Moves of the discriminator per update.
        joint: Whether the discriminator sees codes too, and there is a reconstructor.
        note: What is ours, for the table.
        like: Another method whose losses, networks and learning rates it has.
        as_long_as: The method whose processor time decides how many updates it makes.
    """

    name: str
    pack: int = 1
    critic_steps: int = 1
    joint: bool = False
    note: str = ""
    like: str = ""
    as_long_as: str = ""

    @abstractmethod
    def critic(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        """What the discriminator minimises; `fake` is detached."""

    @abstractmethod
    def generator(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        """What the generator (and the reconstructor) minimises; fake = generator(z)."""


class Adversarial(Method):
    """An objective on logits, with packing (Lin et al. 2018) and R1 or R2 where asked for, exact
    or by finite differences."""

    def __init__(
        self,
        name: str,
        objective: ObjectiveName,
        *,
        pack: int = 1,
        penalty: Literal["", "r1", "r1r2", "finite"] = "",
        like: str = "",
        as_long_as: str = "",
    ) -> None:
        self.name, self.pack, self.penalty = name, pack, penalty
        self.like, self.as_long_as = like, as_long_as
        self.objective = OBJECTIVES[objective]

    def critic(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        judge, real, fake = table.discriminator, packed(real, self.pack), packed(fake, self.pack)
        logits = judge.both((real,), (fake,))
        loss = self.objective.critic(*logits)
        if self.penalty == "finite":
            rows = len(real) // len(table.streams)
            one, two = (table.streams.normal(rows, *real.shape[1:]) for _ in range(2))
            of_real = finite_r1(judge, real, noise=one, sigma=STEP, logits=logits[0])
            of_fake = finite_r2(judge, fake, noise=two, sigma=STEP, logits=logits[1])
            return loss + table.gamma / 2 * (of_real + of_fake)
        if self.penalty == "r1":
            return loss + table.gamma / 2 * r1(judge, real)
        if self.penalty == "r1r2" and judge.mixes:
            return loss + table.gamma / 2 * (r1(judge, real) + r2(judge, fake))
        if self.penalty == "r1r2":  # their sum is twice the mean over both halves
            return loss + table.gamma / 2 * 2 * r1(judge, judge.joined(real, fake))
        return loss

    def generator(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        logits, other = table.discriminator(packed(fake, self.pack)), None
        if self.objective.relativistic:
            with torch.no_grad():
                other = table.discriminator(packed(real, self.pack))
        return self.objective.generator(logits, other)


class Penalised(Method):
    """WGAN-GP (Gulrajani et al. 2017): five critic steps, penalty 10 between real and fake."""

    name = "wgan_gp"
    critic_steps = 5
    WEIGHT: Final = 10.0

    def critic(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        judge = table.discriminator
        loss = OBJECTIVES["wasserstein"].critic(*judge.both((real,), (fake,)))
        mix = table.streams.uniform(len(real) // len(table.streams))
        return loss + self.WEIGHT * gradient_penalty(judge, real, fake, mix=mix)

    def generator(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        return OBJECTIVES["wasserstein"].generator(table.discriminator(fake))


class Around(Method):
    """DRAGAN (Kodali et al. 2017): the game of 2014, with penalty 10 around the data."""

    name = "dragan"
    WEIGHT: Final = 10.0

    def critic(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        judge, seeds = table.discriminator, len(table.streams)
        loss = OBJECTIVES["nonsaturating"].critic(*judge.both((real,), (fake,)))
        rows = len(real) // seeds
        far = table.streams.uniform(rows)
        far = 0.5 * far * real.view(seeds, -1).std(1).repeat_interleave(rows)
        noise = table.streams.uniform(rows, *real.shape[1:])
        noise = far.view(-1, *[1] * (real.ndim - 1)) * noise
        return loss + self.WEIGHT * dragan(judge, real, noise=noise)

    def generator(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        return OBJECTIVES["nonsaturating"].generator(table.discriminator(fake))


class Unrolled(Method):
    """Unrolled GAN (Metz et al. 2017, section 2.2): the generator looks five moves ahead.

    Its loss is taken at the discriminator that five further steps of its own Adam on the same
    batch would give, and is differentiated through those steps unless `second_order` is off.
    """

    STEPS: Final = 5

    def __init__(self, name: str, note: str = "", *, second_order: bool = True) -> None:
        self.name, self.note, self.second_order = name, note, second_order

    def critic(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        return OBJECTIVES["nonsaturating"].critic(*table.discriminator.both((real,), (fake,)))

    def generator(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        judge, objective = table.discriminator, OBJECTIVES["nonsaturating"]

        def loss(critic: Critic) -> Tensor:
            return judge.count * objective.critic(*judge.both((real,), (fake,), critic))

        rule = Adam.of(table.adam, dict(judge.named_parameters()))
        later = unrolled(
            judge, loss, steps=self.STEPS, rule=rule, differentiable=self.second_order
        )
        return objective.generator(later(fake))


class Veegan(Method):
    """VEEGAN (Srivastava et al. 2017): a reconstructor brings samples back to their codes.

    The discriminator tells (reconstructed code, real sample) from (code, its sample); the
    generator and the reconstructor share the squared error of the code (algorithm 1).
    """

    name = "veegan"
    joint = True
    note = "with two networks more"

    def critic(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        assert table.reconstructor is not None
        with torch.no_grad():
            back = table.reconstructor(real)
        logits = table.discriminator.both((back, real), (z, fake))
        return OBJECTIVES["nonsaturating"].critic(*logits)

    def generator(self, table: Table, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        assert table.reconstructor is not None
        error = (table.reconstructor(fake) - z).square().sum(1).mean()
        return error - table.discriminator(z, fake).mean()


METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        Adversarial("gan", "nonsaturating"),
        Adversarial("minimax", "minimax"),
        Adversarial("lsgan", "lsgan"),
        Adversarial("pacgan2", "nonsaturating", pack=2),
        Adversarial("pacgan3", "nonsaturating", pack=3),
        Adversarial("pacgan4", "nonsaturating", pack=4),
        Unrolled("unrolled"),
        Unrolled("unrolled_first_order", "no gradient through the steps", second_order=False),
        # The control of looking ahead: what does the plain game make of the time that it takes?
        Adversarial("gan_long", "nonsaturating", like="gan", as_long_as="unrolled"),
        Veegan(),
        Penalised(),
        Around(),
        Adversarial("gan_r1", "nonsaturating", penalty="r1"),
        Adversarial("rpgan", "rpgan"),
        Adversarial("rpgan_r1r2", "rpgan", penalty="r1r2"),
        Adversarial("rpgan_finite", "rpgan", penalty="finite"),
    )
}


def methods(names: str) -> list[Method]:
    """The methods of a list such as `gan,pacgan2`, in that order.

    Raises:
        UserError: An unknown name, none, or a control before what it is measured against.
    """
    found: dict[str, Method] = {}
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in METHODS:
            raise UserError(f"no method '{name}': {nearest(name, METHODS)}")
        for other in filter(None, (METHODS[name].like, METHODS[name].as_long_as)):
            if other not in found:
                raise UserError(f"{name} is measured against {other}: name {other} before it")
        found[name] = METHODS[name]
    if not found:
        raise UserError(f"name at least one method: {', '.join(METHODS)}")
    return list(found.values())
