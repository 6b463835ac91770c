"""The same search for every method: learning rates, tried on the ring for a fifth of its updates.

A table in which one method's rates serve all says how that method's rates suit the others. So
each gets the same few trials, judged by one number on seeds that no table shows, and keeps its
best rates, on the grid too.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Final

from zerosum.bench.modes.methods import Method
from zerosum.bench.modes.report import Result
from zerosum.bench.modes.rows import Bench, row
from zerosum.bench.modes.settings import Setting

FACTORS: Final = (1.0, 1 / 4, 1 / 16)
"""A player's rate as a multiple of the profile's, which is the highest that worked for any."""

TRIALS: Final = sorted(product(FACTORS, FACTORS), key=lambda pair: pair[0] != pair[1])
"""(generator's, discriminator's) factors in the order of trials: equal rates first."""

SEEDS: Final = [100, 101]
"""Seeds of the trials."""

LENGTH: Final = 5
"""A trial has this part of the profile's updates."""


def trial_settings(ring: Setting, trials: int) -> list[Setting]:
    """How the trials of a search are trained."""
    return [
        replace(
            ring,
            lr=ring.lr * generator,
            critic_rate=critic / generator,
            updates=max(1, ring.updates // LENGTH),
            seeds=len(SEEDS),
        )
        for generator, critic in TRIALS[:trials]
    ]


def overlap(result: Result) -> float:
    """Mean over the seeds of the share of the law that the samples cover: see `Coverage`."""
    return sum(row.overlap or 0.0 for row in result.rows) / len(result.rows)


def search(bench: Bench, ring: Setting, method: Method, trials: int, folder: Path) -> Setting:
    """The trial of greatest overlap, the first of equal ones.

    Args:
        bench: The ring, and where to train.
        ring: The profile's setting of the ring.
        method: What to train.
        trials: How many, from the start of `TRIALS`.
        folder: Where trials are kept, one folder each.

    Raises:
        UserError: The folder holds trials with other settings.
    """
    tried = trial_settings(ring, trials)
    scores = []
    for number, one in enumerate(tried, start=1):
        title = f"search {method.name} {number} of {trials}"
        found = row(bench, one, method, SEEDS, folder / f"trial-{number}", title=title)
        scores.append(overlap(found))
    return tried[scores.index(max(scores))]


def note(ring: Setting, trials: int) -> str:
    """A line under the table."""
    few = f", the first {trials} of the {len(TRIALS)} pairs" if trials < len(TRIALS) else ""
    length, seeds = max(1, ring.updates // LENGTH), " and ".join(map(str, SEEDS))
    return (
        f"search: {trials} trials for every method on the ring, {length:,} updates each, seeds "
        f"{seeds}: each player's learning rate at the start is {ring.lr:g}, a quarter or a "
        f"sixteenth of it{few}; kept is the pair whose samples share most with the law (1 - total "
        "variation distance over the modes, samples outside them counting as missed)"
    )
