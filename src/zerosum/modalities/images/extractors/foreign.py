"""Extractors of the user's own: any callable, a TorchScript file, an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from zerosum.errors import UserError, require
from zerosum.modalities.images.extractors.base import Extractor, Outputs, file_hash, grey, rgb

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


class FileExtractor(FunctionExtractor):
    """A network from a file, which may be of any kind: what it cannot do is said in one line."""

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Outputs:
        try:
            found = super().outputs(images)
        except UserError:
            raise
        except Exception as error:  # of the network's own, and of any kind
            last = str(error).strip().splitlines()
            raise UserError(
                f"{self.name} cannot take images of shape {tuple(images.shape)}, float32 in "
                f"[-1, 1]: {last[-1] if last else type(error).__name__}"
            ) from error
        if not found.features.numel() or not bool(found.features.isfinite().all()):
            raise UserError(
                f"{self.name} gives features that are empty, NaN or infinite: it must take "
                "float32 images in [-1, 1]"
            )
        return found


class TorchScriptExtractor(FileExtractor):
    """`torchscript:FILE`: a network that torch.jit saved."""

    def __init__(self, path: Path) -> None:
        """Load the file.

        Raises:
            UserError: It is not there or no TorchScript.
        """
        _there(path, "torchscript")
        try:
            self.network = torch.jit.load(path, map_location="cpu").eval()
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{path} is no TorchScript file: write it with torch.jit.save") from (
                error
            )
        super().__init__(self.network, f"torchscript:{path.name}", file_hash(path))

    def to(self, device: torch.device | str) -> Self:
        self.network.to(device)
        return self


class OnnxExtractor(FileExtractor):
    """`onnx:FILE`: the first output of an ONNX network whose one input is a batch of images.

    Where the file fixes the number of channels, the size or the batch, images are brought to it.
    """

    def __init__(self, path: Path) -> None:
        """Load the file; it runs on the CPU.

        Raises:
            UserError: It is not there, no ONNX, takes no images, or onnxruntime is not installed.
        """
        _there(path, "onnx")
        runtime: Any = require("onnxruntime", "export")
        runtime.set_default_logger_severity(4)  # its own words, beside the one line of ours
        try:
            self._session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise UserError(f"{path} cannot be read as ONNX: export the network again") from error
        self._wants = _wanted(self._session.get_inputs(), path)
        super().__init__(self._run, f"onnx:{path.name}", file_hash(path))
        if self._wants.size is not None:
            self.filter = "antialiased bilinear to {}x{}".format(*self._wants.size)

    def _run(self, images: Tensor) -> Tensor:
        wants = self._wants
        if wants.channels is not None:
            images = (grey if wants.channels == 1 else rgb)(images, self.name)
        if wants.size is not None and images.shape[-2:] != wants.size:
            images = F.interpolate(images, wants.size, mode="bilinear", antialias=True)
            images = images.clamp(-1, 1)
        parts = images.float().cpu().split(wants.batch or len(images))
        rows = [self._rows(part, wants.batch or len(part))[: len(part)] for part in parts]
        return torch.cat(rows).to(images.device)

    def _rows(self, images: Tensor, batch: int) -> Tensor:
        """The first output for a batch, filled up with its last image where it is smaller."""
        missing = batch - len(images)
        full = torch.cat([images, images[-1:].expand(missing, *images.shape[1:])])
        found = torch.from_numpy(self._session.run(None, {self._wants.name: full.numpy()})[0])
        if found.ndim == 0 or len(found) != batch:
            raise UserError(
                f"{self.name} gives {tuple(found.shape)} for a batch of {batch}: its first output "
                "must have one row for each image"
            )
        return found


@dataclass(frozen=True)
class Wanted:
    """What an ONNX file asks of images; None where it takes any."""

    name: str
    batch: int | None
    channels: int | None
    size: tuple[int, int] | None


def _wanted(inputs: Sequence[Any], path: Path) -> Wanted:
    """What the one input of a file asks for.

    Raises:
        UserError: It is no batch of images (B, C, H, W), or there are several inputs.
    """
    shapes = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        raise UserError(f"{path} takes {shapes}: it must take one float32 input (B, C, H, W)")
    batch, channels, height, width = (
        axis if isinstance(axis, int) and axis > 0 else None for axis in inputs[0].shape
    )
    if channels not in (None, 1, 3) or (height is None) != (width is None):
        raise UserError(
            f"{path} takes {shapes}: it must take grey or RGB images with the channels first, "
            "(B, 1 or 3, H, W), of any or of one fixed size"
        )
    size = None if height is None or width is None else (height, width)
    return Wanted(inputs[0].name, batch, channels, size)


def _there(path: Path, kind: str) -> None:
    if not path.is_file():
        raise UserError(f"no file {path}: write --features {kind}:FILE with the path of a network")
