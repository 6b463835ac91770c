"""Conditional GAN: both players are told the class.

Mirza and Osindero 2014, "Conditional Generative Adversarial Nets", arXiv:1411.1784: eq. 2, the
game of 2014 in which generator and discriminator see the label y beside z and x.

Deviations: the paper maps z and y by separate hidden layers that are joined afterwards, with
maxout in the discriminator; here an embedding of the label is concatenated to the input of each
network, which are those of `gan`. Adam in place of momentum; images in [-1, 1] with a tanh
output.
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
from zerosum.data.fields import Category, Field
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.modalities.images import Images, LabelledImageConfig
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.mlp import mlp


class CGAN(LatentGame):
    class Config(LabelledImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        hidden: tuple[Count, ...] = (256, 512, 1024)
        """Widths of the generator's hidden layers; the discriminator has them reversed."""
        embedding: Count = 32
        """Numbers that stand for a label in each network."""
        dropout: Fraction = 0.3
        """Share of the discriminator's hidden units dropped in training."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.shape = config.latent, (config.channels, *config.size)
        self.classes = config.classes
        self.objective = OBJECTIVES[config.objective]
        pixels, told = math.prod(self.shape), config.embedding
        self.generator_label = nn.Embedding(config.classes, told)
        self.generator = mlp([config.latent + told, *config.hidden, pixels], final=nn.Tanh())
        self.discriminator_label = nn.Embedding(config.classes, told)
        self.discriminator = mlp([pixels + told, *config.hidden[::-1], 1], dropout=config.dropout)

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)}

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.discriminator, self.discriminator_label],
            "generator": [self.generator, self.generator_label],
        }

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"], batch["label"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        label = condition["label"]
        code = torch.cat([z, self.generator_label(label)], dim=1)
        return {"image": self.generator(code).unflatten(1, self.shape), "label": label}

    def judge(self, images: Tensor, label: Tensor) -> Tensor:
        """Logits (B,) of images (B, C, H, W) said to be of classes (B,)."""
        seen = torch.cat([images.flatten(1), self.discriminator_label(label)], dim=1)
        return self.discriminator(seen).squeeze(1)

    def discriminator_loss(self, batch: Batch) -> Terms:
        real, label = batch["image"], batch["label"]
        with torch.no_grad():
            fake = self.sample(len(real), label=label)["image"]
        real_logits, fake_logits = self.judge(real, label), self.judge(fake, label)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        real, label = batch["image"], batch["label"]
        fake_logits = self.judge(self.sample(len(real), label=label)["image"], label)
        real_logits = self.judge(real, label) if self.objective.relativistic else None
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
        CGAN.Config(latent=32, hidden=(128, 256), embedding=16),
        QUICK,
        examples=400_000,
        half_life=2_000,
        about="the layers at a quarter of their width for 8x8",
        sources=BETAS,
    ),
    "mnist": Recipe(
        model=CGAN.Config(),
        data=Images(path="mnist"),
        optim=BOTH,
        train=Train(examples=3_000_000, batch=64),
        evaluate=Evaluate(every=500_000),
        about="50 epochs",
        sources=cite(DCGAN, "optim"),
    ),
    "tiny": tiny(CGAN.Config(latent=8, hidden=(16, 16), embedding=4), Images(path="digits"), BOTH),
}
