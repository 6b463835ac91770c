"""Pictures <-> fields, and the files that pictures are written to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.fields import Batch, Category, Field
from zerosum.data.pixels import Framing
from zerosum.files import atomic
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.pictures import (
    grid,
    save_stamped,
    sheet_side,
    to_array,
    to_pictures,
)

COLUMNS = 10
"""Pictures in a row of a sheet."""


class ImageCodec(Codec):
    """Pictures of one size, with a class label where the set has classes.

    Attributes:
        framing: How a picture of any kind is brought to the field's size and channels.
        classes: Class names in the order of the labels; empty without labels.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".png", ".npz", "")

    def __init__(self, framing: Framing, classes: Sequence[str] = ()) -> None:
        self.framing, self.classes = framing, tuple(classes)
        fields: dict[str, Field] = {"image": image_field(framing)}
        if self.classes:
            fields["label"] = Category(count=len(self.classes), names=self.classes)
        self.fields = fields

    def encode(self, objects: Sequence[Image.Image]) -> dict[str, Tensor]:
        """Pictures as `image`, uint8 (N, C, H, W), framed as the training pictures were."""
        pixels = np.stack([self.framing(picture) for picture in objects])
        return {"image": torch.from_numpy(pixels)}

    def decode(self, batch: Batch) -> list[Image.Image]:
        """The field `image` as pictures: grey for one channel, RGB for 3, RGBA for 4."""
        return to_pictures(batch["image"])

    def write(self, batch: Batch, path: Path) -> int:
        """A sheet (.png), arrays (.npz: images, labels), or a folder of single pictures."""
        self.check(path)
        images, labels = batch["image"], batch.get("label")
        if path.suffix.lower() == ".npz":
            arrays = {"images": to_array(images)}
            if labels is not None:
                arrays["labels"] = labels.cpu().numpy()
            with atomic(path) as partial:
                np.savez_compressed(partial, allow_pickle=False, **arrays)
        elif path.suffix.lower() == ".png":
            columns = min(len(images), COLUMNS)
            picture = grid(images, columns, side=sheet_side(images, columns), gap=4)
            with atomic(path) as partial:
                save_stamped(picture, partial)
        else:
            self._write_singly(batch, path, 0, len(images))
        return len(images)

    def streams(self, path: Path) -> bool:
        """Whether pictures are written one by one: into a folder."""
        return not path.suffix

    def write_parts(self, parts: Iterable[Batch], n: int, path: Path) -> int:
        """As `write`; a folder's pictures as they come."""
        if not self.streams(path):
            return super().write_parts(parts, n, path)
        self.check(path)
        written = 0
        for part in parts:
            self._write_singly(part, path, written, n)
            written += len(part["image"])
        return written

    def _write_singly(self, batch: Batch, folder: Path, first: int, n: int) -> None:
        """Pictures as files of a folder, the first of them being the `first`-th of n."""
        labels, digits = batch.get("label"), len(str(n - 1))
        for row, picture in enumerate(to_pictures(batch["image"])):
            label = "" if labels is None else f"_class{int(labels[row])}"
            with atomic(folder / f"{first + row:0{digits}d}{label}.png") as partial:
                save_stamped(picture, partial)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        framing = self.framing
        facts = {
            "size": list(framing.size),
            "channels": framing.channels,
            "resize": framing.resize,
            "filter": framing.filter,
            "classes": list(self.classes),
        }
        return facts, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        height, width = facts["size"]
        framing = Framing((height, width), facts["channels"], facts["resize"], facts["filter"])
        return cls(framing, facts["classes"])


def image_field(framing: Framing) -> ImageField:
    """The field of pictures that were framed so."""
    return ImageField(shape=(framing.channels, *framing.size))
