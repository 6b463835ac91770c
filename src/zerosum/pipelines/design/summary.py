"""Numbers of a design by cycle, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any

import numpy as np

from zerosum.metrics.score import Score, around
from zerosum.pipelines.design.baselines import Compared, gains
from zerosum.pipelines.design.records import Measured, Molecule, Sampled, Terms
from zerosum.pipelines.design.scoring import Laboratory, values_of

if TYPE_CHECKING:
    from zerosum.pipelines.design.loop import Cycle

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Law:
    """How one number is spread over the molecules of a cycle.

    Attributes:
        mean: With the normal interval of the mean.
        quantiles: At 5, 25, 50, 75 and 95 %.
        gain: The mean minus that of cycle 0, at equal numbers of heavy atoms; with a bootstrap
            interval.
    """

    mean: Measured
    quantiles: list[float]
    gain: Measured


@dataclass(frozen=True)
class Story:
    """What there is to say of a cycle.

    Attributes:
        cycle: Its number; 0 is before any feedback.
        sampled: What the generator gave; the shares are of the same number of samples each cycle.
        scored: Molecules with a score.
        reasons: Molecules without one, by reason.
        admitted: Molecules that the training set took.
        elite: Molecules that it held then.
        atoms: Mean number of heavy atoms.
        nearest: Mean similarity to the training molecule most like it.
        laws: By number of a molecule: the score, its parts.
    """

    cycle: int
    sampled: Sampled
    scored: int
    reasons: dict[str, int]
    admitted: int
    elite: int
    atoms: float
    nearest: float
    laws: dict[str, Law]


def summarised(
    cycles: Sequence[Cycle], sampled: Sequence[Sampled], laboratory: Laboratory
) -> list[Story]:
    """The story of each cycle."""
    start = cycles[0].scored.molecules
    found: list[Story] = []
    for number, (cycle, drawn) in enumerate(zip(cycles, sampled, strict=True)):
        molecules = cycle.scored.molecules
        gained = gains(start, molecules, laboratory.parts)
        laws = {
            name: _law([read(one) for one in molecules], gained[name])
            for name, read in values_of(laboratory.parts).items()
        }
        reasons = Counter(one.reason for one in molecules if one.reason)
        found.append(
            Story(
                cycle=number,
                sampled=drawn,
                scored=len(cycle.scored.ranked),
                reasons=dict(reasons.most_common()),
                admitted=len(cycle.admitted),
                elite=len(cycle.elite),
                atoms=fmean(one.atoms for one in molecules),
                nearest=fmean(one.nearest for one in molecules),
                laws=laws,
            )
        )
    return found


def tell(
    terms: Terms,
    cycles: int,
    story: Sequence[Story],
    searches: Sequence[Compared],
    best: Sequence[tuple[int, Molecule]],
) -> dict[str, Any]:
    """All of it as JSON; numbers that there are not are null."""
    rows = []
    for one in story:
        sampled = one.sampled.model_dump(exclude={"smiles"})
        laws = {
            name: {
                "mean": law.mean.model_dump(),
                "quantiles": dict(zip(map(str, QUANTILES), law.quantiles)),
                "gain_at_equal_heavy_atoms": law.gain.model_dump(),
            }
            for name, law in one.laws.items()
        }
        facts = {key: getattr(one, key) for key in ("scored", "reasons", "admitted", "elite")}
        means = {"heavy_atoms": one.atoms, "nearest": one.nearest}
        rows.append({"cycle": one.cycle, **sampled, **facts, **means, "numbers": laws})
    settings = terms.model_dump(exclude={"recipe"})
    return {
        "system": terms.recipe["system"],
        "preset": terms.recipe["preset"],
        "data": terms.recipe["data"],
        "settings": {**settings, "cycles": cycles},
        "cycles": rows,
        "same_calls": [_plain(one) for one in searches],
        "best": [{"cycle": cycle, **one.model_dump()} for cycle, one in best],
    }


def _plain(one: Compared) -> dict[str, Any]:
    found = asdict(one)
    found["gains"] = {name: gain.model_dump() for name, gain in one.gains.items()}
    return {key: None if value != value else value for key, value in found.items()}


def _law(found: Sequence[float | None], gain: Measured) -> Law:
    values = [value for value in found if value is not None]
    if not values:
        return Law(Measured(), [], gain)
    mean = fmean(values)
    spread = around(mean, variance(values) / len(values)) if len(values) > 1 else None
    quantiles = np.quantile(values, QUANTILES).tolist()
    return Law(Measured.of(Score(value=mean, interval=spread)), quantiles, gain)
