"""Spectrally normalised GAN.

Miyato, Kataoka, Koyama and Yoshida 2018, "Spectral Normalization for Generative Adversarial
Networks", arXiv:1802.05957: algorithm 1 keeps each layer of the discriminator 1-Lipschitz by
dividing its weight by a running estimate of its largest singular value; section 4 trains with
the hinge loss; the appendix gives the residual networks.

Deviations: both players' batches have the same size (the paper's generator gets twice the
discriminator's); samples come from averaged weights; no linear decay of the learning rate; in
presets other than `cifar10` the networks are narrower.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count, Whole
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.layers.spectral import spectral_norm_all
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.resnet import Generator, Score, Trunk


class SNGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 128
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps of the generator at full size."""
        critic_width: Count = 64
        """Feature maps of the discriminator's first block."""
        growth: Whole = 2
        """Factor of the feature maps at each halving; 1 keeps their number."""
        halvings: Whole = 0
        """Blocks of the discriminator that halve the map; 0 goes down to a small grid."""
        flat: Whole = 1
        """Blocks of the discriminator that keep the map's size, after those."""
        objective: ObjectiveName = "hinge"
        """The adversarial loss."""
        critic_steps: Count = 5
        """Moves of the discriminator per step."""
        iterations: Count = 1
        """Steps of power iteration per forward pass."""

    bf16 = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.critic_steps = config.latent, config.critic_steps
        self.objective = OBJECTIVES[config.objective]
        image = (config.channels, config.size)
        self.generator = Generator(config.latent, config.width, *image, growth=config.growth)
        trunk = Trunk(
            config.critic_width,
            *image,
            growth=config.growth,
            halvings=config.halvings,
            flat=config.flat,
        )
        self.discriminator = nn.Sequential(trunk, Score(trunk.features))
        spectral_norm_all(self.discriminator, config.iterations)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss, repeat=self.critic_steps),
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


ADAM = Optim(lr=2e-4, betas=(0.0, 0.9))  # section 4, the residual networks
BOTH = {"discriminator": ADAM, "generator": ADAM}
# A minute holds a thousand steps: a discriminator whose slope is bounded may run ahead.
QUICK = {
    "discriminator": Optim(lr=6e-3, betas=(0.0, 0.9)),
    "generator": Optim(lr=Cosine(start=2e-3, end=2e-4), betas=(0.0, 0.9)),
}

PAPER = "arXiv:1802.05957, section 4 and appendix B"

PRESETS = {
    "digits": on_digits(
        SNGAN.Config(latent=32, width=16, critic_width=32, critic_steps=1),
        QUICK,
        examples=85_000,
        channels_last=True,
        about="the paper's blocks for 8x8, one critic step, high learning rates",
    ),
    "fashion": Recipe(
        model=SNGAN.Config(latent=64, width=16, critic_width=16, critic_steps=1),
        data=Images(path="fashion-mnist"),
        optim={
            "discriminator": Optim(lr=2e-3, betas=(0.0, 0.9)),
            "generator": Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.0, 0.9)),
        },
        ema=Averaging(half_life=9_000),
        train=Train(examples=180_000, batch=64, sheet_every=30_000, channels_last=True),
        evaluate=Evaluate(every=60_000, samples=5_000),
        about="the paper's blocks for 28x28; about ten minutes on one core",
    ),
    "cifar10": Recipe(
        model=SNGAN.Config(width=256, critic_width=128, growth=1, halvings=2, flat=2),
        data=Images(path="cifar10"),
        optim=BOTH,
        ema=Averaging(half_life=50_000),
        train=Train(examples=3_200_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=320_000, samples=5_000),
        sources=cite(
            PAPER,
            "model.latent",
            "model.width",
            "model.critic_width",
            "model.critic_steps",
            "optim",
            "train.batch",
        ),
    ),
    "tiny": tiny(
        SNGAN.Config(latent=8, width=8, critic_width=8, critic_steps=2),
        Images(path="digits"),
        BOTH,
    ),
}
