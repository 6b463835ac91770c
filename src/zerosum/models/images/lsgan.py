"""Least squares GAN: the discriminator regresses its scores on numbers.

Mao, Li, Xie, Lau, Wang and Smolley 2017, "Least Squares Generative Adversarial Networks",
arXiv:1611.04076: eq. 2, the two quadratic losses with targets a (fake), b (real) and c (what the
generator wants), and section 3.2, the choice of targets. A sample far on the right side of the
boundary still costs something, so the generator keeps a gradient where a sigmoid is flat.

Deviations: strided convolutions of our own, with batch normalisation in the generator and, from
28 pixels on, in the discriminator too, in place of the paper's networks for 112 pixels; both
players share a learning rate.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import AnyNumber, Count
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.losses.objectives import least_squares
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.plain import Discriminator, Generator


class LSGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps after the first halving; doubled at each level below."""
        fake_target: AnyNumber = 0.0
        """What the discriminator should say of generated samples: a."""
        real_target: AnyNumber = 1.0
        """What it should say of real samples: b."""
        wanted: AnyNumber = 1.0
        """What the generator wants it to say of generated samples: c. With b - c = 1 and
        b - a = 2 the game measures Pearson's chi-squared divergence."""
        normalise_discriminator: bool = True
        """Batch normalisation in the discriminator too."""

    bf16 = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size = config.latent
        self.objective = least_squares(config.fake_target, config.real_target, config.wanted)
        shape = (config.width, config.channels, config.size)
        norm = nn.BatchNorm2d if config.normalise_discriminator else None
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        self.discriminator = Discriminator(*shape, norm=norm)

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
        fake_logits = self.discriminator(self.sample(len(batch["image"]))["image"])
        return {"adversarial": self.objective.generator(fake_logits)}


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
BOTH = {"discriminator": ADAM, "generator": ADAM}
# A minute is short: with equal rates the critic comes to win on the digits.
QUICK = {"discriminator": ADAM, "generator": Optim(lr=1e-3, betas=(0.5, 0.999))}

BINARY = "arXiv:1611.04076, eq. 9"
PEARSON = "arXiv:1611.04076, eq. 8"

PRESETS = {
    "digits": on_digits(
        LSGAN.Config(latent=64, width=32, normalise_discriminator=False),
        QUICK,
        examples=200_000,
        sources=cite(BINARY, "model.fake_target", "model.real_target", "model.wanted"),
    ),
    "fashion": Recipe(
        model=LSGAN.Config(width=24),
        data=Images(path="fashion-mnist"),
        optim=BOTH,
        ema=Averaging(half_life=10_000),
        train=Train(examples=300_000, batch=64, sheet_every=30_000, channels_last=True),
        evaluate=Evaluate(every=100_000, samples=5_000),
        about="about ten minutes on one core",
        sources=cite(BINARY, "model.fake_target", "model.real_target", "model.wanted"),
    ),
    "pearson": on_digits(
        LSGAN.Config(
            latent=64,
            width=32,
            fake_target=-1,
            real_target=1,
            wanted=0,
            normalise_discriminator=False,
        ),
        QUICK,
        examples=200_000,
        about="the targets that minimise a Pearson chi-squared divergence",
        sources=cite(PEARSON, "model.fake_target", "model.real_target", "model.wanted"),
    ),
    "tiny": tiny(LSGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
