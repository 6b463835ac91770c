"""Samples in parts, for files that grow as they are drawn, and how much this machine can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from zerosum.core.draw import check_finite
from zerosum.data.codec import Codec, joined
from zerosum.data.config import OnProgress
from zerosum.errors import UserError
from zerosum.files import amount, memory, room, whole_folder

SMALLEST_FILE = 4096
"""Bytes of disk that the smallest file takes, nearly everywhere."""
CONDITION = 128
"""Bytes of a condition in a list of them: a word, its place, its number."""
HELD = 2**24
"""Numbers of samples that are held at a time where samples stream: 64 MiB."""


def numbers_of(codec: Codec) -> int:
    """How many numbers an example has."""
    return sum(math.prod(filter(None, field.shape)) for field in codec.fields.values())


def in_parts(
    blocks: Iterable[dict[str, Tensor]],
    codec: Codec,
    n: int,
    name: str,
    on_progress: OnProgress | None,
) -> Iterator[dict[str, Tensor]]:
    """Blocks of samples as parts of a size that is worth writing, each of finite numbers.

    Args:
        blocks: Samples as they are drawn.
        codec: What they are written with.
        n: How many there will be.
        name: What messages call the model.
        on_progress: Called with samples drawn and n.
    """
    size, done = max(HELD // max(numbers_of(codec), 1), 1), 0
    held: list[dict[str, Tensor]] = []
    for block in blocks:
        held.append(block)
        done += len(next(iter(block.values())))
        if on_progress is not None:
            on_progress(done, n)
        if done == n or sum(len(next(iter(one.values()))) for one in held) >= size:
            part = joined(held)
            check_finite(part, name)
            held = []
            yield part


def write_parts(codec: Codec, parts: Iterable[dict[str, Tensor]], n: int, path: Path) -> int:
    """Write samples as their codec does; a folder appears when it is whole.

    Returns:
        How many were written; fewer than there are where some are none of their kind.

    Raises:
        UserError: A suffix that the codec does not know, a folder with other files, or a disk that
            refuses.
    """
    codec.check(path)
    if path.suffix:
        return codec.write_parts(parts, n, path)
    with whole_folder(path) as partial:
        return codec.write_parts(parts, n, partial)


def check_number(codec: Codec, n: int, out: Path | None = None, given: bool = False) -> None:
    """Refuse, before anything is drawn, a number of samples that this machine cannot hold.

    Args:
        codec: What they are written with.
        n: How many.
        out: Where they are written as they come, if they are: a file, or a folder that each gets a
            file of its own in.
        given: Whether each has a condition of its own, which is held.

    Raises:
        UserError: None are asked for, or more than its memory or the disk has room for.
    """
    if n < 1:
        raise UserError(f"{n} samples cannot be drawn: ask for at least 1")
    have = memory()
    if out is not None and codec.streams(out):
        need = n * CONDITION if given else 0
    else:  # a float32 for each number, and once more while the blocks are joined
        need = 2 * 4 * n * numbers_of(codec)
    if have and need > have:
        raise UserError(
            f"{n:,} samples need {amount(need)} of memory and this machine has "
            f"{amount(have)}: ask for fewer at a time, each part under another --seed"
        )
    if out is None or out.suffix:
        return
    if n * SMALLEST_FILE > (free := room(out)):
        raise UserError(
            f"{n:,} files need at least {amount(n * SMALLEST_FILE)} of disk and {out} has "
            f"{amount(free)} left: free some, or ask for fewer"
        )
