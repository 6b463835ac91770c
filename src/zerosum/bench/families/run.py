"""Many trials side by side, each a process of its own; what is done already is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerosum.bench.families.protocol import Protocol, protocol
from zerosum.bench.families.trial import PLAN, RESULT
from zerosum.bench.pool import Job, work_off
from zerosum.core import registry
from zerosum.core.recipe import Recipe
from zerosum.errors import UserError

Result = dict[str, Any]
OWN = {
    f"train.{name}"
    for name in ("examples", "seed", "checkpoint_every", "keep", "sheet_every", "log_every")
}
"""What the bench sets itself."""


@dataclass(frozen=True)
class Trial:
    """One system with one seed on one set."""

    system: str
    data: str
    seed: int
    seconds: float
    out: Path

    @property
    def folder(self) -> Path:
        return self.out / self.data / f"{self.system}-{self.seed}"

    @property
    def result(self) -> Result | None:
        """Its scores, None while there are none.

        Raises:
            UserError: They were taken with another budget, or the preset has changed since.
        """
        path = self.folder / RESULT
        if not path.is_file():
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["budget"] != self.seconds:
            raise UserError(
                f"{path} has a budget of {found['budget']:g} s, not {self.seconds:g} s: "
                f"give --seconds {found['budget']:g}, or another --out"
            )
        paths = ", ".join(self._changed()[:3])
        if paths:
            raise UserError(
                f"{self.folder} was trained before {paths} of the preset changed: "
                "take it away, or give another --out"
            )
        return found

    def _changed(self) -> list[str]:
        """Dotted paths in which the preset is not what it was, the bench's own aside."""
        name = f"{self.system}/{protocol(self.data).preset}"
        preset, game = registry.recipe(name), registry.system(self.system).game
        then = Recipe.from_json((self.folder / PLAN).read_text(encoding="utf-8"), game.Config)
        return [
            path
            for path in preset.differences(then)
            if path not in OWN and not path.startswith(("evaluate.", "doctor."))
        ]


def candidates(data: Protocol) -> list[str]:
    """Systems that have a preset for a set, which also learn from it."""
    found = []
    for name in registry.list_models():
        preset = registry.system(name).presets.get(data.preset)
        if preset is not None and getattr(preset.data, "path", None) == data.data:
            found.append(name)
    return found


def chosen(names: Sequence[str], data: str) -> list[str]:
    """The systems asked for, all candidates when none are.

    Raises:
        UserError: One of them has no preset for the set.
    """
    known = candidates(protocol(data))
    for name in names:
        registry.system(name)
        if name not in known:
            raise UserError(
                f"{name} has no preset '{protocol(data).preset}' on {protocol(data).data}, so it "
                f"cannot be compared there: choose of {', '.join(known)}"
            )
    return list(names) or known


def run(trials: Sequence[Trial], jobs: int, say: Callable[[str], None]) -> list[Result]:
    """Train and score what has no result yet.

    Args:
        trials: What to run, in this order.
        jobs: How many at a time, each on one thread.
        say: Hears one line about each.

    Returns:
        The results of all trials that have one, in their order.

    Raises:
        UserError: A trial failed; the others were still run.
    """
    waiting = [trial for trial in trials if trial.result is None]
    work_off([_job(trial) for trial in waiting], jobs, say, len(trials) - len(waiting))
    return [result for trial in trials if (result := trial.result) is not None]


def _job(trial: Trial) -> Job:
    module = "zerosum.bench.families.trial"
    words = [trial.system, trial.data, str(trial.seed), str(trial.seconds), str(trial.folder)]

    def outcome() -> str:
        result = trial.result
        return f"FD pixels {result['scores']['FD pixels']:.3g}" if result else ""

    label = f"{trial.system} on {trial.data}, seed {trial.seed}"
    return Job(label, [module, *words], trial.folder, outcome)
