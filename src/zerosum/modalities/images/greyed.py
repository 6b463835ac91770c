"""Colour pictures and their lightness: what colouring learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Batch
from zerosum.data.pixels import Framing, Pixels
from zerosum.data.source import Mirrored, Source, Split
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.arrays import ArrayPictures
from zerosum.modalities.images.decoding import colourful
from zerosum.modalities.images.degraded_sets import SharpSet
from zerosum.modalities.images.fields import Lightness
from zerosum.modalities.images.framed import find_photos, read_framed
from zerosum.modalities.images.lab import greys, joined, parted
from zerosum.modalities.images.pairs import PairCodec
from zerosum.modalities.images.settings import PictureSettings

SQUARES = "samples-squares"
"""The set that is cut from the two photographs that come with scikit-learn."""
SQUARE = 32
"""Side of its pictures in pixels."""
FLAT = 8
"""Standard deviation of bytes below which a square is left out, as those of the sky are."""
CHUNK = 64
"""Pictures whose colours are looked at together."""


class GreyedCodec(PairCodec):
    """Pictures <-> the fields `input`, their lightness (1, H, W), and `image`, RGB.

    The lightness is kept as float32: bytes would merge dark greys. See `lab.parted`.
    """

    def __init__(self, framing: Framing) -> None:
        super().__init__({"input": framing, "image": framing})
        self.fields = {**self.fields, "input": Lightness(shape=(1, *framing.size))}

    @property
    def framing(self) -> Framing:
        return self.framings["image"]

    def encode(
        self, objects: Sequence[Image.Image | tuple[Image.Image, Image.Image]]
    ) -> dict[str, Tensor]:
        """Pictures as `input`; pairs (grey, coloured) also as `image`, uint8 (N, 3, H, W)."""
        pairs = [(one,) if isinstance(one, Image.Image) else one for one in objects]
        given, *answers = (
            torch.from_numpy(np.stack([self.framing(picture) for picture in side]))
            for side in zip(*pairs, strict=True)
        )
        return {"input": lightness(given)} | ({"image": answers[0]} if answers else {})

    def decode(self, batch: Batch) -> list[tuple[Image.Image, Image.Image]]:
        """Pairs of a grey picture of that lightness and a coloured one."""
        return super().decode(shown(batch))

    def write(self, batch: Batch, path: Path) -> int:
        """A sheet of grey and coloured pictures (.png), arrays (.npz), or a folder of coloured
        ones."""
        return super().write(shown(batch), path)

    @classmethod
    def from_state(cls, facts: Any, tensors: Any) -> Self:
        return cls(PairCodec.from_state(facts, tensors).framings["image"])


class Greyed(PictureSettings):
    """Colour pictures, of which a model is given the lightness alone."""

    codec: ClassVar[type[Codec]] = GreyedCodec

    kind: Literal["greyed"] = "greyed"
    path: str = "facades"
    """Named set (facades, whose photos are taken; kodak, samples, cifar10, samples-squares: 474
    squares of 32 pixels cut from two photographs, ...), folder, archive or array file."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and decode the pictures.

        Raises:
            UserError: Nothing is there, a picture cannot be read, all are grey, or sizes differ
                and none was asked for.
        """
        if self.channels not in (None, 3):
            raise UserError(f"data.channels={self.channels}: colours are learned as RGB: leave it")
        found = squares() if self.path == SQUARES else find_photos(self.path, self.memory)
        framing = codec.framing if isinstance(codec, GreyedCodec) else None
        asked = self.model_copy(update={"channels": 3})
        read = read_framed(asked, self.path, found, framing, on_progress)
        if not colourful(read.train):
            raise UserError(
                f"{self.path}: all pictures are grey, and colours are learned from pictures that "
                "have them: give others"
            )
        ours = codec if isinstance(codec, GreyedCodec) else GreyedCodec(read.framing)

        def source(pixels: Pixels, word: str) -> GreyedSource:
            return GreyedSource(pixels, ours, f"{read.name}/{word}", read.notes, read.skipped)

        learned: Source = source(read.train, "train")
        aside = source(read.heldout, "heldout")
        learned = Mirrored(learned) if self.flip else learned
        return Split(learned, aside if len(aside) else None, read.part, ours)

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path


class GreyedSource(Source):
    """Colour pictures in memory with their lightness.

    Args:
        pixels: uint8 (N, 3, H, W).
        codec: Says what each field is.
        name: Set and part.
        notes: What was decided while reading.
        skipped: Names of unreadable pictures.
    """

    def __init__(
        self,
        pixels: Pixels,
        codec: GreyedCodec,
        name: str,
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self._pixels, self._skipped = pixels, skipped
        self.fields, self.name, self.notes = codec.fields, name, notes

    @property
    def skipped(self) -> tuple[str, ...]:
        return self._skipped

    def __len__(self) -> int:
        return len(self._pixels)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        pictures = torch.from_numpy(self._pixels[np.asarray(indices, dtype=np.int64)])
        return {"input": lightness(pictures), "image": pictures}


def lightness(pixels: Tensor) -> Tensor:
    """The lightness (N, 1, H, W) in [-1, 1] of uint8 pictures (N, 3, H, W)."""
    return parted(pixels.float() / 127.5 - 1)[0]


def shown(batch: Batch) -> Batch:
    """A batch whose inputs are grey pictures for people in place of a lightness."""
    return {**batch, "input": greys(batch["input"])} if "input" in batch else batch


def without_learning(train: Tensor, given: Tensor) -> dict[str, Tensor]:
    """Answers (N, 3, H, W) of methods that learn nothing, by name: no colour at all, and the
    mean colour of training pictures everywhere.

    Args:
        train: Finished training pictures (M, 3, H, W).
        given: Lightness of what is to be coloured, (N, 1, H, W).
    """
    parts = [parted(some)[1].mean((0, 2, 3)) * len(some) for some in train.split(CHUNK)]
    mean = torch.stack(parts).sum(0) / len(train)
    flat = torch.zeros_like(given).expand(-1, 2, -1, -1)
    return {
        "grey": joined(given, flat),
        "mean colour": joined(given, flat + mean[None, :, None, None]),
    }


def squares() -> SharpSet:
    """The two photographs that come with scikit-learn in squares; the second is held out."""
    from sklearn.datasets import load_sample_images

    found = []
    for photo in load_sample_images().images:
        rows, columns = (side // SQUARE for side in photo.shape[:2])
        cut = photo[: rows * SQUARE, : columns * SQUARE]
        cut = cut.reshape(rows, SQUARE, columns, SQUARE, 3).swapaxes(1, 2)
        cut = cut.reshape(-1, SQUARE, SQUARE, 3)
        found.append(cut[cut.std((1, 2, 3)) >= FLAT])
    count, total = len(found[0]), sum(map(len, found))
    pictures = ArrayPictures(np.concatenate(found), name=SQUARES)
    return SharpSet(SQUARES, pictures, None, range(count), range(count, total), "second picture")
