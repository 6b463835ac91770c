"""What the same number of calls brings without a GAN, and without feedback."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zerosum.chem.docking import heavy_atoms
from zerosum.chem.genetic import evolve
from zerosum.data.config import OnProgress
from zerosum.modalities.molecules.scores import diversity
from zerosum.pipelines.design.records import Measured, Molecule, Scored
from zerosum.pipelines.design.sampling import sample
from zerosum.pipelines.design.scoring import Laboratory, values_of
from zerosum.pipelines.design.strata import difference
from zerosum.pipelines.generate import Generator

POPULATION = 20
"""Of the genetic algorithm: the best of those that were tried (see the guide of scorers)."""
FEW, MANY = 10, 100
"""Best molecules whose mean is compared."""


@dataclass(frozen=True)
class Compared:
    """What one search found.

    Attributes:
        name: Of the search.
        calls: Molecules that it had scored.
        best: The highest score.
        few: Mean score of the best 10.
        many: Mean score of the best 100.
        diversity: Internal diversity of these.
        gains: By number of a molecule, the mean of these 100 minus that of cycle 0, at equal
            numbers of heavy atoms.
    """

    name: str
    calls: int
    best: float
    few: float
    many: float
    diversity: float
    gains: dict[str, Measured]


def random_search(
    pretrained: Path,
    calls: int,
    seed: int,
    train: Collection[str],
    laboratory: Laboratory,
    device: str,
    module: str | None,
    on_progress: OnProgress,
) -> Scored:
    """Cycle 0 prolonged: new samples of the generator as it was, which learns nothing of scores.

    Random molecules that know nothing of the training set would be too easy to beat.
    """
    generator = Generator.load(pretrained, device=device, module=module)
    found = sample(generator, calls, (seed, 0), train, (), lambda done, total: None)
    molecules = laboratory.examine(found.smiles, on_progress)
    note = ""
    if len(molecules) < calls:
        note = f"{len(molecules):,} new molecules in {found.draws:,} draws"
    return Scored(molecules=molecules, note=note)


def genetic_search(
    train: Sequence[str],
    calls: int,
    seed: int,
    laboratory: Laboratory,
    on_progress: OnProgress,
) -> Scored:
    """The genetic algorithm, begun with molecules that are drawn from the training set.

    Args:
        train: Clean SMILES of the training set.
        calls: Molecules that may be scored, those of the start among them.
        seed: Of all choices.
        laboratory: Scores molecules.
        on_progress: Called after each generation with (calls, of how many).
    """
    drawn = np.random.default_rng(seed).permutation(len(train))[:POPULATION]
    found = evolve(
        [train[int(number)] for number in drawn],
        laboratory.scorer,
        calls,
        population=POPULATION,
        # No larger than what the generator knows: larger molecules dock better.
        atoms=max(map(heavy_atoms, train)),
        seed=seed,
        on_progress=on_progress,
    )
    return Scored(molecules=laboratory.examine(found.smiles), note=found.ended)


def compared(
    name: str,
    molecules: Sequence[Molecule],
    train: Collection[str],
    start: Sequence[Molecule],
    laboratory: Laboratory,
) -> Compared:
    """What a search found; molecules of the training set are no finds.

    Args:
        name: Of the search.
        molecules: All that it had scored.
        train: Clean SMILES of the training set.
        start: Those of cycle 0.
        laboratory: Knows the numbers of a molecule.
    """
    new = [one for one in molecules if one.score is not None and one.smiles not in train]
    ranked = sorted(new, key=lambda one: -(one.score or 0.0))
    scores = [one.score or 0.0 for one in ranked]
    return Compared(
        name=name,
        calls=len(molecules),
        best=scores[0] if scores else float("nan"),
        few=float(np.mean(scores[:FEW])) if scores else float("nan"),
        many=float(np.mean(scores[:MANY])) if scores else float("nan"),
        diversity=diversity([one.smiles for one in ranked[:MANY]]),
        gains=gains(start, ranked[:MANY], laboratory.parts),
    )


def gains(
    before: Sequence[Molecule], after: Sequence[Molecule], parts: Sequence[str]
) -> dict[str, Measured]:
    """Means of `after` minus those of `before` at equal numbers of heavy atoms, by number."""
    found: dict[str, Measured] = {}
    for name, read in values_of(parts).items():
        sides = []
        for molecules in (before, after):
            rows = [(one.atoms, read(one)) for one in molecules]
            known = [(size, value) for size, value in rows if value is not None]
            sizes = np.array([size for size, _ in known], dtype=np.int64)
            sides.append((sizes, np.array([value for _, value in known], dtype=np.float64)))
        found[name] = Measured.of(difference(sides[0], sides[1]))
    return found
