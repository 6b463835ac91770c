"""The first GAN: two multilayer perceptrons in a minimax game.

Goodfellow et al. 2014, "Generative Adversarial Nets", arXiv:1406.2661: eq. 1 is the value of
the game (objective `minimax`); section 3 proposes that the generator maximise log D(G(z))
instead (objective `nonsaturating`, the default). Algorithm 1 with k = 1.

Deviations: the paper's networks used maxout, sigmoid and rectifier units and are not given in
full; here the layers are 100-256-512-1024-784 and back with leaky ReLU, dropout in the
discriminator, and Adam in place of momentum. Images are in [-1, 1] with a tanh output.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count, Fraction
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Span
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.mlp import mlp


class GAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        hidden: tuple[Count, ...] = (256, 512, 1024)
        """Widths of the generator's hidden layers; the discriminator has them reversed."""
        dropout: Fraction = 0.3
        """Share of the discriminator's hidden units dropped in training."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss; `minimax` is the paper's eq. 1 for both players."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.shape = config.latent, (config.channels, *config.size)
        self.objective = OBJECTIVES[config.objective]
        pixels = math.prod(self.shape)
        self.generator = mlp([config.latent, *config.hidden, pixels], final=nn.Tanh())
        self.discriminator = mlp([pixels, *config.hidden[::-1], 1], dropout=config.dropout)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z).unflatten(1, self.shape)}

    def judge(self, images: Tensor) -> Tensor:
        """Logits (B,) of images (B, C, H, W)."""
        return self.discriminator(images.flatten(1)).squeeze(1)

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.judge(real), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        fake_logits = self.judge(self.sample(len(real))["image"])
        real_logits = self.judge(real) if self.objective.relativistic else None
        return {"adversarial": self.objective.generator(fake_logits, real_logits)}


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))  # Radford et al. 2015, section 4: the usual choice
BOTH = {"discriminator": ADAM, "generator": ADAM}

DCGAN = "arXiv:1511.06434, section 4"

# A minute is short: five times the usual rate.
FAST = Optim(lr=1e-3, betas=(0.5, 0.999))
QUICK = {"discriminator": FAST, "generator": FAST}
BETAS = cite(DCGAN, "optim.discriminator.betas", "optim.generator.betas")

SEARCH = {"model.dropout": Span(0.0, 0.6, log=False)}

PRESETS = {
    "digits": on_digits(
        GAN.Config(latent=32, hidden=(128, 256)),
        QUICK,
        examples=400_000,
        half_life=2_000,
        about="the layers at a quarter of their width for 8x8",
        sources=BETAS,
    ),
    "mnist": Recipe(
        model=GAN.Config(),
        data=Images(path="mnist"),
        optim=BOTH,
        train=Train(examples=3_000_000, batch=64),
        evaluate=Evaluate(every=500_000),
        about="50 epochs",
        sources=cite(DCGAN, "optim"),
    ),
    "minimax": Recipe(
        model=GAN.Config(objective="minimax"),
        data=Images(path="mnist"),
        optim=BOTH,
        train=Train(examples=3_000_000, batch=64),
        evaluate=Evaluate(every=500_000),
        about="shows the vanishing gradient",
        sources=cite("arXiv:1406.2661, eq. 1", "model.objective") | cite(DCGAN, "optim"),
    ),
    "tiny": tiny(GAN.Config(latent=8, hidden=(16, 16)), Images(path="digits"), BOTH),
}
