"""The deeper residual pair of BigGAN.

Brock, Donahue and Simonyan 2019, "Large Scale GAN Training for High Fidelity Natural Image
Synthesis", arXiv:1809.11096, appendix B.2: residual blocks with bottlenecks, two at each
resolution, whose skip connections keep the features as they are. Where the generator needs fewer
features it drops the last ones; where the discriminator needs more it joins those of a 1x1
convolution. The whole code, joined with the embedding of the class, conditions every block.

Names of layers and tensors are those of the authors' release in PyTorch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.layers.power import Conv, Linear, Spectral, Table
from zerosum.nets.biggan import NORMALISED, Attention, Named, channels_last, initialised
from zerosum.nets.biggan_norm import BatchNorm, Condition, ConditionalNorm

RATIO = 4
"""Features of a block over those inside it (appendix B.2)."""


class UpBlock(nn.Module):
    """Norm, ReLU, 1x1; norm, ReLU, [double,] 3x3; norm, ReLU, 3x3; norm, ReLU, 1x1; added to the
    first features of the input, which is doubled too."""

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int,
        condition: Condition,
        spectral: Spectral,
        *,
        double: bool,
    ) -> None:
        """Build the layers.

        Args:
            before: Feature maps in.
            after: Feature maps out, at most as many.
            kernel: Side of the inner kernels.
            condition: Of the normalisations.
            spectral: Normalisation of the weights.
            double: Whether the map is doubled.
        """
        super().__init__()
        hidden = max(before // RATIO, 1)
        self.after, self.doubles = after, double
        self.conv1 = Conv(before, hidden, 1, spectral)
        self.conv2 = Conv(hidden, hidden, kernel, spectral)
        self.conv3 = Conv(hidden, hidden, kernel, spectral)
        self.conv4 = Conv(hidden, after, 1, spectral)
        self.bn1 = ConditionalNorm(before, condition)
        self.bn2 = ConditionalNorm(hidden, condition)
        self.bn3 = ConditionalNorm(hidden, condition)
        self.bn4 = ConditionalNorm(hidden, condition)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, H, W), or to twice the height and width."""
        h = self.conv1(F.relu(self.bn1(x, condition)))
        h = F.relu(self.bn2(h, condition))
        h = self.conv2.after_doubling(h) if self.doubles else self.conv2(h)
        h = self.conv3(F.relu(self.bn3(h, condition)))
        h = self.conv4(F.relu(self.bn4(h, condition)))
        kept = x[:, : self.after]
        return h + (F.interpolate(kept, scale_factor=2.0) if self.doubles else kept)


