"""The Inception network of 2015 that FID, KID and the Inception score are defined by.

Szegedy et al. 2016, "Rethinking the Inception architecture", with what is particular to the
TensorFlow graph of 2015-12-05: average pooling that leaves the padding out of its mean, maximum
pooling in the last block, 1,008 classes, and the resizing of TensorFlow 1. Layers bear the names
of the published PyTorch conversion of its weights, so that it loads strictly.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zerosum.modalities.images.extractors.base import (
    NetworkExtractor,
    Outputs,
    find_weights,
    missing_weights,
    read_state,
    rgb,
    verified,
)

FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SOURCE = "a release file of pytorch-fid, also of torch-fidelity"
SIDE = 299
Pair: TypeAlias = tuple[int, int]

ROW, COLUMN = (1, 7), (7, 1)
PAD_ROW, PAD_COLUMN = (0, 3), (3, 0)


class Conv(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, narrow: int, wide: int, kernel: int | Pair, stride: int = 1, padding: int | Pair = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(narrow, wide, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(wide, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def mean_pool(x: Tensor) -> Tensor:
    """The mean over 3 by 3 pixels, of those inside the image only."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class MixedA(nn.Module):
    """Blocks at 35 by 35."""

    def __init__(self, narrow: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(narrow, 64, 1)
        self.branch5x5_1 = Conv(narrow, 48, 1)
        self.branch5x5_2 = Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Conv(narrow, 64, 1)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, padding=1)
        self.branch_pool = Conv(narrow, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(mean_pool(x))], 1)


class MixedB(nn.Module):
    """From 35 by 35 to 17 by 17."""

    def __init__(self, narrow: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(narrow, 384, 3, stride=2)
        self.branch3x3dbl_1 = Conv(narrow, 64, 1)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class MixedC(nn.Module):
    """Blocks at 17 by 17, with 7 by 7 filters made of rows and columns."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(768, 192, 1)
        self.branch7x7_1 = Conv(768, inner, 1)
        self.branch7x7_2 = Conv(inner, inner, ROW, padding=PAD_ROW)
        self.branch7x7_3 = Conv(inner, 192, COLUMN, padding=PAD_COLUMN)
        self.branch7x7dbl_1 = Conv(768, inner, 1)
        self.branch7x7dbl_2 = Conv(inner, inner, COLUMN, padding=PAD_COLUMN)
        self.branch7x7dbl_3 = Conv(inner, inner, ROW, padding=PAD_ROW)
        self.branch7x7dbl_4 = Conv(inner, inner, COLUMN, padding=PAD_COLUMN)
        self.branch7x7dbl_5 = Conv(inner, 192, ROW, padding=PAD_ROW)
        self.branch_pool = Conv(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(mean_pool(x))], 1)


class MixedD(nn.Module):
    """From 17 by 17 to 8 by 8."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = Conv(768, 192, 1)
        self.branch3x3_2 = Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Conv(768, 192, 1)
        self.branch7x7x3_2 = Conv(192, 192, ROW, padding=PAD_ROW)
        self.branch7x7x3_3 = Conv(192, 192, COLUMN, padding=PAD_COLUMN)
        self.branch7x7x3_4 = Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, 2)], 1)


class MixedE(nn.Module):
    """Blocks at 8 by 8, whose branches end in a row and a column side by side."""

    def __init__(self, narrow: int, *, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum
        self.branch1x1 = Conv(narrow, 320, 1)
        self.branch3x3_1 = Conv(narrow, 384, 1)
        self.branch3x3_2a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Conv(narrow, 448, 1)
        self.branch3x3dbl_2 = Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Conv(narrow, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, 1, 1) if self.maximum else mean_pool(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        parts += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([*parts, self.branch_pool(pooled)], 1)


class Inception2015(nn.Module):
    """The network from resized images to pool3 features and unbiased logits."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b = MixedA(192, 32)
        self.Mixed_5c = MixedA(256, 64)
        self.Mixed_5d = MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b = MixedC(128)
        self.Mixed_6c = MixedC(160)
        self.Mixed_6d = MixedC(160)
        self.Mixed_6e = MixedC(192)
        self.Mixed_7a = MixedD()
        self.Mixed_7b = MixedE(1280, maximum=False)
        self.Mixed_7c = MixedE(2048, maximum=True)
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 2048) and logits (B, 1008) of images (B, 3, 299, 299).

        The images hold (0 … 255 − 128) / 128. The published scores leave the bias of the last
        layer out of the logits.
        """
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_7a(self.Mixed_6e(self.Mixed_6d(x)))
        features = self.Mixed_7c(self.Mixed_7b(x)).mean((2, 3))
        return features, F.linear(features, self.fc.weight)


def tf1_weights(size: int, side: int) -> Tensor:
    """The matrix (side, size) of bilinear resizing in TensorFlow 1 along one axis.

    Pixel i of the result lies at i · size / side of the source: corners are aligned at the left
    alone, and nothing is averaged when shrinking.
    """
    place = torch.arange(side, dtype=torch.float64) * (size / side)
    low = place.floor().long()
    high = (low + 1).clamp(max=size - 1)
    share = (place - low)[:, None]
    pixels = torch.eye(size, dtype=torch.float64)
    return (pixels[low] * (1 - share) + pixels[high] * share).float()


def tf1_resized(images: Tensor, side: int) -> Tensor:
    """Images (B, C, side, side), resized as TensorFlow 1 does without half-pixel centres."""
    height, width = images.shape[-2:]
    down = tf1_weights(height, side).to(images)
    across = tf1_weights(width, side).to(images)
    return down @ images @ across.T


class InceptionExtractor(NetworkExtractor):
    """`inception-2015`: the only one whose scores may be called FID, KID and IS."""

    name = "inception-2015"
    filter = "TensorFlow 1 bilinear to 299x299"
    dim = 2048
    classes = 1008
    weight_hash = SHA256

    def __init__(self) -> None:
        """Load the published weights; no others will do.

        Raises:
            UserError: They are not here, or the file is another one.
        """
        cached = Path(torch.hub.get_dir()) / "checkpoints"
        found = (find_weights(file, (cached,)) for file in FILES)
        path = next((path for path in found if path is not None), None)
        if path is None:
            raise missing_weights(self.name, FILES[0], SOURCE)
        super().__init__(build(read_state(verified(path, SHA256, self.name))))

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Outputs:
        levels = (rgb(images, self.name).float() + 1) * 127.5
        return Outputs(*self.network((tf1_resized(levels, SIDE) - 128) / 128))


def build(state: dict[str, Tensor]) -> Inception2015:
    """The network with the weights of a state dict, every name and shape of which must fit.

    A plain dict lets old files lack the counters of batch normalisation, which do nothing here.
    """
    network = Inception2015()
    network.load_state_dict(dict(state))
    return network
