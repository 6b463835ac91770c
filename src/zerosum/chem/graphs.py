"""Changes of molecules as graphs: seven mutations and two crossovers.

The kinds are those of Jensen 2019 (doi:10.1039/C8SC05372C), written from the paper's description.
A graph is a list of atom names and a mapping from pairs (i, j), i < j, to bond orders, kekulised,
as `zerosum.chem.molecules` reads and assembles it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from zerosum.chem.molecules import assemble, clean, graph_of, rdkit, valence

Orders = dict[tuple[int, int], int]
Graph = tuple[list[str], Orders]
T = TypeVar("T")

LARGEST_RING = 7
"""Atoms of a ring; larger ones are refused, for small molecules with them can hardly be made."""


def read(smiles: str) -> Graph:
    """The graph of a clean SMILES.

    Raises:
        ValueError: It has none.
    """
    found = graph_of(smiles)
    if found is None:
        raise ValueError(f"{smiles} has a bond that is neither single, double nor triple")
    names, bonds = found
    return list(names), {(min(i, j), max(i, j)): order for i, j, order in bonds}


def write(graph: Graph, most: int) -> str:
    """The clean SMILES of a graph; "" where it is no molecule that is wanted.

    Wanted is what RDKit sanitises, in one piece, with at most so many atoms, no ring of more than
    seven, and in a ring neither a triple bond nor two double bonds at one atom.
    """
    names, orders = graph
    if not 0 < len(names) <= most:
        return ""
    mol, _ = assemble(names, [(i, j, order) for (i, j), order in orders.items()])
    if mol is None:
        return ""
    doubles = [0] * len(names)
    for bond in mol.GetBonds():
        ends = (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
        order = orders[min(ends), max(ends)]
        if bond.IsInRing() and order == 3:
            return ""
        for end in ends:
            doubles[end] += order == 2
    rings = mol.GetRingInfo().AtomRings()
    for ring in rings:
        # Sulfones have two double bonds, of which none is the ring's own.
        cumulated = any(doubles[atom] > 1 and names[atom] == "C" for atom in ring)
        if len(ring) > LARGEST_RING or cumulated:
            return ""
    return clean(rdkit().MolToSmiles(mol)).smiles


def mutate(graph: Graph, elements: Sequence[str], rng: np.random.Generator) -> Graph | None:
    """One change of one of seven kinds, all equally likely; None where it finds no place.

    An atom is appended, inserted into a bond, deleted, or becomes another element; a bond changes
    its order; a bond of a ring is taken away, or one that closes a ring is added.

    Args:
        graph: Is not changed.
        elements: New atoms.
        rng: Of all choices.
    """
    names, orders = list(graph[0]), dict(graph[1])
    return MUTATIONS[rng.integers(len(MUTATIONS))](names, orders, elements, rng)


def _append(
    names: list[str], orders: Orders, elements: Sequence[str], rng: np.random.Generator
) -> Graph | None:
    places = [atom for atom in range(len(names)) if free(names, orders, atom) > 0]
    if not places:
        return None
    at, name = _one(places, rng), _one(elements, rng)
    most = min(free(names, orders, at), valence(name), 3)
    if most < 1:
        return None
    names.append(name)
    orders[at, len(names) - 1] = int(rng.integers(1, most + 1))
    return names, orders


def _insert(
    names: list[str], orders: Orders, elements: Sequence[str], rng: np.random.Generator
) -> Graph | None:
    fitting = [name for name in elements if valence(name) >= 2]
    if not orders or not fitting:
        return None
    bond = _one(list(orders), rng)
    del orders[bond]
    names.append(_one(fitting, rng))
    for end in bond:
        orders[end, len(names) - 1] = 1
    return names, orders


def _delete(
    names: list[str], orders: Orders, elements: Sequence[str], rng: np.random.Generator
) -> Graph | None:
    if len(names) < 2:
        return None
    atom = int(rng.integers(len(names)))
    beside = neighbours(orders, atom)
    if len(beside) > 2:
        return None
    if len(beside) == 2:
        orders.setdefault((min(beside), max(beside)), 1)
    kept = [node for node in range(len(names)) if node != atom]
    return part(names, orders, kept)[0]


def _change_atom(
    names: list[str], orders: Orders, elements: Sequence[str], rng: np.random.Generator
) -> Graph | None:
    atom = int(rng.integers(len(names)))
    used = sum(order for bond, order in orders.items() if atom in bond)
    fitting = [name for name in elements if name != names[atom] and valence(name) >= used]
    if not fitting:
        return None
    names[atom] = _one(fitting, rng)
    return names, orders


def _change_bond(
    names: list[str], orders: Orders, elements: Sequence[str], rng: np.random.Generator
) -> Graph | None:
    if not orders:
        return None
    bond = _one(list(orders), rng)
    most = orders[bond] + min(free(names, orders, atom) for atom in bond)
    fitting = [order for order in range(1, min(most, 3) + 1) if order != orders[bond]]
    if not fitting:
        return None
    orders[bond] = _one(fitting, rng)
    return names, orders


def _open_ring(
    names: list[str], orders: Orders, elements: Sequence[str], rng: np.random.Generator
) -> Graph | None:
    inside = [bond for bond in orders if len(reached(orders, bond[0], without=bond)) == len(names)]
    if not inside:
        return None
    del orders[_one(inside, rng)]
    return names, orders


def _close_ring(
    names: list[str], orders: Orders, elements: Sequence[str], rng: np.random.Generator
) -> Graph | None:
    ready = [atom for atom in range(len(names)) if free(names, orders, atom) > 0]
    if not ready:
        return None
    first = _one(ready, rng)
    steps = reached(orders, first)
    others = [atom for atom in ready if 2 <= steps.get(atom, 0) < LARGEST_RING]
    if not others:
        return None
    second = _one(others, rng)
    orders[min(first, second), max(first, second)] = 1
    return names, orders


Mutation = Callable[[list[str], Orders, Sequence[str], np.random.Generator], "Graph | None"]
MUTATIONS: tuple[Mutation, ...] = (
    _append,
    _insert,
    _delete,
    _change_atom,
    _change_bond,
    _open_ring,
    _close_ring,
)


def cross(first: Graph, second: Graph, rng: np.random.Generator) -> Graph | None:
    """A part of each of two molecules joined; None where they cannot be cut alike.

    Both are cut at a single bond outside rings, or at two bonds of a ring, equally likely; the
    parts are joined at the cuts, one or two bonds again.
    """
    in_ring = bool(rng.integers(2))
    cut = _cut_ring if in_ring else _cut_chain
    left, right = cut(first, rng), cut(second, rng)
    if left is None or right is None:
        return None
    (names, orders), ends = left
    (more, others), starts = right
    shift = len(names)
    joined = orders | {(i + shift, j + shift): order for (i, j), order in others.items()}
    for end, start in zip(ends, starts, strict=True):
        joined[end, start + shift] = 1
    return [*names, *more], joined


Cut = tuple[Graph, list[int]]
"""A part of a molecule and its atoms at which it was cut."""


def _cut_chain(graph: Graph, rng: np.random.Generator) -> Cut | None:
    names, orders = graph
    places = [
        bond
        for bond, order in orders.items()
        if order == 1 and bond[1] not in reached(orders, bond[0], without=bond)
    ]
    if not places:
        return None
    bond = _one(places, rng)
    end = bond[int(rng.integers(2))]
    kept, place = part(names, orders, reached(orders, end, without=bond))
    return kept, [place[end]]


def _cut_ring(graph: Graph, rng: np.random.Generator) -> Cut | None:
    names, orders = graph
    first = [b for b in orders if b[1] in reached(orders, b[0], without=b)]
    if not first:
        return None
    one = _one(first, rng)
    rest = {bond: order for bond, order in orders.items() if bond != one}
    # The second cut is any bond that then holds the two ends together.
    second = [bond for bond in rest if one[1] not in reached(rest, one[0], without=bond)]
    if not second:
        return None
    two = _one(second, rng)
    del rest[two]
    side = reached(rest, one[int(rng.integers(2))])
    ends = [atom for bond in (one, two) for atom in bond if atom in side]
    if len(set(ends)) < 2:
        return None  # one atom alone would be bound twice to what it is joined with
    if rng.integers(2):
        ends.reverse()
    kept, place = part(names, rest, side)
    return kept, [place[end] for end in ends]


def free(names: Sequence[str], orders: Orders, atom: int) -> int:
    """Bonds, counted by order, that an atom can still take."""
    return valence(names[atom]) - sum(order for bond, order in orders.items() if atom in bond)


def neighbours(orders: Orders, atom: int) -> list[int]:
    """Atoms that an atom is bound to."""
    return [j if i == atom else i for i, j in orders if atom in (i, j)]


def reached(orders: Orders, start: int, without: tuple[int, int] | None = None) -> dict[int, int]:
    """Atoms that bonds lead to from an atom, itself among them, and how many bonds it takes.

    Args:
        orders: Of the molecule.
        start: An atom.
        without: A bond that is not gone along.
    """
    beside: dict[int, list[int]] = {}
    for bond in orders:
        if bond != without:
            beside.setdefault(bond[0], []).append(bond[1])
            beside.setdefault(bond[1], []).append(bond[0])
    steps, edge = {start: 0}, [start]
    while edge:
        edge = [new for atom in edge for new in _further(beside.get(atom, []), steps, steps[atom])]
    return steps


def _further(atoms: list[int], steps: dict[int, int], done: int) -> list[int]:
    new = [atom for atom in atoms if atom not in steps]
    steps.update(dict.fromkeys(new, done + 1))
    return new


def part(
    names: Sequence[str], orders: Orders, kept: Sequence[int] | dict[int, int]
) -> tuple[Graph, dict[int, int]]:
    """Some atoms with the bonds between them, and the new number of each."""
    place = {atom: number for number, atom in enumerate(sorted(kept))}
    inside = {
        (place[i], place[j]): order for (i, j), order in orders.items() if {i, j} <= place.keys()
    }
    return ([names[atom] for atom in sorted(kept)], inside), place


def _one(choices: Sequence[T], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]
