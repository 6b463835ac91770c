"""StyleGAN: a generator told by styles at each layer, growing.

Karras, Laine and Aila 2019, "A Style-Based Generator Architecture for Generative Adversarial
Networks", arXiv:1812.04948: a mapping network, a constant instead of a code, AdaIN and noise at
each convolution (section 2), mixed styles (section 3.1), truncation of the first layers' styles
(appendix B), the non-saturating loss with R1 (appendix C). Growth and the discriminator are those
of ProGAN (Karras et al. 2018, arXiv:1710.10196), with filtered halving.

Deviations: those of `progan` in growth (a share of the run decides it, one batch size and one
rate for all levels, optimizers that go on), from the smallest grid and not from 8x8; the mean
style moves once a step; samples have the noise maps that the network keeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count, Fraction, Share, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Progress, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine, Number, at, bounded
from zerosum.core.search import Factor
from zerosum.layers.pyramid import doublings
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1
from zerosum.modalities.images import ImageConfig, Images
from zerosum.nets.growing import Critic, doubled, faded, grown, halved
from zerosum.nets.mapping import Mapping
from zerosum.nets.stylegan import BINOMIAL, Noise, Synthesis


class StyleGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 512
        """Numbers in the latent code."""
        style: Count = 512
        """Numbers in a style, which the mapping network makes of a code."""
        layers: Count = 8
        """Layers of the mapping network."""
        mapping_rate: Weight = 0.01
        """Multiplier of the mapping network's learning rate."""
        width: Count = 16
        """Feature maps at full size; doubled at each level below."""
        most: Count = 512
        """Largest number of feature maps."""
        growing: float = Setting(default=0.5, ge=0, le=1)
        """Share of the run in which the networks grow; 0 begins at full size."""
        gamma: Annotated[Number, bounded(ge=0)] = 10.0
        """Weight of R1, taken times gamma / 2."""
        mixing: Share = 0.9
        """Share of the batches whose samples take their later layers' styles of a second code."""
        group: Count = 4
        """Samples that the minibatch deviation compares."""
        momentum: Fraction = 0.995
        """Share that the mean style keeps at each step."""

    class Options(SampleOptions):
        truncation: float = Setting(default=1.0, ge=-2, le=2)
        """How far a style is from the mean style: 1 as it is, 0.7 more alike and cleaner."""
        cutoff: Whole = 0
        """Truncate only so many of the first styles, those of the coarse layers; 0 for all."""
        noise: Noise = "const"
        """Noise maps: those of the network (const), drawn anew (random), or none."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.growing = config.latent, config.growing
        self.gamma, self.mixing = config.gamma, config.mixing
        self.objective = OBJECTIVES["nonsaturating"]
        grid, self.levels = doublings(config.size)
        maps = [min(config.width * 2**k, config.most) for k in range(self.levels, -1, -1)]
        self.synthesis = Synthesis(config.style, config.channels, grid, maps)
        self.mapping = Mapping(
            config.latent,
            0,
            config.style,
            self.synthesis.copies,
            layers=config.layers,
            rate=config.mapping_rate,
            momentum=config.momentum,
        )
        self.discriminator = Critic(config.channels, grid, maps, config.group, BINOMIAL)
        self._mean_style: Tensor | None = None

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.discriminator],
            "generator": [self.mapping, self.synthesis],
        }

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": self.judge}

    def judge(self, batch: Batch) -> Tensor:
        """Logits (B,) of images at full size, brought to the level of now."""
        level = self.synthesis.now
        images = halved(batch["image"], self.levels - math.ceil(level))
        return self.discriminator(faded(images, level), level)

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        options = self.options
        assert isinstance(options, StyleGAN.Options)
        styles = self.mapping(z, None, options.truncation, options.cutoff or None)
        return self.of_styles(styles, condition)

    def to_styles(self, z: Tensor, condition: Batch) -> Tensor:
        """Styles (n, layers, style) of codes (n, latent), not truncated."""
        return self.mapping(z)

    def of_styles(self, styles: Tensor, condition: Batch) -> dict[str, Tensor]:
        """Images at full size, enlarged while the networks are still growing."""
        options = self.options
        assert isinstance(options, StyleGAN.Options)
        image = self.synthesis(styles, options.noise)
        missing = self.levels - math.ceil(self.synthesis.now)
        # The last layer is linear; samples are images, in [-1, 1].
        return {"image": doubled(image, missing).clamp(-1, 1)}

    def mean_style(self) -> Tensor:
        """The mean style (style,)."""
        return self.mapping.average

    def style_weights(self) -> list[Tensor]:
        """For each style, the matrix (numbers, style) of the layer that it tells."""
        return self.synthesis.style_weights()

    def grow(self) -> float:
        """Set the networks' level by the clock, and return it."""
        progress = self.progress
        level = grown(progress.seen, progress.total, self.levels, self.growing)
        self.synthesis.grow(level)
        return level

    def fakes(self, n: int) -> Tensor:
        """Images (n, C, h, w) of the level of now, most of them of two codes."""
        styles, used = self.mapping(self.latent(n)), self.synthesis.used
        self._mean_style = styles[:, 0].detach().mean(0)
        if self.mixing and float(torch.rand(())) < self.mixing:
            first = int(torch.randint(1, used, ()))
            other = self.mapping(self.latent(n))
            styles = torch.cat([styles[:, :first], other[:, first:]], dim=1)
        return self.synthesis(styles, "random")

    def discriminator_loss(self, batch: Batch) -> Terms:
        level = self.grow()
        real = faded(halved(batch["image"], self.levels - math.ceil(level)), level)
        with torch.no_grad():
            fake = self.fakes(len(real))

        def critic(images: Tensor) -> Tensor:
            return self.discriminator(images, level)

        real_logits, fake_logits = critic(real), critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "r1": at(self.gamma, self.progress) / 2 * r1(critic, real),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        level = self.grow()
        fake_logits = self.discriminator(self.fakes(len(batch["image"])), level)
        return {"adversarial": self.objective.generator(fake_logits)}

    def after_step(self, progress: Progress) -> None:
        if self._mean_style is not None:
            self.mapping.track(self._mean_style)
        self._mean_style = None


