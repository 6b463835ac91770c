"""The doctor's opinion of a run that has stopped or ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from zerosum.core.optim import build_optimizers
from zerosum.data.source import Source
from zerosum.doctor.checkup import Reference, checkup
from zerosum.doctor.data import faults
from zerosum.doctor.dynamics import duality_gap, game_spectrum
from zerosum.doctor.event import Event
from zerosum.doctor.rules import RULES
from zerosum.modalities.modality import of
from zerosum.pipelines.reading import reopened
from zerosum.records import CHECKUP_ROW, EVENT_ROW, read_lines
from zerosum.training.run import RunFolder, read_run

GAP_STEPS = 200
"""Steps that a copy of each player learns on for the duality gap."""


@dataclass(frozen=True)
class Opinion:
    """What is known of a run's health.

    Attributes:
        events: What the doctor named while it was trained, as lines of `events.jsonl`.
        checkups: Lines of `checkups.jsonl`; empty for a run with `doctor.policy=off`.
        now: Signals of the newest checkpoint, with its last weights.
        data: What is wrong with the data.
        shown: Failures that a single look shows.
        eigenvalues: Of the game's Jacobian, if asked for.
        gap: Duality gap with the critic's and the generator's part, if asked for.
    """

    events: list[dict[str, Any]]
    checkups: list[dict[str, Any]]
    now: dict[str, float]
    data: list[Event]
    shown: list[str] = field(default_factory=list)
    eigenvalues: Tensor | None = None
    gap: tuple[float, float, float] | None = None


def examine(path: Path, *, module: str | None = None, deep: bool = False) -> Opinion:
    """Look at a run's records and at its newest checkpoint.

    Args:
        path: The run's folder.
        module: Module or file of an outside model.
        deep: Compute the game's spectrum and the duality gap too; costs as much as some hundred
            steps of training.

    Raises:
        UserError: The folder holds no run, no whole checkpoint yet, or its data are not there.
    """
    saved = read_run(path, module)
    game, recipe = saved.unaveraged(), saved.recipe
    folder, kind = RunFolder.around(path), of(recipe.data)
    split = reopened(recipe.data, saved.codec, str(path))
    reference = Reference.of(split, kind, game)
    now, found, eigenvalues, gap = {}, [], None, None
    if isinstance(split.train, Source):
        found = faults(split.train, kind)
    if reference is not None:
        batch = recipe.train.batch
        look = checkup(game, reference, batch)
        now = look.signals
        if deep:
            few = {name: value[:batch] for name, value in reference.train.items()}
            eigenvalues = game_spectrum(game, few)
        if deep and game.critics() and reference.held_out:
            optimizers = build_optimizers(recipe.optim, game.players())
            held = reference.held_out
            gap = duality_gap(
                game, optimizers, reference.train, held, steps=GAP_STEPS, batch=batch
            )
    share = game.progress.seen / max(game.progress.total, 1)
    asked = (rule for rule in RULES if share >= rule.after)
    shown = list(dict.fromkeys(rule.failure for rule in asked if rule.holds(now)))
    return Opinion(
        events=read_lines(folder.events, EVENT_ROW),
        checkups=read_lines(folder.checkups, CHECKUP_ROW),
        now=now,
        data=found,
        shown=shown,
        eigenvalues=eigenvalues,
        gap=gap,
    )
