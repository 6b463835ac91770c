"""Docking as a part of a score: AutoDock Vina in worker processes, on targets made ready."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from zerosum.chem.measure import LATE, Measure, OnProgress, Store, Value
from zerosum.chem.molecules import rdkit
from zerosum.chem.programs import Worker, Workers
from zerosum.chem.targets import find_target
from zerosum.errors import UserError

NEEDED = ("vina", "meeko", "gemmi")
DEATHS = 10
"""Workers in a row that may die before docking as a whole counts as broken."""
SCORE_ENDS, EFFICIENCY_ENDS = (0.0, -12.0), (0.0, -1.0)
"""Where the desirability is 0 and 1: kcal/mol, and kcal/mol per heavy atom."""


def must_be_installed() -> None:
    """Refuse to dock without its libraries.

    Raises:
        UserError: One is missing; the message says how to install it.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return
    line = f"docking needs {', '.join(missing)}: type  pip install 'zerosum[docking]'"
    if "vina" in missing and sys.version_info >= (3, 13):
        line += "  under Python 3.11 or 3.12, for vina has no wheel for later ones"
    raise UserError(line)


class Docking(Measure):
    """The docking score of a molecule in kcal/mol, lower is better, or that per heavy atom.

    Larger molecules dock better whatever they are; the second figure, the ligand efficiency
    (Hopkins et al. 2004, doi:10.1016/S1359-6446(04)03069-7), favours small ones instead. Both
    share the same kept dockings. What each docking depends on (target, seed, exhaustiveness) is
    part of the file's name; what ran out of time is not kept and is tried again next time.

    Args:
        target: Name or folder.
        folder: Of kept scores.
        per_atom: Give the ligand efficiency.
        ends: Where the desirability is 0 and 1; None takes the usual ones.
        workers: Processes at a time; each makes the target's maps once.
        timeout: Seconds for each molecule.
        seed: Of 3-D shapes and of the search, 0 or above.
        exhaustiveness: Runs of Vina's search; the time grows with it.
        atoms: Heavy atoms up to which a molecule is docked.

    Raises:
        UserError: There is no such target, or a library is missing.
    """

    def __init__(
        self,
        target: str,
        folder: Path,
        *,
        per_atom: bool = False,
        ends: tuple[float, float] | None = None,
        workers: int = 1,
        timeout: float = 120.0,
        seed: int = 0,
        exhaustiveness: int = 1,
        atoms: int = 50,
    ) -> None:
        must_be_installed()
        self.target = found = find_target(target)
        title = f"{'efficiency' if per_atom else 'docking'}:{target}"
        low, high = ends or (EFFICIENCY_ENDS if per_atom else SCORE_ENDS)
        store = Store(folder, f"docking {target}", repr((found.mark, exhaustiveness, seed)))
        super().__init__(title, low, high, store)
        self.per_atom, self.timeout, self.atoms = per_atom, timeout, atoms
        asked = {
            "receptor": str(found.receptor),
            "center": found.center,
            "size": found.size,
            "exhaustiveness": exhaustiveness,
            "seed": seed,
        }
        self._workers = Workers(
            lambda: Worker("zerosum.chem.docker", [json.dumps(asked)]), max(1, workers)
        )

    def values(
        self, smiles: Sequence[str], on_progress: OnProgress | None = None
    ) -> dict[str, Value]:
        found = super().values(smiles, on_progress)
        if not self.per_atom:
            return found
        return {
            text: Value(value.number / heavy_atoms(text), value.reason, value.extra, value.fault)
            for text, value in found.items()
        }

    def close(self) -> None:
        self._workers.close()
        super().close()

    def _measure(self, smiles: list[str], keep: Callable[[Mapping[str, Value]], None]) -> None:
        fitting: list[str] = []
        for text in smiles:
            if heavy_atoms(text) > self.atoms:
                # The cap is the caller's and no part of the file's name: not kept.
                reason = f"more than {self.atoms} heavy atoms"
                keep({text: Value(reason=reason, fault=True)})
            else:
                fitting.append(text)
        deaths = 0
        for text, answer, late in self._workers.answers(fitting, self.timeout) if fitting else ():
            value = _read(answer, late)
            keep({text: value})
            deaths = deaths + 1 if answer is None and not late else 0
            if deaths == DEATHS:
                raise UserError(
                    f"{self.title}: {DEATHS} workers in a row died; the last was docking {text}"
                )


def heavy_atoms(smiles: str) -> int:
    """Heavy atoms of a canonical SMILES."""
    return int(rdkit().MolFromSmiles(smiles).GetNumHeavyAtoms())


def _read(answer: str | None, late: bool) -> Value:
    if answer is None:
        return Value(reason=LATE if late else "the worker died", fault=True)
    found = json.loads(answer)
    if "reason" in found:
        return Value(reason=found["reason"])
    score = float(found["score"])
    return Value(score, extra=found["pose"]) if math.isfinite(score) else Value(reason="no score")
