"""Conditional GAN with projection discriminator.

Miyato and Koyama 2018, "cGANs with Projection Discriminator", arXiv:1802.05637: section 3, the
logit of image x said to be of class y is <v_y, phi(x)> + psi(phi(x)), which is the form of the
log density ratio when p(y|x) is a softmax; conditional batch normalisation in the generator;
spectral normalisation, hinge loss and residual networks as in SNGAN.

Deviations: fake images take the real ones' labels; both players' batches have the same size
(the paper's generator gets twice the discriminator's); samples come from averaged weights; no
linear decay of the learning rate; in presets other than `cifar10` the networks are narrower.
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
from zerosum.data.fields import Category, Field
from zerosum.layers.spectral import spectral_norm_all
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.modalities.images import Images, LabelledImageConfig
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.resnet import Generator, Projection, Trunk


class ProjectionGAN(LatentGame):
    class Config(LabelledImageConfig):
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

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.critic_steps = config.latent, config.critic_steps
        self.classes, self.objective = config.classes, OBJECTIVES[config.objective]
        image, growth = (config.channels, config.size), config.growth
        self.generator = Generator(
            config.latent, config.width, *image, growth=growth, classes=config.classes
        )
        self.trunk = Trunk(
            config.critic_width, *image, growth=growth, halvings=config.halvings, flat=config.flat
        )
        self.head = Projection(self.trunk.features, config.classes)
        for module in (self.trunk, self.head):
            spectral_norm_all(module)

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)}

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.trunk, self.head], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"], batch["label"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss, repeat=self.critic_steps),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        label = condition["label"]
        return {"image": self.generator(z, label), "label": label}

    def judge(self, images: Tensor, label: Tensor) -> Tensor:
        """Logits (B,) of images (B, C, H, W) said to be of classes (B,)."""
        return self.head(self.trunk(images), label)

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


ADAM = Optim(lr=2e-4, betas=(0.0, 0.9))  # section 5
BOTH = {"discriminator": ADAM, "generator": ADAM}
# A minute holds a thousand steps: a discriminator whose slope is bounded may run ahead.
QUICK = {
    "discriminator": Optim(lr=6e-3, betas=(0.0, 0.9)),
    "generator": Optim(lr=Cosine(start=2e-3, end=2e-4), betas=(0.0, 0.9)),
}

PAPER = "arXiv:1802.05637, section 5"
NETWORKS = "arXiv:1802.05957, appendix B"

PRESETS = {
    "digits": on_digits(
        ProjectionGAN.Config(latent=32, width=16, critic_width=32, critic_steps=1),
        QUICK,
        examples=75_000,
        channels_last=True,
        about="as sngan/digits",
    ),
    "cifar10": Recipe(
        model=ProjectionGAN.Config(width=256, critic_width=128, growth=1, halvings=2, flat=2),
        data=Images(path="cifar10"),
        optim=BOTH,
        ema=Averaging(half_life=50_000),
        train=Train(examples=6_400_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=640_000, samples=5_000),
        sources=cite(NETWORKS, "model.latent", "model.width", "model.critic_width")
        | cite(PAPER, "model.critic_steps", "optim", "train.batch"),
    ),
    "tiny": tiny(
        ProjectionGAN.Config(latent=8, width=8, critic_width=8, critic_steps=2),
        Images(path="digits"),
        BOTH,
    ),
}
