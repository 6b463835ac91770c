"""Sharp pictures, and small ones made of them anew at each visit: what super-resolution learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import field_validator, model_validator
from torch import Tensor

from zerosum.config import Count
from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.order import CROP
from zerosum.data.parts import SEED, limited
from zerosum.data.pixels import GREY_MODES, Framing, Pixels
from zerosum.data.places import GIB
from zerosum.data.source import Mirrored, Source, Split
from zerosum.data.spec import DataSpec
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.decoding import BadPictures, map_numbers, none_readable
from zerosum.modalities.images.degradations import bicubic, second_order
from zerosum.modalities.images.degraded_sets import SharpSet, find_sharp
from zerosum.modalities.images.gallery import BadPictureError, Pictures
from zerosum.modalities.images.pairs import PairCodec
from zerosum.modalities.images.settings import PictureSettings

DEGRADE = 101
"""What chance is drawn for, beside the purposes of `data.order`."""

Numbers = NDArray[np.int64]


class Degraded(PictureSettings):
    """Sharp pictures, each with a small one made of it, or with its own counterpart.

    Training crops lie anywhere. Held-out pictures are cut into crops side by side, around their
    centre, and no picture gives crops to both parts.
    """

    codec: ClassVar[type[Codec]] = PairCodec

    kind: Literal["degraded"] = "degraded"
    path: str = "kodak"
    """Named set (kodak, samples), folder or archive of sharp pictures of any sizes; or one with
    their counterparts, in folders such as HR and LR."""
    scale: Literal[2, 3, 4] = 4
    """How many times smaller an input is, each way."""
    crop: Count = 96
    """Side in pixels of the sharp crops that are learned and scored; a multiple of the scale."""
    degradation: Literal["bicubic", "second-order"] = "bicubic"
    """How inputs are made: reduced, or blurred, noised and compressed twice over."""

    @field_validator("size")
    @classmethod
    def _as_stored(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None:
            raise ValueError(
                "pictures that are degraded are cropped, not resized: set data.crop, and leave "
                "data.size out"
            )
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.crop % self.scale:
            near = max(1, round(self.crop / self.scale)) * self.scale
            raise ValueError(
                f"data.crop={self.crop} is no multiple of data.scale={self.scale}: take {near}"
            )
        if self.channels == 4:
            raise ValueError("transparency is not learned: set data.channels=3, or leave it out")
        return self

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Find, check and, where they fit, decode the pictures.

        Raises:
            UserError: Nothing is there, a picture cannot be read or is smaller than a crop, or a
                pair's sizes do not fit; the message names it.
        """
        found = find_sharp(self.path, self.scale, self.memory)
        train, held, note = found.parts(self.holdout)
        train, bad = limited(train, self.limit), BadPictures(self.skip_bad)
        used = np.concatenate([train, held])
        sizes, grey = self._probed(found, used, bad, on_progress)
        if isinstance(codec, PairCodec):
            ours = codec
        else:
            channels = self.channels or (1 if grey else 3)
            ours = PairCodec(
                {
                    "input": self._framing(self.crop // self.scale, channels),
                    "image": self._framing(self.crop, channels),
                }
            )
        channels = ours.framings["image"].channels
        bytes_needed = channels * sum(h * w for h, w in sizes.values()) * (1 + self.scale**-2)
        fits = bytes_needed <= self.memory * GIB
        store = _Store(found, channels, self.scale, self._made)
        if fits:
            store.read(list(sizes), bad, on_progress)
        notes = (*found.notes, *found.high.remarks(), *bad.notes())

        def source(numbers: Numbers, word: str) -> DegradedSource:
            good = {n: sizes[n] for n in numbers.tolist() if n in sizes and n not in bad.found}
            return DegradedSource(
                store,
                good,
                ours,
                scale=self.scale,
                second=self.degradation == "second-order" and found.low is None,
                name=f"{found.name}/{word}",
                notes=notes,
                skipped=bad.names(),
            )

        learned: Source = source(train, "train")
        aside = source(held, "heldout")
        if not len(learned):
            raise none_readable(self.path, len(train), bad.example)
        learned = Mirrored(learned) if self.flip else learned
        if len(aside):
            note += f", in {len(aside):,} crops"
        return Split(learned, aside if len(aside) else None, note, ours)

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    @property
    def title(self) -> str:
        return self.path

    @property
    def prepared(self) -> str:
        return f"crops of {self.crop}x{self.crop}, {self.degradation} x{self.scale}"

    @property
    def _made(self) -> bool:
        """Whether an input is a piece of one small picture, which is made once."""
        return self.degradation == "bicubic"

    def _framing(self, side: int, channels: int) -> Framing:
        return Framing((side, side), channels, self.resize, self.filter)

    def _probed(
        self, found: SharpSet, used: Numbers, bad: BadPictures, on_progress: OnProgress | None
    ) -> tuple[dict[int, tuple[int, int]], bool]:
        """(height, width) by number of the readable pictures, and whether all are grey."""

        def probe(
            number: int,
        ) -> tuple[tuple[int, int], str, tuple[int, int] | None] | BadPictureError:
            try:
                size, mode = found.high.probe(number)
                return size, mode, None if found.low is None else found.low.probe(number)[0]
            except BadPictureError as error:
                return error

        sizes, grey = {}, True
        for number, one in map_numbers(probe, used, on_progress):
            if isinstance(one, BadPictureError):
                bad.add(number, one)
                continue
            size, mode, small = one
            name = found.high.names[number]
            if small is not None and size != (small[0] * self.scale, small[1] * self.scale):
                assert found.low is not None
                raise UserError(
                    f"{self.path}: {name} is {size[0]}x{size[1]} and {found.low.names[number]} is "
                    f"{small[0]}x{small[1]}, not {self.scale} times smaller: set data.scale, or "
                    "make the pair anew"
                )
            if min(size) < self.crop:
                raise UserError(
                    f"{self.path}: {name} is {size[0]}x{size[1]}, smaller than data.crop="
                    f"{self.crop}: lower it, or take the picture away"
                )
            sizes[number], grey = size, grey and mode in GREY_MODES
        return sizes, grey


class _Store:
    """Sharp pictures and small ones by number, decoded once where they fit, else when asked for.

    Args:
        found: The set.
        channels: 1 or 3.
        scale: How many times smaller the small ones are.
        makes: Whether small ones are made where the set brings none.
    """

    def __init__(self, found: SharpSet, channels: int, scale: int, makes: bool) -> None:
        self._found, self._channels, self._scale, self._makes = found, channels, scale, makes
        self._held: dict[int, tuple[Pixels, Pixels | None]] = {}

    @property
    def whole(self) -> bool:
        return bool(self._held)

    def read(
        self, numbers: Sequence[int], bad: BadPictures, on_progress: OnProgress | None
    ) -> None:
        """Decode pictures now, and keep them."""

        def work(number: int) -> tuple[Pixels, Pixels | None] | BadPictureError:
            try:
                return self._decoded(number)
            except BadPictureError as error:
                return error

        for number, pair in map_numbers(work, np.asarray(numbers), on_progress):
            if isinstance(pair, BadPictureError):
                bad.add(number, pair)
            else:
                self._held[number] = pair

    def __call__(self, number: int) -> tuple[Pixels, Pixels | None]:
        """A sharp picture (C, H, W) and its small one (C, H / scale, W / scale), uint8; None where
        that is made of each crop."""
        held = self._held.get(number)
        if held is not None:
            return held
        try:
            return self._decoded(number)
        except BadPictureError as error:
            raise UserError(f"{error.name} cannot be read ({error.reason})") from error

    def _decoded(self, number: int) -> tuple[Pixels, Pixels | None]:
        high = _pixels(self._found.high, number, self._channels)
        if self._found.low is not None:
            return high, _pixels(self._found.low, number, self._channels)
        height, width = (side // self._scale for side in high.shape[1:])
        high = np.ascontiguousarray(high[:, : height * self._scale, : width * self._scale])
        return high, bicubic(high, (height, width)) if self._makes else None


def _pixels(pictures: Pictures, number: int, channels: int) -> Pixels:
    """A whole picture, uint8 (channels, H, W)."""
    picture = pictures.image(number)
    return Framing((picture.height, picture.width), channels)(picture)


@dataclass(frozen=True)
class _Window:
    """A crop: which picture, and its first row and column in pixels of the input."""

    picture: int
    top: int
    left: int


class DegradedSource(Source):
    """Crops of pictures. Without visits crop i is a fixed one; a visit takes any of its picture.

    Args:
        store: Where pictures are.
        sizes: (height, width) by number of the pictures that are used.
        codec: Whose framings say how large crops are.
        scale: How many times smaller inputs are.
        second: Whether inputs are degraded twice over.
        name: Set and part.
        notes: What was decided while reading.
        skipped: Names of unreadable pictures.
    """

    def __init__(
        self,
        store: _Store,
        sizes: dict[int, tuple[int, int]],
        codec: PairCodec,
        *,
        scale: int,
        second: bool,
        name: str,
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self._store, self._scale, self._second = store, scale, second
        self._side = codec.framings["input"].size[0]
        self._sizes = {n: (h // scale, w // scale) for n, (h, w) in sizes.items()}
        self._windows = list(_windows(self._sizes, self._side))
        self.fields, self.name, self.notes, self._skipped = codec.fields, name, notes, skipped
        self.in_memory = store.whole or not sizes

    @property
    def skipped(self) -> tuple[str, ...]:
        return self._skipped

    def __len__(self) -> int:
        return len(self._windows)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        windows = [self._windows[number] for number in indices]
        if visits is None:
            words = Visits(SEED, np.asarray(indices, dtype=np.int64)).words(DEGRADE)
        else:
            words = visits.words(DEGRADE)
            windows = self._anywhere([one.picture for one in windows], visits.words(CROP))
        pairs = [self._cut(one, word) for one, word in zip(windows, words.tolist())]
        low, high = (torch.from_numpy(np.stack(side)) for side in zip(*pairs))
        return {"input": low, "image": high}

    def _anywhere(self, pictures: Sequence[int], words: NDArray[np.uint64]) -> list[_Window]:
        """Windows anywhere in some pictures, decided by uniform 64-bit numbers (B,)."""
        upper, lower = words >> np.uint64(32), words & np.uint64(2**32 - 1)
        found = []
        for picture, down, across in zip(pictures, upper.tolist(), lower.tolist()):
            height, width = self._sizes[picture]
            top = (down * (height - self._side + 1)) >> 32
            left = (across * (width - self._side + 1)) >> 32
            found.append(_Window(picture, top, left))
        return found

    def _cut(self, window: _Window, word: int) -> tuple[Pixels, Pixels]:
        """Input and answer of a window."""
        high, low = self._store(window.picture)
        scale, side = self._scale, self._side
        top, left = window.top * scale, window.left * scale
        answer = high[:, top : top + side * scale, left : left + side * scale]
        if low is None or self._second:
            rng = np.random.Generator(np.random.Philox(key=word))
            return second_order(np.ascontiguousarray(answer), scale, rng), answer
        rows = slice(window.top, window.top + side)
        return low[:, rows, window.left : window.left + side], answer


def _windows(sizes: dict[int, tuple[int, int]], side: int) -> Iterator[_Window]:
    """Crops side by side of each picture: first the most central one of all, then the next."""
    ranked: list[tuple[int, int, _Window]] = []
    for picture, (height, width) in sizes.items():
        rows, columns = height // side, width // side
        first = (height - rows * side) // 2, (width - columns * side) // 2
        cells = [(row, column) for row in range(rows) for column in range(columns)]
        cells.sort(key=lambda at: abs(2 * at[0] - rows + 1) + abs(2 * at[1] - columns + 1))
        for rank, (row, column) in enumerate(cells):
            window = _Window(picture, first[0] + row * side, first[1] + column * side)
            ranked.append((rank, picture, window))
    yield from (window for _, _, window in sorted(ranked, key=lambda one: one[:2]))


def enlargement(spec: DataSpec) -> tuple[int, int, tuple[int, int]]:
    """Channels, scale and the (height, width) of inputs, of data whose answers are larger.

    Raises:
        UserError: They are not; the message says which data are.
    """
    channels, *small = spec.shape("input")
    answered, *large = spec.shape("image")
    scale = large[0] // small[0]
    if answered != channels or scale < 2 or [side * scale for side in small] != large:
        raise UserError(
            f"super-resolution learns from pictures and smaller ones of them, not from inputs "
            f"{channels}x{small[0]}x{small[1]} and answers {answered}x{large[0]}x{large[1]}: read "
            "the data with data.kind=degraded"
        )
    return channels, scale, (small[0], small[1])
