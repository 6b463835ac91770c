"""Sets too large to be listed at the start: shards that are read while a training goes on.

Only the places of examples in a shard are listed to find the order; an example is read when its
batch is due. So going to any position costs the lists on the way and not one example.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from zerosum.data.delivery import check_share, deliver, stream_numbers
from zerosum.data.fields import finish
from zerosum.data.order import BUFFER, SHUFFLE, draw, permutation
from zerosum.data.source import Examples
from zerosum.data.visits import Visits
from zerosum.errors import UserError

SHUFFLE_BUFFER = 8192  # places from neighbouring shards that are mixed

Place = TypeVar("Place")


class Stream(Examples, Generic[Place]):
    """Examples of shards, in an order that only goes forward. It has no length.

    Attributes:
        shards: The files.
    """

    shards: tuple[Path, ...]
    in_memory = False

    @abstractmethod
    def places(self, shard: Path) -> Sequence[Place]:
        """Where the examples of a shard lie, in stored order; cheap."""

    @abstractmethod
    def read(self, places: Sequence[Place], visits: Visits | None = None) -> dict[str, Tensor]:
        """Raw batch (B, ...) of the examples at some places, as `Source.fetch`.

        Raises:
            UserError: An example cannot be read; the message names it.
        """

    def some(self, n: int, seed: int = 0) -> dict[str, Tensor]:
        """At most n finished examples, from the shards that a seed puts first."""
        chosen: list[Place] = []
        for number in permutation((seed, SHUFFLE, 0), len(self.shards)):
            chosen += self.places(self.shards[number])[: n - len(chosen)]
            if len(chosen) == n:
                break
        return finish(self.read(chosen), self.fields)


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
        seed: Of order and visits.
        rank: Which share this is.
        world: Number of shares; at most as many as shards.
        workers: Threads that decode ahead; 0 decodes when a batch is due.
        device: Where finished batches are.
    """

    def __init__(
        self,
        stream: Stream[Any],
        *,
        batch: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
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
        self._depth = workers + 1 if workers else 0
        self._pool = ThreadPoolExecutor(workers) if workers else None
        self._position = 0
        self._places: Iterator[Any] | None = None
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
        return deliver(batch, self.source.fields, self.device)

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

    def _take(self) -> list[Any]:
        assert self._places is not None
        return list(islice(self._places, self._batch))

    def _read(self, samples: Sequence[Any], step: int) -> dict[str, Tensor]:
        numbers = stream_numbers(step, batch=self._batch, rank=self._rank, world=self._world)
        return self.source.read(samples, Visits(self._seed, numbers))

    def _order(self) -> Iterator[Any]:
        """This rank's samples, without end, in their order."""
        shards = self.source.shards
        for epoch in count():
            mine = permutation((self._seed, SHUFFLE, epoch), len(shards))[
                self._rank :: self._world
            ]
            coins = self._coins(epoch)
            buffer: list[Any] = []
            seen = 0
            for sample in (s for number in mine for s in self.source.places(shards[number])):
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


def _pick(buffer: list[Any], coin: int) -> Any:
    """Take one sample out of the buffer; the last fills its place."""
    place = coin % len(buffer)
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()
