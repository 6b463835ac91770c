"""Label maps and photos <-> the fields `input` and `image`, and what is drawn of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.fields import Batch, Field
from zerosum.data.pixels import Framing
from zerosum.errors import UserError
from zerosum.files import atomic
from zerosum.modalities.images.codec import image_field
from zerosum.modalities.images.fields import LabelMap
from zerosum.modalities.images.gallery import BadPictureError
from zerosum.modalities.images.label_classes import Classes, Numbers
from zerosum.modalities.images.pairs import PairCodec
from zerosum.modalities.images.pictures import to_array, to_pictures


class LabelCodec(PairCodec):
    """Label maps and photos of one size <-> the fields `input` (classes) and `image`.

    Attributes:
        framing: How a photo is brought to the field's size and channels; label maps follow it,
            without mixing classes.
        classes: Which class a value of a label map means.
    """

    def __init__(self, framing: Framing, classes: Classes) -> None:
        self.framing, self.classes = framing, classes
        fields: dict[str, Field] = {
            "input": LabelMap(shape=framing.size, count=len(classes)),
            "image": image_field(framing),
        }
        self.fields = fields

    def encode(
        self, objects: Sequence[Image.Image | tuple[Image.Image, Image.Image]]
    ) -> dict[str, Tensor]:
        """Label maps as `input`, uint8 (N, H, W), and the photos of pairs as `image`.

        Raises:
            UserError: A label or a colour that is none of the classes.
        """
        pairs = [(one,) if isinstance(one, Image.Image) else one for one in objects]
        maps, frame = [], label_framing(self.framing)
        for place, pair in enumerate(pairs):
            try:
                maps.append(framed(self.classes.number(pair[0], f"label map {place}"), frame))
            except BadPictureError as error:
                raise UserError(f"{error.name}: {error.reason}") from error
        found = {"input": torch.from_numpy(np.stack(maps))}
        photos = [pair[1] for pair in pairs if len(pair) > 1]
        if photos:
            found["image"] = torch.from_numpy(np.stack([self.framing(one) for one in photos]))
        return found

    def decode(self, batch: Batch) -> list[tuple[Image.Image, Image.Image]]:
        """Pairs of a palette picture, whose numbers are the classes, and a photo."""
        maps = [self.picture(one.cpu().numpy()) for one in batch["input"]]
        return list(zip(maps, to_pictures(batch["image"])))

    def write(self, batch: Batch, path: Path) -> int:
        """A sheet of label maps and answers (.png), arrays (.npz), or a folder of answers."""
        self.check(path)
        if path.suffix.lower() == ".npz":
            with atomic(path) as partial:
                np.savez_compressed(
                    partial,
                    input=batch["input"].cpu().numpy().astype(np.uint8),
                    image=to_array(batch["image"]),
                )
            return len(batch["image"])
        return super().write({**batch, "input": self.coloured(batch["input"])}, path)

    def coloured(self, maps: Tensor) -> Tensor:
        """Label maps (N, H, W) in their colours, (N, 3, H, W) in [-1, 1]."""
        colours = torch.from_numpy(self.classes.colours.astype(np.float32) / 127.5 - 1)
        return colours[maps.long().cpu()].permute(0, 3, 1, 2)

    def picture(self, numbers: np.ndarray) -> Image.Image:
        """Classes (H, W) as a palette picture that can be painted and read again."""
        ids = np.array(self.classes.ids)
        small = int(ids.max()) < 256
        picture = Image.fromarray((ids[numbers] if small else numbers).astype(np.uint8), mode="P")
        palette = np.zeros((256, 3), dtype=np.uint8)
        palette[ids if small else np.arange(len(ids))] = self.classes.colours
        picture.putpalette(palette.tobytes())
        return picture

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        frame = self.framing
        return {
            "size": list(frame.size),
            "channels": frame.channels,
            "resize": frame.resize,
            "filter": frame.filter,
            "classes": self.classes.state(),
        }, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        height, width = facts["size"]
        frame = Framing((height, width), facts["channels"], facts["resize"], facts["filter"])
        return cls(frame, Classes.from_state(facts["classes"]))


def label_framing(framing: Framing) -> Framing:
    """The framing of label maps beside photos of another: nearest neighbours mix no classes."""
    return Framing(framing.size, 1, framing.resize, "nearest")


def framed(numbers: Numbers, framing: Framing) -> Numbers:
    """Classes (H, W) brought to a framing's size, where they are padded with class 0."""
    return framing(Image.fromarray(numbers))[0]


def in_colours(batch: Batch, codec: Codec) -> Batch:
    """A batch with label maps in their colours, for whoever looks at it; others as they are."""
    if not isinstance(codec, LabelCodec) or "input" not in batch:
        return batch
    return {**batch, "input": codec.coloured(batch["input"])}
