"""LAPGAN: a small image first, then a detail at a time.

Denton, Chintala, Szlam and Fergus 2015, "Deep Generative Image Models using a Laplacian Pyramid of
Adversarial Networks", arXiv:1506.05751, section 2: an image is a small image plus one band of
detail per doubling (the Laplacian pyramid). One GAN makes the small image; at each level another,
told the image below enlarged, makes the band that is missing. Levels are trained independently, on
real images below; samples climb from level to level.

Deviations: the levels are trained at the same time, as one player of independent networks (no
loss and no gradient links them, unless `joint` is set, which is ours); the image is halved by
averaging and doubled bilinearly instead of the paper's filters, which the pyramid allows; the
band is made from the image below it and several planes of noise instead of the enlarged image and
one plane; no classes; leaky ReLU and Adam throughout; a sample is clamped to [-1, 1] at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from zerosum.config import Count, Fraction, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.layers.pyramid import doublings
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.mlp import mlp
from zerosum.nets.plain import Discriminator


class Detail(nn.Module):
    """Images (B, C, H, W) and noise (B, planes H W) to bands of detail (B, C, 2 H, 2 W).

    Most layers work at the size below, where they see more of the image and cost less.
    """

    def __init__(self, width: int, channels: int, planes: int) -> None:
        super().__init__()
        wide = 2 * width
        self.layers = nn.Sequential(
            *normalised(nn.Conv2d(channels + planes, wide, 3, 1, 1), wide),
            *normalised(nn.Conv2d(wide, wide, 3, 1, 1), wide),
            *normalised(nn.ConvTranspose2d(wide, width, 4, 2, 1), width),
            nn.Conv2d(width, channels, 3, 1, 1),
        )

    def forward(self, below: Tensor, noise: Tensor) -> Tensor:
        maps = noise.reshape(len(below), -1, *below.shape[2:])
        return self.layers(torch.cat([below, maps], dim=1))


def normalised(layer: nn.Module, features: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(features), nn.LeakyReLU(0.2)]


class Smallest(nn.Sequential):
    """Codes (B, latent) to the smallest images (B, C, h, w) in [-1, 1], without convolutions."""

    def __init__(self, latent: int, hidden: tuple[int, ...], shape: tuple[int, ...]) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise([latent, *hidden]):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.LeakyReLU(0.2)]
        layers.append(nn.Linear([latent, *hidden][-1], math.prod(shape)))
        super().__init__(*layers, nn.Tanh(), nn.Unflatten(1, shape))


class LAPGAN(LatentGame):
    """A GAN for the smallest image and one for each band of detail above it.

    With x_k the real image of level k, y_k the generated one and u doubling, the discriminator
    D_k of level k > 0 is shown two images, the second being the one below, enlarged:

    - Independent levels (the paper): y_k = u(x_(k-1)) + G_k(x_(k-1), z_k). Real pairs are
      (x_k, u(x_(k-1))), generated ones (y_k, u(x_(k-1))): a level meets real images below only.
    - Joint levels: y_k = u(y_(k-1)) + G_k(y_(k-1), z_k), as in sampling. Real pairs stay
      (x_k, u(x_(k-1))), generated ones are (y_k, u(y_(k-1))), in both players' losses. The
      generators descend the sum of all levels' losses, and nothing is detached: D_k's gradient
      reaches G_k and, through both images of the pair, every generator below it.

    The smallest level is an ordinary GAN in both. Sampling is the same.
    """

    class Config(ImageConfig):
        latent: Count = 64
        """Numbers in the code of the smallest image; each level above has some per pixel."""
        hidden: tuple[Count, ...] = (256, 512)
        """Widths of the smallest image's generator; its discriminator has them reversed."""
        dropout: Fraction = 0.0
        """Share of that discriminator's hidden units dropped in training."""
        width: Count = 64
        """Feature maps of each level's networks."""
        planes: Count = 8
        """Noise maps that a level's generator sees beside the image below."""
        gamma: Weight = 0.0
        """Weight of R1 on each level's real images, taken times gamma / 2."""
        joint: bool = False
        """Train each level on the generated image below, with gradients down the pyramid."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        grid, levels = doublings(config.size)
        self.sizes = [(grid[0] * 2**i, grid[1] * 2**i) for i in range(levels + 1)]
        self.smallest = (config.channels, *grid)
        self.joint, self.gamma = config.joint, config.gamma
        self.objective = OBJECTIVES["nonsaturating"]
        pixels = math.prod(self.smallest)
        self.generator = Smallest(config.latent, config.hidden, self.smallest)
        self.details = nn.ModuleList(
            Detail(config.width, config.channels, config.planes) for _ in range(levels)
        )
        self.discriminator = mlp([pixels, *config.hidden[::-1], 1], dropout=config.dropout)
        self.judges = nn.ModuleList(
            Discriminator(config.width, 2 * config.channels, size) for size in self.sizes[1:]
        )
        self.numbers = [
            config.latent,
            *(config.planes * math.prod(size) for size in self.sizes[:-1]),
        ]

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.discriminator, self.judges],
            "generator": [self.generator, self.details],
        }

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        """The smallest level's: the only one that sees an image without what it was made from."""
        return {"discriminator": lambda batch: self._judge(0, self.pyramid(batch["image"])[0], [])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, sum(self.numbers), rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.climb(z)[-1].clamp(-1, 1)}

    def climb(self, z: Tensor) -> list[Tensor]:
        """The sample of each level, the smallest first: (B, C, h, w), then twice that, ..."""
        first, *noises = z.split(self.numbers, dim=1)
        images = [self.generator(first)]
        for detail, noise in zip(self.details, noises):
            below = images[-1]
            images.append(double(below) + detail(below, noise))
        return images

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Images (B, C, H, W) at each level's size, the smallest first and themselves last."""
        levels = [images]
        for _ in self.details:
            levels.insert(0, halve(levels[0]))
        return levels

    def refine(self, images: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        """Images (B, C, H, W) whose finest band of detail is generated, the rest being theirs."""
        noise = self.normal(len(images), self.numbers[-1], rng=rng)
        below = halve(images)
        return (double(below) + self.details[-1](below, noise)).clamp(-1, 1)

    def discriminator_loss(self, batch: Batch) -> Terms:
        reals = self.pyramid(batch["image"])
        with torch.no_grad():
            fakes, belows = self._proposed(reals)
        terms: Terms = {}
        for level, (real, fake) in enumerate(zip(reals, fakes)):
            real_logits = self._judge(level, real, reals)
            fake_logits = self._judge(level, fake, belows)
            terms[self._name(level)] = self.objective.critic(real_logits, fake_logits)
            if self.gamma:
                judge = partial(self._judge, level, belows=reals)
                terms[f"{self._name(level)} r1"] = self.gamma / 2 * r1(judge, real)
            if level == 0:  # the only one that sees an image without what it was made from
                self.report(real_logits=real_logits, fake_logits=fake_logits)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        fakes, belows = self._proposed(self.pyramid(batch["image"]))
        return {
            self._name(level): self.objective.generator(self._judge(level, fake, belows))
            for level, fake in enumerate(fakes)
        }

    def _proposed(self, reals: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """A generated image of each level, and the images that the levels above were made on."""
        z = self.latent(len(reals[0]))
        if self.joint:
            fakes = self.climb(z)
            return fakes, fakes
        first, *noises = z.split(self.numbers, dim=1)
        images = [self.generator(first)]
        for detail, noise, below in zip(self.details, noises, reals):
            images.append(double(below) + detail(below, noise))
        return images, reals

    def _judge(self, level: int, images: Tensor, belows: list[Tensor]) -> Tensor:
        """Logits (B,) of a level's images beside those they were made on, enlarged."""
        if level == 0:
            return self.discriminator(images.flatten(1)).squeeze(1)
        seen = torch.cat([images, double(belows[level - 1])], dim=1)
        return self.judges[level - 1](seen)

    def _name(self, level: int) -> str:
        return f"{self.sizes[level][0]}px"


def halve(images: Tensor) -> Tensor:
    """Images (B, C, H, W) to (B, C, H / 2, W / 2), averaging each 2x2 pixels."""
    return avg_pool2d(images, 2)


def double(images: Tensor) -> Tensor:
    """Images (B, C, H, W) to (B, C, 2 H, 2 W), bilinearly."""
    return interpolate(images, scale_factor=2, mode="bilinear")


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
QUICK = Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.5, 0.99))
BOTH = {"discriminator": ADAM, "generator": ADAM}

SEARCH = {"model.gamma": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        LAPGAN.Config(latent=32, hidden=(128, 256), width=32, gamma=10.0),
        {"discriminator": QUICK, "generator": QUICK},
        examples=100_000,
        about="4 to 8 pixels",
    ),
    "mnist": Recipe(
        model=LAPGAN.Config(),
        data=Images(path="mnist"),
        optim=BOTH,
        ema=Averaging(half_life=10_000),
        train=Train(examples=600_000, batch=64, sheet_every=60_000, channels_last=True),
        evaluate=Evaluate(every=120_000, samples=5_000),
        about="7 to 14 to 28 pixels",
    ),
    "cifar10": Recipe(
        model=LAPGAN.Config(latent=100, hidden=(600, 600), width=64),
        data=Images(path="cifar10"),
        optim=BOTH,
        train=Train(examples=5_000_000, batch=128, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        about="levels near the paper's, which go from 8 to 32 pixels; ours begins at 4",
        sources=cite("arXiv:1506.05751, section 4", "model.latent"),
    ),
    "tiny": tiny(
        LAPGAN.Config(latent=8, hidden=(16,), width=8, planes=1), Images(path="digits"), BOTH
    ),
}
