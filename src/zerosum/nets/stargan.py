"""The networks of StarGAN: a translator that is told a domain, a critic that tells it.

Choi et al. 2018, "StarGAN: unified generative adversarial networks for multi-domain
image-to-image translation", arXiv:1711.09020, table 5.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.nets.translator import ResidualTranslator

MOST_HALVINGS = 6
"""Of the paper's critic, for 128 pixels."""
SMALLEST = 2
"""Pixels of the shorter side at which the heads look."""


def critic_halvings(size: tuple[int, int], asked: int = 0) -> int:
    """How often a critic halves pictures: down to 2 pixels, 6 times at most; or as asked."""
    found = 0
    while found < MOST_HALVINGS and min(size) >> (found + 1) >= SMALLEST:
        found += 1
    return asked or max(1, found)


class DomainTranslator(ResidualTranslator):
    """Pictures (B, channels, H, W) and domains (B,) to pictures in [-1, 1].

    The domain comes as one constant map for each, beside the picture. The first layer is not
    normalised: instance normalisation would take away exactly what a constant map adds, so that
    only the zeros beyond the edges, where the authors' code pads with them, told the domain.
    """

    def __init__(
        self, channels: int, domains: int, *, width: int = 64, blocks: int = 6, halvings: int = 2
    ) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures.
            domains: How many there are.
            width: Feature maps at full size; doubled at each halving.
            blocks: Residual blocks at the smallest size.
            halvings: How often a picture is halved.
        """
        super().__init__(
            channels + domains, channels, width=width, blocks=blocks, halvings=halvings
        )
        self.domains = domains
        first = self.encoder[0]
        assert isinstance(first, nn.Sequential)
        self.encoder[0] = nn.Sequential(first[0], nn.ReLU())

    def told(self, pictures: Tensor, domain: Tensor) -> Tensor:
        """Pictures brought to domains."""
        height, width = pictures.shape[2:]
        maps = one_hot(domain.long(), self.domains).to(pictures.dtype)[:, :, None, None]
        return self(torch.cat([pictures, maps.expand(-1, -1, height, width)], dim=1))


class DomainCritic(nn.Module):
    """Pictures (B, channels, H, W) to logits (B, h, w) and scores of the domains (B, domains).

    4x4 convolutions of stride 2 without normalisation, whose maps double, up to `widest` times.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        domains: int,
        *,
        width: int = 64,
        halvings: int = 0,
        widest: int = 32,
    ) -> None:
        """Build the layers.

        Args:
            channels: Of the pictures.
            size: (height, width) of them.
            domains: How many there are.
            width: Feature maps of the first layer.
            halvings: How often pictures are halved; 0: as `critic_halvings` says.
            widest: The maps stop growing at so many times the first layer's.
        """
        super().__init__()
        halvings = critic_halvings(size, halvings)
        layers: list[nn.Module] = []
        now = channels
        for level in range(halvings):
            wide = width * min(2**level, widest)
            layers += [nn.Conv2d(now, wide, 4, 2, 1), nn.LeakyReLU(0.01)]
            now = wide
        self.trunk = nn.Sequential(*layers)
        self.source = nn.Conv2d(now, 1, 3, padding=1)
        left = (size[0] >> halvings, size[1] >> halvings)
        self.domain = nn.Conv2d(now, domains, left)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.trunk(pictures)
        return self.source(seen)[:, 0], self.domain(seen).flatten(1)
