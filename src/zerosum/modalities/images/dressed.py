"""Persons, garments and the persons wearing them: what virtual try-on learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.parts import keep_aside, limited
from zerosum.data.pixels import Framing, Pixels, plain
from zerosum.data.places import GIB, locate
from zerosum.data.source import Mirrored, Source, Split, TensorSource
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.files import atomic
from zerosum.modalities.images import bodies
from zerosum.modalities.images.decoding import BadPictures, map_numbers, none_readable
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.figures import BLANK, figure
from zerosum.modalities.images.figures import Dressed as Drawn
from zerosum.modalities.images.gallery import BadPictureError
from zerosum.modalities.images.pairs import PairCodec, beside
from zerosum.modalities.images.pictures import grid, save_stamped, sheet_side
from zerosum.modalities.images.settings import PictureSettings
from zerosum.modalities.images.tryon_sets import Outfit, find_outfits

FIGURES = "figures"
"""Name of the synthetic set."""
COUNT = 2_400
"""Figures in it."""
GIVEN = ("input", "garment", "garment_mask")
"""Fields that try-on is given."""
COLUMNS = 3
"""Triples in a row of a sheet."""
WHITE = 245
"""Level from which on a pixel at the edge of a shop's picture is background."""


class DressedCodec(PairCodec):
    """Outfits <-> the fields `input` (the person, blank where it is dressed), `garment` (flat, on
    white), `garment_mask`, `worn` (where the garment is seen on the person) and `image`.

    Masks are light where the garment is. All pictures have one size.
    """

    def __init__(self, framings: Mapping[str, Framing]) -> None:
        super().__init__(framings)
        height, width = self.framings["image"].size
        mask = ImageField(shape=(1, height, width))
        self.fields: Mapping[str, Field] = {
            **self.fields,
            "garment": self.fields["image"],
            "garment_mask": mask,
            "worn": mask,
        }

    def encode(self, objects: Sequence[Any]) -> dict[str, Tensor]:
        """Pairs (person, garment) as `input`, `garment` and `garment_mask`, uint8.

        Raises:
            UserError: An object is no pair.
        """
        if any(isinstance(one, Image.Image) for one in objects):
            raise UserError(
                "try-on takes a person and a garment: give pairs of pictures, or use  zerosum "
                "tryon"
            )
        framing = self.framings["image"]
        mask = replace(framing, channels=1)
        persons = np.stack([framing(person) for person, _ in objects])
        garments = np.stack([framing(garment) for _, garment in objects])
        masks = np.stack([mask(silhouette(garment)) for _, garment in objects])
        return {
            "input": torch.from_numpy(persons),
            "garment": torch.from_numpy(garments),
            "garment_mask": torch.from_numpy(masks),
        }

    def write(self, batch: Batch, path: Path) -> int:
        """A sheet of persons, garments and answers (.png); else as pairs are written."""
        if path.suffix.lower() != ".png" or "garment" not in batch:
            return super().write(batch, path)
        self.check(path)
        shown = beside(batch["input"], batch["garment"], batch["image"])
        columns = 3 * min(len(batch["image"]), COLUMNS)
        with atomic(path) as partial:
            save_stamped(grid(shown, columns, side=sheet_side(shown, columns), gap=4), partial)
        return len(batch["image"])


def silhouette(garment: Image.Image) -> Image.Image:
    """Where a shop's picture shows the garment, grey, light where it does.

    Its alpha where it has one; else all but the white that reaches the edge of the picture, so
    that white within the garment stays.
    """
    from scipy.ndimage import label

    picture = plain(garment)
    if picture.mode in ("LA", "RGBA"):
        alpha = picture.getchannel("A")
        if alpha.getextrema()[0] != 255:
            return alpha
        picture = picture.convert("RGB")
    white = np.asarray(picture.convert("RGB")).min(axis=2) >= WHITE
    regions, _ = cast(tuple[NDArray[np.int32], int], label(np.pad(white, 1, constant_values=True)))
    outside = (regions == regions[0, 0])[1:-1, 1:-1]
    return Image.fromarray(np.where(outside, 0, 255).astype(np.uint8))


