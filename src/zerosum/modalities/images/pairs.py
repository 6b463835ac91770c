"""Pairs of pictures: an input and its answer, cropped and mirrored together at each visit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.order import CROP
from zerosum.data.parts import limited
from zerosum.data.pixels import Framing
from zerosum.data.places import GIB
from zerosum.data.source import Mirrored, Source, Split
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.files import atomic
from zerosum.modalities.images.codec import image_field
from zerosum.modalities.images.decoding import (
    BadPictures,
    colourful,
    none_readable,
    settle_framing,
)
from zerosum.modalities.images.named_pairs import find_pairs
from zerosum.modalities.images.pictures import (
    as_large,
    grid,
    save_stamped,
    sheet_side,
    to_array,
    to_pictures,
)
from zerosum.modalities.images.settings import PictureSettings

JITTER = 286 / 256
"""How much pictures are enlarged before they are cropped (Isola et al. 2017, section 6.2)."""
COLUMNS = 4
"""Pairs in a row of a sheet."""
BOTH = ("input", "image")


class PairCodec(Codec):
    """Pairs of pictures of one size <-> the fields `input` and `image`.

    Attributes:
        framings: How a picture is brought to its field's size and channels, by field.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".png", ".npz", "")

    def __init__(self, framings: Mapping[str, Framing]) -> None:
        self.framings = dict(framings)
        self.fields: Mapping[str, Field] = {key: image_field(self.framings[key]) for key in BOTH}

    def encode(
        self, objects: Sequence[Image.Image | tuple[Image.Image, Image.Image]]
    ) -> dict[str, Tensor]:
        """Pairs (input, answer) as both fields, single pictures as `input`; uint8 (N, C, H, W)."""
        pairs = [(one,) if isinstance(one, Image.Image) else one for one in objects]
        return {
            key: torch.from_numpy(np.stack([self.framings[key](picture) for picture in pictures]))
            for key, pictures in zip(BOTH, zip(*pairs, strict=True))
        }

    def decode(self, batch: Batch) -> list[tuple[Image.Image, Image.Image]]:
        """Pairs of pictures."""
        return list(zip(to_pictures(batch["input"]), to_pictures(batch["image"])))

    def write(self, batch: Batch, path: Path) -> int:
        """A sheet of inputs and answers (.png), arrays (.npz), or a folder of answers."""
        self.check(path)
        answers = batch["image"]
        if path.suffix.lower() == ".npz":
            with atomic(path) as partial:
                np.savez_compressed(
                    partial, input=to_array(batch["input"]), image=to_array(answers)
                )
        elif path.suffix.lower() == ".png":
            shown = beside(batch["input"], answers)
            columns = 2 * min(len(answers), COLUMNS)
            sheet = grid(shown, columns, side=sheet_side(shown, columns), gap=4)
            with atomic(path) as partial:
                save_stamped(sheet, partial)
        else:
            digits = len(str(len(answers) - 1))
            for number, picture in enumerate(to_pictures(answers)):
                with atomic(path / f"{number:0{digits}d}.png") as partial:
                    save_stamped(picture, partial)
        return len(answers)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        return {
            key: {
                "size": list(framing.size),
                "channels": framing.channels,
                "resize": framing.resize,
                "filter": framing.filter,
            }
            for key, framing in self.framings.items()
        }, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        framings = {}
        for key in BOTH:
            height, width = facts[key]["size"]
            framings[key] = Framing((height, width), *(facts[key][word] for word in _FRAMED))
        return cls(framings)


_FRAMED = ("channels", "resize", "filter")


def beside(*columns: Tensor) -> Tensor:
    """Pictures (N, C, H, W) of several columns in turn, (N x columns, C, H, W), grey as RGB and
    small ones enlarged."""
    most = max(column.shape[1] for column in columns)
    columns = tuple(as_large(column, columns[-1]) for column in columns)
    wide = [
        column.expand(-1, most, -1, -1) if column.shape[1] == 1 else column for column in columns
    ]
    return torch.stack([column.cpu() for column in wide], dim=1).flatten(0, 1)


