"""What data look like to the rest: samples that can be counted, fetched and finished."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zerosum.data.stream import Stream


class Source(ABC):
    """Samples that can be counted and fetched at random.

    Attributes:
        name: Set and part, such as `fashion-mnist/train`.
        shapes: Shape of one finished sample by key, such as `{"image": (1, 28, 28), "label": ()}`.
        classes: Class names in the order of the label numbers; empty when there are no labels.
        in_memory: Whether `fetch` only indexes memory. Others are read by worker processes.
        notes: What was decided while reading, one line each, to be shown once.
        skipped: Names of unreadable pictures that were left out (`skip_bad`).
    """

    name: str
    shapes: dict[str, tuple[int, ...]]
    classes: tuple[str, ...] = ()
    in_memory: bool = True
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def fetch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Raw samples by number.

        Args:
            indices: B numbers from 0 to len(self) - 1; repeats are allowed.

        Returns:
            `image` uint8 (B, C, H, W), `label` int64 (B,), `point` float32 (B, D): those
            that `shapes` names.

        Raises:
            UserError: A file cannot be read; the message names it.
        """


class TensorSource(Source):
    """Samples held in memory, one tensor per key, first axis counting the samples."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        *,
        name: str,
        classes: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self._tensors = dict(tensors)
        self.name = name
        self.shapes = {key: tuple(value.shape[1:]) for key, value in tensors.items()}
        self.classes = classes
        self.notes = notes
        self.skipped = skipped

    def __len__(self) -> int:
        return len(next(iter(self._tensors.values())))

    def fetch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        rows = torch.as_tensor(indices, dtype=torch.int64)
        # index_select is several times faster than fancy indexing on uint8 pictures
        return {key: value.index_select(0, rows) for key, value in self._tensors.items()}


@dataclass(frozen=True)
class Split:
    """Training and held-out samples of one set.

    Attributes:
        train: What the model learns from.
        heldout: What it never sees, for metrics; None when nothing is kept aside.
        heldout_note: Where the held-out part comes from, in words for people, such as
            `the official test part (10,000)` or `10 % (180 of 1,797), seed 0`.
    """

    train: Source | Stream
    heldout: Source | None
    heldout_note: str


def finish(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn raw samples into what networks see, on the device they are on.

    Args:
        batch: Raw samples as from `Source.fetch`.

    Returns:
        The same keys; uint8 pictures become float32 in [-1, 1] (x / 127.5 - 1), the rest is
        untouched.
    """
    return {
        key: value.to(torch.float32).div_(127.5).sub_(1) if value.dtype == torch.uint8 else value
        for key, value in batch.items()
    }
