"""The residual pair of R3GAN: grouped convolutions, no normalisation, no equalised rates.

Huang, Gokaslan, Kuleshov and Tompkin 2024, "The GAN is dead; long live the GAN! A Modern GAN
Baseline", arXiv:2501.05441, section 4: inverted bottlenecks with grouped 3x3 convolutions as in
ResNeXt, leaky ReLUs with a bias and nothing else between the layers, and an initialisation that
keeps the variance (Zhang, Dauphin and Ma 2019, "Fixup", arXiv:1901.09321): the last layer of each
branch begins at 0, so that a network begins as its skip path. Maps are doubled and halved by an
interpolation with a low pass. Conditions go into the code, and into the discriminator's end by
projection (Miyato and Koyama 2018).

Weights have the shapes of the authors' release; `official_names` tells which is which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.layers.grouped import conv2d
from zerosum.layers.piecewise import leaky_relu
from zerosum.layers.resample import downsampled, upsampled

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # He et al. 2015, eq. 15
GRID = (4, 4)
FILTER = (1.0, 2.0, 1.0)

# Words of the authors' tensor names, by ours.
OFFICIAL: Mapping[str, str] = {
    "stages": "MainLayers",
    "layers": "Layers",
    "expand": "LinearLayer1.Layer.weight",
    "mix": "LinearLayer2.Layer.weight",
    "contract": "LinearLayer3.Layer.weight",
    "bias1": "NonLinearity1.Bias",
    "bias2": "NonLinearity2.Bias",
    "width": "LinearLayer.Layer.weight",
    "kernel": "Resampler.Kernel",
    "start": "Basis",
    "end": "Basis.weight",
    "linear": "LinearLayer.weight",
    "to_image": "AggregationLayer.Layer.weight",
    "from_image": "ExtractionLayer.Layer.weight",
    "embedding": "EmbeddingLayer.weight",
}


def normal(*shape: int, gain: float) -> nn.Parameter:
    """A weight (out, in, ...) of N(0, gain^2 / fan-in), the fan-in over all but the first axis."""
    return nn.Parameter(torch.randn(shape) * (gain / math.sqrt(math.prod(shape[1:]))))


def low_pass(taps: Sequence[float]) -> Tensor:
    """The filter of a resampling by two: that of an interpolation, convolved with a box of two.

    Args:
        taps: Of the interpolation, along one axis; (1, 2, 1) makes [1, 3, 3, 1] / 8.

    Returns:
        (len(taps) + 1, len(taps) + 1), with sum 1.
    """
    line = torch.tensor([0.0, *taps]) + torch.tensor([*taps, 0.0])
    return torch.outer(line, line) / line.sum() ** 2


def _scaled(bias: Tensor, scale: Tensor) -> Tensor:
    """(B, n, 1, 1) of biases (n,) times (B,)."""
    return (scale[:, None] * bias)[:, :, None, None]


class ResidualBlock(nn.Module):
    """x + contract(act(mix(act(expand(x))))): an inverted bottleneck of three convolutions."""

    def __init__(
        self, width: int, cardinality: int, expansion: int, kernel: int, depth: int
    ) -> None:
        """Draw the weights.

        Args:
            width: Feature maps (B, width, H, W) in and out.
            cardinality: Groups of the middle convolution.
            expansion: Feature maps inside, as a multiple of `width`.
            kernel: Side of the middle convolution's kernel.
            depth: Residual blocks of the whole network. With L of them the gradient's steps keep
                their size when each of the m = 3 layers of a branch begins smaller by
                L^(-1 / (2m - 2)) (Fixup, section 3).

        Raises:
            UserError: The features inside cannot be split into so many groups.
        """
        super().__init__()
        inner, gain = width * expansion, GAIN * depth ** (-1 / 4)
        if inner % cardinality:
            raise UserError(
                f"{inner} feature maps inside a block of width {width} cannot be split into "
                f"{cardinality} groups: choose another width or cardinality"
            )
        self.cardinality = cardinality
        self.expand = normal(inner, width, 1, 1, gain=gain)
        self.mix = normal(inner, inner // cardinality, kernel, kernel, gain=gain)
        self.contract = nn.Parameter(torch.zeros(width, inner, 1, 1))
        self.bias1 = nn.Parameter(torch.zeros(inner))
        self.bias2 = nn.Parameter(torch.zeros(inner))

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Maps (B, width, H, W) to maps; each sample's biases times `scale` (B,)."""
        kind, edge = x.dtype, self.mix.shape[-1] // 2
        (bias1, more1), (bias2, more2) = (
            (bias.to(kind), None) if scale is None else (None, _scaled(bias, scale).to(kind))
            for bias in (self.bias1, self.bias2)
        )
        y = F.conv2d(x, self.expand.to(kind), bias1)
        y = leaky_relu(y if more1 is None else y + more1, SLOPE)
        y = conv2d(y, self.mix.to(kind), bias2, padding=(edge, edge), groups=self.cardinality)
        y = leaky_relu(y if more2 is None else y + more2, SLOPE)
        return x + F.conv2d(y, self.contract.to(kind))


