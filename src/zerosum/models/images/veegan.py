"""VEEGAN: a reconstructor network against mode collapse.

Srivastava, Valkov, Russell, Gutmann and Sutton 2017, "VEEGAN: Reducing Mode Collapse in GANs using
Implicit Variational Learning", arXiv:1705.07761, section 3 and algorithm 1: a reconstructor F maps
samples back to their codes, and a discriminator of pairs tells (G(z), z) from (x, F(x)). Where F
inverts G and maps the data onto the whole prior, no mode is missing. The generator follows the
discriminator's estimate of the log ratio and the error |z - F(G(z))|^2, summed over the code's
numbers; F follows that error.

Deviations: strided convolutions of our own, with batch normalisation in generator and
reconstructor; the error has a weight, 1 in the paper; F may draw its codes around its output
(`spread`), as section 3's F with noise does, 0 being the deterministic one of the authors' code.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, tiny
from zerosum.core.search import Factor
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.reconstruction import l2
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.joint import JointDiscriminator
from zerosum.nets.plain import Generator, Trunk


class VEEGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 32
        """Numbers in the latent code."""
        width: Count = 32
        """Feature maps after the first halving; doubled at each level below."""
        hidden: Count = 256
        """Width of the discriminator's layers of the code and of the pair."""
        reconstruction: Weight = 1.0
        """Weight of the squared error of reconstructed codes, summed over their numbers."""
        spread: Weight = 0.0
        """Deviation of the codes that F draws for an image; 0 makes it deterministic."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.spread = config.latent, config.spread
        self.reconstruction = config.reconstruction
        self.objective = OBJECTIVES["nonsaturating"]
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        trunk = Trunk(*shape, norm=nn.BatchNorm2d)
        self.reconstructor = nn.Sequential(trunk, nn.Linear(trunk.features, config.latent))
        self.discriminator = JointDiscriminator(config.latent, *shape, config.hidden)

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.discriminator],
            "generator": [self.generator],
            "reconstructor": [self.reconstructor],
        }

    def generators(self) -> list[nn.Module]:
        """The reconstructor too, so that codes are those of the averaged generator."""
        return [self.generator, self.reconstructor]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {
            "discriminator": lambda batch: self.discriminator(
                batch["image"], self.encode(batch["image"])
            )
        }

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn(("generator", "reconstructor"), self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def encode(self, images: Tensor) -> Tensor:
        """Codes (B, latent) of images (B, C, H, W): the means of what F draws."""
        return self.reconstructor(images)

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        z = self.latent(len(real))
        with torch.no_grad():
            code = self.reconstructor(real) + self.spread * self.normal(*z.shape)
            fake = self.generator(z)
        real_logits, fake_logits = self.discriminator(real, code), self.discriminator(fake, z)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        z = self.latent(len(batch["image"]))
        fake = self.generator(z)
        error = l2(self.reconstructor(fake), z)
        return {
            # The logit estimates the log ratio of real pairs to fake ones: the generator lowers
            # the Kullback-Leibler divergence itself, so nothing is wrapped around it.
            "adversarial": -self.discriminator(fake, z).mean(),
            "reconstruction": self.reconstruction * self.latent_size * error,
        }


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
QUICK = Optim(lr=1e-3, betas=(0.5, 0.999))
ALL = {"discriminator": ADAM, "generator": ADAM, "reconstructor": ADAM}
# A critic as fast as the others comes to win on the digits, within a minute.
SLOW = Optim(lr=1e-4, betas=(0.5, 0.999))

SEARCH = {"model.reconstruction": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        VEEGAN.Config(latent=10, reconstruction=0.1, spread=0.5),
        {"discriminator": SLOW, "generator": QUICK, "reconstructor": QUICK},
        examples=110_000,
    ),
    "cifar10": Recipe(
        model=VEEGAN.Config(latent=100, width=64),
        data=Images(path="cifar10"),
        optim=ALL,
        ema=Averaging(half_life=20_000),
        train=Train(examples=5_000_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
    ),
    "tiny": tiny(VEEGAN.Config(latent=8, width=8, hidden=16), Images(path="digits"), ALL),
}
