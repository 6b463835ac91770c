"""One run on the ward, or all of them: trained under the doctor's eye, then scored."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from zerosum.bench.ward.cases import CASES, Case
from zerosum.core.draw import draw
from zerosum.core.game import Game
from zerosum.core.recipe import Recipe
from zerosum.data.source import Source
from zerosum.doctor.event import Failure
from zerosum.errors import UserError, nearest
from zerosum.files import write_text
from zerosum.metrics.judge import Judge, part_of
from zerosum.modalities import modality
from zerosum.records import read_lines
from zerosum.training.pool import Job, refuse_failed, work_off
from zerosum.training.run import RunFolder
from zerosum.training.trainer import Trainer

RESULT = "result.json"
SAMPLES = 2_000
"""Most real samples that the end of a run is compared with, and as many generated ones."""
FAILURES: tuple[Failure, ...] = get_args(Failure)
"""All names, causes before what they bring about."""


@dataclass(frozen=True)
class Trial:
    """One case with one seed under one policy.

    Attributes:
        case: The case.
        seed: Seed of the training.
        policy: `watch` or `act`.
        out: Folder of the bench.
    """

    case: Case
    seed: int
    policy: str
    out: Path

    @property
    def folder(self) -> Path:
        return self.out / self.policy / f"{self.case.name}-{self.seed}"

    @property
    def result(self) -> dict[str, Any] | None:
        path = self.folder / RESULT
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def diagnosis(named: Sequence[str]) -> str:
    """The principal one of several failures: the one that brings the others about."""
    return next((name for name in FAILURES if name in named), "")


def cases(names: Sequence[str]) -> list[Case]:
    """The cases of these names; all when none are given.

    Raises:
        UserError: There is no case of a name.
    """
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            raise UserError(f"there is no case '{name}': {nearest(name, known)}")
    return [known[name] for name in names] or list(CASES)


def run(trials: Sequence[Trial], jobs: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Run what has no result yet; see `zerosum.training.pool`."""
    waiting = [trial for trial in trials if trial.result is None]
    done, total = len(trials) - len(waiting), len(trials)
    refuse_failed(work_off([_job(trial) for trial in waiting], jobs, say, done, total))
    return [result for trial in trials if (result := trial.result) is not None]


def _job(trial: Trial) -> Job:
    words = [trial.case.name, str(trial.seed), trial.policy, str(trial.out)]

    def outcome() -> str:
        result = trial.result
        return (result["diagnosis"] or "nothing named") if result else ""

    label = f"{trial.case.name} ({trial.case.failure or 'healthy'}), seed {trial.seed}"
    return Job(
        f"{label}, {trial.policy}", ["zerosum.bench.ward.run", *words], trial.folder, outcome
    )


def treat(trial: Trial) -> None:
    """Train one case, or go on with it, and write what the doctor said and how it ended."""
    case = trial.case
    recipe = case.recipe(trial.seed, trial.out / "data" / case.name)
    quiet = {"train.sheet_every": recipe.train.examples, "evaluate.samples": 0}
    recipe = recipe.override({**quiet, "doctor.policy": trial.policy})
    begun, ended, game = time.process_time(), "", None
    out = RunFolder(trial.folder / "run")
    try:
        game = Trainer(recipe, out.path, device="cpu", quiet=True, module=case.module).fit()
    except UserError as error:  # the guard stopped it: that is an end too
        ended = str(error)
    events = read_lines(out.events)
    end, floor = distances(game, case, recipe)
    named = list(dict.fromkeys(event["failure"] for event in events))
    result = {
        "case": case.name,
        "failure": case.failure,
        "seed": trial.seed,
        "policy": trial.policy,
        "named": named,
        "diagnosis": diagnosis(named),
        "events": events,
        "images": recipe.train.examples,
        "ended": ended,
        "distance": end,
        "floor": floor,
        "seconds": time.process_time() - begun,
    }
    write_text(trial.folder / RESULT, json.dumps(result, indent=1) + "\n")


def distances(game: Game | None, case: Case, recipe: Recipe) -> tuple[float | None, float]:
    """Fréchet distances, on raw values, from unspoilt data: of the last averaged generator, and
    of as many other real samples, or of half as many where there are no others.
    """
    config = case.healthy_data(recipe)
    healthy, kind = config.open().train, modality.of(config)
    assert isinstance(healthy, Source)
    judge = Judge(kind.row_features(), {})
    real, wide = judge.embed(healthy.some(SAMPLES)), judge.embed(healthy.some(2 * SAMPLES))
    half = len(wide.features) // 2
    halves = part_of(wide, slice(half)), part_of(wide, slice(half, 2 * half))
    floor = judge.distance(*halves).score.value
    if game is None:
        return None, floor
    fake = judge.embed(draw(game, len(real.features), seed=1))
    if not bool(fake.features.isfinite().all()):
        return float("inf"), floor
    return judge.distance(real, fake).score.value, floor


if __name__ == "__main__":
    name, number, policy, where = sys.argv[1:]
    treat(Trial(cases([name])[0], int(number), policy, Path(where)))
