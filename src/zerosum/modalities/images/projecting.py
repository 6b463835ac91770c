"""Networks whose features discriminators judge (Sauer et al. 2021, arXiv:2111.01007)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.modalities.images.extractors.base import WEIGHTS_VARIABLE
from zerosum.modalities.images.extractors.lite0 import FILE, SOURCE, available
from zerosum.modalities.images.perceptual import perceptual_network
from zerosum.nets.projected import RandomPyramid

FeaturesName = Literal["efficientnet-lite0", "random"]


def feature_network(name: FeaturesName, channels: int) -> nn.Module:
    """The network whose features are judged.

    Raises:
        UserError: Its weights are not here, or it cannot read images of so many channels.
    """
    if channels not in (1, 3):
        raise UserError(
            "the network whose features are judged reads grey or RGB images, not "
            f"{channels} channels: set data.channels=3"
        )
    if name == "random":
        return RandomPyramid()
    if not available():
        raise UserError(
            f"{name} needs {FILE} ({SOURCE}): put it in a folder and set {WEIGHTS_VARIABLE} to "
            "that folder, or judge by a network of random weights with model.features=random"
        )
    found = perceptual_network(name)
    assert found is not None
    return Coarser(found)


class Coarser(nn.Module):
    """The maps of a network from its second scale on."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 1 or 3, H, W) to maps of strides 4, 8, 16 and 32."""
        return self.network(images)[1:]
