"""The parts of a score that need no other program, and where their desirability is 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zerosum.chem import molecules as chem
from zerosum.chem.fingerprints import Bits, likeness, morgan
from zerosum.chem.lists import canonical, lines_of
from zerosum.chem.measure import Measure, Memory, Value
from zerosum.chem.molecules import EXTRA, Mol
from zerosum.errors import UserError, require


@dataclass(frozen=True)
class Property:
    """A number that follows from the molecule alone.

    Attributes:
        of: The number of an RDKit molecule.
        low: Its value where the desirability is 0.
        high: Its value where the desirability is 1.
        unit: Of the number; "" where it has none.
    """

    of: Callable[[Mol], float]
    low: float
    high: float
    unit: str = ""


def tpsa(mol: Mol) -> float:
    """Topological polar surface area in square ångström (Ertl, Rohde and Selzer 2000)."""
    return float(require("rdkit.Chem.rdMolDescriptors", EXTRA).CalcTPSA(mol))


def rings(mol: Mol) -> float:
    """Rings of the smallest set of smallest rings."""
    return float(require("rdkit.Chem.rdMolDescriptors", EXTRA).CalcNumRings(mol))


def alerts(mol: Mol) -> float:
    """How many structural alerts of PAINS and Brenk match.

    PAINS: Baell and Holloway 2010, doi:10.1021/jm901137j; Brenk et al. 2008,
    doi:10.1002/cmdc.200700139.
    """
    return float(len(_alerts().GetMatches(mol)))


@cache
def _alerts() -> Any:
    catalogs = require("rdkit.Chem.FilterCatalog", EXTRA)
    wanted = catalogs.FilterCatalogParams()
    wanted.AddCatalog(catalogs.FilterCatalogParams.FilterCatalogs.PAINS)
    wanted.AddCatalog(catalogs.FilterCatalogParams.FilterCatalogs.BRENK)
    return catalogs.FilterCatalog(wanted)


PROPERTIES: dict[str, Property] = {
    "validity": Property(lambda mol: 1.0, 0.0, 1.0),
    "qed": Property(chem.qed, 0.0, 1.0),
    "logp": Property(chem.logp, -2.0, 6.0),
    "weight": Property(chem.weight, 750.0, 500.0, "g/mol"),
    "tpsa": Property(tpsa, 210.0, 140.0, "Å²"),
    "rings": Property(rings, 8.0, 4.0),
    "sa": Property(chem.sa, 10.0, 1.0),
    "drug": Property(chem.SCORERS["drug"], 0.0, 1.0),
    "alerts": Property(alerts, 1.0, 0.0),
}
"""The properties by name.

`weight` is at most 500 g/mol (Lipinski et al. 1997) and `tpsa` at most 140 Å² (Veber et al. 2002):
full marks up to there, none from one and a half times that on. `rings` gives full marks up to
four and none from eight on; the range of `logp` is ours too. One alert is one too many. `drug` is
QED times the desirability of `sa`.
"""


class PropertyMeasure(Measure):
    """A property of `PROPERTIES`, remembered as long as the process lives."""

    def __init__(self, name: str, low: float | None = None, high: float | None = None) -> None:
        self._property = own = PROPERTIES[name]
        low, high = (own.low, own.high) if low is None or high is None else (low, high)
        super().__init__(name, low, high, Memory())

    def _measure(self, smiles: list[str], keep: Callable[[Mapping[str, Value]], None]) -> None:
        keep({text: self._one(text) for text in smiles})

    def _one(self, text: str) -> Value:
        try:
            number = self._property.of(chem.rdkit().MolFromSmiles(text))
        except (ValueError, RuntimeError, ArithmeticError) as error:  # RDKit's own refusals
            return Value(reason=f"{self.title}: {str(error).splitlines()[0]}")
        return Value(number) if math.isfinite(number) else Value(reason=f"{self.title}: no number")


class Similarity(Measure):
    """The highest Tanimoto similarity of Morgan fingerprints to any of the given actives.

    Args:
        known: SMILES of the actives.
        title: What the part is called.
        low: The value whose desirability is 0.
        high: The value whose desirability is 1.

    Raises:
        UserError: None of them is a molecule.
    """

    def __init__(
        self,
        known: Sequence[str],
        title: str = "similarity",
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        super().__init__(title, low, high, Memory())
        clean = list(dict.fromkeys(filter(None, map(canonical, known))))
        if not clean:
            first = f" (the first is '{known[0]}')" if known else ""
            raise UserError(f"{title}: none of the {len(known):,} lines is a molecule{first}")
        self.known: Bits = morgan(clean)

    @classmethod
    def to(cls, path: str, low: float = 0.0, high: float = 1.0) -> Similarity:
        """To the actives of a file.

        Raises:
            UserError: It cannot be read, or holds no molecule.
        """
        return cls(
            lines_of(Path(path).expanduser(), named="").texts, f"similarity:{path}", low, high
        )

    def _measure(self, smiles: list[str], keep: Callable[[Mapping[str, Value]], None]) -> None:
        found = likeness(morgan(smiles), self.known)
        keep({text: Value(float(number)) for text, number in zip(smiles, found, strict=True)})
