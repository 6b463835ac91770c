"""Deep convolutional GAN.

Radford, Metz and Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv:1511.06434: the rules of section 3 (strided
convolutions, batch normalisation in both networks but not at the generator's output and the
discriminator's input, ReLU and leaky ReLU, no hidden dense layers) and the training of section
4 (tanh, weights N(0, 0.02), Adam).

Deviations: z is normal instead of uniform; any size that doubles a grid of 4 to 7 pixels, so
28, 32, 64 and non-square ones, with as many levels as the size needs; the learning rate is
shared by both players.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.dcgan import Discriminator, Generator


class DCGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps at the largest resolution; doubled at each level below."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss."""

    bf16 = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size = config.latent
        self.objective = OBJECTIVES[config.objective]
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
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        fake_logits = self.discriminator(self.sample(len(real))["image"])
        real_logits = self.discriminator(real) if self.objective.relativistic else None
        return {"adversarial": self.objective.generator(fake_logits, real_logits)}


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))  # section 4
BOTH = {"discriminator": ADAM, "generator": ADAM}

PAPER = "arXiv:1511.06434, section 4"

# A minute is short: five times the usual rate.
FAST = Optim(lr=1e-3, betas=(0.5, 0.999))
QUICK = {"discriminator": FAST, "generator": FAST}
BETAS = cite(PAPER, "optim.discriminator.betas", "optim.generator.betas")

PRESETS = {
    "fashion": Recipe(
        model=DCGAN.Config(width=32),
        data=Images(path="fashion-mnist"),
        optim=BOTH,
        ema=Averaging(half_life=10_000),
        train=Train(
            examples=300_000, batch=64, sheet_every=30_000, log_every=3_000, channels_last=True
        ),
        evaluate=Evaluate(every=60_000, samples=5_000),
        sources=cite(PAPER, "optim"),
    ),
    "mnist": Recipe(
        model=DCGAN.Config(width=32),
        data=Images(path="mnist"),
        optim=BOTH,
        ema=Averaging(half_life=10_000),
        train=Train(examples=300_000, batch=64, sheet_every=30_000, channels_last=True),
        evaluate=Evaluate(every=60_000, samples=5_000),
        sources=cite(PAPER, "optim"),
    ),
    "digits": on_digits(
        DCGAN.Config(latent=64, width=64),
        QUICK,
        examples=200_000,
        half_life=2_000,
        sources=BETAS,
    ),
    "cifar10": Recipe(
        model=DCGAN.Config(),
        data=Images(path="cifar10"),
        optim=BOTH,
        train=Train(examples=5_000_000, batch=128, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        sources=cite(PAPER, "model.latent", "optim", "train.batch"),
    ),
    "photos": Recipe(
        model=DCGAN.Config(),
        data=Images(path="photos", size=(64, 64), flip=True),
        optim=BOTH,
        train=Train(examples=5_000_000, batch=128, channels_last=True),
        about="give your folder with --data",
        sources=cite(PAPER, "model.latent", "optim", "train.batch"),
    ),
    "tiny": tiny(DCGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
