"""Extractors: from images to the features and logits that metrics compare.

Only scores on `inception-2015` may be called FID, KID and IS; all others carry their extractor's
name, such as `fd-cnn-digits`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from zerosum.errors import UserError, nearest
from zerosum.modalities.images.extractors import lite0
from zerosum.modalities.images.extractors.base import Extractor, NetworkExtractor, Outputs
from zerosum.modalities.images.extractors.classifiers import SETS, SmallClassifier
from zerosum.modalities.images.extractors.foreign import (
    FunctionExtractor,
    OnnxExtractor,
    TorchScriptExtractor,
)
from zerosum.modalities.images.extractors.huggingface import KINDS, HubExtractor
from zerosum.modalities.images.extractors.inception import InceptionExtractor
from zerosum.modalities.images.extractors.simple import Pixels, RandomConv

__all__ = [
    "NAMES",
    "Extractor",
    "FunctionExtractor",
    "HubExtractor",
    "NetworkExtractor",
    "Outputs",
    "extractor",
    "lite0_available",
]

NAMES = (
    "pixels",
    "random-conv",
    *(f"cnn-{data}" for data in SETS),
    "efficientnet-lite0",
    *KINDS,
    "inception-2015",
)
"""What `extractor` knows, beside `onnx:FILE`, `torchscript:FILE` and `KIND:FOLDER`."""
GROUP = "zerosum.extractors"
"""Entry points of outside packages: a kind, and what makes an `Extractor` of the text after it."""

lite0_available = lite0.available


def extractor(name: str) -> Extractor:
    """The extractor of a name, on the CPU.

    Args:
        name: One of `NAMES`, or `onnx:FILE` or `torchscript:FILE`; `dinov2` and `clip` may be
            followed by a colon and a folder or a repository of the hub.

    Raises:
        UserError: There is none of that name (with the nearest ones), or its weights are missing
            or are other ones than published.
    """
    kind, colon, file = name.partition(":")
    if colon and kind == "onnx":
        return OnnxExtractor(Path(file).expanduser())
    if colon and kind == "torchscript":
        return TorchScriptExtractor(Path(file).expanduser())
    if kind in KINDS and bool(colon) == bool(file):
        return HubExtractor(kind, file)
    match name:
        case "pixels":
            return Pixels()
        case "random-conv":
            return RandomConv()
        case "efficientnet-lite0":
            return lite0.Lite0Extractor()
        case "inception-2015":
            return InceptionExtractor()
    for point in entry_points(group=GROUP):
        if point.name == kind:
            return point.load()(file)
    data = name.removeprefix("cnn-")
    if name.startswith("cnn-") and data in SETS:
        return SmallClassifier(data)
    known = [*NAMES, "onnx:FILE", "torchscript:FILE", *(f"{kind}:FOLDER" for kind in KINDS)]
    raise UserError(f"there is no extractor '{name}': {nearest(name, known)}")