class Dressed(PictureSettings):
    """Persons in garments: the synthetic figures, or a folder laid out as VITON."""

    codec: ClassVar[type[Codec]] = DressedCodec

    kind: Literal["dressed"] = "dressed"
    path: str = FIGURES
    """`figures` (synthetic, drawn by a program) or a folder laid out as VITON: image/, cloth/,
    cloth-mask/, image-parse/, agnostic/, and train_pairs.txt, test_pairs.txt beside them."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and read the outfits.

        Raises:
            UserError: Nothing is there, a file of an outfit is missing or cannot be read, or
                pictures are asked for that are not RGB.
        """
        if self.channels not in (None, 3):
            raise UserError(f"data.channels={self.channels}: garments are RGB, leave it out")
        ours = codec if isinstance(codec, DressedCodec) else None
        if self.path == FIGURES:
            return self._figures(ours)
        return self._viton(ours, on_progress)

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path

    def _codec(self, ours: DressedCodec | None, size: tuple[int, int]) -> DressedCodec:
        framing = Framing(self.size or size, 3, self.resize, self.filter)
        return ours or DressedCodec({"input": framing, "image": framing})

    def _split(self, train: Source, held: Source, note: str, codec: Codec) -> Split:
        learned = Mirrored(train) if self.flip else train
        return Split(learned, held if len(held) else None, note, codec)

    def _figures(self, ours: DressedCodec | None) -> Split:
        ours = self._codec(ours, (bodies.HEIGHT, bodies.WIDTH))
        kept, held, note = keep_aside(COUNT, self.holdout, "figure")
        train, aside = (
            FigureSource(numbers, ours, f"{FIGURES}/{word}")
            for numbers, word in ((limited(kept, self.limit), "train"), (held, "heldout"))
        )
        return self._split(train, aside, note, ours)

    def _viton(self, ours: DressedCodec | None, on_progress: OnProgress | None) -> Split:
        found = find_outfits(locate(self.path, (FIGURES,)))
        train, held, note = found.parts(self.holdout)
        train = limited(train, self.limit)
        used = np.concatenate([train, held])
        ours = self._codec(ours, found.outfits[int(used[0])].size())
        framing, bad = ours.framings["image"], BadPictures(self.skip_bad)
        needed = len(used) * 11 * framing.size[0] * framing.size[1] / GIB  # channels of an outfit
        if needed > self.memory:
            raise UserError(
                f"{self.path} takes {needed:.1f} GiB decoded, more than data.memory="
                f"{self.memory:g}: raise it, or lower data.size or data.limit"
            )

        def read(number: int) -> dict[str, Pixels] | None:
            try:
                return _outfit(found.outfits[number], framing)
            except BadPictureError as error:
                bad.add(number, error)
                return None

        rows = [row for _, row in map_numbers(read, used, on_progress)]

        def source(where: slice, word: str) -> TensorSource:
            good = [row for row in rows[where] if row is not None]
            if word == "train" and not good:
                raise none_readable(self.path, len(train), bad.example)
            keys = good[0] if good else ours.fields
            shape = {name: field.shape for name, field in ours.fields.items()}
            tensors = {
                key: torch.from_numpy(np.stack([row[key] for row in good]))
                if good
                else torch.zeros((0, *shape[key]), dtype=torch.uint8)  # type: ignore[arg-type]
                for key in keys
            }
            return TensorSource(
                tensors,
                ours.fields,
                name=f"{found.name}/{word}",
                notes=(*found.notes, *bad.notes()),
                skipped=bad.names(),
            )

        learned, aside = (
            source(slice(0, len(train)), "train"),
            source(slice(len(train), None), "heldout"),
        )
        return self._split(learned, aside, note, ours)


