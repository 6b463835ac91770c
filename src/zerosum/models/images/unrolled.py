"""Unrolled GAN: the generator plays against the discriminator of some steps ahead.

Metz, Poole, Pfau and Sohl-Dickstein 2017, "Unrolled Generative Adversarial Networks",
arXiv:1611.02163, section 2: the generator's loss is taken under a discriminator that has made K
more steps on the same batch, and the gradient runs back through these steps (eqs. 7 to 9), so a
move that the discriminator would answer at once brings nothing. The discriminator itself makes
one step, as ever.

Deviations: the steps ahead are plain gradient descent unless `rule=adam` takes the
discriminator's own Adam from where it stands, as the paper does; the losses are the
non-saturating ones; strided convolutions of our own, with batch normalisation in the generator
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.losses.lookahead import Adam, Descent, Rule
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.unrolling import unrolled
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.plain import Discriminator, Generator


class UnrolledGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps after the first halving; doubled at each level below."""
        steps: Whole = 5
        """Steps to look ahead: K. 0 is the plain game."""
        rule: Literal["sgd", "adam"] = "sgd"
        """How the steps ahead are made: gradient descent, or the discriminator's own Adam from
        where it stands."""
        second_order: bool = True
        """Whether the generator's gradient runs back through the steps (the paper's missing
        gradient term, section 2.4); without it the generator merely meets the discriminator of K
        steps ahead."""
        rate: Weight = 0.005
        """Learning rate of gradient descent. Where it overshoots, the generator's gradient
        explodes: keep it well below what the discriminator would stand alone."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size = config.latent
        self.steps, self.rate = config.steps, config.rate
        self.rule, self.second_order = config.rule, config.second_order
        self.objective = OBJECTIVES["nonsaturating"]
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        self.discriminator = Discriminator(*shape)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        fake = self.sample(len(real))["image"]
        later = unrolled(
            self.discriminator,
            lambda discriminator: self.objective.critic(discriminator(real), discriminator(fake)),
            steps=self.steps,
            rule=self._rule(),
            differentiable=self.second_order,
        )
        return {"adversarial": self.objective.generator(later(fake))}

    def _rule(self) -> Rule:
        # A loss that is evaluated while nobody plays has no optimizer to look ahead by.
        if self.rule == "sgd" or not self.optimizers:
            return Descent(self.rate)
        weights = dict(self.discriminator.named_parameters())
        return Adam.of(self.optimizers["discriminator"], weights)


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
BOTH = {"discriminator": ADAM, "generator": ADAM}
QUICK = Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.5, 0.99))

SEARCH = {"model.rate": Factor(0.2, 5)}

PRESETS = {
    "digits": on_digits(
        UnrolledGAN.Config(latent=64, width=16),
        {"discriminator": QUICK, "generator": QUICK},
        examples=60_000,
        about="K = 5",
    ),
    "cifar10": Recipe(
        model=UnrolledGAN.Config(),
        data=Images(path="cifar10"),
        optim=BOTH,
        train=Train(examples=5_000_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        about="K = 5",
        sources=cite("arXiv:1511.06434, section 4", "optim"),
    ),
    "tiny": tiny(UnrolledGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