PAPER = "arXiv:1812.04948, section 2 and appendix C"
LIKE = ("model.layers", "model.mapping_rate", "model.gamma", "model.mixing")
ADAM = Optim(lr=1e-3, betas=(0.0, 0.99))
BOTH = {"discriminator": ADAM, "generator": ADAM}
# Minutes instead of days.
QUICK = Optim(lr=4e-3, betas=(0.0, 0.99))
FAST = {"discriminator": QUICK, "generator": QUICK}
LARGE = Optim(lr=3e-3, betas=(0.0, 0.99))

SEARCH = {"model.gamma": Factor(0.1, 10)}

PRESETS = {
    "digits": Recipe(
        model=StyleGAN.Config(
            latent=32, style=64, layers=2, width=24, growing=0.2, gamma=1.0, mixing=0.5
        ),
        data=Images(path="digits"),
        optim=FAST | {"generator": Optim(lr=Cosine(start=4e-3, end=4e-4), betas=(0.0, 0.99))},
        ema=Averaging(half_life=2_000),
        train=Train(examples=64_000, batch=16, sheet_every=32_000, log_every=4_000),
        evaluate=Evaluate(every=100_000, samples=1_500),
        about="4 to 8 pixels",
    ),
    "fashion": Recipe(
        model=StyleGAN.Config(latent=64, style=64, layers=2, width=12, gamma=2.0),
        data=Images(path="fashion-mnist"),
        optim=FAST,
        ema=Averaging(half_life=10_000),
        train=Train(examples=200_000, batch=32, sheet_every=20_000),
        evaluate=Evaluate(every=100_000, samples=5_000),
        about="7, 14 and 28 pixels, narrow",
    ),
    "paper": Recipe(
        model=StyleGAN.Config(),
        data=Images(path="photos", size=(1024, 1024), flip=True),
        optim={"discriminator": LARGE, "generator": LARGE},
        ema=Averaging(half_life=10_000, ramp=0),
        train=Train(examples=25_000_000, batch=32, checkpoint_every=1_000_000),
        about="published settings, for several GPUs; give the folder with --data",
        sources=cite(
            PAPER, *LIKE, "model.latent", "model.style", "model.most", "optim", "train.examples"
        ),
    ),
    "tiny": tiny(
        StyleGAN.Config(latent=8, style=8, layers=2, width=8), Images(path="digits"), BOTH
    ),
}
