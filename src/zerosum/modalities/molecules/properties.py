"""Numbers of one molecule by name: what tables hold, what filters ask, what laws compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zerosum.chem import molecules as chem
from zerosum.chem.molecules import Mol
from zerosum.chem.parts import alerts, rings, tpsa
from zerosum.errors import require


def _asked(module: str, name: str) -> Callable[[Mol], float]:
    """A descriptor of RDKit, imported when it is first asked for."""

    def ask(mol: Mol) -> float:
        return float(getattr(require(f"rdkit.Chem.{module}", chem.EXTRA), name)(mol))

    return ask


PROPERTIES: Mapping[str, Callable[[Mol], float]] = {
    "qed": chem.qed,
    "sa": chem.sa,
    "logp": chem.logp,
    "weight": chem.weight,
    "tpsa": tpsa,
    "atoms": _asked("rdMolDescriptors", "CalcNumHeavyAtoms"),
    "rings": rings,
    "aromatic_rings": _asked("rdMolDescriptors", "CalcNumAromaticRings"),
    "aliphatic_rings": _asked("rdMolDescriptors", "CalcNumAliphaticRings"),
    "acceptors": _asked("rdMolDescriptors", "CalcNumHBA"),
    "donors": _asked("rdMolDescriptors", "CalcNumHBD"),
    "rotatable": _asked("rdMolDescriptors", "CalcNumRotatableBonds"),
    "charge": _asked("rdmolops", "GetFormalCharge"),
    "alerts": alerts,
    "complexity": _asked("GraphDescriptors", "BertzCT"),
}
"""QED in [0, 1]; SA from 1 (easy) to 10; logP; weight in g/mol; TPSA in square ångström (Ertl,
Rohde and Selzer 2000); `atoms` are heavy ones; `rings` those of the smallest set; `alerts`
structural alerts of PAINS and Brenk; `complexity` is Bertz' index (1981); the others are
counts."""
