"""Molecules with all that is known of them, and the table that holds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from zerosum.chem.desirability import desirability
from zerosum.chem.docking import heavy_atoms
from zerosum.chem.fingerprints import Bits, likeness, morgan
from zerosum.chem.lists import write_table
from zerosum.chem.measure import OnProgress
from zerosum.chem.scorers import Scorer
from zerosum.pipelines.design.records import Molecule

DOCKED, PER_ATOM = "docking:", "efficiency:"
"""How parts begin that dock; each follows from the other."""
Row = tuple[str, int | None, Molecule, bool]
"""Which search, its cycle or generation, the molecule, and whether the training set took it."""


class Laboratory:
    """Scores molecules and says what else there is to know.

    Args:
        scorer: What they are worth.
        train: Clean SMILES of the training set.
    """

    def __init__(self, scorer: Scorer, train: Sequence[str]) -> None:
        self.scorer = scorer
        self._train = list(train)
        self._bits: Bits | None = None

    @property
    def parts(self) -> list[str]:
        return [part.title for part in self.scorer.parts]

    def examine(
        self, smiles: Sequence[str], on_progress: OnProgress | None = None
    ) -> list[Molecule]:
        """All that the table has of molecules, in their order.

        Raises:
            UserError: A part as a whole does not work.
        """
        if not smiles:
            return []
        if self._bits is None:
            self._bits = morgan(self._train)
        found = self.scorer.table(smiles, on_progress)
        near = likeness(morgan(smiles), self._bits)
        worth = {
            part.title: desirability(found.values[part.title], part.low, part.high)
            for part in self.scorer.parts
        }
        return [
            Molecule(
                smiles=text,
                score=_number(found.score[row]),
                values={name: _number(found.values[name][row]) for name in found.values},
                worth={name: _number(worth[name][row]) for name in worth},
                atoms=heavy_atoms(text),
                nearest=float(near[row]),
                reason=found.reasons[row],
            )
            for row, text in enumerate(smiles)
        ]

    def pose(self, smiles: str) -> str:
        """The docked pose of a molecule as a MOL block; "" where nothing docks it."""
        extras = self.scorer.table([smiles]).extras
        return next((found[0] for found in extras.values() if found[0]), "")


def values_of(parts: Sequence[str]) -> dict[str, Callable[[Molecule], float | None]]:
    """How each number of a molecule is read, by name: the score, its parts, and of docking both
    the score and the ligand efficiency (per heavy atom)."""
    found: dict[str, Callable[[Molecule], float | None]] = {"score": lambda one: one.score}
    found |= {part: _of(part) for part in parts}
    for part in parts:
        if part.startswith(DOCKED):
            found.setdefault(PER_ATOM + part.removeprefix(DOCKED), _scaled(part, -1))
        elif part.startswith(PER_ATOM):
            found.setdefault(DOCKED + part.removeprefix(PER_ATOM), _scaled(part, 1))
    return found


def write_molecules(path: Path, parts: Sequence[str], rows: Sequence[Row]) -> None:
    """`molecules.csv`: every molecule that was scored, once for each search that asked for it."""
    numbers = values_of(parts)
    header = ["search", "cycle", "smiles", *numbers]
    header += [f"{part} desirability" for part in parts]
    header += ["heavy_atoms", "nearest", "admitted", "reason"]
    table = [
        [
            search,
            cycle,
            one.smiles,
            *(read(one) for read in numbers.values()),
            *(one.worth[part] for part in parts),
            one.atoms,
            one.nearest,
            "yes" if admitted else "no",
            one.reason,
        ]
        for search, cycle, one, admitted in rows
    ]
    write_table(path, header, table)


def captions(molecules: Sequence[Molecule], parts: Sequence[str]) -> list[str]:
    """A line for under each picture: the score, and the first parts."""
    return [
        ", ".join(
            [f"{one.score or 0:.3f}", *(_shown(part, one.values) for part in list(parts)[:2])]
        )
        for one in molecules
    ]


def _shown(part: str, values: Mapping[str, float | None]) -> str:
    value = values[part]
    return f"{part.split(':')[0]} {'none' if value is None else f'{value:.2f}'}"


def _of(part: str) -> Callable[[Molecule], float | None]:
    return lambda one: one.values[part]


def _scaled(part: str, power: int) -> Callable[[Molecule], float | None]:
    def value(one: Molecule) -> float | None:
        known = one.values[part]
        return None if known is None else known * one.atoms**power

    return value


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
