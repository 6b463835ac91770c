"""Many trials side by side, each a process of its own; what is done already is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerosum.bench.families.protocol import Protocol, protocol
from zerosum.bench.families.search import SHARE
from zerosum.bench.families.trial import PLAN, RESULT, recipe_of
from zerosum.core import registry
from zerosum.core.recipe import Recipe
from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.pipelines.tune.records import SearchFolder
from zerosum.training.pool import Job, refuse_failed, work_off

Result = dict[str, Any]
OWN = {
    f"train.{name}"
    for name in ("examples", "seed", "checkpoint_every", "keep", "sheet_every", "log_every")
}
"""What the bench sets itself."""


@dataclass(frozen=True)
class Trial:
    """One system with one seed on one set, as its preset has it or tuned."""

    system: str
    data: str
    seed: int
    seconds: float
    out: Path
    trials: int = 0
    """Of the search whose best recipe is trained; 0 trains the preset."""

    @property
    def folder(self) -> Path:
        kind = "-tuned" if self.trials else ""
        return self.out / self.data / f"{self.system}{kind}-{self.seed}"

    @property
    def search(self) -> SearchFolder | None:
        """The search that all seeds of the system share; None for the preset."""
        folder = SearchFolder(self.out / self.data / f"{self.system}-tune")
        return folder if self.trials else None

    @property
    def searched(self) -> bool:
        """Whether what is to be trained is known."""
        return self.search is None or self.search.finished()[0] == self.trials

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
        what = "search's best recipe" if self.trials else "preset"
        refuse_changed(self.folder, recipe_of(self.system, protocol(self.data), self.search), what)
        return found


def refuse_changed(folder: Path, recipe: Recipe, what: str) -> None:
    """Refuse scores of a training whose recipe is not what it was, the bench's own settings aside.

    Args:
        folder: Of the training, with its `plan.json`.
        recipe: What would be trained now, before a budget makes it longer or shorter.
        what: What the recipe is, for the message.

    Raises:
        UserError: It says which settings changed.
    """
    then = Recipe.from_json((folder / PLAN).read_text(encoding="utf-8"), type(recipe.model))
    changed = [
        path
        for path in recipe.differences(then)
        if path not in OWN and not path.startswith(("evaluate.", "doctor."))
    ]
    if changed:
        raise UserError(
            f"{folder} was trained before {', '.join(changed[:3])} of the {what} changed: "
            "take it away, or give another --out"
        )


def candidates(data: Protocol) -> list[str]:
    """Systems that have a preset for a set, which also learn from it."""
    found = []
    for name in registry.list_models():
        preset = registry.system(name).presets.get(data.preset)
        if preset is None or not isinstance(preset.data, Images):
            continue
        if preset.data.path == data.data:
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
    """Train and score what has no result yet: presets, then searches, then what these found.

    A bench that is stopped on the way so has whole columns.

    Args:
        trials: What to run, in this order.
        jobs: How many at a time, each on one thread.
        say: Hears one line about each.

    Returns:
        The results of all trials that have one, in their order.

    Raises:
        UserError: A trial or a search failed; the others were still run.
    """
    searches = {trial.system: trial for trial in trials if trial.trials}
    presets = [trial for trial in trials if not trial.trials and trial.result is None]
    tuned = [trial for trial in trials if trial.trials and trial.result is None]
    missing = [trial for trial in searches.values() if not trial.searched]
    total, failed = len(trials) + len(searches), []
    left = len(presets) + len(missing) + len(tuned)
    for part, job in ((presets, _job), (missing, _search), (tuned, _job)):
        ready = part if job is _search else [trial for trial in part if trial.searched]
        failed += work_off(map(job, ready), jobs, say, total - left, total)
        left -= len(part)
    refuse_failed(failed)
    return [result for trial in trials if (result := trial.result) is not None]


def _job(trial: Trial) -> Job:
    module = "zerosum.bench.families.trial"
    words = [trial.system, trial.data, str(trial.seed), str(trial.seconds), str(trial.folder)]
    found = [str(trial.search.path)] if trial.search else []

    def outcome() -> str:
        result = trial.result
        return f"FD pixels {result['scores']['FD pixels']:.3g}" if result else ""

    tuned = " (tuned)" if trial.trials else ""
    label = f"{trial.system}{tuned} on {trial.data}, seed {trial.seed}"
    return Job(label, [module, *words, *found], trial.folder, outcome)


def _search(trial: Trial) -> Job:
    """The search that a tuned trial and its other seeds wait for."""
    assert trial.search is not None
    folder, seconds = trial.search, SHARE * trial.seconds
    words = [trial.system, trial.data, str(seconds), str(trial.trials), str(folder.path)]

    def outcome() -> str:
        return f"{folder.finished()[1]:.0f} s of processor time" if trial.searched else ""

    label = f"{trial.system} on {trial.data}, search of {trial.trials} trials"
    return Job(label, ["zerosum.bench.families.search", *words], folder.path, outcome)
