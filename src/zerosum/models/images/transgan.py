"""A GAN of transformers only.

Jiang, Chang and Wang 2021, "TransGAN: Two Pure Transformers Can Make One Strong GAN, and That Can
Scale Up", arXiv:2102.07074: a generator whose tokens are the places of a map, doubled between
stages by pixel shuffle at a quarter of the features, and a discriminator on patches of two
scales with a class token; trained with the loss of WGAN-GP.

Deviations: learned absolute positions, no relative ones; attention over the whole map only, so
sizes beyond 32 pixels are expensive (the paper attends within a grid there); no DiffAugment,
which the paper found important: convolutions know that neighbours belong together, these
networks must learn it, and need much data or much augmentation. Few, narrow layers in the
presets; samples come from averaged weights.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pixel_shuffle

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.errors import UserError
from zerosum.layers.norm import PixelNorm
from zerosum.layers.pyramid import doublings
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits


class Attention(nn.Module):
    """Multi-head self-attention of tokens (B, N, features)."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.joint = nn.Linear(features, 3 * features)
        self.out = nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.joint(x).chunk(3, dim=2)
        )
        # Written out: torch's fused attention cannot be differentiated twice (penalty).
        weights = torch.softmax(query @ key.transpose(2, 3) * query.shape[3] ** -0.5, dim=3)
        return self.out((weights @ value).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """An encoder block with normalisation first: attention, then two layers with GELU.

    Normalised is each token to mean square one, the paper's replacement of layer norm.
    """

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.norm = PixelNorm(dim=2)
        self.attention = Attention(features, heads)
        wide = 4 * features
        self.layers = nn.Sequential(
            nn.Linear(features, wide), nn.GELU(), nn.Linear(wide, features)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm(x))
        return x + self.layers(self.norm(x))


def positions(count: int, features: int) -> nn.Parameter:
    """Learned vectors to be added to tokens (B, count, features)."""
    return nn.Parameter(torch.randn(1, count, features) * 0.02)


def stage(depth: int, features: int, heads: int) -> nn.Sequential:
    return nn.Sequential(*(Block(features, heads) for _ in range(depth)))


class Generator(nn.Module):
    """Codes (B, latent) to images (B, channels, H, W) in [-1, 1]."""

    def __init__(
        self,
        latent: int,
        width: int,
        depth: int,
        heads: int,
        channels: int,
        size: tuple[int, int],
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            width: Features of a token at full size; four times as many at each level below.
            depth: Blocks per level.
            heads: Attention heads.
            channels: Colour channels.
            size: (height, width) in pixels.
        """
        super().__init__()
        self.grid, levels = doublings(size)
        features = [width * 4**k for k in range(levels, -1, -1)]
        places = [self.grid[0] * self.grid[1] * 4**k for k in range(levels + 1)]
        self.first = nn.Linear(latent, places[0] * features[0])
        self.positions = nn.ParameterList(map(positions, places, features))
        self.stages = nn.ModuleList(stage(depth, f, heads) for f in features)
        self.colour = nn.Conv2d(width, channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        height, width = self.grid
        x = self.first(z).unflatten(1, (height * width, -1))
        for k, blocks in enumerate(self.stages):
            if k:
                x = pixel_shuffle(_map(x, height, width), 2)
                height, width = 2 * height, 2 * width
                x = _tokens(x)
            x = blocks(x + self.positions[k])
        return torch.tanh(self.colour(_map(x, height, width)))


class Critic(nn.Module):
    """Images (B, channels, H, W) to logits (B,).

    Patches of one size become tokens of half the features; after a stage the map of tokens is
    halved and joined with the tokens of patches twice that size.
    """

    def __init__(
        self, width: int, depth: int, heads: int, patch: int, channels: int, size: tuple[int, int]
    ) -> None:
        """Build the layers.

        Args:
            width: Features of a token in the second stage, half of them in the first.
            depth: Blocks per stage.
            heads: Attention heads.
            patch: Side of the smaller patches in pixels.
            channels: Colour channels.
            size: (height, width) in pixels.

        Raises:
            UserError: The larger patches do not tile the image.
        """
        super().__init__()
        if any(side % (2 * patch) for side in size):
            raise UserError(
                f"model.patch={patch}: patches of {patch} and {2 * patch} pixels must tile "
                f"images of {size[0]}x{size[1]}"
            )
        half = width // 2
        self.grid = (size[0] // patch, size[1] // patch)
        count = self.grid[0] * self.grid[1]
        self.small = nn.Conv2d(channels, half, patch, patch)
        self.large = nn.Conv2d(channels, width - half, 2 * patch, 2 * patch)
        self.small_places, self.large_places = positions(count, half), positions(count // 4, width)
        self.first, self.second = stage(depth, half, heads), stage(depth, width, heads)
        self.token = positions(1, width)
        self.last = nn.Sequential(Block(width, heads), PixelNorm(dim=2))
        self.score = nn.Linear(width, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(_tokens(self.small(images)) + self.small_places)
        x = torch.cat([avg_pool2d(_map(x, *self.grid), 2), self.large(images)], dim=1)
        x = self.second(_tokens(x) + self.large_places)
        x = self.last(torch.cat([self.token.expand(len(x), -1, -1), x], dim=1))
        return self.score(x[:, 0]).squeeze(1)


def _tokens(x: Tensor) -> Tensor:
    """Maps (B, C, H, W) to tokens (B, H * W, C)."""
    return x.flatten(2).transpose(1, 2)


def _map(x: Tensor, height: int, width: int) -> Tensor:
    """Tokens (B, height * width, C) to maps (B, C, height, width)."""
    return x.transpose(1, 2).unflatten(2, (height, width))


class TransGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 256
        """Numbers in the latent code."""
        width: Count = 64
        """Features of the generator's tokens at full size; four times as many per level below."""
        depth: Count = 2
        """Blocks of the generator per level."""
        critic_width: Count = 384
        """Features of the critic's tokens."""
        critic_depth: Count = 3
        """Blocks of the critic per stage."""
        heads: Count = 4
        """Attention heads of all blocks."""
        patch: Count = 2
        """Side of the critic's smaller patches in pixels."""
        critic_steps: Count = 5
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if config.width % config.heads or config.critic_width % (2 * config.heads):
            raise UserError(
                f"model.heads={config.heads} must divide model.width={config.width} and half of "
                f"model.critic_width={config.critic_width}"
            )
        self.latent_size, self.critic_steps = config.latent, config.critic_steps
        self.penalty, self.objective = config.penalty, OBJECTIVES["wasserstein"]
        image, heads = (config.channels, config.size), config.heads
        self.generator = Generator(config.latent, config.width, config.depth, heads, *image)
        self.critic = Critic(config.critic_width, config.critic_depth, heads, config.patch, *image)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("critic", self.critic_loss, repeat=self.critic_steps),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def critic_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.critic(real), self.critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * gradient_penalty(self.critic, real, fake),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        fake_logits = self.critic(self.sample(len(batch["image"]))["image"])
        return {"adversarial": self.objective.generator(fake_logits)}


ADAM = Optim(lr=1e-4, betas=(0.0, 0.99))
BOTH = {"critic": ADAM, "generator": ADAM}
# A minute holds six hundred steps of these.
QUICK = {
    "critic": Optim(lr=2e-3, betas=(0.0, 0.99)),
    "generator": Optim(lr=1e-3, betas=(0.0, 0.99)),
}

PAPER = "arXiv:2102.07074, section 4"

SEARCH = {"model.penalty": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        TransGAN.Config(
            latent=32,
            width=8,
            depth=1,
            critic_width=32,
            critic_depth=1,
            heads=2,
            critic_steps=1,
            penalty=1.0,
        ),
        QUICK,
        examples=40_000,
        about="small transformers for 8x8, a weaker penalty, faster learning rates",
    ),
    "cifar10": Recipe(
        model=TransGAN.Config(width=16, depth=3),
        data=Images(path="cifar10", flip=True),
        optim=BOTH,
        ema=Averaging(half_life=50_000),
        train=Train(examples=20_000_000, batch=128),
        evaluate=Evaluate(every=2_000_000, samples=5_000),
        sources=cite(PAPER, "model.critic_width", "model.penalty", "optim"),
    ),
    "tiny": tiny(
        TransGAN.Config(
            latent=8, width=4, depth=1, critic_width=16, critic_depth=1, heads=2, critic_steps=2
        ),
        Images(path="digits"),
        BOTH,
    ),
}
