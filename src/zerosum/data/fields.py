"""What one tensor of an example is: its shape, and how stored numbers become what networks see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from zerosum.config import Part
from zerosum.errors import UserError, nearest

Batch = Mapping[str, Tensor]
"""Named tensors whose first dimension is the batch."""


class Field(Part):
    """One tensor of an example. Each modality has subclasses of its own.

    A field is JSON, so that a model's configuration can keep it and an export loads without data.
    """

    kind: str
    """Name of the kind, a literal in each subclass."""
    shape: tuple[int | None, ...]
    """Shape of one finished example; None where the length varies."""

    def finish(self, raw: Tensor) -> Tensor:
        """What networks see of examples (B, ...) as they are fetched; the same by default."""
        return raw

    def mirror(self, raw: Tensor) -> Tensor | None:
        """Fetched examples (B, ...) with left and right swapped; None where that means nothing."""
        return None

    def random(self, n: int, rng: torch.Generator) -> Tensor:
        """Tensors (n, ...) such as finished examples could be, to try a network on; 16 stands
        for a length that varies."""
        return torch.randn(
            n, *(16 if side is None else side for side in self.shape), generator=rng
        )


class Numbers(Field):
    """Real numbers, float32, of any shape."""

    kind: Literal["numbers"] = "numbers"


class Category(Field):
    """One of several classes, int64 from 0 to count - 1."""

    kind: Literal["category"] = "category"
    shape: tuple[int | None, ...] = ()
    count: int
    """Number of classes."""
    names: tuple[str, ...] = ()
    """Their names in the order of the numbers; empty where they have none."""

    def random(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randint(self.count, (n,), generator=rng)

    def cycle(self, n: int) -> Tensor:
        """Classes (n,) in order, again and again."""
        return torch.arange(n) % self.count

    def number(self, word: str, what: str) -> int:
        """The class that a word means: a name, or a number.

        Args:
            word: As a person types it.
            what: What to call it in a message, such as `label`.

        Raises:
            UserError: There is no such class, with the nearest names.
        """
        if word in self.names:
            return self.names.index(word)
        if word.lstrip("-").isdecimal():
            number = int(word)
            if 0 <= number < self.count:
                return number
            raise UserError(f"there is no class {number}: {what} goes from 0 to {self.count - 1}")
        hint = nearest(word, self.names) if self.names else f"write 0 to {self.count - 1}"
        raise UserError(f"{what}={word}: there is no class '{word}': {hint}")


def finish(batch: Batch, fields: Mapping[str, Field]) -> dict[str, Tensor]:
    """Turn fetched examples into what networks see, on the device they are on.

    Args:
        batch: As from `Source.fetch`.
        fields: What each tensor is.
    """
    return {name: fields[name].finish(raw) for name, raw in batch.items()}


def size_of(batch: Batch) -> int:
    """How many examples a batch holds."""
    return len(next(iter(batch.values())))
