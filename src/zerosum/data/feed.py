"""Endless batches with an exact position."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from zerosum.data.delivery import check_share, deliver, stream_numbers
from zerosum.data.order import Order
from zerosum.data.source import Examples, Source
from zerosum.data.stream import Stream, StreamFeed
from zerosum.data.visits import Visits
from zerosum.errors import UserError


class _Batches(Dataset[dict[str, Tensor] | UserError]):
    """Raw batches by step: a pure function, the same in every process."""

    def __init__(self, source: Source, *, batch: int, seed: int, rank: int, world: int) -> None:
        self.source = source
        self.batch = batch
        self.seed = seed
        self.rank = rank
        self.world = world
        self._order = Order(len(source), seed)

    def __getitem__(self, step: int) -> dict[str, Tensor] | UserError:
        numbers = stream_numbers(step, batch=self.batch, rank=self.rank, world=self.world)
        try:
            return self.source.fetch(self._order(numbers).tolist(), Visits(self.seed, numbers))
        except UserError as error:
            # Raised here, a worker would wrap it into a page of text; the feed raises it as it is.
            return error


class _Steps(Sampler[int]):
    """Step numbers without end, from wherever the feed stands."""

    def __init__(self) -> None:
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        return count(self.start)


class Feed:
    """Endless batches of a source, in an order that is a function of the seed alone.

    Sample number i of the endless stream is perm(seed, i // n)[i % n] for a set of n. The global
    batch k holds the numbers [k * batch * world, (k + 1) * batch * world), of which each rank
    takes a contiguous share. So every epoch covers the set exactly once, ranks never overlap,
    and the global sequence is the same for any number of ranks and workers. What differs
    between visits is decided by the number of the visit in the stream. No global random state
    is touched.

    Args:
        source: Where samples come from.
        batch: Samples per batch and rank. More than the set holds is fine: it is repeated.
        seed: Of order and visits.
        rank: Which share this is.
        world: Number of shares.
        workers: Processes that fetch ahead; used only for sources that are not in memory. Scripts
            need the usual `if __name__ == "__main__":` where processes are spawned.
        device: Where finished batches are.

    Raises:
        UserError: Numbers that make no sense, or an empty source.
    """

    def __init__(
        self,
        source: Source,
        *,
        batch: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        check_share(batch, rank, world)
        if not len(source):
            raise UserError(f"{source.name} holds no samples: nothing to train on")
        self.source = source
        self.device = torch.device(device)
        self._position = 0
        self._steps = _Steps()
        self._batches = _Batches(source, batch=batch, seed=seed, rank=rank, world=world)
        self._loader: DataLoader[dict[str, Tensor] | UserError] | None = None
        self._ahead: Iterator[dict[str, Tensor] | UserError] | None = None
        if workers > 0 and not source.in_memory:
            self._loader = DataLoader(
                self._batches,
                batch_size=None,
                sampler=self._steps,
                num_workers=workers,
                persistent_workers=True,
                worker_init_fn=_leave_interrupts_to_parent,
                # its own generator, or the loader would draw from the global one
                generator=torch.Generator(),
            )

    @property
    def position(self) -> int:
        """Batches handed out so far. Setting it continues from there, exactly."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        if value < 0:
            raise UserError(f"position={value}: a feed starts at 0")
        self._position = value
        self._ahead = None

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> dict[str, Tensor]:
        """The next batch, finished, on the device.

        Raises:
            UserError: A file cannot be read; the message names it.
        """
        batch = self._next_raw()
        if isinstance(batch, UserError):
            self._ahead = None  # what was fetched ahead no longer fits the position
            raise batch
        self._position += 1
        return deliver(batch, self.source.fields, self.device)

    def _next_raw(self) -> dict[str, Tensor] | UserError:
        if self._loader is None:
            return self._batches[self._position]
        if self._ahead is None:
            self._steps.start = self._position
            self._ahead = iter(self._loader)
        return next(self._ahead)

    def close(self) -> None:
        """End the worker processes. The feed still works afterwards, in this process."""
        self._ahead = None
        self._loader = None


def _leave_interrupts_to_parent(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal; only the trainer decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def feed(
    source: Examples,
    *,
    batch: int,
    seed: int = 0,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> Feed | StreamFeed:
    """The feed that fits: `Feed` for a source, `StreamFeed` for a stream. Arguments as there."""
    if isinstance(source, Stream):
        return StreamFeed(
            source,
            batch=batch,
            seed=seed,
            rank=rank,
            world=world,
            workers=workers,
            device=device,
        )
    assert isinstance(source, Source)
    return Feed(
        source,
        batch=batch,
        seed=seed,
        rank=rank,
        world=world,
        workers=workers,
        device=device,
    )