class Pairs(PictureSettings):
    """Pairs of pictures: side by side, in two folders, or in two arrays of a file."""

    codec: ClassVar[type[Codec]] = PairCodec

    kind: Literal["pairs"] = "pairs"
    path: str = "digits-edges"
    """Named set (facades, icons:thin-bold, emoji-pairs, digits-edges), folder, .zip, .tar or
    .npz."""
    direction: Literal["AtoB", "BtoA"] = "AtoB"
    """Which picture is the input: A is the left one, that of folder or array A, or `input`."""
    crop: bool = False
    """Enlarge training pairs to 286/256 of the size and crop both at one random place."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and decode the pairs.

        Raises:
            UserError: Nothing is there, a picture has no partner or cannot be read, or sizes
                differ and none was asked for.
        """
        found = find_pairs(self.path, self.memory)
        forth = 1 if self.direction == "AtoB" else -1
        train, held, note = found.parts(self.holdout)
        train = limited(train, self.limit)
        used, bad = np.concatenate([train, held]), BadPictures(self.skip_bad)
        ours = codec if isinstance(codec, PairCodec) else None
        framings, final = {}, dict.fromkeys(BOTH, True)
        for key, side in zip(BOTH, found.sides[::forth]):
            if ours is None:
                framings[key], final[key] = settle_framing(
                    self, self.path, side, used, bad, on_progress
                )
            else:
                framings[key] = ours.framings[key]
        if framings["input"].size != framings["image"].size:
            raise UserError(
                f"{self.path}: inputs and answers differ in size: set data.size=64 (height,width)"
            )
        wanted = {(key, False): framing for key, framing in framings.items()}
        if self.crop:
            wanted |= {(key, True): enlarged(framing) for key, framing in framings.items()}
        self._within_memory(len(used), wanted.values())
        pixels = found.decoded(used, BOTH[::forth], wanted, bad, on_progress)
        for key in BOTH:
            if not final[key] and not colourful(pixels[key, False]):
                framings[key] = _framing(framings[key], framings[key].size, 1)
                pixels |= {which: pixels[which][:, :1] for which in wanted if which[0] == key}
        ours = ours or PairCodec(framings)
        keep = np.array([number not in bad.found for number in used.tolist()], dtype=bool)

        def source(where: slice, word: str, *, crop: bool) -> PairSource:
            good = keep[where].nonzero()[0] + (where.start or 0)
            stacks = [
                {key: torch.from_numpy(pixels[key, large][good]) for key in BOTH}
                for large in (False, True)[: 1 + crop]
            ]
            remarks = dict.fromkeys(line for side in found.sides for line in side.remarks())
            notes = found.notes + tuple(remarks) + bad.notes()
            return PairSource(
                *stacks,
                fields=ours.fields,
                name=f"{found.name}/{word}",
                notes=notes,
                skipped=bad.names(),
            )

        learned: Source = source(slice(0, len(train)), "train", crop=self.crop)
        aside = source(slice(len(train), None), "heldout", crop=False)
        if not len(learned):
            raise none_readable(self.path, len(train), bad.example)
        learned = Mirrored(learned) if self.flip else learned
        return Split(learned, aside if len(aside) else None, note, ours)

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path

    def _within_memory(self, count: int, framings: Iterable[Framing]) -> None:
        """Refuse a set whose pictures, framed in so many ways, do not fit."""
        needed = count * sum(f.channels * f.size[0] * f.size[1] for f in framings) / GIB
        if needed > self.memory:
            raise UserError(
                f"{self.path} takes {needed:.1f} GiB decoded, more than data.memory="
                f"{self.memory:g}: raise it, or lower data.size or data.limit"
            )


class PairSource(Source):
    """Pairs, or pictures of one kind, held in memory.

    Without visits a picture is whole, at its size. A visit of an enlarged pair crops both pictures
    at the same random place. Where a picture is learned by windows, each of its windows side by
    side is one that is whole, and its visit crops one anywhere in the picture.
    """

    def __init__(
        self,
        whole: Mapping[str, Tensor],
        enlarged: Mapping[str, Tensor] | None = None,
        *,
        fields: Mapping[str, Field],
        name: str,
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
        windows: int = 1,
    ) -> None:
        """Keep the pairs.

        Args:
            whole: uint8 (N, C, H, W) by field.
            enlarged: The same, larger; None where nothing is cropped.
            fields: What each is.
            name: Set and part.
            notes: What was decided while reading.
            skipped: Names of unreadable pictures.
            windows: How many of `whole` come of each of `enlarged`, one after another.
        """
        self._windows = windows
        self._whole, self._enlarged = dict(whole), enlarged
        self.fields, self.name, self.notes, self._skipped = fields, name, notes, skipped

    @property
    def skipped(self) -> tuple[str, ...]:
        return self._skipped

    def __len__(self) -> int:
        return len(next(iter(self._whole.values())))

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        rows = torch.as_tensor(indices, dtype=torch.int64)
        if visits is None or self._enlarged is None:
            return {key: value.index_select(0, rows) for key, value in self._whole.items()}
        rows, words = rows // self._windows, visits.words(CROP)
        batch = {}
        for key, value in self._enlarged.items():
            height, width = self._whole[key].shape[2:]
            top = _below(words >> np.uint64(32), value.shape[2] - height + 1)
            left = _below(words & np.uint64(2**32 - 1), value.shape[3] - width + 1)
            # One fancy index takes all windows at once: (B, H, W, C), then channels first.
            down = (top[:, None] + torch.arange(height))[:, :, None]
            across = (left[:, None] + torch.arange(width))[:, None, :]
            batch[key] = value[rows[:, None, None], :, down, across].permute(0, 3, 1, 2)
        return {key: value.contiguous() for key, value in batch.items()}


def _below(words: NDArray[np.uint64], limit: int) -> Tensor:
    """Whole numbers (B,) from 0 to limit - 1 of uniform 32-bit ones."""
    return torch.from_numpy(((words * np.uint64(limit)) >> np.uint64(32)).astype(np.int64))


def _framing(framing: Framing, size: tuple[int, int], channels: int) -> Framing:
    return Framing(size, channels, framing.resize, framing.filter)


def enlarged(framing: Framing) -> Framing:
    """The framing of pictures that are cropped to another one at each visit."""
    height, width = (round(side * JITTER) for side in framing.size)
    return _framing(framing, (height, width), framing.channels)
