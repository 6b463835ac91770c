"""The doctor of one run: takes its signals at intervals and names what goes wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from zerosum.core.game import Game, Progress
from zerosum.core.recipe import Recipe
from zerosum.core.schedule import at
from zerosum.data.source import Source, Split
from zerosum.doctor.checkup import Reference, checkup
from zerosum.doctor.data import faults
from zerosum.doctor.event import Event, Failure
from zerosum.doctor.rules import RULES, derived
from zerosum.modalities.modality import Modality
from zerosum.records import CHECKUP_ROW, EVENT_ROW, append_line, forget_after, read_lines

CHECKUPS = 40
"""Checkups in a run whose recipe does not say how often."""
STEPS = 25
"""Least number of steps between two checkups."""
PATIENCE = 5
"""Checkups after which a failure that `act` treated and that lasts is treated again."""
FEW = 100
"""Weights below which the length of a step says little: a single number passes through 0."""
SHARE = 0.05
"""Largest share of a run's time that watching may take."""


class Doctor:
    """Watches one run.

    Args:
        recipe: What is trained.
        split: Its data.
        modality: How they are judged.
        checkups: File that takes what was measured.
        events: File that takes what was named.
        seen: Where the run goes on: later lines are dropped, they will be written again.
        first: Whether this process looks; the others know only when.

    Attributes:
        ails: Failures that the last checkup showed.
    """

    def __init__(
        self,
        recipe: Recipe,
        split: Split,
        modality: Modality,
        checkups: Path,
        events: Path,
        seen: int = 0,
        first: bool = True,
    ) -> None:
        self.recipe, self.split, self.modality = recipe, split, modality
        self.checkups, self.events, self.settings = checkups, events, recipe.doctor
        self.every = self.settings.every or max(
            recipe.train.examples // CHECKUPS, STEPS * recipe.train.batch
        )
        self.reference: Reference | None = None
        self.rows: list[dict[str, Any]] = []
        named: list[dict[str, Any]] = []
        if first:
            forget_after(checkups, seen)
            forget_after(events, seen)
            self.rows, named = read_lines(checkups, CHECKUP_ROW), read_lines(events, EVENT_ROW)
        self._since = {row["failure"]: row["seen"] for row in named}
        acted = [row["seen"] for row in named if changed(row["action"])]
        self._from = sum(row["seen"] <= acted[-1] for row in self.rows) if acted else 0
        later = self.rows[self._from :]
        self.ails: set[str] = set(later[-1]["failures"]) if later else set()
        self._movers: set[str] = set()
        self._log: dict[str, list[Tensor]] = {}
        self._weights: dict[str, list[Tensor]] = {}
        self._ready = True
        self._sizes: dict[str, float] = {}
        self._spent, self._begun = 0.0, time.monotonic()

    def first_look(self, game: Game) -> list[Event]:
        """What is wrong with the data, before the first step; also measures the weights."""
        self.reference = Reference.of(self.split, self.modality, game)
        last = self.rows[-1]["signals"] if self.rows else {}
        self._sizes = {
            name: last.get(f"weights/{name}", 0.0) if self.rows else _length(_weights(modules))
            for name, modules in game.players().items()
        }
        if not isinstance(self.split.train, Source) or self.events.is_file():
            return []
        found = faults(self.split.train, self.modality)
        for event in found:
            append_line(self.events, event.row())
        return found

    def due(self, now: Progress) -> bool:
        """Whether the step that ends here crossed a multiple of the interval."""
        batch = self.recipe.train.batch
        if now.seen // self.every <= (now.seen - batch) // self.every:
            return False
        # What `stop` and `act` do must not hang on the machine's pace, nor differ between ranks.
        slow = self._spent > SHARE * (time.monotonic() - self._begun) and len(self.rows) > 2
        return self.settings.policy != "watch" or not slow

    @property
    def cause(self) -> str:
        """Of the failures that the last checkup showed, the one that brings the others about."""
        return next((name for name in get_args(Failure) if name in self.ails), "")

    def begin_anew(self) -> None:
        """Judge by the looks that follow: after a treatment the ones before say nothing."""
        self._from, self.ails = len(self.rows), set()

    def well_due(self) -> bool:
        """Whether it is time to keep a good state: every third checkup, if nothing ails."""
        return not self.ails and len(self.rows) % 3 == 0

    def before_step(self, game: Game) -> None:
        """Keep the weights, so that `examine` can say how far the step moved them, and whether
        it is one that moves all of what makes the samples."""
        self._ready = game.ready()
        self._weights = {
            name: [weight.clone() for weight in _weights(modules)]
            for name, modules in game.players().items()
        }

    def take(self, log: Mapping[str, Tensor]) -> None:
        """Take one step's scalars; they stay on their device until the next checkup."""
        for name, value in log.items():
            self._log.setdefault(name, []).append(value)
        titles = (n.removesuffix("/grad_norm") for n in log if n.endswith("/grad_norm"))
        self._movers = {player for title in titles for player in title.split("+")}

    def examine(self, game: Game) -> list[Event]:
        """Look at the game, write the signals down and judge them.

        Returns:
            Failures that were not there at the checkup before; under `act` also those that are
            still there `PATIENCE` checkups after they were last named.
        """
        begun, now = time.monotonic(), game.progress
        signals = self._strides(game) | self._gradients()
        mean: list[float] = []
        if self.reference is not None and self._ready:
            look = checkup(game, self.reference, self.recipe.train.batch)
            signals, mean = signals | look.signals, look.mean
        row = {"step": now.step, "seen": now.seen, "signals": signals, "mean": mean}
        row["signals"] |= derived([*self.rows[self._from :], row])
        self.rows.append(row)
        events = self._judge(now)
        append_line(self.checkups, row | {"failures": sorted(self.ails)})
        self._spent += time.monotonic() - begun
        return events

    # -- signals of the steps --------------------------------------------------------------

    def _strides(self, game: Game) -> dict[str, float]:
        """Lengths of the weights by player, and of the last step of those who moved in it."""
        found, whole = {}, Progress(0, 0, game.progress.total)
        for name, modules in game.players().items():
            now = _weights(modules)
            before = self._weights.get(name, now)
            moved = _length([a - b for a, b in zip(now, before)])
            size = _length(now)
            if name in self._movers and sum(weight.numel() for weight in now) >= FEW:
                found[f"stride/{name}"] = moved / max(size, 1e-30)
                if self._sizes.get(name):
                    found[f"jump/{name}"] = size / self._sizes[name]
            found[f"weights/{name}"] = self._sizes[name] = size
            rate = self.recipe.optim[name].lr
            found[f"rate/{name}"] = at(rate, game.progress) / max(at(rate, whole), 1e-30)
        self._weights = {}
        return found

    def _gradients(self) -> dict[str, float]:
        """Gradient norms since the last checkup: median and largest, and the share of skips."""
        found: dict[str, float] = {}
        skipped: list[Tensor] = []
        for name, values in self._log.items():
            if name.endswith("/grad_norm"):
                norms = torch.stack(values).float()
                title = name.removesuffix("/grad_norm")
                found[f"gradient/{title}"] = _finite(norms.median().item())
                found[f"gradient_peak/{title}"] = _finite(norms.max().item())
            elif name.endswith("/skipped"):
                skipped += values
        if skipped:
            found["skipped"] = torch.stack(skipped).float().mean().item()
        self._log.clear()
        return found

    # -- judgement -------------------------------------------------------------------------

    def _judge(self, now: Progress) -> list[Event]:
        """Failures that begin here. One that lasts is named once, and again when it comes back."""
        rows = [row["signals"] for row in self.rows[self._from :]]
        found: dict[Failure, Event] = {}
        for rule in RULES:
            event = rule.event(rows, now, self.recipe)
            if event is not None:
                found.setdefault(event.failure, event)
        new = [event for name, event in found.items() if self._is_new(name, now)]
        self._since |= {event.failure: now.seen for event in new}
        self.ails = set(found)
        return new

    def _is_new(self, failure: Failure, now: Progress) -> bool:
        lasts = now.seen - self._since.get(failure, now.seen)
        untreated = self.settings.policy == "act" and lasts >= PATIENCE * self.every
        return failure not in self.ails or untreated


def changed(action: str) -> bool:
    """Whether an event's action changed the run."""
    return bool(action) and not action.startswith("nothing")


def _weights(modules: Iterable[nn.Module]) -> list[Tensor]:
    return [p.detach() for module in modules for p in module.parameters()]


def _length(tensors: Sequence[Tensor]) -> float:
    """The norm of all numbers together, finite."""
    parts = torch.stack([torch.linalg.vector_norm(t.float()) for t in tensors])
    return _finite(torch.linalg.vector_norm(parts).item())


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 1e30
