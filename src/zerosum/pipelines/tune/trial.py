"""One trial of a search: a training that is scored on its way and ends early where it lags.

    python -m zerosum.pipelines.tune.trial FOLDER NUMBER

A trial is a function of the search's terms and its own plan. So it may be stopped and go on, or
be done again, whatever the other trials did meanwhile.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zerosum.core.game import Progress
from zerosum.core.recipe import Evaluate, Recipe
from zerosum.errors import UserError
from zerosum.files import DiskError
from zerosum.pipelines.tune.records import Outcome, Plan, SearchFolder, Terms
from zerosum.records import SCORE_ROW, read_lines
from zerosum.training.interrupts import Stopped
from zerosum.training.lock import locked
from zerosum.training.run import RunFolder
from zerosum.training.trainer import Trainer


class Lagging(Exception):  # noqa: N818 (not an error: the trial is judged)
    """The trial is behind those before it."""


class Scored(Exception):  # noqa: N818 (not an error: all that a trial is for is done)
    """The trial has its last score."""


class Limits:
    """A listener that ends a training whose loss at one of its stations is above a limit.

    This is the median stopping rule of Golovin et al. 2017 (Google Vizier), section 3.2.1, taken
    at a third and at two thirds of the way. One that comes to its end is left before curves are
    drawn, which would cost as much as a short trial.
    """

    def __init__(self, scores: Path, limits: Sequence[float]) -> None:
        self.scores, self.limits = scores, limits

    def scalars(self, values: Mapping[str, float], progress: Progress) -> None:
        taken = _judged(read_lines(self.scores, SCORE_ROW))
        if any(loss > limit for loss, limit in zip(taken.losses, self.limits)):
            raise Lagging

    def picture(self, name: str, path: Path, progress: Progress) -> None:
        if progress.seen >= progress.total:  # the last sheet, which comes after the last score
            raise Scored

    def close(self) -> None:
        return


def run_trial(folder: SearchFolder, number: int) -> Outcome:
    """Train, or go on training, one trial, and write what it came to.

    A training that diverges, or whose samples cannot be scored, is an outcome as well.

    Raises:
        UserError: Another process is at this trial, or the disk refuses a write.
        Stopped: SIGINT or SIGTERM came; the state is saved.
    """
    terms, plan = folder.terms(), folder.plan(number)
    assert terms is not None and plan is not None
    run = RunFolder(folder.trial(number) / "run")
    with locked(folder.trial(number)):
        begun = time.process_time() - folder.spent(number)
        state, reason = "complete", ""
        trainer = Trainer(
            trial_recipe(terms, plan),
            run.path,
            device="cpu",
            quiet=True,
            loggers=[Limits(run.scores, plan.limits)],
            module=terms.module,
        )
        try:
            trainer.fit()
        except Scored:
            pass
        except Lagging:
            state = "stopped early"
        except DiskError:
            raise
        except Stopped:
            folder.write_spent(number, time.process_time() - begun)
            raise
        except (UserError, ArithmeticError, RuntimeError, ValueError) as error:
            state, reason = "failed", " ".join(str(error).split())
        spent = time.process_time() - begun
        outcome = _outcome(run, number, state, reason, terms.examples)
        outcome = outcome.model_copy(update={"seconds": round(spent, 3)})
        folder.write_outcome(outcome)
        for weights in (run.checkpoints, run.best):  # the winner is trained again
            shutil.rmtree(weights, ignore_errors=True)
    return outcome


def trial_recipe(terms: Terms, plan: Plan) -> Recipe:
    """The recipe that is tuned, at the trial's point and of the trials' length.

    It is scored twice on the way, and nothing else is done there.
    """
    recipe = terms.asked().override(terms.changes(plan.point))
    batch, examples = recipe.train.batch, terms.examples
    train = {
        "examples": examples,
        "seed": terms.seed,
        "checkpoint_every": max(batch, examples // 4),
        "keep": 1,
        "sheet_every": examples,
        "log_every": max(batch, examples // 40),
    }
    samples = recipe.evaluate.samples or Evaluate().samples
    judged = {"every": -(-examples // 3), "samples": samples}
    return recipe.model_copy(
        update={
            "train": recipe.train.model_copy(update=train),
            "evaluate": recipe.evaluate.model_copy(update=judged),
            "doctor": recipe.doctor.model_copy(update={"policy": "off"}),
        }
    )


def _outcome(run: RunFolder, number: int, state: Any, reason: str, examples: int) -> Outcome:
    rows = read_lines(run.scores, SCORE_ROW)
    try:
        taken = _judged(rows)
    except UserError as error:
        return Outcome(number=number, state="failed", reason=str(error), examples=examples)
    if state != "complete":
        log = read_lines(run.log)
        examples = log[-1]["seen"] if log else 0
    elif not rows:
        state = "failed"
        reason = "no score was taken: give more data, or name an extractor with evaluate.features"
    known = {"number": number, "state": state, "reason": reason, "examples": examples}
    return taken.model_copy(update=known)


def _judged(rows: Sequence[Mapping[str, Any]]) -> Outcome:
    """The first score of some lines of `scores.jsonl`.

    Raises:
        UserError: It has no better side, or is not finite.
    """
    if not rows:
        return Outcome(number=0, state="complete")
    name = next(iter(rows[0]["scores"]))
    better = rows[0]["better"].get(name)
    if better is None:
        raise UserError(f"{name} has no better side: name another first in evaluate.metrics")
    scores = tuple(row["scores"][name] for row in rows)
    if not all(map(math.isfinite, scores)):
        raise UserError(f"{name} is not finite")
    return Outcome(number=0, state="complete", metric=name, better=better, scores=scores)


if __name__ == "__main__":
    run_trial(SearchFolder(Path(sys.argv[1])), int(sys.argv[2]))
