"""Extractors of the user's own: any callable, a TorchScript file, an ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from zerosum.errors import UserError, require
from zerosum.modalities.images.extractors.base import Extractor, Outputs, file_hash

FILTER = "none of ours"


class FunctionExtractor(Extractor):
    """Features from any callable on images, such as a network of one's own."""

    filter = FILTER

    def __init__(
        self, function: Callable[[Tensor], Tensor], name: str, weight_hash: str = ""
    ) -> None:
        """Wrap a callable.

        Args:
            function: Images (B, C, H, W) in [-1, 1] to features (B, ...), which are flattened.
            name: What scores are called by.
            weight_hash: A hash of its weights, so that scores from other weights are told apart.

        Raises:
            UserError: A name that belongs to one of ours.
        """
        if not name or name == "inception-2015":
            raise UserError(f"'{name}' cannot name a function's features: choose another name")
        self.function, self.name, self.weight_hash = function, name, weight_hash

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Outputs:
        features = self.function(images)
        if not isinstance(features, Tensor) or len(features) != len(images):
            raise UserError(
                f"{self.name} must give a tensor with one row for each of {len(images)} images"
            )
        return Outputs(features.flatten(1).float(), None)


class TorchScriptExtractor(FunctionExtractor):
    """`torchscript:FILE`: a network that torch.jit saved."""

    def __init__(self, path: Path) -> None:
        """Load the file.

        Raises:
            UserError: It is not there or no TorchScript.
        """
        _there(path, "torchscript")
        try:
            self.network = torch.jit.load(path, map_location="cpu").eval()
        except RuntimeError as error:
            raise UserError(f"{path} is no TorchScript file: write it with torch.jit.save") from (
                error
            )
        super().__init__(self.network, f"torchscript:{path.name}", file_hash(path))

    def to(self, device: torch.device | str) -> Self:
        self.network.to(device)
        return self


class OnnxExtractor(FunctionExtractor):
    """`onnx:FILE`: the first output of an ONNX network whose one input is a batch of images."""

    def __init__(self, path: Path) -> None:
        """Load the file; it runs on the CPU.

        Raises:
            UserError: It is not there, no ONNX, or onnxruntime is not installed.
        """
        _there(path, "onnx")
        runtime: Any = require("onnxruntime", "export")
        try:
            session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise UserError(f"{path} cannot be read as ONNX: export the network again") from error
        name = session.get_inputs()[0].name

        def run(images: Tensor) -> Tensor:
            found = session.run(None, {name: images.float().cpu().numpy()})[0]
            return torch.from_numpy(found).to(images.device)

        super().__init__(run, f"onnx:{path.name}", file_hash(path))


def _there(path: Path, kind: str) -> None:
    if not path.is_file():
        raise UserError(f"no file {path}: write --features {kind}:FILE with the path of a network")
