"""What RDKit is asked: clean SMILES, graphs of heavy atoms, and how good a molecule is.

A graph is a pair of lists: atom names such as `C` or `N+`, and bonds (i, j, order) in the
kekulised form, so that aromatic rings have single and double bonds. Stereochemistry and isotopes
are no part of it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from zerosum.errors import require

Mol = Any
"""An RDKit molecule; RDKit is an extra, so its types are not imported."""
Bonds = list[tuple[int, int, int]]

LONGEST = 5_000
"""Characters of a SMILES that is looked at; reading takes the square of its length."""
ORDERS = ("single", "double", "triple")
EXTRA = "molecules"

_MARKS = frozenset("[*.@/\\")
"""Without these a SMILES has no isotope, stereochemistry, radical, salt or unknown atom."""


@cache
def rdkit() -> ModuleType:
    """RDKit's `Chem`, silent: what it would complain about is counted by reason instead.

    Raises:
        UserError: RDKit is not installed.
    """
    chem = require("rdkit.Chem", EXTRA)
    require("rdkit.RDLogger", EXTRA).DisableLog("rdApp.*")
    return chem


@dataclass(frozen=True)
class Clean:
    """What became of one SMILES.

    Attributes:
        smiles: Canonical, without salts, stereochemistry and isotopes; "" where refused.
        reason: Why it was refused; "" where it was not.
        size: Heavy atoms.
        salt: Whether smaller fragments were left out.
        stereo: Whether stereochemistry or isotopes were left out.
    """

    smiles: str = ""
    reason: str = ""
    size: int = 0
    salt: bool = False
    stereo: bool = False


def clean(text: str) -> Clean:
    """One SMILES made ready: sanitised, its largest fragment, canonical, and known to survive.

    The largest fragment is the one with most heavy atoms; of several, the first by its canonical
    SMILES. Charges stay.
    """
    chem = rdkit()
    if not text.strip():
        return Clean(reason="empty line")
    if len(text) > LONGEST:
        return Clean(reason=f"longer than {LONGEST:,} characters")
    mol = chem.MolFromSmiles(text.strip())
    if mol is None:
        parsed = chem.MolFromSmiles(text.strip(), sanitize=False)
        return Clean(reason="not a SMILES" if parsed is None else "impossible valence or ring")
    plain = not _MARKS.intersection(text)
    full = flat = chem.MolToSmiles(mol)
    if not plain:
        for atom in mol.GetAtoms():
            atom.SetIsotope(0)
        chem.RemoveStereochemistry(mol)
        flat = chem.MolToSmiles(mol)
    stereo, pieces = flat != full, flat.split(".")
    if len(pieces) > 1:
        parts = [(piece, chem.MolFromSmiles(piece)) for piece in pieces]
        sizes = [(-part.GetNumHeavyAtoms(), piece, part) for piece, part in parts if part]
        if not sizes:
            return Clean(reason="impossible valence or ring")
        _, flat, mol = min(sizes, key=lambda found: found[:2])
    size = mol.GetNumAtoms()
    if size == 0:
        return Clean(reason="no atoms")
    for atom in () if plain else mol.GetAtoms():
        if atom.GetAtomicNum() == 0:
            return Clean(reason="an atom of no element (*)")
        if atom.GetAtomicNum() == 1:
            return Clean(reason="hydrogen as an atom of its own")
        if atom.GetNumRadicalElectrons():
            return Clean(reason="a radical, or a metal without its bonds")
    # Canonical forms differ where the order of atoms meets tautomers: read it once more.
    mol = chem.MolFromSmiles(flat)
    flat = "" if mol is None else chem.MolToSmiles(mol)
    found = graph_of(flat) if flat else None
    back = None if found is None else assemble(*found)[0]
    if back is None or chem.MolToSmiles(back) != flat:
        return Clean(reason="changes when its hydrogens are left out")
    return Clean(flat, "", size, len(pieces) > 1, stereo)


@lru_cache(maxsize=65_536)  # reading a set asks four times for each molecule
def graph_of(smiles: str) -> tuple[list[str], Bonds] | None:
    """The graph of a clean SMILES, nodes in the order in which it is written; None if it has none.

    None means a bond that is neither single, double nor triple (dative, quadruple). The lists are
    shared: copy them before a change.
    """
    chem = rdkit()
    mol = chem.MolFromSmiles(smiles)
    chem.Kekulize(mol, clearAromaticFlags=True)
    names = [name_of(atom.GetSymbol(), atom.GetFormalCharge()) for atom in mol.GetAtoms()]
    bonds: Bonds = []
    for bond in mol.GetBonds():
        order = str(bond.GetBondType()).lower()
        if order not in ORDERS:
            return None
        bonds.append((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), ORDERS.index(order) + 1))
    return names, bonds


def name_of(symbol: str, charge: int) -> str:
    """Element and charge as one word: `C`, `N+`, `O-`, `Fe+2`."""
    if not charge:
        return symbol
    sign = "+" if charge > 0 else "-"
    return symbol + sign + ("" if abs(charge) == 1 else str(abs(charge)))


@cache
def _atom(name: str) -> tuple[str, int]:
    symbol = name.rstrip("+-0123456789")
    rest = name[len(symbol) :]
    charge = 0 if not rest else int(rest[1:] or 1) * (1 if rest[0] == "+" else -1)
    return symbol, charge


def assemble(names: Sequence[str], bonds: Bonds) -> tuple[Mol | None, str]:
    """The sanitised molecule of a graph, or None and the reason why there is none.

    Hydrogens are those that RDKit adds to fill the usual valences.
    """
    chem = rdkit()
    if not names:
        return None, "empty"
    if _pieces(len(names), bonds) > 1:
        return None, "in pieces"
    mol = chem.RWMol()
    for name in names:
        symbol, charge = _atom(name)
        atom = chem.Atom(symbol)
        atom.SetFormalCharge(charge)
        mol.AddAtom(atom)
    kinds = (chem.BondType.SINGLE, chem.BondType.DOUBLE, chem.BondType.TRIPLE)
    for i, j, order in bonds:
        mol.AddBond(i, j, kinds[order - 1])
    flaw = chem.SanitizeMol(mol, catchErrors=True)
    if flaw != chem.SanitizeFlags.SANITIZE_NONE:
        return None, "valence" if "PROPERTIES" in str(flaw) else "ring"
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        return None, "radical"
    return mol.GetMol(), ""


def _pieces(count: int, bonds: Bonds) -> int:
    """How many connected parts a graph has."""
    return len(set(_roots(count, bonds)))


def _roots(count: int, bonds: Bonds) -> list[int]:
    root = list(range(count))

    def find(node: int) -> int:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for i, j, _ in bonds:
        root[find(i)] = find(j)
    return [find(node) for node in range(count)]


@cache
def valence(name: str) -> int:
    """The most bonds, counted by order, that an atom takes; asked of RDKit one by one."""
    chem = rdkit()
    most = 0
    for bonds in range(1, 8):
        symbol, charge = _atom(name)
        mol = chem.RWMol()
        atom = chem.Atom(symbol)
        atom.SetFormalCharge(charge)
        mol.AddAtom(atom)
        for neighbour in range(1, bonds + 1):
            mol.AddAtom(chem.Atom("F"))
            mol.AddBond(0, neighbour, chem.BondType.SINGLE)
        if chem.SanitizeMol(mol, catchErrors=True) == chem.SanitizeFlags.SANITIZE_NONE:
            most = bonds
    return most


def repair(names: Sequence[str], bonds: Bonds) -> tuple[list[str], Bonds]:
    """A graph without bonds too many, cut to its largest part. Never a part of raw validity.

    While an atom has more bonds than it takes, its highest bond (of several, the last) loses one
    order; then the largest connected part is kept, the first of several.
    """
    orders = {(i, j): order for i, j, order in bonds}
    for node, name in enumerate(names):
        while True:
            mine = [pair for pair in orders if node in pair]
            if sum(orders[pair] for pair in mine) <= valence(name):
                break
            worst = max(mine, key=lambda pair: (orders[pair], pair))
            orders[worst] -= 1
            if not orders[worst]:
                del orders[worst]
    left = [(i, j, order) for (i, j), order in orders.items()]
    roots = _roots(len(names), left)
    best = max(dict.fromkeys(roots), key=roots.count, default=0)
    kept = [node for node in range(len(names)) if roots[node] == best]
    place = {node: number for number, node in enumerate(kept)}
    inside = [(place[i], place[j], order) for i, j, order in left if i in place]
    return [names[node] for node in kept], inside


@cache
def _sascorer() -> ModuleType:
    """RDKit's own program for the synthetic accessibility score, which its package carries."""
    folder = Path(require("rdkit.RDConfig", EXTRA).RDContribDir)
    spec = importlib.util.spec_from_file_location(
        "rdkit_sascorer", folder / "SA_Score" / "sascorer.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def qed(mol: Mol) -> float:
    """Quantitative estimate of drug-likeness in [0, 1] (Bickerton et al. 2012)."""
    return float(require("rdkit.Chem.QED", EXTRA).qed(mol))


def logp(mol: Mol) -> float:
    """Octanol-water partition coefficient, base 10 (Wildman and Crippen 1999)."""
    return float(require("rdkit.Chem.Crippen", EXTRA).MolLogP(mol))


def sa(mol: Mol) -> float:
    """Synthetic accessibility from 1 (easy) to 10 (Ertl and Schuffenhauer 2009)."""
    return float(_sascorer().calculateScore(mol))


def weight(mol: Mol) -> float:
    """Average molecular weight in g/mol."""
    return float(require("rdkit.Chem.Descriptors", EXTRA).MolWt(mol))


def ramp(value: float, low: float, high: float) -> float:
    """A value as a share of the way from low to high, cut to [0, 1]."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _drug(mol: Mol) -> float:
    return qed(mol) * ramp(sa(mol), 10.0, 1.0)


SCORERS: dict[str, Callable[[Mol], float]] = {
    "validity": lambda mol: 1.0,
    "qed": qed,
    "logp": lambda mol: ramp(logp(mol), -2.0, 6.0),
    "sa": lambda mol: ramp(sa(mol), 10.0, 1.0),
    "drug": _drug,
}
"""What a reward network may learn, in [0, 1], higher is better; an invalid graph has 0.

`logp` is a share of the way from -2 to 6 and `sa` of that from 10 down to 1 (both ours); `drug`
is QED times the latter.
"""
