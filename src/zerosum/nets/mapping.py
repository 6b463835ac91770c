"""The mapping network: codes, and conditions with them, to styles.

Karras, Laine and Aila 2019, arXiv:1812.04948, section 2: a multilayer perceptron from a code on
the sphere to an intermediate latent w, which is what the generator's layers are told; truncation
towards the mean of w, for the first layers only where asked (section 3 and appendix B).
Conditions are embedded, brought to the sphere and put beside the code (Karras et al. 2020a,
arXiv:2006.06676, appendix E). Shared by StyleGAN, StyleGAN2 (its critic too) and StyleGAN3.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from zerosum.layers.active import Dense
from zerosum.layers.norm import PixelNorm


class Mapping(nn.Module):
    """Codes (B, latent) and conditions (B, classes) to styles (B, copies, width)."""

    averaged_buffers = ("average",)
    average: Tensor

    def __init__(
        self,
        latent: int,
        classes: int,
        width: int,
        copies: int | None,
        *,
        layers: int = 8,
        embedding: int | None = None,
        hidden: int | None = None,
        kind: str = "lrelu",
        rate: float = 0.01,
        momentum: float | None = 0.995,
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code; 0 for none.
            classes: Numbers in a condition; 0 for none.
            width: Numbers in a style.
            copies: How often a style is given, one per layer; None gives (B, width).
            layers: How many.
            embedding: Numbers that a condition becomes; None takes `width`.
            hidden: Numbers between the layers; None takes `width`.
            kind: Name of the activation.
            rate: Multiplier of the learning rate.
            momentum: Share that the mean style keeps at each `track`; None keeps no mean.
        """
        super().__init__()
        self.latent, self.classes, self.copies, self.momentum = latent, classes, copies, momentum
        embedding = (embedding or width) if classes else 0
        self.norm = PixelNorm()
        if classes:
            self.embed = Dense(classes, embedding)
        sizes = [latent + embedding, *[hidden or width] * (layers - 1), width]
        self.layers = nn.ModuleList(Dense(a, b, kind, rate=rate) for a, b in pairwise(sizes))
        if momentum is not None:
            self.register_buffer("average", torch.zeros(width))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None = None,
        truncation: float = 1.0,
        cutoff: int | None = None,
    ) -> Tensor:
        """Styles, towards their mean by 1 - `truncation`; only the first `cutoff` copies if given.

        Args:
            z: Codes (B, latent); None where there are none.
            c: Conditions (B, classes), such as one-hot labels; None where there are none.
            truncation: 1 leaves styles alone, 0 gives the mean.
            cutoff: How many copies are moved; None for all.
        """
        parts = [self.norm(z)] if self.latent and z is not None else []
        if self.classes and c is not None:
            parts.append(self.norm(self.embed(c)))
        x = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        for layer in self.layers:
            x = layer(x)
        if self.copies is None:
            return x if truncation == 1 else self.average.lerp(x, truncation)
        styles = x[:, None].expand(-1, self.copies, -1)
        if truncation == 1:
            return styles
        if cutoff is None:
            return self.average.lerp(styles, truncation)
        moved = self.average.lerp(styles[:, :cutoff], truncation)
        return torch.cat([moved, styles[:, cutoff:]], dim=1)

    @torch.no_grad()
    def track(self, mean: Tensor) -> None:
        """Move the mean style towards that of a batch, (width,): once a step, not in a loss."""
        assert self.momentum is not None
        mean = mean.to(self.average.dtype)
        self.average.copy_(mean.lerp(self.average, self.momentum))
