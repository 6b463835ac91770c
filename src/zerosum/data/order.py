"""The order of samples as a pure function: no generator, no state, equal on every machine.

A keyed hash of a counter (the SplitMix64 finaliser) decides everything that is random about the
order: shuffles, mirrors, held-out parts. Nothing depends on the version of a random generator,
on the number of workers or ranks, or on what ran before, so any position can be computed anew.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# What a draw is for: the same seed gives unrelated numbers for each purpose.
SHUFFLE, MIRROR, HOLDOUT, LIMIT, BUFFER, CROP, PARTNER, DRAWN = range(1, 9)

_WORD = (1 << 64) - 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _scramble(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def draw(key: tuple[int, ...], numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Uniform 64-bit numbers, one per counter value.

    Args:
        key: Seed, purpose and what else tells streams apart; any integers.
        numbers: Counter values (N,).

    Returns:
        Hash of key and counter (N,); the same input always gives the same output.
    """
    state = np.zeros(1, dtype=np.uint64)
    for word in key:
        state = _scramble((state ^ np.uint64(word & _WORD)) + _GOLDEN)
    return _scramble(state + _GOLDEN * (numbers.astype(np.uint64) + np.uint64(1)))


def permutation(key: tuple[int, ...], count: int) -> NDArray[np.int64]:
    """A shuffle of 0 .. count - 1 decided by the key alone."""
    return np.argsort(draw(key, np.arange(count)), kind="stable")


def choose(key: tuple[int, ...], count: int, size: int) -> NDArray[np.int64]:
    """`size` numbers out of 0 .. count - 1, without repeats, in rising order."""
    return np.sort(permutation(key, count)[:size])


class Order:
    """The endless stream over a set: a new shuffle for each epoch.

    Args:
        count: Samples in the set, at least 1.
        seed: Any integer.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.seed = seed
        self._epochs: dict[int, NDArray[np.int64]] = {}

    def __call__(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Map stream numbers (B,) to sample numbers (B,): perm(seed, epoch)[number mod count]."""
        epochs, slots = np.divmod(numbers, self.count)
        result = np.empty_like(slots)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            result[here] = self._shuffle(int(epoch))[slots[here]]
        return result

    def _shuffle(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._epochs:
            if len(self._epochs) > 1:  # a batch rarely spans more than two epochs
                self._epochs.pop(min(self._epochs))
            self._epochs[epoch] = permutation((self.seed, SHUFFLE, epoch), self.count)
        return self._epochs[epoch]
