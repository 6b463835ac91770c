"""Pictures in tar shards (the WebDataset layout), read while a training goes on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zerosum.data.config import OnProgress
from zerosum.data.source import Split, mirrored
from zerosum.data.stream import Stream
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.codec import ImageCodec
from zerosum.modalities.images.decoding import (
    BadPictures,
    check_all,
    settle_framing,
    unreadable,
)
from zerosum.modalities.images.gallery import BadPictureError
from zerosum.modalities.images.opening import FileSource
from zerosum.modalities.images.settings import PictureSettings
from zerosum.modalities.images.shard_sets import (
    ClassNumbers,
    all_contents,
    class_names,
    known,
    listed_classes,
    parts_of,
    samples_in,
    unknown_note,
)
from zerosum.modalities.images.shards import Sample, ShardPictures, left_out, shard_contents
from zerosum.names import printable

_LOOKED_AT = 256  # pictures whose headers decide size and channels
_LISTED = 64  # shards whose members are looked through at the start where labels need it not


class ImageStream(Stream[Sample]):
    """Pictures of tar shards. Only tar headers are read to find the order."""

    def __init__(
        self,
        shards: Sequence[Path],
        codec: ImageCodec,
        *,
        name: str,
        flip: bool = False,
        skip_bad: bool = False,
        picture: str = "",
        notes: tuple[str, ...] = (),
    ) -> None:
        self.shards = tuple(shards)
        self.name, self.fields, self.notes = name, codec.fields, notes
        self._codec, self._flip, self._skip_bad = codec, flip, skip_bad
        self._number = ClassNumbers(codec.classes, listed_classes(shards) if codec.classes else ())
        self._picture = picture
        self._skipped: set[str] = set()

    @property
    def skipped(self) -> tuple[str, ...]:
        """Unreadable pictures met and left out so far."""
        return tuple(sorted(self._skipped))

    def places(self, shard: Path) -> list[Sample]:
        return shard_contents(shard, self._picture).samples

    def read(self, places: Sequence[Sample], visits: Visits | None = None) -> dict[str, Tensor]:
        """Raw batch of B pictures.

        With `skip_bad`, the places of unreadable pictures are taken by the others of the batch.

        Raises:
            UserError: A picture or label cannot be read.
        """
        pictures, classes = ShardPictures(places), self._codec.classes
        pixels, labels = [], []
        for number, sample in enumerate(places):
            try:
                pixels.append(pictures.pixels(number, self._codec.framing))
            except BadPictureError as error:
                if not self._skip_bad:
                    raise unreadable(error) from error
                self._skipped.add(error.name)
                continue
            if classes:
                labels.append(self._number(sample))
        if not pixels:
            raise UserError(f"{self.name}: no picture of a whole batch can be read")
        batch = {"image": torch.from_numpy(np.stack(list(islice(cycle(pixels), len(places)))))}
        if classes:
            batch["label"] = torch.tensor(list(islice(cycle(labels), len(places))))
        return mirrored(batch, self.fields, visits if self._flip else None)


def open_stream(
    config: PictureSettings,
    labelled: bool,
    shards: Sequence[Path],
    codec: ImageCodec | None = None,
    on_progress: OnProgress | None = None,
    picture: str = "",
    notes: tuple[str, ...] = (),
) -> Split:
    """Tar shards as training stream and held-out source.

    Args:
        config: Size, parts and memory.
        labelled: Whether labels are used.
        shards: The tar files.
        codec: A run's own; None finds size, channels and classes.
        on_progress: Called now and then with (done, of how many).
        picture: What follows the key in the name of a picture; "" finds it.
        notes: What was decided when the shards were found.
    """
    if config.limit is not None:
        raise UserError("data.limit does not apply to tar shards: name fewer shards")
    train, held, note, said = parts_of(shards, config.holdout)
    first = shard_contents(train[0], picture).samples[:_LOOKED_AT]
    if not first:
        what = f"picture .{picture}" if picture else "pictures"
        raise UserError(f"{train[0]} holds no {what}: shards need members such as 0001.jpg")
    bad, name = BadPictures(config.skip_bad), printable(shards[0].parent.name)
    # Where names are listed, labels need not be known at the start; of a few shards they are,
    # so that no name becomes a class which nothing is learned of.
    listed = listed_classes(train)
    every = labelled and codec is None and (not listed or len(train) <= _LISTED)
    looked = train if every else train[:_LISTED]
    contents, values = all_contents(looked, picture, every, on_progress)
    apart, _ = all_contents(held, picture, False, None)
    notes += said + left_out([*contents, *apart])
    if len(looked) < len(train):
        notes += (f"what was left out was looked for in {len(looked)} of {len(train)} shards",)
    if codec is None:
        pictures, numbers = ShardPictures(first), np.arange(len(first))
        framing, _ = settle_framing(config, name, pictures, numbers, bad, None)
        classes = ()
        if labelled and any(sample.label is not None for sample in samples_in(contents)):
            classes, named = class_names(train, values) if every else (listed, ())
            notes += named
        codec = ImageCodec(framing, classes)
    samples = samples_in(apart)
    pictures, numbers = ShardPictures(samples), np.arange(len(samples))
    if config.skip_bad:
        bad = BadPictures(skip=True)
        check_all(pictures, numbers, codec.framing, bad, on_progress)
        numbers = np.array([n for n in numbers if n not in bad.found], dtype=np.int64)
        notes += bad.notes()
    labels = None
    if codec.classes:
        number = ClassNumbers(codec.classes, listed)
        labels = np.array([known(number, sample) for sample in samples], dtype=np.int64)
        notes += unknown_note(len(numbers), int((labels[numbers] >= 0).sum()))
        numbers = numbers[labels[numbers] >= 0]
    stream = ImageStream(
        train,
        codec,
        name=f"{name}/train",
        flip=config.flip,
        skip_bad=config.skip_bad,
        picture=picture,
        notes=notes,
    )
    if not len(numbers):
        return Split(stream, None, note, codec)
    source = FileSource(
        pictures, numbers, codec, name=f"{name}/heldout", labels=labels, skipped=bad.names()
    )
    return Split(stream, source, f"{note}, {len(source):,} pictures", codec)
