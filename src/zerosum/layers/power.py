"""Layers with spectral normalisation as BigGAN has it: one power iteration in every forward pass.

Brock, Donahue and Simonyan 2019, "Large Scale GAN Training for High Fidelity Natural Image
Synthesis", arXiv:1809.11096, appendix C: more than the first singular value may be followed, by
Gram-Schmidt steps; the weight is divided by the first. In contrast to
`zerosum.layers.spectral`, the step is made in evaluation too, where its result is not kept, and no
step is made when a layer is built: so a layer is the same function as in the authors' release.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Spectral(NamedTuple):
    """How weights are normalised."""

    values: int = 1
    """Singular values that are followed; 0 leaves the weights as they are."""
    iterations: int = 1
    """Steps of power iteration in each forward pass."""
    eps: float = 1e-12
    """Least length of a vector that is divided by its length."""


class _Normalised(nn.Module):
    """What the layers have: the weight, and u (1, outputs) and sigma (1,) of each singular value.

    The vectors are functions of the weights' course, and so the same on all ranks.
    """

    weight: Tensor
    spectral: Spectral

    def follow(self, outputs: int, spectral: Spectral) -> None:
        """Begin with random vectors."""
        self.spectral = spectral
        for i in range(spectral.values):
            self.register_buffer(f"u{i}", torch.randn(1, outputs))
            self.register_buffer(f"sv{i}", torch.ones(1))

    def normal(self) -> Tensor:
        """The weight over its largest singular value, the vectors being constants of it."""
        values, iterations, eps = self.spectral
        if not values:
            return self.weight
        # A singular value in half precision would be off by a per cent.
        with torch.autocast(self.weight.device.type, enabled=False):
            matrix = self.weight.flatten(1)
            us, vs = [self.get_buffer(f"u{i}") for i in range(values)], list[Tensor]()
            # Without training a second step would begin where the first did, as nothing is kept.
            for _ in range(iterations if self.training else 1):
                us, vs = _iterated(matrix.detach(), us, eps)
            sigma = (vs[0] @ matrix.T @ us[0].T).squeeze()
            if self.training:
                with torch.no_grad():
                    for i, (u, v) in enumerate(zip(us, vs)):
                        self.get_buffer(f"u{i}").copy_(u)
                        self.get_buffer(f"sv{i}").copy_((v @ matrix.T @ u.T).view(1))
            return self.weight / sigma


def _iterated(
    matrix: Tensor, starts: list[Tensor], eps: float
) -> tuple[list[Tensor], list[Tensor]]:
    """One step for each pair of singular vectors, at right angles to those before."""
    us: list[Tensor] = []
    vs: list[Tensor] = []
    for start in starts:
        vs.append(F.normalize(_apart(start @ matrix, vs), eps=eps))
        us.append(F.normalize(_apart(vs[-1] @ matrix.T, us), eps=eps))
    return us, vs


def _apart(x: Tensor, others: list[Tensor]) -> Tensor:
    """x without its components along others."""
    for y in others:
        x = x - (x @ y.T) / (y @ y.T) * y
    return x


class Conv(_Normalised, nn.Conv2d):
    """A convolution that keeps the map's size, of an odd kernel."""

    def __init__(
        self, before: int, after: int, kernel: int, spectral: Spectral, *, bias: bool = True
    ) -> None:
        super().__init__(before, after, kernel, padding=kernel // 2, bias=bias)
        self.edge = kernel // 2
        self.follow(after, spectral)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.normal(), self.bias, padding=self.edge)

    def after_doubling(self, x: Tensor) -> Tensor:
        """The convolution of maps whose pixels are doubled: (B, in, H, W) to (B, out, 2H, 2W).

        As each pixel stands four times, the convolution is a transposed one of stride two with the
        kernel spread over a box of two: k + 1 in place of 2k taps along each side.
        """
        weight = F.pad(self.normal().flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
        spread = F.avg_pool2d(weight, 2, stride=1, divisor_override=1)
        return F.conv_transpose2d(x, spread, self.bias, stride=2, padding=self.edge)

    def before_halving(self, x: Tensor) -> Tensor:
        """Means over 2x2 pixels of the convolution: (B, in, H, W) to (B, out, H / 2, W / 2).

        The mean is a convolution too: both are one of stride two, a quarter of the places.
        """
        spread = F.avg_pool2d(F.pad(self.normal(), (1, 1, 1, 1)), 2, stride=1)
        return F.conv2d(x, spread, self.bias, stride=2, padding=self.edge)


class Linear(_Normalised, nn.Linear):
    """A linear layer."""

    def __init__(self, before: int, after: int, spectral: Spectral, *, bias: bool = True) -> None:
        super().__init__(before, after, bias=bias)
        self.follow(after, spectral)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.normal(), self.bias)


class Table(_Normalised, nn.Embedding):
    """A vector for each class."""

    def __init__(self, classes: int, features: int, spectral: Spectral) -> None:
        super().__init__(classes, features)
        self.follow(classes, spectral)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.normal())
