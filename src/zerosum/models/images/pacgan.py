"""PacGAN: the discriminator judges several samples at once.

Lin, Khetan, Fanti and Oh 2018, "PacGAN: The power of two samples in generative adversarial
networks", arXiv:1712.04086, section 2: m samples of one side, joined along their channels, are one
input of the discriminator. It then compares products of the two distributions, between which the
distance grows faster where the generator misses modes. The losses are those of 2014, everything
else stays.

Deviations: strided convolutions of our own, with batch normalisation in the generator alone; a
batch of B gives B / m packs (the paper raises the batch for the discriminator instead).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.packing import packed
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.plain import Discriminator, Generator


class PacGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps after the first halving; doubled at each level below."""
        pack: Count = 2
        """Samples that are judged together: m. It must divide the (micro-)batch."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.pack = config.latent, config.pack
        self.objective = OBJECTIVES["nonsaturating"]
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        self.discriminator = Discriminator(
            config.width, config.pack * config.channels, config.size
        )

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
        return {"image": self.generator(z)}

    def judge(self, images: Tensor) -> Tensor:
        """Logits (B / m,) of packs of consecutive images (B, C, H, W)."""
        return self.discriminator(packed(images, self.pack))

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.judge(real), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        fake_logits = self.judge(self.sample(len(batch["image"]))["image"])
        return {"adversarial": self.objective.generator(fake_logits)}


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
BOTH = {"discriminator": ADAM, "generator": ADAM}
QUICK = Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.5, 0.99))

PRESETS = {
    "digits": on_digits(
        PacGAN.Config(latent=64, width=32),
        {"discriminator": QUICK, "generator": QUICK},
        examples=200_000,
        about="m = 2",
    ),
    "cifar10": Recipe(
        model=PacGAN.Config(),
        data=Images(path="cifar10"),
        optim=BOTH,
        train=Train(examples=5_000_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        about="m = 2",
        sources=cite("arXiv:1511.06434, section 4", "optim"),
    ),
    "tiny": tiny(PacGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
