"""Scorers: `scorer("qed:2,sa,docking:CA2")` is a callable from SMILES to scores in [0, 1].

Each part gives a number in its own unit, which a desirability maps to [0, 1]; the score is their
weighted geometric mean. The grammar is in `zerosum.chem.grammar`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from zerosum.chem.command import Command
from zerosum.chem.desirability import Values, desirability, geometric_mean
from zerosum.chem.docking import Docking
from zerosum.chem.grammar import Term, parse
from zerosum.chem.lists import canonical
from zerosum.chem.measure import Counts, Measure, OnProgress, score_folder
from zerosum.chem.parts import PROPERTIES, PropertyMeasure, Similarity
from zerosum.chem.qsar import QSAR

NO_SMILES = "not a SMILES"


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Settings:
    """How the slow parts work.

    Attributes:
        folder: Of kept scores; None takes `ZEROSUM_CACHE`/scores or the platform's cache folder.
        workers: Processes at a time.
        timeout: Seconds that a molecule may take in each slow part.
        seed: Of 3-D shapes and of docking.
        exhaustiveness: Of docking.
        atoms: Heavy atoms up to which a molecule is docked.
    """

    folder: Path | None = None
    workers: int = field(default_factory=processors)
    timeout: float = 120.0
    seed: int = 0
    exhaustiveness: int = 1
    atoms: int = 50

    @property
    def place(self) -> Path:
        return self.folder if self.folder is not None else score_folder()


@dataclass(frozen=True)
class Scored:
    """Some molecules with all that was measured of them.

    Attributes:
        smiles: Canonical; "" where a text is none.
        score: (N,) in [0, 1]; NaN where there is none.
        values: By part, (N,) in the part's unit; NaN where there is none.
        reasons: Why a molecule has no score; "" where it has one.
        extras: By part, what else came of each molecule, such as a docked pose; "" for none.
    """

    smiles: list[str]
    score: Values
    values: dict[str, Values]
    reasons: list[str]
    extras: dict[str, list[str]]


class Scorer:
    """Parts and their weights as one score. Close it, or use it in a `with`, to end its workers.

    Args:
        text: What the score is called.
        parts: What is measured.
        weights: One above 0 for each.
    """

    def __init__(self, text: str, parts: Sequence[Measure], weights: Sequence[float]) -> None:
        self.text, self.parts, self.weights = text, list(parts), list(weights)
        self.calls = 0
        """Distinct molecules that were asked about so far, each call counted anew."""

    def __call__(self, smiles: Sequence[str]) -> Values:
        """Scores (N,), float64, in [0, 1], higher is better; NaN where there is none.

        Raises:
            UserError: A part as a whole does not work.
        """
        return self.table(smiles).score

    def table(self, smiles: Sequence[str], on_progress: OnProgress | None = None) -> Scored:
        """Scores with what they are made of.

        Args:
            smiles: Any texts; those that are no SMILES get no score.
            on_progress: Called now and then with (done, of how many), over all parts.

        Raises:
            UserError: A part as a whole does not work.
        """
        clean = [canonical(text) for text in smiles]
        distinct = list(dict.fromkeys(filter(None, clean)))
        self.calls += len(distinct)
        values: dict[str, Values] = {}
        extras: dict[str, list[str]] = {}
        reasons = ["" if text else NO_SMILES for text in clean]
        total = len(distinct) * len(self.parts)
        for number, part in enumerate(self.parts):
            part_progress = _shifted(on_progress, number * len(distinct), total)
            found = part.values(distinct, part_progress)
            rows = [found.get(text) for text in clean]
            values[part.title] = np.array([row.number if row else np.nan for row in rows])
            extras[part.title] = [row.extra if row else "" for row in rows]
            reasons = [why or (row.reason if row else "") for why, row in zip(reasons, rows)]
        shares = [desirability(values[part.title], part.low, part.high) for part in self.parts]
        score = geometric_mean(np.stack(shares), self.weights)
        return Scored(clean, score, values, reasons, extras)

    @property
    def counts(self) -> dict[str, Counts]:
        """What became of the molecules, by part."""
        return {part.title: part.counts for part in self.parts}

    def close(self) -> None:
        """End all workers and let go of all files."""
        for part in self.parts:
            part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


Maker = Callable[[Term, Settings], Measure]


def _ends(term: Term, low: float, high: float) -> tuple[float, float]:
    if term.low is None or term.high is None:
        return low, high
    return term.low, term.high


def _docking(term: Term, settings: Settings) -> Measure:
    return Docking(
        term.argument,
        settings.place,
        per_atom=term.name == "efficiency",
        ends=None if term.low is None or term.high is None else (term.low, term.high),
        workers=settings.workers,
        timeout=settings.timeout,
        seed=settings.seed,
        exhaustiveness=settings.exhaustiveness,
        atoms=settings.atoms,
    )


def _command(term: Term, settings: Settings) -> Measure:
    low, high = _ends(term, 0.0, 1.0)
    return Command(
        term.argument, settings.place, settings.timeout, settings.workers, low=low, high=high
    )


def _qsar(term: Term, settings: Settings) -> Measure:
    return QSAR.load(Path(term.argument).expanduser(), term.low, term.high)


PARTS: Mapping[str, tuple[str, Maker]] = {
    **{
        name: ("", lambda term, settings: PropertyMeasure(term.name, term.low, term.high))
        for name in PROPERTIES
    },
    "similarity": (
        "actives.smi",
        lambda term, settings: Similarity.to(term.argument, *_ends(term, 0.0, 1.0)),
    ),
    "qsar": ("runs/qsar", _qsar),
    "docking": ("CA2", _docking),
    "efficiency": ("CA2", _docking),
    "command": ("'python score.py'", _command),
}
"""Each part by name: an example of its argument ("" where it takes none), and how it is made."""


def scorer(text: str, settings: Settings | None = None) -> Scorer:
    """The scorer that a text describes.

    Args:
        text: Such as `qed:2,sa,docking:CA2`; see `zerosum.chem.grammar`.
        settings: How the slow parts work.

    Raises:
        UserError: The text is wrong, a file, run or target is not there, or a library is missing.
    """
    terms = parse(text, {name: example for name, (example, _) in PARTS.items()})
    made: list[Measure] = []
    try:
        for term in terms:
            made.append(PARTS[term.name][1](term, settings or Settings()))
    except BaseException:
        for part in made:
            part.close()
        raise
    return Scorer(text, made, [term.weight for term in terms])


def _shifted(on_progress: OnProgress | None, done: int, total: int) -> OnProgress | None:
    if on_progress is None:
        return None
    return lambda count, _: on_progress(done + count, total)
