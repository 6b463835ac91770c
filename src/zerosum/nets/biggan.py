"""The residual pair of BigGAN.

Brock, Donahue and Simonyan 2019, "Large Scale GAN Training for High Fidelity Natural Image
Synthesis", arXiv:1809.11096, section 3 and appendix B.1: the networks of SAGAN (Zhang et al. 2019)
with, in the generator, gains and biases of every batch normalisation that are linear in one
embedding of the class shared by all layers, to which each block gets its own part of the code
(hierarchical codes). Weights begin orthogonal (Saxe et al. 2014).

Names of layers and tensors are those of the authors' release in PyTorch; theta, phi, g, o and
gamma of the attention are the letters of SAGAN's equations. `zerosum.nets.biggan_deep` has the
deeper pair of appendix B.2.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.layers.power import Conv, Linear, Spectral, Table
from zerosum.nets.biggan_norm import BatchNorm, Condition, ConditionalNorm

NORMALISED, PLAIN = Spectral(), Spectral(values=0)


def generator_multiples(levels: int) -> list[int]:
    """Feature maps of the generator, in multiples of its width: at the start and after each of
    `levels` doublings (appendix B, tables 4 to 6; up to 32 pixels as in the authors' code)."""
    if levels <= 3:
        return [4] * (levels + 1)
    small = {4: [16, 16, 8, 4, 2], 5: [16, 16, 8, 4, 2, 1]}
    return small.get(levels, [16, 16, 8, 8, 4, 2, *[1] * (levels - 5)])


def discriminator_multiples(levels: int) -> tuple[list[int], list[bool]]:
    """Feature maps after each block of the discriminator, and whether the block halves its map."""
    if levels <= 3:
        halved = min(levels, 2)
        return [4] * (halved + 2), [True] * halved + [False] * 2
    small = {4: [1, 2, 4, 8], 5: [1, 2, 4, 8, 16]}
    multiples = small.get(levels, [1, 2, 4, 8, 8, *[16] * (levels - 5)])
    return [*multiples, 16], [True] * levels + [False]


class Attention(nn.Module):
    """Self-attention whose keys and values are pooled (SAGAN, section 3)."""

    def __init__(self, features: int, spectral: Spectral) -> None:
        super().__init__()
        narrow, inner = features // 8, features // 2
        self.theta = Conv(features, narrow, 1, spectral, bias=False)
        self.phi = Conv(features, narrow, 1, spectral, bias=False)
        self.g = Conv(features, inner, 1, spectral, bias=False)
        self.o = Conv(inner, features, 1, spectral, bias=False)
        self.gamma = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Maps (B, features, H, W) to maps; a condition is passed over."""
        query = self.theta(x).flatten(2)
        key, value = (F.max_pool2d(f(x), 2).flatten(2) for f in (self.phi, self.g))
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        found = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gamma * self.o(found)


class UpBlock(nn.Module):
    """Norm, ReLU, double, conv, norm, ReLU, conv, added to the doubled and convolved input."""

    def __init__(
        self, before: int, after: int, kernel: int, condition: Condition, spectral: Spectral
    ) -> None:
        super().__init__()
        self.conv1 = Conv(before, after, kernel, spectral)
        self.conv2 = Conv(after, after, kernel, spectral)
        self.conv_sc = Conv(before, after, 1, spectral)
        self.bn1 = ConditionalNorm(before, condition)
        self.bn2 = ConditionalNorm(after, condition)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, 2H, 2W)."""
        h = self.conv1.after_doubling(F.relu(self.bn1(x, condition)))
        h = self.conv2(F.relu(self.bn2(h, condition)))
        # A 1x1 convolution commutes with doubling and is cheaper before it.
        return h + F.interpolate(self.conv_sc(x), scale_factor=2.0)


class DownBlock(nn.Module):
    """ReLU, conv, ReLU, conv, halve, added to the convolved and halved input."""

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int,
        spectral: Spectral,
        *,
        halve: bool,
        first: bool,
        wide: bool,
    ) -> None:
        """Build the layers.

        Args:
            before: Feature maps in.
            after: Feature maps out.
            kernel: Side of the kernels.
            spectral: Normalisation of the weights.
            halve: Whether the map is halved.
            first: Whether it gets pixels, which pass no ReLU before its first convolution.
            wide: Whether the first convolution changes the number of features, not the second.
        """
        super().__init__()
        hidden = after if wide else before
        self.halve, self.first = halve, first
        self.conv1 = Conv(before, hidden, kernel, spectral)
        self.conv2 = Conv(hidden, after, kernel, spectral)
        learned = halve or before != after
        self.conv_sc = Conv(before, after, 1, spectral) if learned else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, H, W), or to half the height and width."""
        h = F.relu(self.conv1(x if self.first else F.relu(x)))
        h = self.conv2.before_halving(h) if self.halve else self.conv2(h)
        # The mean over 2x2 pixels commutes with a 1x1 convolution.
        x = F.avg_pool2d(x, 2) if self.halve else x
        return h + (x if self.conv_sc is None else self.conv_sc(x))


class Named(nn.Module):
    """A network whose layers and tensors have the names of the authors' release."""

    def official_names(self) -> dict[str, str]:
        """Names of the authors' release for each parameter and buffer here, to ours: the same."""
        names = [name for name, _ in [*self.named_parameters(), *self.named_buffers()]]
        return {name: name for name in names}


