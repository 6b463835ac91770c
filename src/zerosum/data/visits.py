"""What may differ each time that an example is visited, as a pure function of the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zerosum.data.order import draw


@dataclass(frozen=True)
class Visits:
    """Visits of examples in the endless stream of a training.

    What a source draws for a visit (mirrors, crops, partners, conditions) must come from here:
    then it is the same at any number of workers and ranks, and a resumed run draws it again.

    Attributes:
        seed: The run's.
        numbers: (B,) of the visits in the stream, over all ranks.
    """

    seed: int
    numbers: NDArray[np.int64]

    def words(self, purpose: int) -> NDArray[np.uint64]:
        """Uniform 64-bit numbers (B,); unrelated ones for each purpose (see `data.order`)."""
        return draw((self.seed, purpose), self.numbers)

    def uniform(self, purpose: int) -> NDArray[np.float64]:
        """Uniform numbers (B,) in [0, 1)."""
        return (self.words(purpose) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, limits: NDArray[np.int64] | int, purpose: int) -> NDArray[np.int64]:
        """Uniform whole numbers (B,) from 0 to limits - 1, limits (B,) or one for all."""
        return (self.uniform(purpose) * limits).astype(np.int64)

    def coins(self, purpose: int) -> NDArray[np.bool_]:
        """Fair coins (B,)."""
        return (self.words(purpose) & np.uint64(1)).astype(bool)
