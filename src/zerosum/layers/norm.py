"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from zerosum.errors import UserError

Norm = Callable[[int], nn.Module]
"""Makes a normalisation layer for so many feature maps."""


def layer_norm(features: int) -> nn.GroupNorm:
    """Layer normalisation of maps (B, features, H, W): each sample over all its entries, with a
    gain and a bias per feature map (Ba et al. 2016, arXiv:1607.06450)."""
    return nn.GroupNorm(1, features)


class PixelNorm(nn.Module):
    """Feature vectors to length sqrt(features), place by place.

    Karras et al. 2018, arXiv:1710.10196, section 4.2: b = a / sqrt(mean_c a_c^2 + 1e-8).
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        """Build the layer.

        Args:
            dim: The dimension that counts features.
            eps: Added to the mean square.
        """
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x: Tensor) -> Tensor:
        """Any shape with features at `dim`, to the same shape."""
        return x * torch.rsqrt(x.square().mean(self.dim, keepdim=True) + self.eps)


class VirtualBatchNorm2d(nn.Module):
    """Normalisation by a fixed reference batch and the sample itself.

    Salimans et al. 2016, arXiv:1606.03498, section 3.5. The first `reference` samples that come
    in are the reference batch at this layer, and are normalised by their own statistics; each
    other one by those of the reference batch with itself added to it. So no sample depends on
    its neighbours. `Referred` puts the reference batch there.
    """

    def __init__(self, features: int, reference: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.reference, self.eps = reference, eps
        self.weight = nn.Parameter(torch.ones(features, 1, 1))
        self.bias = nn.Parameter(torch.zeros(features, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (reference + B, features, H, W) to maps of the same shape.

        Raises:
            UserError: There are fewer samples than the reference batch has.
        """
        count = self.reference
        if x.shape[0] < count:  # not len, which would fix the batch of an exported graph
            raise UserError(
                f"virtual batch norm got {x.shape[0]} samples, fewer than its reference"
            )
        mean, square = x[:count].mean((0, 2, 3)), x[:count].square().mean((0, 2, 3))
        own, own_square = x[count:].mean((2, 3)), x[count:].square().mean((2, 3))
        means = torch.cat([mean.expand(count, -1), (count * mean + own) / (count + 1)])
        squares = torch.cat(
            [square.expand(count, -1), (count * square + own_square) / (count + 1)]
        )
        scale = torch.rsqrt((squares - means.square()).clamp(min=0) + self.eps)
        normal = (x - means[:, :, None, None]) * scale[:, :, None, None]
        return normal * self.weight + self.bias


class Referred(nn.Module):
    """A network whose `VirtualBatchNorm2d` layers see a reference batch, chosen once.

    The reference batch is made of buffers, so a checkpoint carries it.
    """

    def __init__(self, network: nn.Module, *reference: Tensor) -> None:
        """Wrap a network; the reference batch has a tensor (reference, ...) for each argument."""
        super().__init__()
        self.network, self.count = network, len(reference[0])
        for number, part in enumerate(reference):
            self.register_buffer(f"reference{number or ''}", part.detach().clone())

    def forward(self, *samples: Tensor) -> Tensor:
        """What the network makes of arguments (B, ...), each sample on its own."""
        whole = [
            torch.cat([self.get_buffer(f"reference{number or ''}").to(part.dtype), part])
            for number, part in enumerate(samples)
        ]
        return self.network(*whole)[self.count :]


class ConditionalBatchNorm2d(nn.Module):
    """Batch normalisation with a gain and a bias that depend on a condition.

    Dumoulin et al. 2017, arXiv:1610.07629, and de Vries et al. 2017, arXiv:1707.00683. For
    classes each has its own gain (from 1) and bias (from 0); for vectors, as in BigGAN, both are
    linear in the vector, the gain around 1.
    """

    averaged_buffers = ("running_mean", "running_var")
    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        features: int,
        *,
        classes: int = 0,
        vector: int = 0,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        """Build the layer; give either `classes` or `vector`.

        Args:
            features: Feature maps.
            classes: Number of classes; conditions are then labels (B,).
            vector: Numbers of a condition; conditions are then vectors (B, vector).
            momentum: Share of a new batch in the running statistics.
            eps: Added to the variance.

        Raises:
            UserError: Neither or both are given.
        """
        super().__init__()
        if (classes > 0) == (vector > 0):
            raise UserError("a conditional batch norm needs either classes or vector")
        self.momentum, self.eps = momentum, eps
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))
        # Tables of parameters, not nn.Embedding: the gains of a class are no linear map, and
        # spectral_norm_all leaves them alone.
        self.gain_table = nn.Parameter(torch.zeros(classes, features)) if classes else None
        self.bias_table = nn.Parameter(torch.zeros(classes, features)) if classes else None
        self.gain = nn.Linear(vector, features, bias=False) if vector else None
        self.bias = nn.Linear(vector, features, bias=False) if vector else None

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, features, H, W) under labels (B,) or vectors (B, vector), to maps."""
        if self.gain_table is not None and self.bias_table is not None:
            gain, bias = self.gain_table[condition], self.bias_table[condition]
        else:
            assert self.gain is not None and self.bias is not None
            gain, bias = self.gain(condition), self.bias(condition)
        normal = batch_norm(
            x,
            self.running_mean,
            self.running_var,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )
        return normal * (1 + gain[:, :, None, None]) + bias[:, :, None, None]