class Generator(Named):
    """Codes (B, latent) and labels (B,) to images in [-1, 1].

    Attributes:
        latent: Numbers in a code: with hierarchical codes the largest multiple of the number of
            parts that is not above what was asked for.
    """

    def __init__(
        self,
        latent: int,
        widths: Sequence[int],
        channels: int = 3,
        *,
        classes: int,
        grid: tuple[int, int] = (4, 4),
        kernel: int = 3,
        shared: int = 0,
        hierarchical: bool = False,
        attention: Collection[int] = (),
        norm: str = "bn",
        norm_eps: float = 1e-5,
        spectral: Spectral = NORMALISED,
        begin: str = "ortho",
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            widths: Feature maps at the start and after each doubling.
            channels: Colour channels.
            classes: Number of classes.
            grid: (height, width) of the smallest map.
            kernel: Side of the kernels, odd.
            shared: Length of the embedding of a class that all layers share; 0 gives each class
                gains and biases of its own in every layer.
            hierarchical: Whether each block gets a part of the code beside the embedding.
            attention: Numbers of the blocks that self-attention follows.
            norm: As of `ConditionalNorm`.
            norm_eps: Added to the variances there.
            spectral: Normalisation of the weights.
            begin: How weights begin: see `initialised`.
        """
        super().__init__()
        parts = len(widths) if hierarchical else 1
        self.latent, self.parts, self.grid = latent // parts * parts, parts, grid
        vector = shared + (self.latent // parts if hierarchical else 0) if shared else 0
        condition = Condition(classes, vector, norm, norm_eps, spectral)
        self.shared = nn.Embedding(classes, shared) if shared else nn.Identity()
        first = widths[0] * grid[0] * grid[1]
        self.linear = Linear(self.latent // parts, first, spectral)
        self.blocks = nn.ModuleList()
        for i, (before, after) in enumerate(pairwise(widths)):
            layers: list[nn.Module] = [UpBlock(before, after, kernel, condition, spectral)]
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
        first, *rest = z.chunk(self.parts, dim=1)
        x = channels_last(self.linear(first).unflatten(1, (-1, *self.grid)))
        for i, layers in enumerate(self.blocks):
            assert isinstance(layers, nn.ModuleList)
            told = torch.cat([embedded, rest[i]], dim=1) if rest else embedded
            for layer in layers:
                x = layer(x, told)
        return torch.tanh(self.output_layer(x))


class Discriminator(Named):
    """Images (B, channels, H, W) and labels (B,) to logits."""

    def __init__(
        self,
        widths: Sequence[int],
        halved: Sequence[bool],
        channels: int = 3,
        *,
        classes: int,
        kernel: int = 3,
        wide: bool = True,
        attention: Collection[int] = (),
        outputs: int = 1,
        spectral: Spectral = NORMALISED,
        begin: str = "ortho",
    ) -> None:
        """Build the layers.

        Args:
            widths: Feature maps after each block.
            halved: Whether each block halves its map.
            channels: Colour channels.
            classes: Number of classes.
            kernel: Side of the kernels, odd.
            wide: As of `DownBlock`.
            attention: Numbers of the blocks that self-attention follows.
            outputs: Logits of an image.
            spectral: Normalisation of the weights.
            begin: How weights begin: see `initialised`.
        """
        super().__init__()
        self.blocks = nn.ModuleList()
        for i, (before, after) in enumerate(pairwise([channels, *widths])):
            block = DownBlock(
                before, after, kernel, spectral, halve=halved[i], first=i == 0, wide=wide
            )
            layers = [block, Attention(after, spectral)] if i in attention else [block]
            self.blocks.append(nn.ModuleList(layers))
        self.linear = Linear(widths[-1], outputs, spectral)
        self.embed = Table(classes, widths[-1], spectral)
        initialised(self, begin)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (B, channels, H, W) and labels (B,) to logits (B, outputs)."""
        x = channels_last(x)
        for layers in self.blocks:
            assert isinstance(layers, nn.ModuleList)
            for layer in layers:
                x = layer(x)
        h = F.relu(x).sum((2, 3))
        return self.linear(h) + (self.embed(y) * h).sum(1, keepdim=True)


def channels_last(x: Tensor) -> Tensor:
    """The same maps with the features of a place side by side: a fifth faster on a CPU."""
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def initialised(network: nn.Module, how: str) -> None:
    """Draw the weights of all layers and embeddings; biases stay.

    Args:
        network: Changed in place.
        how: `ortho`: orthogonal rows or columns; `N02`: normal with deviation 0.02; `glorot` or
            `xavier`: uniform as of Glorot and Bengio 2010.
    """
    draw = {
        "ortho": nn.init.orthogonal_,
        "N02": lambda weight: nn.init.normal_(weight, 0.0, 0.02),
        "glorot": nn.init.xavier_uniform_,
        "xavier": nn.init.xavier_uniform_,
    }[how]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            draw(module.weight)


def truncated(z: Tensor, threshold: float) -> Tensor:
    """Codes of normal numbers, none of which lies beyond a threshold (section 3.1).

    Each number keeps its rank: it becomes the number of the truncated distribution, that of
    numbers which are drawn again until they lie within, at the same quantile.

    Args:
        z: Standard normal numbers, of any shape.
        threshold: Largest absolute value; 0 leaves the codes as they are.
    """
    if not threshold:
        return z
    outside = torch.special.ndtr(z.new_tensor(-threshold))
    share = outside + (1 - 2 * outside) * torch.special.ndtr(z)
    return torch.special.ndtri(share).clamp(-threshold, threshold)
