"""Relativistic GAN: is this real sample more realistic than that fake one?

Jolicoeur-Martineau 2018, "The relativistic discriminator: a key element missing from standard
GAN", arXiv:1807.00734, section 4, the losses on pairs: the discriminator judges the difference of
two scores, C(x_real) - C(x_fake), and the generator is trained on both. `rpgan` is the paper's
RSGAN, `rlsgan` and `rhinge` put the squared and the hinge loss in the place of the logistic one.

Deviations: no penalty, which is the paper's plain form (rpgan is the one with penalties); strided
convolutions of our own, with batch normalisation in the generator alone; both turns of a step
share the real samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.config import Count
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.plain import Discriminator, Generator


class RGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps after the first halving; doubled at each level below."""
        objective: Literal["rpgan", "rlsgan", "rhinge"] = "rpgan"
        """The loss of a pair: logistic (RSGAN), squared or hinge."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size = config.latent
        self.objective = OBJECTIVES[config.objective]
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
        fake_logits = self.discriminator(self.sample(len(real))["image"])
        return {"adversarial": self.objective.generator(fake_logits, self.discriminator(real))}


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
BOTH = {"discriminator": ADAM, "generator": ADAM}
# A minute is short: the generator starts fast and ends calm. A critic as fast comes to win.
QUICK = {
    "discriminator": Optim(lr=2e-4, betas=(0.5, 0.99)),
    "generator": Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.5, 0.99)),
}

PAPER = "arXiv:1807.00734, section 5"

PRESETS = {
    "digits": on_digits(
        RGAN.Config(latent=64, width=32),
        QUICK,
        examples=200_000,
    ),
    "cifar10": Recipe(
        model=RGAN.Config(),
        data=Images(path="cifar10"),
        optim=BOTH,
        train=Train(examples=3_200_000, batch=32, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        sources=cite(PAPER, "optim", "train.batch", "train.examples"),
    ),
    "tiny": tiny(RGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
