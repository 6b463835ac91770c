"""Progressively grown GAN.

Karras, Aila, Laine and Lehtinen 2018, "Progressive Growing of GANs for Improved Quality,
Stability, and Variation", arXiv:1710.10196: both networks begin at a small grid and fade in one
doubling after the other (section 2); minibatch deviation (section 3); equalised learning rate
(section 4.1); pixel norm in the generator (section 4.2); WGAN-GP with a drift term of 0.001 and
averaged generator weights (appendix A).

Deviations: one batch size for all levels; a share of the run, not a number of images, decides
the growth; the optimizers go on when a level is added instead of starting afresh.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Progress, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.layers.equalised import EqualisedConv2d, EqualisedLinear
from zerosum.layers.norm import PixelNorm
from zerosum.layers.pyramid import doublings
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.images import ImageConfig, Images
from zerosum.nets.growing import Critic, doubled, faded, grown, halved, share_of


def level_at(progress: Progress, levels: int, growing: float) -> float:
    """How far the networks have grown, see `zerosum.nets.growing.grown`."""
    return grown(progress.seen, progress.total, levels, growing)


class Generator(nn.Module):
    """Codes (B, latent) to images (B, channels, h, w) of the level that it has grown to.

    Attributes:
        level: The level, a buffer, so that checkpoints and exports carry it.
    """

    level: Tensor

    def __init__(self, latent: int, channels: int, grid: tuple[int, int], maps: list[int]) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            channels: Colour channels.
            grid: (height, width) of level 0.
            maps: Feature maps of each level.
        """
        super().__init__()
        self.register_buffer("level", torch.tensor(float(len(maps) - 1)))
        self.norm = PixelNorm()
        self.shape = (maps[0], *grid)
        # A quarter of the gain, as the official release has it for the layer from codes.
        self.first = EqualisedLinear(latent, math.prod(self.shape), gain=math.sqrt(2) / 4)
        self.conv = EqualisedConv2d(maps[0], maps[0], 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [EqualisedConv2d(a, b, 3, padding=1), EqualisedConv2d(b, b, 3, padding=1)]
            )
            for a, b in pairwise(maps)
        )
        self.colours = nn.ModuleList(EqualisedConv2d(m, channels, 1, gain=1.0) for m in maps)

    def forward(self, z: Tensor) -> Tensor:
        level = float(self.level)
        top = math.ceil(level)
        x = self._active(self.first(self.norm(z)).unflatten(1, self.shape))
        x = self._active(self.conv(x))
        image = share_of(level, 0) * doubled(self.colours[0](x), top)
        for k in range(1, top + 1):
            x = doubled(x, 1)
            for conv in self.blocks[k - 1]:  # pyright: ignore[reportGeneralTypeIssues]
                x = self._active(conv(x))
            # Levels that have no share any more are computed nonetheless: small maps cost
            # little, and every layer keeps a gradient, if a zero one.
            image = image + share_of(level, k) * doubled(self.colours[k](x), top - k)
        return image

    def _active(self, x: Tensor) -> Tensor:
        return self.norm(leaky_relu(x, 0.2))


class ProGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 512
        """Numbers in the latent code, which is scaled to a sphere."""
        width: Count = 16
        """Feature maps at full size; doubled at each level below."""
        most: Count = 512
        """Largest number of feature maps."""
        growing: float = Field(default=0.5, ge=0, le=1)
        """Share of the run in which the networks grow; 0 begins at full size."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""
        drift: Weight = 1e-3
        """Weight of the squared logits of real images."""
        group: Count = 4
        """Samples that the minibatch deviation compares."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.growing = config.latent, config.growing
        self.penalty, self.drift = config.penalty, config.drift
        self.objective = OBJECTIVES["wasserstein"]
        grid, self.levels = doublings(config.size)
        maps = [min(config.width * 2**k, config.most) for k in range(self.levels, -1, -1)]
        self.generator = Generator(config.latent, config.channels, grid, maps)
        self.critic = Critic(config.channels, grid, maps, config.group)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": self.judge}

    def judge(self, batch: Batch) -> Tensor:
        """Logits (B,) of images at full size, brought to the level of now."""
        level = float(self.generator.level)
        images = halved(batch["image"], self.levels - math.ceil(level))
        return self.critic(faded(images, level), level)

    def turns(self) -> list[Turn]:
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        """Images at full size, enlarged while the networks are still growing."""
        image = self.generator(z)
        missing = self.levels - math.ceil(float(self.generator.level))
        # The last layer is linear; samples are images, in [-1, 1].
        return {"image": doubled(image, missing).clamp(-1, 1)}

    def grow(self) -> float:
        """Set the generator's level by the clock, and return it."""
        level = level_at(self.progress, self.levels, self.growing)
        self.generator.level.fill_(level)
        return level

    def critic_loss(self, batch: Batch) -> Terms:
        level = self.grow()
        real = faded(halved(batch["image"], self.levels - math.ceil(level)), level)
        with torch.no_grad():
            fake = self.generator(self.latent(len(real)))

        def critic(images: Tensor) -> Tensor:
            return self.critic(images, level)

        real_logits, fake_logits = critic(real), critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * gradient_penalty(critic, real, fake),
            "drift": self.drift * real_logits.square().mean(),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        level = self.grow()
        fake_logits = self.critic(self.generator(self.latent(len(batch["image"]))), level)
        return {"adversarial": self.objective.generator(fake_logits)}


ADAM = Optim(lr=1e-3, betas=(0.0, 0.99))  # appendix A
BOTH = {"critic": ADAM, "generator": ADAM}
# Minutes instead of days: start fast, end calm.
FAST = Optim(lr=6e-3, betas=(0.0, 0.99))
CALMED = Optim(lr=Cosine(start=6e-3, end=6e-4), betas=(0.0, 0.99))

PAPER = "arXiv:1710.10196, appendix A"

SEARCH = {"model.penalty": Factor(0.1, 10)}

PRESETS = {
    "digits": Recipe(
        model=ProGAN.Config(latent=32, width=16, growing=0.2),
        data=Images(path="digits"),
        optim={"critic": FAST, "generator": CALMED},
        ema=Averaging(half_life=2_000),
        train=Train(
            examples=40_000,
            batch=32,
            checkpoint_every=100_000,
            sheet_every=50_000,
            log_every=4_000,
        ),
        evaluate=Evaluate(every=100_000, samples=1_500),
        about="4 to 8 pixels",
        sources=cite(
            PAPER, "model.penalty", "model.drift", "optim.critic.betas", "optim.generator.betas"
        ),
    ),
    "fashion": Recipe(
        model=ProGAN.Config(latent=64, width=8),
        data=Images(path="fashion-mnist"),
        optim={"critic": FAST, "generator": CALMED},
        ema=Averaging(half_life=10_000),
        train=Train(examples=200_000, batch=64, sheet_every=20_000, channels_last=True),
        evaluate=Evaluate(every=100_000, samples=5_000),
        about="7, 14 and 28 pixels, narrow; about ten minutes on one core",
        sources=cite(
            PAPER, "model.penalty", "model.drift", "optim.critic.betas", "optim.generator.betas"
        ),
    ),
    "photos": Recipe(
        model=ProGAN.Config(width=32),
        data=Images(path="photos", size=(64, 64), flip=True),
        optim=BOTH,
        ema=Averaging(half_life=10_000),
        train=Train(examples=5_000_000, batch=16, channels_last=True),
        about="narrower than the paper's; give your folder with --data",
        sources=cite(
            PAPER,
            "model.latent",
            "model.most",
            "model.penalty",
            "model.drift",
            "optim",
            "train.batch",
        ),
    ),
    "tiny": tiny(ProGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