class DownBlock(nn.Module):
    """ReLU, 1x1, ReLU, 3x3, ReLU, 3x3, ReLU, [halve,] 1x1; added to the input, halved too, with
    features of a 1x1 convolution of it where more are needed."""

    def __init__(
        self, before: int, after: int, kernel: int, spectral: Spectral, *, halve: bool
    ) -> None:
        """Build the layers.

        Args:
            before: Feature maps in.
            after: Feature maps out, at least as many.
            kernel: Side of the inner kernels.
            spectral: Normalisation of the weights.
            halve: Whether the map is halved.
        """
        super().__init__()
        hidden = max(after // RATIO, 1)
        self.halve = halve
        self.conv1 = Conv(before, hidden, 1, spectral)
        self.conv2 = Conv(hidden, hidden, kernel, spectral)
        self.conv3 = Conv(hidden, hidden, kernel, spectral)
        self.conv4 = Conv(hidden, after, 1, spectral)
        self.conv_sc = Conv(before, after - before, 1, spectral) if after > before else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, H, W), or to half the height and width."""
        h = self.conv2(F.relu(self.conv1(F.relu(x))))
        h = F.relu(self.conv3(F.relu(h)))
        if self.halve:
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        return self.conv4(h) + (x if self.conv_sc is None else torch.cat([x, self.conv_sc(x)], 1))


class DeepGenerator(Named):
    """Codes (B, latent) and labels (B,) to images in [-1, 1].

    Attributes:
        latent: Numbers in a code.
    """

    def __init__(
        self,
        latent: int,
        widths: Sequence[int],
        channels: int = 3,
        *,
        classes: int,
        shared: int,
        depth: int = 2,
        grid: tuple[int, int] = (4, 4),
        kernel: int = 3,
        attention: Collection[int] = (),
        norm: str = "bn",
        norm_eps: float = 1e-5,
        spectral: Spectral = NORMALISED,
        begin: str = "ortho",
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            widths: Feature maps at the start and after each doubling, none more than before.
            channels: Colour channels.
            classes: Number of classes.
            shared: Length of the embedding of a class.
            depth: Blocks at each resolution, the last of which doubles the map.
            grid: (height, width) of the smallest map.
            kernel: Side of the kernels that are not 1x1, odd.
            attention: Numbers of the doublings that self-attention follows.
            norm: As of `ConditionalNorm`.
            norm_eps: Added to the variances there.
            spectral: Normalisation of the weights.
            begin: How weights begin: see `zerosum.nets.biggan.initialised`.
        """
        super().__init__()
        self.latent, self.grid = latent, grid
        condition = Condition(classes, shared + latent, norm, norm_eps, spectral)
        self.shared = nn.Embedding(classes, shared)
        self.linear = Linear(latent + shared, widths[0] * grid[0] * grid[1], spectral)
        self.blocks = nn.ModuleList()
        for i, (before, after) in enumerate(pairwise(widths)):
            layers: list[nn.Module] = [
                UpBlock(before, before, kernel, condition, spectral, double=False)
                for _ in range(depth - 1)
            ]
            layers.append(UpBlock(before, after, kernel, condition, spectral, double=True))
            layers += [Attention(after, spectral)] if i in attention else []
            self.blocks.append(nn.ModuleList(layers))
        last = Conv(widths[-1], channels, kernel, spectral)
        self.output_layer = nn.Sequential(BatchNorm(widths[-1]), nn.ReLU(), last)
        initialised(self, begin)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Codes (B, latent) and labels (B,) to images (B, channels, H, W)."""
        return self.decode(z, self.shared(y))

    def decode(self, z: Tensor, embedded: Tensor) -> Tensor:
        """As `forward`, of classes that are embedded already (B, shared), or mixtures of such."""
        told = torch.cat([embedded, z], dim=1)
        x = channels_last(self.linear(told).unflatten(1, (-1, *self.grid)))
        for layers in self.blocks:
            assert isinstance(layers, nn.ModuleList)
            for layer in layers:
                x = layer(x, told)
        return torch.tanh(self.output_layer(x))


class DeepDiscriminator(Named):
    """Images (B, channels, H, W) and labels (B,) to logits."""

    def __init__(
        self,
        widths: Sequence[int],
        halved: Sequence[bool],
        channels: int = 3,
        *,
        classes: int,
        depth: int = 2,
        kernel: int = 3,
        attention: Collection[int] = (),
        outputs: int = 1,
        spectral: Spectral = NORMALISED,
        begin: str = "ortho",
    ) -> None:
        """Build the layers.

        Args:
            widths: Feature maps of the first convolution and of each resolution, none fewer than
                before.
            halved: For each resolution, whether its first block halves the map.
            channels: Colour channels.
            classes: Number of classes.
            depth: Blocks at each resolution.
            kernel: Side of the kernels that are not 1x1, odd.
            attention: Numbers of the resolutions that self-attention follows.
            outputs: Logits of an image.
            spectral: Normalisation of the weights.
            begin: How weights begin: see `zerosum.nets.biggan.initialised`.
        """
        super().__init__()
        self.input_conv = Conv(channels, widths[0], kernel, spectral)
        self.blocks = nn.ModuleList()
        for i, ((before, after), halve) in enumerate(zip(pairwise(widths), halved, strict=True)):
            layers: list[nn.Module] = [DownBlock(before, after, kernel, spectral, halve=halve)]
            layers += [
                DownBlock(after, after, kernel, spectral, halve=False) for _ in range(depth - 1)
            ]
            layers += [Attention(after, spectral)] if i in attention else []
            self.blocks.append(nn.ModuleList(layers))
        self.linear = Linear(widths[-1], outputs, spectral)
        self.embed = Table(classes, widths[-1], spectral)
        initialised(self, begin)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (B, channels, H, W) and labels (B,) to logits (B, outputs)."""
        x = self.input_conv(channels_last(x))
        for layers in self.blocks:
            assert isinstance(layers, nn.ModuleList)
            for layer in layers:
                x = layer(x)
        h = F.relu(x).sum((2, 3))
        return self.linear(h) + (self.embed(y) * h).sum(1, keepdim=True)


def deep_discriminator_multiples(levels: int) -> tuple[list[int], list[bool]]:
    """Feature maps of the discriminator in multiples of its width, of the first convolution and of
    each resolution, and whether that halves the map (tables 7 to 9; up to 32 pixels as in the
    authors' code)."""
    if levels <= 3:
        halved = min(levels, 2)
        return [4] * (halved + 2), [True] * halved + [False]
    small = {4: [1, 2, 4, 8, 16], 5: [1, 2, 4, 8, 16, 16]}
    return small.get(levels, [1, 2, 4, 8, 8, *[16] * (levels - 4)]), [True] * levels
