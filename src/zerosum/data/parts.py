"""Which examples of a set are kept aside, always the same ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zerosum.data.order import HOLDOUT, LIMIT, choose

SEED = 0
"""Of the held-out part and of `limit`: the same examples in every run."""

TRAIN_NAMES = ("train", "training")
HELDOUT_NAMES = ("test", "testing", "val", "valid", "validation")
"""Names of parts that a set brings; of the latter the first found is used."""


def keep_aside(
    count: int, holdout: float, noun: str = "example"
) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    """Numbers of the training and of the held-out examples, and where the latter come from.

    Args:
        count: Examples in all.
        holdout: Share to keep aside; at least one when any are asked for, never all.
        noun: What an example is called.
    """
    size = min(max(1, round(count * holdout)), count - 1) if holdout > 0 else 0
    everything = np.arange(count, dtype=np.int64)
    if not size:
        return everything, everything[:0], f"none: every {noun} is used for training"
    held = choose((SEED, HOLDOUT), count, size)
    note = f"{holdout * 100:g} % ({size:,} of {count:,}), seed {SEED}"
    return np.delete(everything, held), held, note


def limited(numbers: NDArray[np.int64], limit: int | None) -> NDArray[np.int64]:
    """At most `limit` of some numbers, always the same ones."""
    if limit is None or limit >= len(numbers):
        return numbers
    return numbers[choose((SEED, LIMIT), len(numbers), limit)]
