"""What a classifier's layers say of pictures, for losses that compare pictures as people do.

Johnson, Alahi and Fei-Fei 2016, arXiv:1603.08155, take VGG; here it is EfficientNet-Lite0, whose
weights a laptop can have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu6

from zerosum.core.frozen import Frozen
from zerosum.errors import UserError
from zerosum.modalities.images.extractors.base import (
    WEIGHTS_VARIABLE,
    find_weights,
    missing_weights,
    read_state,
    rgb,
    verified,
)
from zerosum.modalities.images.extractors.lite0 import (
    FILE,
    SHA256,
    SOURCE,
    EfficientNetLite0,
    available,
)

NAME = "efficientnet-lite0"
SCALES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""Weights of the five layers, from the finest on, as pix2pixHD and SPADE have them for VGG-19."""

PerceptualName = Literal["efficientnet-lite0", "none"]


class PerceptualLayers(nn.Module):
    """Pictures (B, 1 or 3, H, W) in [-1, 1], of any size, to maps at five scales.

    The last block of each size, from 1/2 to 1/32 of the picture: 16, 24, 40, 112 and 320 maps.
    """

    taken: ClassVar[tuple[int, ...]] = (0, 2, 4, 10, 15)
    """Numbers of those blocks."""

    def __init__(self) -> None:
        """Load the published weights.

        Raises:
            UserError: They are not here, or the file is another one.
        """
        super().__init__()
        path = find_weights(FILE)
        if path is None:
            raise missing_weights(NAME, FILE, SOURCE)
        self.network = EfficientNetLite0()
        self.network.load_state_dict(read_state(verified(path, SHA256, NAME)))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        levels = (rgb(pictures, NAME) + 1) * 127.5
        network = self.network
        maps = relu6(network._bn0(network._conv_stem((levels - 127) / 128)))
        found = []
        for number, block in enumerate(network._blocks):
            maps = block(maps)
            if number in self.taken:
                found.append(maps)
        return found


def perceptual_network(name: PerceptualName) -> Frozen | None:
    """The network of a setting; None for none.

    Raises:
        UserError: Its weights are not here; the message says how to go on without.
    """
    if name == "none":
        return None
    if not available():
        raise UserError(
            f"{NAME} needs {FILE} ({SOURCE}): put it in a folder and set {WEIGHTS_VARIABLE} to "
            "that folder, or train without with model.features=none"
        )
    return Frozen(PerceptualLayers(), name=NAME, hash=SHA256)


def perceptual_loss(
    made: Sequence[Tensor], wanted: Sequence[Tensor], weights: Sequence[float] | None = None
) -> Tensor:
    """The distance of a classifier's layers, a scalar: for each the mean absolute difference as a
    share of the mean size of what is wanted, then the mean over layers, or their weighted sum.

    Of VGG's layers such a difference is taken as it is; these differ a hundredfold in size.

    Args:
        made: Maps (B, c, h, w) of each layer, of answers.
        wanted: The same of true answers.
        weights: Of the layers, such as `SCALES`; the mean is taken without.
    """
    shares = [
        (a - b.detach()).abs().mean() / b.detach().abs().mean() for a, b in zip(made, wanted)
    ]
    if weights is None:
        return torch.stack(shares).mean()
    return torch.stack([w * share for w, share in zip(weights, shares, strict=True)]).sum()


@torch.no_grad()
def perceptual_distances(real: Tensor, fake: Tensor) -> Tensor:
    """How differently a classifier sees each picture and its answer, (N,), 0 for equal ones.

    As LPIPS (Zhang et al. 2018, arXiv:1801.03924, eq. 1) with all weights 1: the maps of a layer
    are brought to length 1 at each place, and the squared differences are summed over maps and
    averaged over places; here also averaged over the layers. No judgement of people is in it, so
    its values are not those of LPIPS.

    Args:
        real: True answers (N, C, H, W) in [-1, 1].
        fake: Answers to the same inputs in the same order.

    Raises:
        UserError: The weights are not here.
    """
    network = PerceptualLayers().eval().to(real.device)
    found = []
    for a, b in zip(real.float().split(16), fake.float().to(real.device).split(16)):
        layers = [
            (normalize(x, dim=1) - normalize(y, dim=1)).square().sum(1).mean((1, 2))
            for x, y in zip(network(a), network(b))
        ]
        found.append(torch.stack(layers).mean(0))
    return torch.cat(found)
