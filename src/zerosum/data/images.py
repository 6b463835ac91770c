"""Sets of pictures made ready for training: size and channels settled, in memory or on demand."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from zerosum.data.gallery import BadPictureError, Gallery, Pictures, Progress
from zerosum.data.locate import GIB, find
from zerosum.data.order import HOLDOUT, LIMIT, choose
from zerosum.data.pixels import GREY_MODES, Framing, Pixels
from zerosum.data.source import Source, Split, TensorSource
from zerosum.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zerosum.data.config import Images

T = TypeVar("T")

_SEED = 0  # of the held-out part and of `limit`: the same pictures in every run
_CHUNK = 256  # pictures per report of progress


class FileSource(Source):
    """Pictures decoded each time they are fetched, for sets larger than the memory."""

    in_memory = False

    def __init__(
        self,
        pictures: Pictures,
        numbers: np.ndarray,
        framing: Framing,
        *,
        name: str,
        labels: np.ndarray | None = None,
        classes: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self._pictures = pictures
        self._numbers = numbers
        self._framing = framing
        self._labels = None if labels is None else torch.from_numpy(labels[numbers])
        self.name = name
        self.shapes = {"image": (framing.channels, *framing.size)}
        if labels is not None:
            self.shapes["label"] = ()
        self.classes = classes
        self.notes = notes
        self.skipped = skipped

    def __len__(self) -> int:
        return len(self._numbers)

    def fetch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        rows = np.asarray(indices, dtype=np.int64)
        try:
            pixels = [self._pictures.pixels(int(n), self._framing) for n in self._numbers[rows]]
        except BadPictureError as error:
            raise unreadable(error) from error
        batch = {"image": torch.from_numpy(np.stack(pixels))}
        if self._labels is not None:
            batch["label"] = self._labels[torch.from_numpy(rows)]
        return batch


class BadPictures:
    """The unreadable pictures met so far; the first one ends the reading unless skipping."""

    def __init__(self, skip: bool) -> None:
        self.skip = skip
        self.found: dict[int, BadPictureError] = {}

    def add(self, number: int, error: BadPictureError) -> None:
        if not self.skip:
            raise unreadable(error) from error
        self.found[number] = error

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(error.name for error in self.found.values()))


def unreadable(error: BadPictureError) -> UserError:
    """The message for one bad picture, with the way around it."""
    return UserError(
        f"{error.name} cannot be read ({error.reason}): "
        "replace it, or add data.skip_bad=true / --skip-bad"
    )


def open_images(config: Images, on_progress: Progress | None = None) -> Split:
    """Read a set as `config` says. See `Images.open`."""
    gallery = find(config.path, config.memory)
    train, heldout, note = part(gallery, config.holdout)
    if config.limit is not None and config.limit < len(train):
        train = train[choose((_SEED, LIMIT), len(train), config.limit)]
    used = np.concatenate([train, heldout])
    pictures, bad = gallery.pictures, BadPictures(config.skip_bad)
    framing, settled = settle(config, pictures, used, bad, on_progress)

    channels = framing.channels if settled else 3
    bytes_needed = len(used) * channels * framing.size[0] * framing.size[1]
    fits = bytes_needed <= config.memory * GIB
    held_pixels = None
    if fits:
        framing = Framing(framing.size, channels, framing.resize, framing.filter)
        loaded = _load(pictures, used, framing, bad, on_progress)
        if not settled and not _colourful(loaded):
            loaded = loaded[:, :1].copy()
        held_pixels = loaded
    elif config.skip_bad:
        # Nothing must fail in the middle of a run, so each picture is read once now.
        for _ in map_numbers(lambda n: checked(pictures, n, framing, bad), used, on_progress):
            pass

    skipped = bad.names()
    notes = gallery.notes
    if skipped:
        names = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
        notes += (f"unreadable pictures left out: {len(skipped):,} ({names})",)
    labels = gallery.labels if config.labels else None
    classes = gallery.classes if labels is not None else ()
    keep = np.array([number not in bad.found for number in used.tolist()], dtype=bool)

    def source(where: slice, word: str) -> Source:
        name = f"{gallery.name}/{word}"
        good = used[where][keep[where]]
        if held_pixels is None:
            return FileSource(
                pictures,
                good,
                framing,
                name=name,
                labels=labels,
                classes=classes,
                notes=notes,
                skipped=skipped,
            )
        tensors = {"image": torch.from_numpy(held_pixels[where][keep[where]])}
        if labels is not None:
            tensors["label"] = torch.from_numpy(labels[good])
        return TensorSource(tensors, name=name, classes=classes, notes=notes, skipped=skipped)

    train_source = source(slice(0, len(train)), "train")
    if not len(train_source):
        raise UserError(f"{config.path}: none of its {len(train):,} pictures can be read")
    held_source = source(slice(len(train), None), "heldout")
    return Split(train_source, held_source if len(held_source) else None, note)


def part(gallery: Gallery, holdout: float) -> tuple[np.ndarray, np.ndarray, str]:
    """Numbers of the training and held-out pictures, and where the latter come from."""
    train = np.asarray(gallery.train, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    if gallery.heldout is not None:
        return train, np.asarray(gallery.heldout, dtype=np.int64), gallery.heldout_note
    count = held_count(len(train), holdout)
    if not count:
        return train, none, "none: every picture is used for training"
    held = choose((_SEED, HOLDOUT), len(train), count)
    note = f"{holdout * 100:g} % ({count:,} of {len(train):,}), seed {_SEED}"
    return np.delete(train, held), train[held], note


def held_count(total: int, holdout: float) -> int:
    """How many of `total` to keep aside: at least one when any are asked for, never all."""
    return min(max(1, round(total * holdout)), total - 1) if holdout > 0 else 0


def settle(
    config: Images,
    pictures: Pictures,
    numbers: np.ndarray,
    bad: BadPictures,
    on_progress: Progress | None,
) -> tuple[Framing, bool]:
    """Find size and channels from the headers where they are not given.

    Returns:
        The framing, and whether its channels are final. They are not when some pictures are
        stored in colour but may all be grey; 3 is then what loses nothing.

    Raises:
        UserError: The pictures differ in size and none was asked for.
    """
    if config.size is not None and config.channels is not None:
        return Framing(config.size, config.channels, config.resize, config.filter), True
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()

    def probe(number: int) -> tuple[tuple[int, int], str] | BadPictureError:
        try:
            return pictures.probe(number)
        except BadPictureError as error:
            return error

    for number, found in map_numbers(probe, numbers, on_progress):
        if isinstance(found, BadPictureError):
            bad.add(number, found)
            continue
        sizes[found[0]] += 1
        modes[found[1]] += 1
    if not sizes:
        raise UserError(f"{config.path}: none of its {len(numbers):,} pictures can be read")
    size = config.size
    if size is None:
        if len(sizes) > 1:
            small, large = min(sizes), max(sizes)
            raise UserError(
                f"{config.path}: images have {len(sizes)} sizes from {small[0]}x{small[1]} "
                f"to {large[0]}x{large[1]}: set data.size=64 (height,width)"
            )
        size = next(iter(sizes))
    grey = all(mode in GREY_MODES for mode in modes)
    channels = config.channels or (1 if grey else 3)
    settled = config.channels is not None or grey
    return Framing(size, channels, config.resize, config.filter), settled


def map_numbers(
    work: Callable[[int], T], numbers: np.ndarray, on_progress: Progress | None
) -> Iterator[tuple[int, T]]:
    """Apply work to each number in threads, in order, and report progress."""
    threads = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(numbers), _CHUNK):
            chunk = numbers[start : start + _CHUNK].tolist()
            yield from zip(chunk, pool.map(work, chunk))
            if on_progress is not None:
                on_progress(start + len(chunk), len(numbers))


def _load(
    pictures: Pictures,
    numbers: np.ndarray,
    framing: Framing,
    bad: BadPictures,
    on_progress: Progress | None,
) -> Pixels:
    """Pictures as uint8 (N, C, H, W); rows of bad ones stay zero."""
    bulk = pictures.bulk(numbers.tolist(), framing)
    if bulk is not None:
        return bulk
    pixels = np.zeros((len(numbers), framing.channels, *framing.size), dtype=np.uint8)
    for row, (_, found) in enumerate(
        map_numbers(lambda n: checked(pictures, n, framing, bad), numbers, on_progress)
    ):
        if found is not None:
            pixels[row] = found
    return pixels


def checked(pictures: Pictures, number: int, framing: Framing, bad: BadPictures) -> Pixels | None:
    if number in bad.found:
        return None
    try:
        return pictures.pixels(number, framing)
    except BadPictureError as error:
        bad.add(number, error)
    return None


def _colourful(pixels: Pixels) -> bool:
    """Whether any picture of (N, 3, H, W) is more than grey."""
    return any(
        (part[:, :1] != part[:, 1:]).any()
        for part in (pixels[i : i + _CHUNK] for i in range(0, len(pixels), _CHUNK))
    )