def pasted(given: Batch) -> Tensor:
    """Garments laid unbent over persons, (N, C, H, W) in [-1, 1]: what needs no learning.

    A garment is stretched so that the box of its trunk is that of what is blank in the person, and
    laid where its mask is. A trunk is as wide as the columns that are at least half as full as the
    fullest, so that neither arms nor sleeves count.

    Args:
        given: Finished `input`, `garment` and `garment_mask`.
    """
    answers = []
    for person, garment, mask in zip(*(given[key].cpu() for key in GIVEN)):
        share = (mask + 1) / 2
        top, left, bottom, right = _trunk_box(share[0] > 0.5)
        to = _trunk_box(((person - (BLANK / 127.5 - 1)).abs() < 0.05).all(0))
        height, width = person.shape[1:]
        rows = (torch.arange(height) + 0.5 - to[0]) * (bottom - top) / (to[2] - to[0]) + top
        columns = (torch.arange(width) + 0.5 - to[1]) * (right - left) / (to[3] - to[1]) + left
        y, x = torch.meshgrid(rows / height * 2 - 1, columns / width * 2 - 1, indexing="ij")
        both = torch.cat([garment, share])[None]
        laid = grid_sample(both, torch.stack([x, y], -1)[None].float(), align_corners=False)[0]
        covers = laid[-1:]
        answers.append(covers * laid[:-1] + (1 - covers) * person)
    return torch.stack(answers)


def _trunk_box(region: Tensor) -> tuple[float, float, float, float]:
    """(top, left, bottom, right) of what is widest of a region (H, W); all of an empty one."""
    if not bool(region.any()):
        return 0.0, 0.0, float(region.shape[0]), float(region.shape[1])
    full = region.sum(0)
    across = (full * 2 >= full.max()).nonzero().flatten()
    down = region.any(1).nonzero().flatten()
    return float(down[0]), float(across[0]), float(down[-1]) + 1, float(across[-1]) + 1


class FigureSource(Source):
    """Synthetic figures, each drawn when it is first asked for, then kept.

    Args:
        numbers: Which figures.
        codec: Brings them to their size.
        name: Set and part.
    """

    notes = ("synthetic figures, drawn by a program: of no person and no garment of a shop",)

    def __init__(self, numbers: NDArray[np.int64], codec: DressedCodec, name: str) -> None:
        self._numbers, self._framing = numbers, codec.framings["image"]
        self.fields, self.name = codec.fields, name

    def __len__(self) -> int:
        return len(self._numbers)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        drawn = [self._sized(figure(int(self._numbers[index]))) for index in indices]
        names = {"input": "person", "image": "image"}
        return {
            key: torch.from_numpy(np.stack([getattr(one, names.get(key, key)) for one in drawn]))
            for key in self.fields
        }

    def _sized(self, drawn: Drawn) -> Drawn:
        if self._framing.size == drawn.image.shape[1:]:
            return drawn
        framed = []
        for pixels in drawn:
            framing = replace(self._framing, channels=len(pixels))
            bands = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
            framed.append(framing(Image.fromarray(bands)))
        return Drawn(*framed)


def _outfit(outfit: Outfit, framing: Framing) -> dict[str, Pixels]:
    """All fields of an outfit of a folder, uint8 (C, H, W).

    Raises:
        BadPictureError: A file cannot be read.
        UserError: The label picture is none.
    """
    image, garment = framing(outfit.opened("image")), outfit.opened("cloth")
    mask = outfit.opened("mask") if outfit.mask else silhouette(garment)
    labels = replace(framing, channels=1, filter="nearest")
    worn, hidden = (labels(Image.fromarray(one)) for one in outfit.regions())
    if outfit.agnostic:
        person = framing(outfit.opened("agnostic"))
    else:
        person = np.where(coarse(hidden[0] > 127)[None], np.uint8(BLANK), image)
    return {
        "input": person,
        "garment": framing(garment),
        "garment_mask": replace(framing, channels=1)(mask),
        "worn": worn,
        "image": image,
    }


CELLS = 16
"""Into so many cells of rows a hidden region is coarsened, so that no cut of a garment shows."""


def coarse(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A region (H, W) grown to whole cells of a sixteenth of the height."""
    height, width = region.shape
    side = max(1, height // CELLS)
    padded = np.pad(region, ((0, -height % side), (0, -width % side)))
    cells = padded.reshape(padded.shape[0] // side, side, -1, side).any(axis=(1, 3))
    return cells.repeat(side, 0).repeat(side, 1)[:height, :width]
