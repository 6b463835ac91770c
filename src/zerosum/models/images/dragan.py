"""DRAGAN: the discriminator's slope is held near 1 around the real samples.

Kodali, Abernethy, Hays and Kira 2017, "On Convergence and Stability of GANs", arXiv:1705.07215,
section 2: sharp slopes of the discriminator around real samples go with mode collapse, so the
squared distance of its gradient norm from k = 1 is penalised there, with weight 10, beside the
losses of 2014.

Deviations: the norm is that of the logit's gradient; the real samples are moved as in the
authors' code (uniform noise, half the batch's deviation, each sample by an own share of it), where
the paper's text has normal noise; strided convolutions of our own, with batch normalisation in
the generator alone (in the discriminator it would mix the gradients of different samples).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import dragan
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.plain import Discriminator, Generator


class DRAGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps after the first halving; doubled at each level below."""
        penalty: Weight = 10.0
        """Weight of the penalty: lambda."""
        slope: Weight = 1.0
        """Gradient norm that costs nothing: k."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size = config.latent
        self.penalty, self.slope = config.penalty, config.slope
        self.objective = OBJECTIVES["nonsaturating"]
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        self.discriminator = Discriminator(*shape)

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
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * dragan(self.discriminator, real, target=self.slope),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        fake_logits = self.discriminator(self.sample(len(batch["image"]))["image"])
        return {"adversarial": self.objective.generator(fake_logits)}


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
BOTH = {"discriminator": ADAM, "generator": ADAM}
QUICK = Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.5, 0.99))

PAPER = "arXiv:1705.07215, section 2"

SEARCH = {"model.penalty": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        DRAGAN.Config(latent=64, width=32),
        {"discriminator": QUICK, "generator": QUICK},
        examples=150_000,
        sources=cite(PAPER, "model.penalty", "model.slope"),
    ),
    "cifar10": Recipe(
        model=DRAGAN.Config(),
        data=Images(path="cifar10"),
        optim=BOTH,
        train=Train(examples=5_000_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        sources=cite(PAPER, "model.penalty", "model.slope"),
    ),
    "tiny": tiny(DRAGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
