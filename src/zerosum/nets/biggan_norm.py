"""Batch normalisation of BigGAN: on a condition, and with statistics taken anew for sampling.

Brock, Donahue and Simonyan 2019, arXiv:1809.11096, section 3 and appendix E. Names are those of
the authors' release.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.layers.power import Linear, Spectral

MOMENTUM = 0.1
"""Share of a new batch in the stored statistics."""


class BatchNorm(nn.Module):
    """Batch normalisation with one gain and one bias per feature."""

    averaged_buffers = ("stored_mean", "stored_var")
    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps, self.momentum = eps, MOMENTUM
        self.gain, self.bias = (
            nn.Parameter(torch.ones(features)),
            nn.Parameter(torch.zeros(features)),
        )
        self.register_buffer("stored_mean", torch.zeros(features))
        self.register_buffer("stored_var", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, features, H, W), normalised by the batch's statistics in training, by the
        stored ones otherwise."""
        stored, learned = (self.stored_mean, self.stored_var), (self.gain, self.bias)
        return F.batch_norm(x, *stored, *learned, self.training, self.momentum, self.eps)


class Condition:
    """What the generator's normalisations are conditioned on, and how.

    Args:
        classes: Number of classes.
        vector: Length of the vectors that conditions are; 0 where they are classes themselves,
            each with gains of its own.
        norm: As of `ConditionalNorm`.
        eps: Added to the variance.
        spectral: Normalisation of the linear maps.
    """

    def __init__(
        self, classes: int, vector: int, norm: str, eps: float, spectral: Spectral
    ) -> None:
        self.classes, self.vector, self.norm, self.eps = classes, vector, norm, eps
        self.spectral = spectral

    def linear(self, features: int) -> nn.Module:
        """A map from conditions (B, ...) to (B, features)."""
        if self.vector:
            return Linear(self.vector, features, self.spectral, bias=False)
        return nn.Embedding(self.classes, features)


class ConditionalNorm(nn.Module):
    """Normalisation whose gain, 1 + linear, and bias, linear, follow a condition.

    Attributes:
        norm: `bn`, `in` (each map by itself), `nonorm`, `ch_N` (groups of N maps) or `grp_N` (N
            groups).
    """

    averaged_buffers = ("stored_mean", "stored_var")
    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, features: int, condition: Condition) -> None:
        super().__init__()
        self.norm, self.eps, self.momentum = condition.norm, condition.eps, MOMENTUM
        self.gain, self.bias = condition.linear(features), condition.linear(features)
        if self.norm in ("bn", "in"):
            self.register_buffer("stored_mean", torch.zeros(features))
            self.register_buffer("stored_var", torch.ones(features))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, features, H, W) under conditions (B, ...), to maps."""
        gain, bias = 1 + self.gain(condition), self.bias(condition)
        return torch.addcmul(bias[:, :, None, None], self.normal(x), gain[:, :, None, None])

    def normal(self, x: Tensor) -> Tensor:
        """The maps without gain and bias."""
        if self.norm in ("bn", "in"):
            apply = F.batch_norm if self.norm == "bn" else F.instance_norm
            stored = self.stored_mean, self.stored_var
            return apply(x, *stored, None, None, self.training, self.momentum, self.eps)
        if self.norm == "nonorm":
            return x
        kind, _, number = self.norm.partition("_")
        groups = max(x.shape[1] // int(number), 1) if kind == "ch" else int(number)
        return F.group_norm(x, groups)


@torch.no_grad()
def standing(
    generator: nn.Module, draw: Callable[[], tuple[Tensor, Tensor]], batches: int
) -> nn.Module:
    """Batch normalisation's statistics taken anew, as means over batches (appendix E).

    What was gathered in the training belongs to other weights than averaged ones, and to codes
    that are not truncated.

    Args:
        generator: Changed in place.
        draw: Codes (B, latent) and labels (B,) of a batch.
        batches: How many.

    Returns:
        The generator, in evaluation mode.
    """
    norms = [m for m in generator.modules() if isinstance(m, BatchNorm | ConditionalNorm)]
    generator.train()
    for i in range(batches):
        for norm in norms:
            norm.momentum = 1 / (i + 1)
        generator(*draw())
    for norm in norms:
        norm.momentum = MOMENTUM
    return generator.eval()
