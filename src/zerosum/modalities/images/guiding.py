"""Classifiers that guide generators: frozen, and with gradients to the image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.core.frozen import Frozen
from zerosum.errors import UserError
from zerosum.modalities.images.extractors.base import NetworkExtractor, grey, resized, rgb
from zerosum.modalities.images.extractors.classifiers import SmallClassifier
from zerosum.modalities.images.extractors.lite0 import SIDE, Lite0Extractor

GuideName = Literal["", "efficientnet-lite0", "digits", "mnist", "fashion-mnist", "cifar10"]


class Classes(nn.Module):
    """Images (B, C, H, W) in [-1, 1] to logits (B, classes), as the extractor of that name has
    them."""

    def __init__(self, extractor: NetworkExtractor) -> None:
        super().__init__()
        self.network, self.title = extractor.network, extractor.name
        small = extractor.kind if isinstance(extractor, SmallClassifier) else None
        self.grey = small is not None and small.channels == 1
        self.side, self.how = (small.side, "bilinear") if small else (SIDE, "bicubic")
        self.levels = small is None

    def forward(self, images: Tensor) -> Tensor:
        colours = grey if self.grey else rgb
        seen = resized(colours(images, self.title).float(), self.side, self.how)
        if self.levels:
            seen = ((seen + 1) * 127.5 - 127) / 128
        return self.network(seen)[1]


def guide(name: GuideName, classes: int) -> Frozen | None:
    """The classifier of a setting; None for none.

    Args:
        name: `efficientnet-lite0` for ImageNet's classes, or a small set.
        classes: Those that the game is told.

    Raises:
        UserError: It tells other classes, or its weights are not here.
    """
    if not name:
        return None
    extractor = Lite0Extractor() if name == "efficientnet-lite0" else SmallClassifier(name)
    if extractor.classes != classes:
        raise UserError(
            f"model.guide={name} tells {extractor.classes:,} classes apart and the model has "
            f"{classes:,}: leave model.guide empty, or set model.labels=true with data of those"
        )
    with torch.no_grad():
        return Frozen(Classes(extractor), name=extractor.name, hash=extractor.weight_hash)
