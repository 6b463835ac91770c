"""Whole pictures of a set, framed and held in memory, which are masked or greyed later."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from zerosum.data.config import OnProgress
from zerosum.data.parts import limited
from zerosum.data.pixels import Framing, Pixels
from zerosum.data.places import GIB
from zerosum.errors import UserError
from zerosum.modalities.images.containers import Shards, container
from zerosum.modalities.images.decoding import (
    BadPictures,
    colourful,
    decoded,
    none_readable,
    settle_framing,
)
from zerosum.modalities.images.degraded_sets import NAMED, SharpSet
from zerosum.modalities.images.named_pairs import find_pairs
from zerosum.modalities.images.settings import PictureSettings


@dataclass(frozen=True)
class FramedSet:
    """Pictures of one size.

    Attributes:
        name: Short name of the set.
        train: uint8 (N, C, H, W).
        heldout: uint8 (M, C, H, W); M may be 0.
        framing: How they were brought to their size and channels.
        part: Where the held-out ones are from.
        notes: Decisions worth showing.
        skipped: Names of unreadable pictures.
    """

    name: str
    train: Pixels
    heldout: Pixels
    framing: Framing
    part: str
    notes: tuple[str, ...]
    skipped: tuple[str, ...]


def find_photos(path: str, memory: float) -> SharpSet:
    """The pictures that a path names; of the facades, the photos.

    Raises:
        UserError: Nothing is there, or it is a stream.
    """
    if path in NAMED:
        return NAMED[path]()
    if path == "facades":
        pairs = find_pairs(path, memory)
        return SharpSet(path, pairs.sides[0], None, pairs.train, pairs.heldout, pairs.part)
    found = container(path)
    if isinstance(found, Shards):
        raise UserError(
            f"{path}: these pictures are decoded into memory, which a stream is not: give a "
            "folder or an archive"
        )
    gallery = found.gallery(memory)
    part = re.sub(r"^.*own | part.*$", "", gallery.heldout_note) or "held-out"
    pictures, notes = gallery.pictures, gallery.notes
    return SharpSet(gallery.name, pictures, None, gallery.train, gallery.heldout, part, notes)


def read_framed(
    config: PictureSettings,
    path: str,
    found: SharpSet,
    framing: Framing | None = None,
    on_progress: OnProgress | None = None,
) -> FramedSet:
    """Check and decode the pictures of a set.

    Args:
        config: What is asked for.
        path: What messages call the set.
        found: The set.
        framing: How pictures are framed; None settles it.
        on_progress: Called now and then.

    Raises:
        UserError: None can be read, or one cannot and is not to be skipped, sizes differ and none
            was asked for, or they do not fit into memory.
    """
    bad = BadPictures(config.skip_bad)
    train, held, part = found.parts(config.holdout)
    train = limited(train, config.limit)
    used, final = np.concatenate([train, held]), True
    if framing is None:
        framing, final = settle_framing(config, path, found.high, used, bad, on_progress)
    needed = len(used) * framing.channels * framing.size[0] * framing.size[1] / GIB
    if needed > config.memory:
        raise UserError(
            f"{path} takes {needed:.1f} GiB decoded, more than data.memory={config.memory:g}: "
            "raise it, or lower data.size or data.limit"
        )
    pixels = decoded(found.high, used, framing, bad, on_progress)
    if not final and not colourful(pixels):
        framing, pixels = replace(framing, channels=1), pixels[:, :1]
    keep = np.array([number not in bad.found for number in used.tolist()], dtype=bool)
    learned, aside = (
        pixels[where][keep[where]] for where in (slice(len(train)), slice(len(train), None))
    )
    if not len(learned):
        raise none_readable(path, len(train), bad.example)
    notes = (*found.notes, *found.high.remarks(), *bad.notes())
    return FramedSet(found.name, learned, aside, framing, part, notes, bad.names())