class Resampling(nn.Module):
    """Maps to another number of features, and to twice or half the height and width."""

    kernel: Tensor

    def __init__(self, before: int, after: int, taps: Sequence[float], *, double: bool) -> None:
        super().__init__()
        self.doubles = double
        self.width = normal(after, before, 1, 1, gain=1.0) if before != after else None
        self.register_buffer("kernel", low_pass(taps), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, before, H, W) to maps (B, after, 2H, 2W), or (B, after, H / 2, W / 2)."""
        # A 1x1 convolution commutes with the filter: it is done where the map is small.
        if self.doubles:
            return self.resampled(self._widened(x))
        return self._widened(self.resampled(x))

    def resampled(self, x: Tensor) -> Tensor:
        """The same features at twice or half the size."""
        return upsampled(x, self.kernel) if self.doubles else downsampled(x, self.kernel)

    def _widened(self, x: Tensor) -> Tensor:
        return x if self.width is None else F.conv2d(x, self.width.to(x.dtype))


class Start(nn.Module):
    """A learned small map, its features weighted by a linear function of the code."""

    def __init__(self, inputs: int, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(width, *grid))
        self.linear = normal(width, inputs, gain=1.0)

    def forward(self, z: Tensor) -> Tensor:
        """Codes (B, inputs) to maps (B, width, *grid)."""
        return self.start.to(z.dtype) * F.linear(z, self.linear.to(z.dtype))[:, :, None, None]


class End(nn.Module):
    """The inner product of each feature's small map with a learned one, and a linear layer."""

    def __init__(self, width: int, outputs: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.end = normal(width, 1, *grid, gain=1.0)
        self.linear = normal(outputs, width, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width, *grid) to (B, outputs)."""
        y = (x * self.end.squeeze(1).to(x.dtype)).sum((2, 3))
        return F.linear(y, self.linear.to(x.dtype))


class Stage(nn.Module):
    """Layers at one size of the map.

    Attributes:
        halved: Computed in bfloat16 on a GPU.
    """

    def __init__(self, *layers: nn.Module, half: bool) -> None:
        super().__init__()
        self.layers, self.halved = nn.ModuleList(layers), half

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """What the layers make of x (B, ...); `scale` as of `ResidualBlock`."""
        # On a CPU a stage in half precision would be slower than one without, and less exact.
        x = x.to(torch.bfloat16 if self.halved and x.is_cuda else torch.float32)
        for layer in self.layers:
            x = layer(x, scale) if isinstance(layer, ResidualBlock) else layer(x)
        return x


class _Network(nn.Module):
    """What both networks have."""

    def official_names(self) -> dict[str, str]:
        """Names of the authors' release for each parameter and buffer here, to ours."""
        found: dict[str, str] = {}
        for ours, _ in [*self.named_parameters(), *self.named_buffers()]:
            words: list[str] = [OFFICIAL.get(word, word) for word in ours.split(".")]
            found[".".join(["Model", *words])] = ours
        return found


class Generator(_Network):
    """Codes (B, latent), with conditions (B, classes) where there are any, to images."""

    def __init__(
        self,
        latent: int,
        widths: Sequence[int],
        cardinalities: Sequence[int],
        blocks: Sequence[int],
        channels: int = 3,
        *,
        grid: tuple[int, int] = GRID,
        classes: int = 0,
        embedding: int = 0,
        expansion: int = 2,
        kernel: int = 3,
        taps: Sequence[float] = FILTER,
        half: Sequence[int] = (),
    ) -> None:
        """Build the layers.

        Args:
            latent: Numbers in a code.
            widths: Feature maps of each stage, from the smallest map on; the next is twice as
                high and wide.
            cardinalities: Groups of the middle convolutions of each stage.
            blocks: Residual blocks of each stage.
            channels: Colour channels of the images.
            grid: (height, width) of the smallest map.
            classes: Numbers in a condition, such as a class as one of so many; 0 for none.
            embedding: Numbers that a condition becomes.
            expansion: Features inside a block, as a multiple of its width.
            kernel: Side of the middle convolutions' kernels.
            taps: Of the low pass between two stages, before its box of two.
            half: Stages that a GPU computes in bfloat16; -1 is the last.
        """
        super().__init__()
        halves, depth = {stage % len(widths) for stage in half}, sum(blocks)
        self.embedding = normal(embedding, classes, gain=1.0) if classes else None
        self.stages = nn.ModuleList()
        for i, width in enumerate(widths):
            first = (
                Resampling(widths[i - 1], width, taps, double=True)
                if i
                else Start(latent + embedding * (classes > 0), width, grid)
            )
            bodies = (
                ResidualBlock(width, cardinalities[i], expansion, kernel, depth)
                for _ in range(blocks[i])
            )
            self.stages.append(Stage(first, *bodies, half=i in halves))
        self.to_image = normal(channels, widths[-1], 1, 1, gain=1.0)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Codes (B, latent) and conditions (B, classes) to images (B, channels, H, W), float32."""
        if self.embedding is not None:
            assert c is not None, "this network has conditions"
            z = torch.cat([z, F.linear(c.to(z.dtype), self.embedding)], dim=1)
        x = z
        for stage in self.stages:
            x = stage(x)
        return F.conv2d(x, self.to_image.to(x.dtype)).float()


class Discriminator(_Network):
    """Images (B, channels, H, W), with conditions (B, classes) where there are any, to logits."""

    def __init__(
        self,
        widths: Sequence[int],
        cardinalities: Sequence[int],
        blocks: Sequence[int],
        channels: int = 3,
        *,
        grid: tuple[int, int] = GRID,
        classes: int = 0,
        embedding: int = 0,
        expansion: int = 2,
        kernel: int = 3,
        taps: Sequence[float] = FILTER,
        half: Sequence[int] = (),
    ) -> None:
        """Build the layers.

        Args:
            widths: Feature maps of each stage, from the largest map on; the next is half as high
                and wide.
            cardinalities: Groups of the middle convolutions of each stage.
            blocks: Residual blocks of each stage.
            channels: Colour channels of the images.
            grid: (height, width) of the smallest map.
            classes: Numbers in a condition; 0 for none.
            embedding: Length of the vectors whose inner product is the logit; 1 without classes.
            expansion: Features inside a block, as a multiple of its width.
            kernel: Side of the middle convolutions' kernels.
            taps: Of the low pass between two stages, before its box of two.
            half: Stages that a GPU computes in bfloat16; 0 is that of the largest map.
        """
        super().__init__()
        halves, depth = {stage % len(widths) for stage in half}, sum(blocks)
        self.from_image = normal(widths[0], channels, 1, 1, gain=1.0)
        self.stages = nn.ModuleList()
        for i, width in enumerate(widths):
            last = (
                Resampling(width, widths[i + 1], taps, double=False)
                if i + 1 < len(widths)
                else End(width, embedding if classes else 1, grid)
            )
            bodies = (
                ResidualBlock(width, cardinalities[i], expansion, kernel, depth)
                for _ in range(blocks[i])
            )
            self.stages.append(Stage(*bodies, last, half=i in halves))
        gain = 1 / math.sqrt(embedding) if embedding else 1.0
        self.embedding = normal(embedding, classes, gain=gain) if classes else None

    def forward(self, x: Tensor, c: Tensor | None = None, scale: Tensor | None = None) -> Tensor:
        """Logits (B,) of images.

        Args:
            x: Images (B, channels, H, W).
            c: Conditions (B, classes).
            scale: What each image and all biases that meet it are multiplied by, (B,). A network
                of leaky ReLUs is homogeneous: its logits are then those of before times `scale`,
                where that is positive, and their derivative by `scale` is the logit itself.
        """
        if scale is not None:
            x = x * scale[:, None, None, None]
        x = F.conv2d(x, self.from_image.to(x.dtype))
        for stage in self.stages:
            x = stage(x, scale)
        x = x.float()
        if self.embedding is not None:
            assert c is not None, "this network has conditions"
            x = x * F.linear(c.to(x.dtype), self.embedding)
        return x.sum(1)
