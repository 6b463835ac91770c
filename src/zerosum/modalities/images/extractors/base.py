"""What an extractor is, and what all of them need: sizes, channels, hashes, files of weights."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.metrics.features import Outputs

WEIGHTS_VARIABLE = "ZEROSUM_WEIGHTS"

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


class Extractor(ABC):
    """Turns images into features. Metrics on the features carry its name.

    Attributes:
        name: As in a score's name, such as `fd-cnn-digits`.
        weight_hash: sha256 of the weights, in hexadecimal; empty where there are none.
        filter: How images are brought to the size that it sees, in words.
        classes: Number of its classes, 0 where it has no logits.
        dim: Number of features; None where that depends on the images.
    """

    name: str
    weight_hash: str = ""
    filter: str
    classes: int = 0
    dim: int | None = None

    @abstractmethod
    def outputs(self, images: Tensor) -> Outputs:
        """Features and, where there are classes, logits.

        Args:
            images: Shape (B, C, H, W), in [-1, 1].

        Raises:
            UserError: Images that this extractor cannot take.
        """

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, d) of images (B, C, H, W) in [-1, 1]."""
        return self.outputs(images).features

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Class scores (B, classes) of images (B, C, H, W) in [-1, 1].

        Raises:
            UserError: The extractor has no classes.
        """
        found = self.outputs(images).logits
        if found is None:
            raise UserError(f"{self.name} has no classes: use a classifier such as cnn-digits")
        return found

    def to(self, device: torch.device | str) -> Self:
        """This extractor with its weights on a device; give it images on the same one."""
        return self


class NetworkExtractor(Extractor):
    """An extractor whose work is done by one network, frozen."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(False)

    def to(self, device: torch.device | str) -> Self:
        self.network.to(device)
        return self


def rgb(images: Tensor, name: str) -> Tensor:
    """Images with three channels, grey ones repeated.

    Raises:
        UserError: Neither one nor three channels.
    """
    if images.ndim == 4 and images.shape[1] == 1:
        return images.expand(-1, 3, -1, -1)
    if images.ndim != 4 or images.shape[1] != 3:
        raise UserError(_shape_wanted(images, name))
    return images


def grey(images: Tensor, name: str) -> Tensor:
    """Images with one channel, the luma of coloured ones.

    Raises:
        UserError: Neither one nor three channels.
    """
    if images.ndim == 4 and images.shape[1] == 1:
        return images
    if images.ndim != 4 or images.shape[1] != 3:
        raise UserError(_shape_wanted(images, name))
    return (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def _shape_wanted(images: Tensor, name: str) -> str:
    shape = tuple(images.shape)
    return f"{name} reads grey or RGB images (B, 1 or 3, H, W), not {shape}: drop other channels"


def resized(images: Tensor, side: int, mode: str = "bilinear") -> Tensor:
    """Images (B, C, side, side), with half-pixel centres and antialiased when shrinking.

    Args:
        images: Shape (B, C, H, W); whatever their proportions, they are stretched to a square.
        side: Height and width to reach.
        mode: `bilinear` or `bicubic`; the latter overshoots and so is clipped to [-1, 1].
    """
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode=mode, antialias=True).clamp(-1, 1)


def state_hash(state: Mapping[str, Tensor]) -> str:
    """sha256 over names and bytes of tensors, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def verified(path: Path, sha256: str, name: str) -> Path:
    """The path, once the file there has been found to be the one that was published.

    Raises:
        UserError: It is another file.
    """
    found = file_hash(path)
    if found != sha256:
        raise UserError(
            f"{path} is not the published {name} (sha256 {found[:12]}…, not {sha256[:12]}…): "
            "get it again"
        )
    return path


def find_weights(file: str, others: tuple[Path, ...] = ()) -> Path | None:
    """A file of weights in the folder that ZEROSUM_WEIGHTS names, or in one of the others."""
    named = os.environ.get(WEIGHTS_VARIABLE)
    folders = ([Path(named).expanduser()] if named else []) + list(others)
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def missing_weights(name: str, file: str, source: str) -> UserError:
    """The message for weights that are nowhere, with where to get them and where to put them."""
    return UserError(
        f"{name} needs {file} ({source}): put it in a folder and set {WEIGHTS_VARIABLE} to that "
        "folder, or use another --features"
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """A state dict that torch saved, without running code from the file."""
    return torch.load(path, map_location="cpu", weights_only=True)
