"""Pictures in tar shards (the WebDataset layout), read while a training goes on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zerosum.data.config import OnProgress
from zerosum.data.order import HOLDOUT, choose
from zerosum.data.parts import HELDOUT_NAMES, SEED, TRAIN_NAMES
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
from zerosum.modalities.images.shards import (
    Sample,
    ShardPictures,
    class_names,
    class_number,
    samples_of,
)

_LOOKED_AT = 256  # pictures whose headers decide size and channels


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
    ) -> None:
        self.shards = tuple(shards)
        self.name, self.fields = name, codec.fields
        self._codec, self._flip, self._skip_bad = codec, flip, skip_bad
        self._skipped: set[str] = set()

    @property
    def skipped(self) -> tuple[str, ...]:
        """Unreadable pictures met and left out so far."""
        return tuple(sorted(self._skipped))

    def places(self, shard: Path) -> list[Sample]:
        return samples_of(shard)

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
                labels.append(class_number(sample, classes))
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
) -> Split:
    """Tar shards as training stream and held-out source. See `Images.open`."""
    if config.limit is not None:
        raise UserError("data.limit does not apply to tar shards: name fewer shards")
    train, held, note = _parts(shards, config.holdout)
    first = samples_of(train[0])[:_LOOKED_AT]
    if not first:
        raise UserError(f"{train[0]} holds no pictures: shards need members such as 0001.jpg")
    bad, name = BadPictures(config.skip_bad), shards[0].parent.name
    if codec is None:
        pictures, numbers = ShardPictures(first), np.arange(len(first))
        framing, _ = settle_framing(config, name, pictures, numbers, bad, None)
        classes = ()
        if labelled and first[0].label is not None:
            classes = class_names(shards, on_progress)
        codec = ImageCodec(framing, classes)
    stream = ImageStream(
        train, codec, name=f"{name}/train", flip=config.flip, skip_bad=config.skip_bad
    )
    samples = [sample for shard in held for sample in samples_of(shard)]
    if not samples:
        return Split(stream, None, note, codec)
    pictures, numbers = ShardPictures(samples), np.arange(len(samples))
    if config.skip_bad:
        bad = BadPictures(skip=True)
        check_all(pictures, numbers, codec.framing, bad, on_progress)
        numbers = np.array([n for n in numbers if n not in bad.found], dtype=np.int64)
    classes = codec.classes
    labels = np.array([class_number(s, classes) for s in samples]) if classes else None
    source = FileSource(
        pictures, numbers, codec, name=f"{name}/heldout", labels=labels, skipped=bad.names()
    )
    return Split(stream, source, f"{note}, {len(source):,} pictures", codec)


def _parts(shards: Sequence[Path], holdout: float) -> tuple[list[Path], list[Path], str]:
    """Training shards, held-out shards, and where the latter come from."""
    tops = {shard.parent.name.lower() for shard in shards}
    train_top = next((top for top in TRAIN_NAMES if top in tops), None)
    held_top = next((top for top in HELDOUT_NAMES if top in tops), None)
    if train_top and held_top:
        train = [s for s in shards if s.parent.name.lower() == train_top]
        held = [s for s in shards if s.parent.name.lower() == held_top]
        return train, held, f"the set's own {held_top}/ shards ({len(held)})"
    size = min(round(len(shards) * holdout), len(shards) - 1)
    if not size:
        few = f"{len(shards)} shards are too few to keep {holdout * 100:g} % aside"
        return list(shards), [], f"none: {few}" if holdout else "none: every shard is used"
    chosen = set(choose((SEED, HOLDOUT), len(shards), size).tolist())
    train = [shard for number, shard in enumerate(shards) if number not in chosen]
    held = [shard for number, shard in enumerate(shards) if number in chosen]
    return train, held, f"{size} of {len(shards)} shards, seed {SEED}"
