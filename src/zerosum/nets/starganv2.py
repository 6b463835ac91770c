"""The networks of StarGAN v2: styles from noise and from pictures, a generator that takes them.

Choi, Uh, Yoo and Ha 2020, "StarGAN v2: diverse image synthesis for multiple domains",
arXiv:1912.01865, section 3.1 and appendix: tables 5 to 7.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, instance_norm, interpolate, leaky_relu

WIDEST = 8
"""Feature maps stop growing at so many times those at full size (512 for 64)."""
SMALLEST = 4
"""Pixels at which the heads of encoder and critic look."""


def he(module: nn.Module) -> None:
    """Weights of He et al. 2015 and biases 0, as appendix B has them for all four networks.

    Torch's own are so small that seven layers leave of two codes one style: 0.001 apart.
    """
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class AdaIN(nn.Module):
    """Instance normalisation whose gain and bias are linear in a style.

    Huang and Belongie 2017, arXiv:1703.06868, eq. 8, with the gain around 1: (x - mean) /
    deviation of each map of each picture, times 1 + gain(style) plus bias(style).
    """

    def __init__(self, features: int, style: int) -> None:
        super().__init__()
        self.told = nn.Linear(style, 2 * features)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Maps (B, features, H, W) under styles (B, style), to maps."""
        gain, bias = self.told(style)[:, :, None, None].chunk(2, dim=1)
        return instance_norm(x) * (1 + gain) + bias


class PlainBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, halved by averaging where asked, unit variance."""

    def __init__(
        self, before: int, after: int, *, halve: bool = False, normalised: bool = False
    ) -> None:
        super().__init__()
        self.halve = halve
        self.first = nn.Conv2d(before, before, 3, padding=1)
        self.second = nn.Conv2d(before, after, 3, padding=1)
        norms = [nn.InstanceNorm2d(before, affine=True) for _ in range(2)] if normalised else []
        self.norms = nn.ModuleList(norms)
        self.shortcut = nn.Conv2d(before, after, 1, bias=False) if before != after else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, before, H, W), to (B, after, H, W) or half of that."""
        short = x if self.shortcut is None else self.shortcut(x)
        x = self.first(leaky_relu(self.norms[0](x) if self.norms else x, 0.2))
        if self.halve:
            short, x = avg_pool2d(short, 2), avg_pool2d(x, 2)
        x = self.second(leaky_relu(self.norms[1](x) if self.norms else x, 0.2))
        return (short + x) / math.sqrt(2)


class StyledBlock(nn.Module):
    """Two 3x3 convolutions with styles around a shortcut, doubled first where asked."""

    def __init__(self, before: int, after: int, style: int, *, double: bool = False) -> None:
        super().__init__()
        self.doubles = double
        self.first, self.second = AdaIN(before, style), AdaIN(after, style)
        self.convolutions = nn.ModuleList(
            [nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)]
        )
        self.shortcut = nn.Conv2d(before, after, 1, bias=False) if before != after else None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Maps (B, before, H, W) under styles, to (B, after, H, W) or twice that."""
        short, x = x, leaky_relu(self.first(x, style), 0.2)
        if self.doubles:
            short, x = interpolate(short, scale_factor=2.0), interpolate(x, scale_factor=2.0)
        short = short if self.shortcut is None else self.shortcut(short)
        x = self.convolutions[1](leaky_relu(self.second(self.convolutions[0](x), style), 0.2))
        return (short + x) / math.sqrt(2)


class StyleTranslator(nn.Module):
    """Pictures (B, channels, H, W) and styles (B, style) to pictures of the same size.

    Attributes:
        step: Sides must be multiples of it.
    """

    def __init__(
        self, channels: int, style: int, *, width: int = 64, halvings: int = 4, flat: int = 2
    ) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures.
            style: Numbers of a style.
            width: Feature maps at full size; doubled at each halving, up to 8 times.
            halvings: How often a picture is halved; 4 for 256 pixels.
            flat: Blocks at the smallest size, on each side.
        """
        super().__init__()
        self.step = 2**halvings
        widths = [width * min(2**level, WIDEST) for level in range(halvings + 1)]
        self.begin = nn.Conv2d(channels, width, 3, padding=1)
        down = [
            PlainBlock(before, after, halve=True, normalised=True)
            for before, after in pairwise(widths)
        ]
        down += [PlainBlock(widths[-1], widths[-1], normalised=True) for _ in range(flat)]
        self.down = nn.Sequential(*down)
        up = [StyledBlock(widths[-1], widths[-1], style) for _ in range(flat)]
        up += [
            StyledBlock(before, after, style, double=True)
            for before, after in zip(widths[:0:-1], widths[-2::-1])
        ]
        self.up = nn.ModuleList(up)
        self.last = nn.Sequential(
            nn.InstanceNorm2d(width, affine=True),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, channels, 1),
        )

    def forward(self, pictures: Tensor, style: Tensor) -> Tensor:
        x = self.down(self.begin(pictures))
        for block in self.up:
            x = block(x, style)
        return self.last(x)


def chosen(answers: Tensor, domain: Tensor) -> Tensor:
    """Of answers (B, domains, ...) those (B, ...) of domains (B,)."""
    return answers[torch.arange(domain.shape[0], device=answers.device), domain.long()]


class MappingNetwork(nn.Module):
    """Noise (B, latent) and domains (B,) to styles (B, style): shared layers, then a branch of
    each domain."""

    def __init__(
        self, latent: int, style: int, domains: int, *, width: int = 512, layers: int = 4
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers of the noise.
            style: Numbers of a style.
            domains: How many there are.
            width: Units of the hidden layers.
            layers: Hidden layers that are shared, and of each branch one less.
        """
        super().__init__()

        def stack(first: int, count: int, last: int | None = None) -> nn.Sequential:
            sizes = [first] + [width] * count
            parts: list[nn.Module] = []
            for before, after in pairwise(sizes):
                parts += [nn.Linear(before, after), nn.ReLU()]
            return nn.Sequential(*parts, *([nn.Linear(sizes[-1], last)] if last else []))

        self.shared = stack(latent, layers)
        self.branches = nn.ModuleList(stack(width, layers - 1, style) for _ in range(domains))

    def forward(self, noise: Tensor, domain: Tensor) -> Tensor:
        seen = self.shared(noise)
        return chosen(torch.stack([branch(seen) for branch in self.branches], dim=1), domain)


class DomainHeads(nn.Module):
    """Pictures (B, channels, H, W) and domains (B,) to numbers (B, answers) of those domains.

    The form of both the style encoder and the critic, whose one number is a logit.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        domains: int,
        answers: int,
        *,
        width: int = 64,
    ) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures.
            size: (height, width) of them.
            domains: How many there are.
            answers: Numbers for each domain.
            width: Feature maps at full size; doubled at each halving, up to 8 times.
        """
        super().__init__()
        levels = 0
        while min(size) >> (levels + 1) >= SMALLEST:
            levels += 1
        widths = [width * min(2**level, WIDEST) for level in range(levels + 1)]
        left = (size[0] >> levels, size[1] >> levels)
        self.domains, self.answers = domains, answers
        blocks = [PlainBlock(a, b, halve=True) for a, b in pairwise(widths)]
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            *blocks,
            nn.LeakyReLU(0.2),
            nn.Conv2d(widths[-1], widths[-1], left),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(widths[-1], domains * answers),
        )

    def forward(self, pictures: Tensor, domain: Tensor) -> Tensor:
        found = self.layers(pictures).unflatten(1, (self.domains, self.answers))
        return chosen(found, domain)
