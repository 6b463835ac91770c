"""From a list of pictures to pixels of one shape: framing settled, unreadable ones met."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from typing import TypeVar

import numpy as np

from zerosum.data.config import OnProgress
from zerosum.data.pixels import GREY_MODES, Framing, Pixels
from zerosum.errors import UserError
from zerosum.modalities.images.gallery import BadPictureError, Pictures
from zerosum.modalities.images.settings import PictureSettings
from zerosum.names import first_names

T = TypeVar("T")

CHUNK = 256
"""Pictures per report of progress."""
PART = 16
"""Pictures that a thread takes at a time: to hand over a small one costs as much as to read it."""
SEVERAL = (".gif", ".tif", ".tiff", ".webp", ".avif")
"""Formats whose files often hold several pictures."""


class BadPictures:
    """The unreadable pictures met so far; the first one ends the reading unless skipping."""

    def __init__(self, skip: bool) -> None:
        self.skip = skip
        self.found: dict[int, BadPictureError] = {}

    def add(self, number: int, error: BadPictureError) -> None:
        if not self.skip:
            raise unreadable(error) from error
        self.found[number] = error

    @property
    def example(self) -> BadPictureError | None:
        """One of them."""
        return next(iter(self.found.values()), None)

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(error.name for error in self.found.values()))

    def notes(self) -> tuple[str, ...]:
        """A line that says what was left out; none where all could be read."""
        names = self.names()
        if not names:
            return ()
        return (f"unreadable pictures left out: {len(names):,} ({first_names(names)})",)


def unreadable(error: BadPictureError) -> UserError:
    """The message for one bad picture, with the way around it."""
    return UserError(
        f"{error.name} cannot be read ({error.reason}): "
        "replace it, or add data.skip_bad=true / --skip-bad"
    )


def none_readable(name: str, count: int, example: BadPictureError | None) -> UserError:
    """The message for a set of which nothing can be read, with the reason of one picture."""
    why = "" if example is None else f", such as {example.name}: {example.reason}"
    return UserError(f"{name}: none of its {count:,} pictures can be read{why}")


def settle_framing(
    config: PictureSettings,
    name: str,
    pictures: Pictures,
    numbers: np.ndarray,
    bad: BadPictures,
    on_progress: OnProgress | None,
) -> tuple[Framing, bool]:
    """Find size and channels from the headers where they are not given.

    Args:
        config: What is asked for.
        name: What to call the set in messages.
        pictures: The pictures.
        numbers: Which of them are used.
        bad: Takes the unreadable ones.
        on_progress: Called now and then.

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
        raise none_readable(name, len(numbers), bad.example)
    size = config.size
    if size is None:
        if len(sizes) > 1:
            small, large = min(sizes), max(sizes)
            raise UserError(
                f"{name}: images have {len(sizes)} sizes from {small[0]}x{small[1]} "
                f"to {large[0]}x{large[1]}: set data.size=64 (height,width)"
            )
        size = next(iter(sizes))
    grey = all(mode in GREY_MODES for mode in modes)
    channels = config.channels or (1 if grey else 3)
    settled = config.channels is not None or grey
    return Framing(size, channels, config.resize, config.filter), settled


def map_numbers(
    work: Callable[[int], T], numbers: np.ndarray, on_progress: OnProgress | None
) -> Iterator[tuple[int, T]]:
    """Apply work to each number in threads, in order, and report progress."""
    threads = min(8, os.cpu_count() or 1)

    def part(few: list[int]) -> list[tuple[int, T]]:
        return [(number, work(number)) for number in few]

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK].tolist()
            parts = [chunk[i : i + PART] for i in range(0, len(chunk), PART)]
            yield from chain.from_iterable(pool.map(part, parts))
            if on_progress is not None:
                on_progress(start + len(chunk), len(numbers))


def decoded(
    pictures: Pictures,
    numbers: np.ndarray,
    framing: Framing,
    bad: BadPictures,
    on_progress: OnProgress | None,
) -> Pixels:
    """Pictures as uint8 (N, C, H, W); rows of bad ones stay zero."""
    bulk = pictures.bulk(numbers.tolist(), framing)
    if bulk is not None:
        return bulk
    pixels = np.zeros((len(numbers), framing.channels, *framing.size), dtype=np.uint8)
    found = map_numbers(lambda n: checked(pictures, n, framing, bad), numbers, on_progress)
    for row, (_, picture) in enumerate(found):
        if picture is not None:
            pixels[row] = picture
    return pixels


def check_all(
    pictures: Pictures,
    numbers: np.ndarray,
    framing: Framing,
    bad: BadPictures,
    on_progress: OnProgress | None,
) -> None:
    """Read each picture once, so that nothing fails in the middle of a run."""
    for _ in map_numbers(lambda n: checked(pictures, n, framing, bad), numbers, on_progress):
        pass


def look_for_more(pictures: Pictures, numbers: np.ndarray, on_progress: OnProgress | None) -> None:
    """Look at the headers of files that may hold several pictures, for `Pictures.remarks`."""

    def look(number: int) -> None:
        with suppress(BadPictureError):  # to be met when it is read
            pictures.probe(number)

    few = [n for n in numbers.tolist() if str(pictures.names[n]).lower().endswith(SEVERAL)]
    for _ in map_numbers(look, np.array(few, dtype=np.int64), on_progress):
        pass


def checked(pictures: Pictures, number: int, framing: Framing, bad: BadPictures) -> Pixels | None:
    """Pixels of one picture; None where it is bad, which is noted."""
    if number in bad.found:
        return None
    try:
        return pictures.pixels(number, framing)
    except BadPictureError as error:
        bad.add(number, error)
    return None


def colourful(pixels: Pixels) -> bool:
    """Whether any picture of (N, 3, H, W) is more than grey."""
    return any(
        (part[:, :1] != part[:, 1:]).any()
        for part in (pixels[i : i + CHUNK] for i in range(0, len(pixels), CHUNK))
    )
