"""Pictures in tar shards (the WebDataset layout), for sets too large to be listed at the start.

Shards are plain tar files whose members come in groups of one key: `000017.jpg`, `000017.cls`.
Only tar headers are read to find the order; a picture is read and decoded when its batch is due.
So going to any position costs the headers on the way and not one picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from zerosum.data.delivery import check_share, deliver, mirror, stream_numbers
from zerosum.data.gallery import HELDOUT_NAMES, TRAIN_NAMES, BadPictureError
from zerosum.data.images import BadPictures, FileSource, checked, map_numbers, settle, unreadable
from zerosum.data.order import BUFFER, HOLDOUT, SHUFFLE, choose, draw, permutation
from zerosum.data.pixels import Framing
from zerosum.data.shards import Sample, ShardPictures, class_names, class_number, samples_of
from zerosum.data.source import Split
from zerosum.errors import UserError

if TYPE_CHECKING:
    from zerosum.data.config import Images
    from zerosum.data.gallery import Progress

SHUFFLE_BUFFER = 8192  # samples from neighbouring shards that are mixed; places only, no pictures
_LOOKED_AT = 256  # pictures whose headers decide size and channels


class Stream:
    """Samples of tar shards, in an order that only goes forward. It has no length.

    Attributes:
        name: Set and part.
        shapes: Shape of one finished sample by key.
        classes: Class names; empty without labels.
        shards: The tar files.
        in_memory: False: pictures are decoded by threads.
        notes: What was decided while reading.
    """

    in_memory = False

    def __init__(
        self,
        shards: Sequence[Path],
        framing: Framing,
        *,
        name: str,
        classes: tuple[str, ...] = (),
        skip_bad: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.shards = tuple(shards)
        self.framing = framing
        self.name = name
        self.classes = classes
        self.skip_bad = skip_bad
        self.notes = notes
        self.shapes: dict[str, tuple[int, ...]] = {"image": (framing.channels, *framing.size)}
        if classes:
            self.shapes["label"] = ()
        self._skipped: set[str] = set()

    @property
    def skipped(self) -> tuple[str, ...]:
        """Unreadable pictures met and left out so far (`skip_bad`)."""
        return tuple(sorted(self._skipped))

    def read(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """Raw batch of B samples, as `Source.fetch`.

        With `skip_bad`, the places of unreadable pictures are taken by the others of the batch.

        Raises:
            UserError: A picture or label cannot be read.
        """
        pictures = ShardPictures(samples)
        pixels, labels = [], []
        for number, sample in enumerate(samples):
            try:
                pixels.append(pictures.pixels(number, self.framing))
            except BadPictureError as error:
                if not self.skip_bad:
                    raise unreadable(error) from error
                self._skipped.add(error.name)
                continue
            if self.classes:
                labels.append(class_number(sample, self.classes))
        if not pixels:
            raise UserError(f"{self.name}: no picture of a whole batch can be read")
        batch = {"image": torch.from_numpy(np.stack(list(islice(cycle(pixels), len(samples)))))}
        if self.classes:
            batch["label"] = torch.tensor(list(islice(cycle(labels), len(samples))))
        return batch


def open_stream(
    config: Images, shards: Sequence[Path], on_progress: Progress | None = None
) -> Split:
    """Tar shards as training stream and held-out source. See `Images.open`."""
    if config.limit is not None:
        raise UserError("data.limit does not apply to tar shards: name fewer shards")
    train, held, note = _parts(shards, config.holdout)
    first = samples_of(train[0])[:_LOOKED_AT]
    if not first:
        raise UserError(f"{train[0]} holds no pictures: shards need members such as 0001.jpg")
    bad = BadPictures(config.skip_bad)
    framing, _ = settle(config, ShardPictures(first), np.arange(len(first)), bad, None)
    classes = ()
    if config.labels and first[0].label is not None:
        classes = class_names(shards, on_progress)
    name = shards[0].parent.name
    stream = Stream(
        train, framing, name=f"{name}/train", classes=classes, skip_bad=config.skip_bad
    )
    samples = [sample for shard in held for sample in samples_of(shard)]
    if not samples:
        return Split(stream, None, note)
    pictures, numbers = ShardPictures(samples), np.arange(len(samples))
    if config.skip_bad:
        for _ in map_numbers(lambda n: checked(pictures, n, framing, bad), numbers, on_progress):
            pass
        numbers = np.array([n for n in numbers if n not in bad.found], dtype=np.int64)
    labels = np.array([class_number(s, classes) for s in samples]) if classes else None
    source = FileSource(
        pictures,
        numbers,
        framing,
        name=f"{name}/heldout",
        labels=labels,
        classes=classes,
        skipped=bad.names(),
    )
    return Split(stream, source, f"{note}, {len(source):,} pictures")


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
    chosen = set(choose((0, HOLDOUT), len(shards), size).tolist())
    train = [shard for number, shard in enumerate(shards) if number not in chosen]
    held = [shard for number, shard in enumerate(shards) if number in chosen]
    return train, held, f"{size} of {len(shards)} shards, seed 0"


class StreamFeed:
    """Endless batches of a stream; the sibling of `Feed`, with the same interface.

    Each epoch shuffles the shards and deals them to the ranks, so ranks never overlap; within a
    rank, neighbouring shards are mixed in a shuffle buffer that is emptied at the end of the
    epoch, so every sample comes exactly once per epoch. All of it is a function of seed, rank
    and world, whatever the number of workers. The workers are threads, since decoding releases
    Python's lock: nothing is sent between processes and nothing can be read twice.

    Args:
        stream: Where samples come from.
        batch: Samples per batch and rank.
        seed: Of order and mirroring.
        rank: Which share this is.
        world: Number of shares; at most as many as shards.
        workers: Threads that decode ahead; 0 decodes when a batch is due.
        flip: Mirror half of the pictures.
        device: Where finished batches are.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        batch: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
        flip: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        check_share(batch, rank, world)
        if len(stream.shards) < world:
            raise UserError(
                f"{stream.name} has {len(stream.shards)} shards for {world} ranks: "
                "make at least one shard per rank"
            )
        self.source = stream
        self.device = torch.device(device)
        self._batch = batch
        self._seed = seed
        self._rank = rank
        self._world = world
        self._flip = flip
        self._depth = workers + 1 if workers else 0
        self._pool = ThreadPoolExecutor(workers) if workers else None
        self._position = 0
        self._places: Iterator[Sample] | None = None
        self._pending: deque[Future[dict[str, Tensor]]] = deque()

    @property
    def position(self) -> int:
        """Batches handed out so far. Setting it continues from there, exactly."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        if value < 0:
            raise UserError(f"position={value}: a feed starts at 0")
        self._position = value
        self._forget()

    def __iter__(self) -> StreamFeed:
        return self

    def __next__(self) -> dict[str, Tensor]:
        """The next batch, finished, on the device.

        Raises:
            UserError: A shard, picture or label cannot be read; the message names it.
        """
        if self._places is None:
            self._places = islice(self._order(), self._position * self._batch, None)
        try:
            batch = self._ahead() if self._pool else self._read(self._take(), self._position)
        except UserError:
            self._forget()  # what was read ahead no longer fits the position
            raise
        self._position += 1
        return deliver(batch, self.device)

    def close(self) -> None:
        """End the threads. The feed still works afterwards, without them."""
        self._forget()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None

    def _forget(self) -> None:
        for future in self._pending:
            future.cancel()
        self._pending.clear()
        self._places = None

    def _ahead(self) -> dict[str, Tensor]:
        assert self._pool is not None
        while len(self._pending) < self._depth:
            step = self._position + len(self._pending)
            self._pending.append(self._pool.submit(self._read, self._take(), step))
        return self._pending.popleft().result()

    def _take(self) -> list[Sample]:
        assert self._places is not None
        return list(islice(self._places, self._batch))

    def _read(self, samples: Sequence[Sample], step: int) -> dict[str, Tensor]:
        batch = self.source.read(samples)
        if self._flip:
            numbers = stream_numbers(step, batch=self._batch, rank=self._rank, world=self._world)
            mirror(batch, numbers, self._seed)
        return batch

    def _order(self) -> Iterator[Sample]:
        """This rank's samples, without end, in their order."""
        shards = self.source.shards
        for epoch in count():
            mine = permutation((self._seed, SHUFFLE, epoch), len(shards))[
                self._rank :: self._world
            ]
            coins = self._coins(epoch)
            buffer: list[Sample] = []
            seen = 0
            for sample in (sample for number in mine for sample in samples_of(shards[number])):
                seen += 1
                buffer.append(sample)
                if len(buffer) == SHUFFLE_BUFFER:
                    yield _pick(buffer, next(coins))
            while buffer:
                yield _pick(buffer, next(coins))
            if not seen:
                raise UserError(f"{self.source.name}: the shards of rank {self._rank} are empty")

    def _coins(self, epoch: int) -> Iterator[int]:
        for block in count():
            numbers = np.arange(block * SHUFFLE_BUFFER, (block + 1) * SHUFFLE_BUFFER)
            yield from draw((self._seed, BUFFER, epoch, self._rank), numbers).tolist()


def _pick(buffer: list[Sample], coin: int) -> Sample:
    """Take one sample out of the buffer; the last fills its place."""
    place = coin % len(buffer)
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()
