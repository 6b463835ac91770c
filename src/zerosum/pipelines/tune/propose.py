"""What to try next, and which numbers mattered: Optuna's part of a search."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zerosum.core.search import Choice, Factor, Range, short
from zerosum.errors import require
from zerosum.pipelines.tune.records import Outcome, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna import Study
    from optuna.trial import FrozenTrial

Known = tuple[Plan, Outcome | None]
"""A trial; without an outcome it still runs."""
AT_RANDOM = 4
"""Trials before the sampler has enough to go by."""
FEWEST = 8
"""Trials of which importance is told: a forest on fewer sees noise."""


def propose(
    ranges: Mapping[str, Range], known: Sequence[Known], number: int, seed: int
) -> dict[str, float | str]:
    """The point of a trial: a function of the seed, its number and what is known.

    Args:
        ranges: The space.
        known: The trials before it.
        number: Its number.
        seed: The search's.

    Returns:
        A point that none of the others has where the space is not yet used up.
    """
    optuna = require("optuna", "tune")
    with _quiet():
        sampler = optuna.samplers.GPSampler(seed=seed + number, n_startup_trials=AT_RANDOM)
        study = _study(ranges, known, sampler)
        found = study.ask(_distributions(ranges)).params
    return {path: _rounded(ranges[path], value) for path, value in found.items()}


def importance(ranges: Mapping[str, Range], known: Sequence[Known]) -> dict[str, float]:
    """The share of the scores' variance that each number explains, by functional ANOVA on a
    forest (Hutter et al. 2014), the most important first. Empty with fewer than `FEWEST` trials.

    Scores enter by their rank, so that one diverged trial does not explain everything.
    """
    scored = [(plan, one) for plan, one in known if one and one.scores and one.state != "failed"]
    losses = sorted({outcome.losses[-1] for _, outcome in scored})
    if len(scored) < FEWEST or len(losses) < 2:
        return {}
    optuna = require("optuna", "tune")
    ranks = {loss: float(rank) for rank, loss in enumerate(losses)}

    def rank(trial: FrozenTrial) -> float:
        return ranks[trial.user_attrs["loss"]]

    with _quiet():
        study = _study(ranges, scored, None)
        forest = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return optuna.importance.get_param_importances(study, evaluator=forest, target=rank)


def limits(known: Sequence[Known]) -> list[float]:
    """The loss above which a trial ends early, at each station: the median of the others."""
    losses = [outcome.losses for _, outcome in known if outcome and outcome.scores]
    if len(losses) < AT_RANDOM:
        return []
    first = [row[0] for row in losses]
    second = [row[1] for row in losses if len(row) > 1]
    return [statistics.median(one) for one in (first, second) if one]


def _study(ranges: Mapping[str, Range], known: Sequence[Known], sampler: Any) -> Study:
    """A study in memory that holds what is known."""
    optuna = require("optuna", "tune")
    distributions = _distributions(ranges)
    values = _values([outcome for _, outcome in known])
    study = optuna.create_study(sampler=sampler)
    for (plan, outcome), value in zip(known, values):
        running = outcome is None
        attributes = {} if not outcome or not outcome.scores else {"loss": outcome.losses[-1]}
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState["RUNNING" if running else "COMPLETE"],
                value=value,
                params=dict(plan.point),
                distributions=distributions,
                user_attrs=attributes,
            )
        )
    return study


def _values(outcomes: Sequence[Outcome | None]) -> list[float | None]:
    """What the sampler is told of each trial: None while it runs.

    One that was stopped early counts with the score that it was stopped at, one that failed as
    the worst. Scores span decades, so they are told on a scale that is logarithmic beyond their
    median.
    """
    losses = [one.losses[-1] for one in outcomes if one and one.scores and one.state != "failed"]
    scale = statistics.median(abs(loss) for loss in losses) if losses else 1.0
    told = [math.asinh(loss / (scale or 1.0)) for loss in losses]
    worst = max(told, default=0.0)
    waiting = iter(told)
    return [
        None if one is None else next(waiting) if one.scores and one.state != "failed" else worst
        for one in outcomes
    ]


def _distributions(ranges: Mapping[str, Range]) -> dict[str, Any]:
    distributions = require("optuna.distributions", "tune")
    found: dict[str, Any] = {}
    for path, one in ranges.items():
        if isinstance(one, Choice):
            found[path] = distributions.CategoricalDistribution(one.values)
        else:
            log = isinstance(one, Factor) or one.log
            found[path] = distributions.FloatDistribution(one.low, one.high, log=log)
    return found


def _rounded(one: Range, value: float | str) -> float | str:
    if isinstance(one, Choice) or isinstance(value, str):
        return value
    return min(max(short(value), one.low), one.high)


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it Optuna tells neither of its trials nor that a part of it is experimental."""
    optuna = require("optuna", "tune")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def shown(one: Range, value: float | str) -> str:
    """A coordinate for people: factors with their sign, numbers, texts of choices."""
    if isinstance(value, str):
        return value
    return f"x {value:g}" if isinstance(one, Factor) else f"{value:g}"
