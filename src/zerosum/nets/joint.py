"""Discriminators of an image together with a code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.layers.norm import Norm
from zerosum.nets.mlp import mlp
from zerosum.nets.plain import Trunk


class JointDiscriminator(nn.Module):
    """Images (B, channels, H, W) and codes (B, latent) to logits (B,) of the pairs.

    Ours, in the spirit of Dumoulin et al. 2017 (arXiv:1606.00704): each part has its own layers,
    then both are seen together.
    """

    def __init__(
        self,
        latent: int,
        width: int,
        channels: int,
        size: tuple[int, int],
        hidden: int = 128,
        norm: Norm | None = None,
        dropout: float = 0.0,
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            width: Feature maps after the first halving of the image.
            channels: Channels of the image.
            size: (height, width) in pixels.
            hidden: Width of the hidden layers of the code and of the pair.
            norm: Normalisation in the image's layers; None for none.
            dropout: Share of the pair's hidden units dropped in training.
        """
        super().__init__()
        self.image = Trunk(width, channels, size, norm)
        self.code = nn.Sequential(nn.Linear(latent, hidden), nn.LeakyReLU(0.2))
        self.pair = mlp([self.image.features + hidden, hidden, 1], dropout=dropout)

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        seen = torch.cat([self.image(images), self.code(codes)], dim=1)
        return self.pair(seen).squeeze(1)
