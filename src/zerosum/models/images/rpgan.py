"""RpGAN + R1 + R2: relativistic pairs with penalties on both sides, plain convolutions.

Huang, Gokaslan, Kuleshov and Tompkin 2024, "The GAN is dead; long live the GAN! A Modern GAN
Baseline", arXiv:2501.05441, section 2: the loss, which compares each real sample with a fake
one (Jolicoeur-Martineau 2019) and penalises the discriminator's squared gradient at both (R1
and R2, Mescheder et al. 2018). With it small networks need no normalisation to cover all modes.

Deviations: the networks are ours, strided convolutions without normalisation, not the paper's
residual backbone; real samples are shared by both turns of a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from zerosum.config import Count
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, tiny
from zerosum.core.schedule import Cosine, Number, at, bounded
from zerosum.core.search import Factor
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1, r2
from zerosum.modalities.images import ImageConfig, Images
from zerosum.nets.plain import Discriminator, Generator


class RpGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 64
        """Numbers in the latent code."""
        width: Count = 32
        """Feature maps after the first halving; doubled at each level below, up to 8 times."""
        gamma: Annotated[Number, bounded(ge=0)] = 1.0
        """Weight of R1 and of R2, each taken times gamma / 2."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.gamma = config.latent, config.gamma
        self.objective = OBJECTIVES["rpgan"]
        self.generator = Generator(config.latent, config.width, config.channels, config.size)
        self.discriminator = Discriminator(config.width, config.channels, config.size)

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
        real, gamma = batch["image"], at(self.gamma, self.progress)
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "r1": gamma / 2 * r1(self.discriminator, real),
            "r2": gamma / 2 * r2(self.discriminator, fake),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        fake_logits = self.discriminator(self.sample(len(real))["image"])
        return {"adversarial": self.objective.generator(fake_logits, self.discriminator(real))}


ADAM = Optim(lr=3e-4, betas=(0.5, 0.99))
BOTH = {"discriminator": ADAM, "generator": ADAM}
# A minute is short: start fast, end calm.
QUICK = Optim(lr=Cosine(start=1.5e-3, end=2e-4), betas=(0.5, 0.99))

SEARCH = {"model.gamma": Factor(0.1, 10)}

PRESETS = {
    "digits": Recipe(
        model=RpGAN.Config(),
        data=Images(path="digits"),
        optim={"discriminator": QUICK, "generator": QUICK},
        ema=Averaging(half_life=5_000),
        train=Train(
            examples=200_000,
            batch=64,
            checkpoint_every=50_000,
            sheet_every=10_000,
            log_every=4_000,
        ),
        evaluate=Evaluate(every=100_000, samples=1_600),
        about="about a minute on two cores",
    ),
    "photos": Recipe(
        model=RpGAN.Config(latent=128, width=32, gamma=10.0),
        data=Images(path="photos", size=(64, 64), flip=True),
        optim=BOTH,
        ema=Averaging(half_life=15_000),
        train=Train(examples=300_000, batch=32, sheet_every=10_000, channels_last=True),
        about="the default for a folder of photos; give it with --data",
    ),
    "fashion": Recipe(
        model=RpGAN.Config(width=24, gamma=5.0),
        data=Images(path="fashion-mnist"),
        optim=BOTH,
        ema=Averaging(half_life=10_000),
        train=Train(examples=300_000, batch=64, sheet_every=30_000),
        evaluate=Evaluate(every=60_000, samples=5_000),
    ),
    "cifar10": Recipe(
        model=RpGAN.Config(latent=128, width=64, gamma=Cosine(start=0.5, end=0.05)),
        data=Images(path="cifar10"),
        optim=BOTH,
        ema=Averaging(half_life=50_000),
        train=Train(examples=5_000_000, batch=128, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        about="for a GPU; the weight of the penalties falls as in r3gan/cifar10",
    ),
    "tiny": tiny(RpGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
