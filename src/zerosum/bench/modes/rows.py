"""One row: what a folder holds already, or a training from its last checkpoint to its end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from zerosum.bench.modes.methods import Method
from zerosum.bench.modes.pictures import draw
from zerosum.bench.modes.report import Result
from zerosum.bench.modes.settings import Setting
from zerosum.bench.modes.suites import Suite
from zerosum.bench.modes.train import Trial
from zerosum.errors import UserError

Progress = Callable[[str, int, int], None]  # what, updates done, of how many

SAVES = 20
"""Checkpoints per training: that share of it at most is lost when the bench is stopped."""


@dataclass(frozen=True)
class Bench:
    """Where rows are trained.

    Attributes:
        law: The suite.
        device: Where to train.
        on_progress: Called now and then.
    """

    law: Suite
    device: torch.device
    on_progress: Progress | None = None


def check(folder: Path, chosen: Setting, unknown: Collection[str] = ()) -> None:
    """Refuse a folder that was made with other settings, before anything is trained.

    Args:
        folder: Of one row.
        chosen: How it would be trained now.
        unknown: Settings that are not known yet, because other rows decide them.

    Raises:
        UserError: It was trained otherwise.
    """
    made = Result.read(folder / "result.json")
    if made is None:
        return
    for name, value in chosen.fingerprint().items():
        if name not in unknown and made.setting.get(name) != value:
            raise UserError(
                f"{folder} was trained with {name}={made.setting.get(name)}, not {value}: "
                "name another --out, or remove it"
            )


def row(
    bench: Bench,
    chosen: Setting,
    method: Method,
    seeds: list[int],
    folder: Path,
    *,
    title: str,
    note: str = "",
) -> Result:
    """The result that a folder holds, or that of a training that goes on where it stopped.

    Args:
        bench: Where to train.
        chosen: How.
        method: What.
        seeds: Numbers of the seeds.
        folder: Where result, checkpoint and picture are kept.
        title: Shown while it trains, and over the picture.
        note: For the table; the method's own when empty.

    Raises:
        UserError: The folder holds a training with other settings.
    """
    check(folder, chosen)
    path, kept = folder / "result.json", folder / "checkpoint.pt"
    done = Result.read(path)
    if done is not None and done.rows:
        return done
    facts = method.name, note or method.note, chosen.fingerprint()
    Result(*facts[:2], [], facts[2], 0.0).write(path)  # begun
    trial = Trial(chosen, method, bench.law, seeds, bench.device)
    if kept.is_file():
        trial.restore(kept)
    every = max(1, chosen.updates // SAVES)

    def report(updates: int) -> None:
        if bench.on_progress is not None:
            bench.on_progress(title, updates, chosen.updates)

    while trial.updates < chosen.updates:
        trial.run(min((trial.updates // every + 1) * every, chosen.updates), report)
        trial.save(kept)
    samples = trial.samples()
    rows = [bench.law.judge(part) for part in samples]
    draw(folder / "samples.png", bench.law, samples, seeds, title)
    result = Result(*facts[:2], rows, facts[2], trial.seconds)
    result.write(path)
    return result
