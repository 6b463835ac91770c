"""Pictures with holes, drawn anew at each visit: what inpainting learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Field
from zerosum.data.parts import SEED
from zerosum.data.pixels import Framing, Pixels
from zerosum.data.source import Mirrored, Source, Split
from zerosum.data.visits import Visits
from zerosum.errors import UserError, nearest
from zerosum.modalities.images.decoding import BadPictures, decoded
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.framed import find_photos, read_framed
from zerosum.modalities.images.masks import MASKS, drawn
from zerosum.modalities.images.named_pairs import find_pictures
from zerosum.modalities.images.pairs import PairCodec
from zerosum.modalities.images.settings import PictureSettings

HOLE = 102
"""What chance is drawn for, beside the purposes of `data.order`."""
GREY = 128
"""Level of a hole."""


class MaskedCodec(PairCodec):
    """Pictures with holes <-> the fields `input`, `mask` (light where the hole is) and `image`."""

    def __init__(self, framings: Mapping[str, Framing]) -> None:
        super().__init__(framings)
        height, width = self.framings["image"].size
        self.fields: Mapping[str, Field] = {
            **self.fields,
            "mask": ImageField(shape=(1, height, width)),
        }

    def encode(self, objects: Sequence[Any]) -> dict[str, Tensor]:
        """Pairs (picture, mask) as `input` and `mask`, uint8; masks are light where holes are."""
        framing = self.framings["image"]
        flat = replace(framing, channels=1, filter="nearest")
        pictures = np.stack([framing(picture) for picture, _ in objects])
        masks = np.stack([flat(mask)[0] > 127 for _, mask in objects])
        return _fields(pictures, masks)


class Masked(PictureSettings):
    """Pictures with holes in them, which are drawn, or taken from a folder of masks."""

    codec: ClassVar[type[Codec]] = MaskedCodec

    kind: Literal["masked"] = "masked"
    path: str = "facades"
    """Named set (facades, whose photos are taken; kodak, samples, digits, cifar10, ...), folder,
    archive or array file."""
    masks: str = "wide"
    """Holes: boxes, strokes, wide (thick strokes or boxes), or a folder of masks, light where the
    hole is."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and decode the pictures, and the masks where there are files of them.

        Raises:
            UserError: Nothing is there, a picture cannot be read, or sizes differ and none was
                asked for.
        """
        ours = codec if isinstance(codec, MaskedCodec) else None
        framing = None if ours is None else ours.framings["image"]
        found = find_photos(self.path, self.memory)
        read = read_framed(self, self.path, found, framing, on_progress)
        if ours is None:
            ours = MaskedCodec({"input": read.framing, "image": read.framing})
        masks, fields = self._masks(read.framing), ours.fields

        def source(pixels: Pixels, word: str) -> MaskedSource:
            return MaskedSource(
                pixels,
                self.masks if masks is None else masks,
                fields=fields,
                name=f"{read.name}/{word}",
                notes=read.notes,
                skipped=read.skipped,
            )

        learned: Source = source(read.train, "train")
        learned = Mirrored(learned) if self.flip else learned
        aside = source(read.heldout, "heldout") if len(read.heldout) else None
        return Split(learned, aside, read.part, ours)

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path

    def _masks(self, framing: Framing) -> NDArray[np.bool_] | None:
        """The masks of a folder (M, H, W); None where they are drawn."""
        if self.masks in MASKS:
            return None
        try:
            pictures, where = find_pictures(self.masks, self.memory)
        except UserError as error:
            raise UserError(f"data.masks: {error}; or {nearest(self.masks, MASKS)}") from error
        flat = replace(framing, channels=1, filter="nearest")
        bad = BadPictures(self.skip_bad)
        read = decoded(pictures, np.arange(len(pictures)), flat, bad, None)[:, 0] > 127
        for number, mask in enumerate(read):
            if number not in bad.found and (mask.all() or not mask.any()):
                what = "nothing but hole" if mask.all() else "no hole"
                raise UserError(
                    f"{where}: {pictures.names[number]} has {what}: masks are light where the "
                    "hole is and dark elsewhere"
                )
        return read[[n for n in range(len(read)) if n not in bad.found]]


class MaskedSource(Source):
    """Pictures in memory, each with a hole that belongs to its visit, or to its number.

    Args:
        pixels: uint8 (N, C, H, W).
        masks: How holes are drawn, or those to choose from (M, H, W).
        fields: What each field is.
        name: Set and part.
        notes: What was decided while reading.
        skipped: Names of unreadable pictures.
    """

    def __init__(
        self,
        pixels: Pixels,
        masks: str | NDArray[np.bool_],
        *,
        fields: Mapping[str, Field],
        name: str,
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self._pixels, self._masks = pixels, masks
        self.fields, self.name, self.notes, self._skipped = fields, name, notes, skipped

    @property
    def skipped(self) -> tuple[str, ...]:
        return self._skipped

    def __len__(self) -> int:
        return len(self._pixels)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        rows = np.asarray(indices, dtype=np.int64)
        visits = visits or Visits(SEED, rows)
        size = (self._pixels.shape[2], self._pixels.shape[3])
        if isinstance(self._masks, str):
            name: Any = self._masks
            masks = np.stack([drawn(name, size, word) for word in visits.words(HOLE).tolist()])
        else:
            masks = self._masks[visits.below(len(self._masks), HOLE)]
        return _fields(self._pixels[rows], masks) | {"image": torch.from_numpy(self._pixels[rows])}


def _fields(pictures: Pixels, masks: NDArray[np.bool_]) -> dict[str, Tensor]:
    """`input` (N, C, H, W) and `mask` (N, 1, H, W) of pictures and their holes (N, H, W)."""
    given = np.where(masks[:, None], np.uint8(GREY), pictures)
    return {
        "input": torch.from_numpy(given),
        "mask": torch.from_numpy(masks[:, None].astype(np.uint8) * 255),
    }
