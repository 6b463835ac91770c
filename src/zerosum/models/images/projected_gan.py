"""Projected GAN: a discriminator on the features of a network that was trained on ImageNet.

Sauer, Chitta, Müller and Geiger 2021, "Projected GANs Converge Faster", arXiv:2111.01007: real and
fake images are projected by a fixed classifier and fixed random mixing across channels and scales
(section 3), four critics judge the projections, and their hinge losses are summed; no gradient
penalty; images are augmented differentiably before the features. The generator is FastGAN's (Liu
et al. 2021, arXiv:2101.04775).

The discriminator has seen ImageNet. So scores on the features of its own classifier,
EfficientNet-Lite0, flatter this system: compare by others.

Deviations: those of `zerosum.nets.projected` and `zerosum.nets.fastgan`; the mean of a critic's
loss is over its places too; images are mirrored where `data.flip` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.remedies import ShowsAugmented
from zerosum.core.schedule import Cosine
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.modalities.images.projecting import FeaturesName, feature_network
from zerosum.nets.fastgan import Generator
from zerosum.nets.projected import LEAST, Discriminator, joined


class ProjectedGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 256
        """Numbers in the latent code."""
        width: Count = 128
        """Feature maps of the generator after its fifth doubling, at 128 pixels; sixteen times as
        many at the start."""
        critic_width: Count = 64
        """Feature maps of the finest critic's first layer; doubled with each scale and halving,
        up to eight times."""
        features: FeaturesName = "efficientnet-lite0"
        """Whose features are judged; `random` takes a network of random weights."""
        seen: Annotated[int, Setting(ge=LEAST, le=4096)] = 224
        """Pixels of the shorter side of the images that the features are taken of."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.objective = config.latent, OBJECTIVES["hinge"]
        self.generator = Generator(config.latent, config.width, config.channels, config.size)
        network = feature_network(config.features, config.channels)
        self.discriminator = Discriminator(network, seen=config.seen, width=config.critic_width)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: joined(self.discriminator(batch["image"]))}

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
        self.report(real_logits=joined(real_logits), fake_logits=joined(fake_logits))
        losses = [self.objective.critic(*pair) for pair in zip(real_logits, fake_logits)]
        return {"adversarial": torch.stack(losses).sum()}

    def generator_loss(self, batch: Batch) -> Terms:
        fake_logits = self.discriminator(self.sample(len(batch["image"]))["image"])
        losses = [self.objective.generator(logits) for logits in fake_logits]
        return {"adversarial": torch.stack(losses).sum()}


PAPER = "arXiv:2111.01007, section 5"
ADAM = Optim(lr=2e-4, betas=(0.0, 0.99))
BOTH = {"discriminator": ADAM, "generator": ADAM}
AUGMENTED = (ShowsAugmented(policy=("color", "translation", "cutout")),)
# Minutes hold a thousand steps: faster rates.
QUICK = {
    "discriminator": Optim(lr=2e-3, betas=(0.0, 0.99)),
    "generator": Optim(lr=Cosine(start=1e-3, end=2e-4), betas=(0.0, 0.99)),
}

PRESETS = {
    "digits": on_digits(
        ProjectedGAN.Config(latent=32, width=4, critic_width=16, features="random", seen=LEAST),
        QUICK,
        examples=64_000,
        about="random features, so that it needs no weights; a minute or two on one core",
    ),
    "cifar10": Recipe(
        model=ProjectedGAN.Config(latent=128, width=16, critic_width=32, seen=64),
        data=Images(path="cifar10", flip=True),
        optim=BOTH,
        remedies=AUGMENTED,
        ema=Averaging(half_life=10_000),
        train=Train(examples=1_000_000, batch=64, sheet_every=20_000, log_every=2_000),
        evaluate=Evaluate(every=200_000, samples=5_000),
        about="pictures seen at 64 pixels; sky, ground and outlines after some thousand",
        sources=cite(PAPER, "optim", "train.batch", "remedies"),
    ),
    "photos": Recipe(
        model=ProjectedGAN.Config(),
        data=Images(path="photos", size=(256, 256), flip=True),
        optim=BOTH,
        remedies=AUGMENTED,
        ema=Averaging(half_life=20_000),
        train=Train(
            examples=10_000_000,
            batch=64,
            batch_per_device=16,
            sheet_every=100_000,
            channels_last=True,
        ),
        evaluate=Evaluate(every=500_000, samples=10_000),
        about="the paper's settings, for a GPU; give the folder with --data",
        sources=cite(PAPER, "model.latent", "optim", "train.batch", "remedies"),
    ),
    "tiny": tiny(
        ProjectedGAN.Config(latent=8, width=1, critic_width=4, features="random", seen=LEAST),
        Images(path="digits"),
        BOTH,
    ),
}
