"""Self-attention GAN, class-conditional.

Zhang, Goodfellow, Metaxas and Odena 2019, "Self-Attention Generative Adversarial Networks",
arXiv:1805.08318: section 3, a layer of self-attention in both networks whose weight gamma starts
at 0, and the hinge loss; section 4, spectral normalisation in both networks and two learning
rates (1e-4 for the generator, 4e-4 for the discriminator) with one move each; conditional batch
normalisation and the projection head of Miyato and Koyama 2018.

Deviations: the paper trains on 128x128 ImageNet, with attention at 32x32; here the sizes are
small and attention sits where `attention` says. No pooling of keys and values. Class-dependent
gains are not normalised spectrally. Samples come from averaged weights.
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
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images import Images, LabelledImageConfig
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.resnet import Generator, Projection, Trunk


class SAGAN(LatentGame):
    class Config(LabelledImageConfig):
        latent: Count = 128
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps at the largest resolution."""
        growth: Whole = 2
        """Factor of the feature maps at each halving; 1 keeps their number."""
        halvings: Whole = 0
        """Blocks of the discriminator that halve the map; 0 goes down to a small grid."""
        flat: Whole = 1
        """Blocks of the discriminator that keep the map's size, after those."""
        attention: Count = 4
        """Height of the map that gets self-attention, in both networks."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.classes = config.latent, config.classes
        self.objective = OBJECTIVES["hinge"]
        layers = (config.width, config.channels, config.size)
        growth, attention = config.growth, config.attention
        self.generator = Generator(
            config.latent, *layers, growth=growth, classes=config.classes, attention=attention
        )
        self.trunk = Trunk(
            *layers,
            growth=growth,
            halvings=config.halvings,
            flat=config.flat,
            attention=attention,
        )
        self.head = Projection(self.trunk.features, config.classes)
        for module in (self.generator, self.trunk, self.head):
            spectral_norm_all(module)

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)}

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.trunk, self.head], "generator": [self.generator]}

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
        label = batch["label"]
        fake_logits = self.judge(self.sample(len(label), label=label)["image"], label)
        return {"adversarial": self.objective.generator(fake_logits)}


# Section 4: two time scales (Heusel et al. 2017).
TWO = {
    "discriminator": Optim(lr=4e-4, betas=(0.0, 0.9)),
    "generator": Optim(lr=1e-4, betas=(0.0, 0.9)),
}
# A minute holds a thousand steps: the same kind of imbalance, faster.
QUICK = {
    "discriminator": Optim(lr=6e-3, betas=(0.0, 0.9)),
    "generator": Optim(lr=Cosine(start=1.5e-3, end=2e-4), betas=(0.0, 0.9)),
}

PRESETS = {
    "digits": on_digits(
        SAGAN.Config(latent=32, width=24),
        QUICK,
        examples=55_000,
        channels_last=True,
        about="the paper's parts at 8x8, with faster learning rates",
    ),
    "cifar10": Recipe(
        model=SAGAN.Config(width=128, growth=1, halvings=2, flat=2, attention=16),
        data=Images(path="cifar10"),
        optim=TWO,
        ema=Averaging(half_life=50_000),
        train=Train(examples=10_000_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=1_000_000, samples=5_000),
        about="networks of sngan for 32x32",
        sources=cite("arXiv:1805.08318, section 4", "optim"),
    ),
    "tiny": tiny(SAGAN.Config(latent=8, width=8), Images(path="digits"), TWO),
}
