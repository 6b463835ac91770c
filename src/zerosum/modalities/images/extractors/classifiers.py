"""Small classifiers of the small sets, whose weights ship with the package.

`tools/train_feature_cnns.py` makes the weights; seed, data and accuracy are in each file.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.modalities.images.extractors.base import (
    NetworkExtractor,
    Outputs,
    grey,
    resized,
    rgb,
    state_hash,
)

FOLDER: Final = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class SmallSet:
    """What a small classifier sees: channels and the side of its square images."""

    channels: int
    side: int


SETS: Final = {
    "digits": SmallSet(1, 8),
    "mnist": SmallSet(1, 28),
    "fashion-mnist": SmallSet(1, 28),
    "cifar10": SmallSet(3, 32),
}
CLASSES: Final = 10
DIM: Final = 64


class SmallCNN(nn.Module):
    """Three convolutions, each halving the image, and two linear layers.

    Sixty-four features keep the bias of a Fréchet distance small at a few thousand samples.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        # A stride first, where the pixels are many, halves the cost.
        widths = (32, 64, 96)
        layers: list[nn.Module] = [
            nn.Conv2d(channels, widths[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for narrow, wide in pairwise(widths):
            layers += [
                nn.Conv2d(narrow, wide, 3, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.body = nn.Sequential(*layers, nn.Flatten())
        flat = widths[-1] * (side // 8) ** 2
        self.embed = nn.Sequential(
            nn.Linear(flat, DIM, bias=False), nn.BatchNorm1d(DIM), nn.ReLU()
        )
        self.drop = nn.Dropout(0.2)
        self.classify = nn.Linear(DIM, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 64) and logits (B, 10) of images (B, channels, side, side) in [-1, 1]."""
        features = self.embed(self.body(images))
        return features, self.classify(self.drop(features))


class SmallClassifier(NetworkExtractor):
    """`cnn-<set>`: the layer before the classes of a classifier trained on that set."""

    classes = CLASSES
    dim = DIM

    def __init__(self, data: str) -> None:
        """Load the weights for one of `SETS`.

        Raises:
            UserError: The package holds no weights for this set.
        """
        kind, path = SETS[data], weights_file(data)
        if not path.is_file():
            raise UserError(
                f"cnn-{data} has no weights here: make them with "
                f"python tools/train_feature_cnns.py {data}"
            )
        network = SmallCNN(kind.channels, kind.side)
        network.load_state_dict(load_file(path))
        super().__init__(network)
        self.name, self.weight_hash = f"cnn-{data}", state_hash(network.state_dict())
        self.kind = kind
        self.filter = f"antialiased bilinear to {kind.side}x{kind.side} unless of that size"

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Outputs:
        colours = grey if self.kind.channels == 1 else rgb
        seen = resized(colours(images, self.name).float(), self.kind.side)
        return Outputs(*self.network(seen))


def weights_file(data: str) -> Path:
    """Where the weights for a set lie in the package."""
    return FOLDER / f"cnn-{data}.safetensors"


def facts(data: str) -> dict[str, str]:
    """Accuracy, seed and data of a shipped classifier, from its file."""
    with safe_open(weights_file(data), framework="pt") as file:
        return dict(file.metadata())
