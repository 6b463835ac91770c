"""What data look like to the rest: examples that can be counted, fetched and finished."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.fields import Batch, Category, Field, finish
from zerosum.data.order import MIRROR
from zerosum.data.visits import Visits


class Examples(ABC):
    """What sources and streams have in common.

    Attributes:
        name: Set and part, such as `fashion-mnist/train`.
        fields: What each tensor of an example is.
        in_memory: Whether reading only indexes memory. Others are read by workers.
        answers: Whether all that is no input is the true answer to the inputs beside it.
        notes: What was decided while reading, one line each, to be shown once.
    """

    name: str
    fields: Mapping[str, Field]
    in_memory: bool = True
    answers: bool = True
    notes: tuple[str, ...] = ()

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of unreadable examples that were left out."""
        return ()

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shape of one finished example of each field."""
        return {name: field.shape for name, field in self.fields.items()}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of `label`; empty where there are no labels."""
        label = self.fields.get("label")
        return label.names if isinstance(label, Category) else ()

    @abstractmethod
    def some(self, n: int, seed: int = 0) -> dict[str, Tensor]:
        """At most n finished examples, drawn without repeats, the same ones for a seed."""


class Source(Examples):
    """Examples that can be counted and fetched at random."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        """Raw examples by number.

        Args:
            indices: B numbers from 0 to len(self) - 1; repeats are allowed.
            visits: What may differ at each visit is drawn from here; None gives each example as
                it is stored.

        Returns:
            Tensors (B, ...) of all fields, not finished.

        Raises:
            UserError: A file cannot be read; the message names it.
        """

    def finished(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Finished examples by number, as stored."""
        return finish(self.fetch(indices), self.fields)

    def chosen(self, n: int, seed: int = 0) -> list[int]:
        """Numbers of at most n examples, drawn without repeats."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return order[:n].tolist()

    def some(self, n: int, seed: int = 0) -> dict[str, Tensor]:
        return self.finished(self.chosen(n, seed))


class MutableSource(Source):
    """A source whose examples may be replaced by better ones while a game is trained.

    What it holds is a part of every checkpoint, so that a resumed run goes on with it.
    """

    @abstractmethod
    def admit(self, batch: Batch, scores: Tensor) -> int:
        """Offer finished samples (N, ...) with their scores (N,), higher is better.

        Returns:
            How many were taken, by the source's own rule.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was changed since the source was opened: plain containers and tensors."""

    @abstractmethod
    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""


class TensorSource(Source):
    """Examples held in memory, one tensor per field, first axis counting the examples."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        fields: Mapping[str, Field],
        *,
        name: str,
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self._tensors = dict(tensors)
        self.fields = dict(fields)
        self.name = name
        self.notes = notes
        self._skipped = skipped

    @property
    def skipped(self) -> tuple[str, ...]:
        return self._skipped

    def __len__(self) -> int:
        return len(next(iter(self._tensors.values())))

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        rows = torch.as_tensor(indices, dtype=torch.int64)
        # index_select is several times faster than fancy indexing on uint8 pictures
        return {key: value.index_select(0, rows) for key, value in self._tensors.items()}


class Mirrored(Source):
    """A source of which half of the visits are mirrored, all fields of an example together."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.fields, self.notes = source.name, source.fields, source.notes
        self.in_memory, self.answers = source.in_memory, source.answers

    @property
    def skipped(self) -> tuple[str, ...]:
        return self._source.skipped

    def __len__(self) -> int:
        return len(self._source)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        return mirrored(self._source.fetch(indices, visits), self.fields, visits)


def mirrored(
    batch: dict[str, Tensor], fields: Mapping[str, Field], visits: Visits | None
) -> dict[str, Tensor]:
    """Mirror the examples (B, ...) whose visits' coins say so; none where nobody visits."""
    if visits is None:
        return batch
    rows = torch.from_numpy(visits.coins(MIRROR))
    for name, raw in batch.items():
        turned = fields[name].mirror(raw)
        if turned is not None:
            batch[name] = torch.where(rows.view(-1, *[1] * (raw.ndim - 1)), turned, raw)
    return batch


@dataclass(frozen=True)
class Split:
    """Training and held-out examples of one set.

    Attributes:
        train: What the model learns from: a `Source`, or a stream.
        heldout: What it never sees, for metrics; None when nothing is kept aside.
        heldout_note: Where the held-out part comes from, in words for people, such as
            `the official test part (10,000)` or `10 % (180 of 1,797), seed 0`.
        codec: How users' objects became fields.
        trial: For sets of anomalies: examples of both kinds, neither learned from nor held out,
            with their truth in the category `abnormal`; None elsewhere.
    """

    train: Examples
    heldout: Source | None
    heldout_note: str
    codec: Codec
    trial: Source | None = None
