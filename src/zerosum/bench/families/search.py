"""One search of the bench around a system's preset, as a process of its own.

    python -m zerosum.bench.families.search SYSTEM SET SECONDS TRIALS FOLDER

Its judge is the run's own score, which sees neither the table's other columns nor its seeds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from zerosum.bench.families.protocol import protocol
from zerosum.core.registry import recipe
from zerosum.pipelines.tune import tune

SHARE = 0.25
"""A trial's part of the budget of a training."""
TRIALS = 8
"""Usual number of trials: two more trainings' worth of work for each system."""


def usual_trials(seconds: float) -> int:
    """Trials of a search for a budget of training; none where the preset's length is the budget,
    which has no quarter in processor time."""
    return TRIALS if seconds else 0


if __name__ == "__main__":
    system, name, seconds, trials, folder = sys.argv[1:]
    preset = recipe(f"{system}/{protocol(name).preset}")
    tune(preset, Path(folder), trials=int(trials), seconds=float(seconds), say=print)
