"""Changes of molecules, each kind by hand, and the search that is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from zerosum.chem import graphs
from zerosum.chem.genetic import Search, evolve
from zerosum.chem.graphs import cross, mutate, reached, read, write
from zerosum.chem.molecules import clean, rdkit
from zerosum.chem.parts import Similarity
from zerosum.errors import UserError

CHOSEN = ("append", "insert", "delete", "change_atom", "change_bond", "open_ring", "close_ring")


def outcomes(kind, smiles, elements=("C", "O"), most=20, tries=300):
    """All molecules that one kind of mutation makes of another."""
    rng, found = np.random.default_rng(0), set()
    for _ in range(tries):
        names, orders = read(smiles)
        graph = getattr(graphs, f"_{kind}")(names, orders, elements, rng)
        found.add(write(graph, most) if graph is not None else None)
    return found


@pytest.mark.parametrize(
    ("kind", "smiles", "made"),
    [
        ("append", "C", {"CC", "C=C", "C#C", "CO", "C=O"}),
        ("append", "C#C", {"C#CC", "C#CO"}),
        ("append", "FC(F)(F)F", {None}),
        ("insert", "C=C", {"CCC", "COC"}),
        ("insert", "C", {None}),
        ("delete", "CCO", {"CC", "CO"}),  # an end, or the middle: its neighbours are joined
        ("delete", "CC(C)C", {"CCC", None}),  # a branching point stays
        ("delete", "C", {None}),
        ("change_atom", "CC", {"CO"}),
        ("change_atom", "C#N", {"C#C", None}),  # no oxygen takes three bonds
        ("change_bond", "CC", {"C=C", "C#C"}),
        ("change_bond", "CO", {"C=O"}),
        ("change_bond", "CF", {None}),
        ("open_ring", "C1CCC1", {"CCCC"}),
        ("open_ring", "CCC", {None}),
        ("close_ring", "CCCC", {"C1CCC1", "CC1CC1"}),
        ("close_ring", "C1CCC1", {"C1C2CC12"}),
    ],
)
def test_a_mutation_makes_these_and_no_others(kind, smiles, made):
    wanted = {text and clean(text).smiles for text in made}
    assert outcomes(kind, smiles) == wanted


def test_all_seven_kinds_are_drawn():
    assert [one.__name__ for one in graphs.MUTATIONS] == [f"_{name}" for name in CHOSEN]
    rng, before = np.random.default_rng(0), read("C1CCC1")
    found = {write(graph, 9) for _ in range(500) if (graph := mutate(before, ["O"], rng))}
    alone = set.union(*(outcomes(kind, "C1CCC1", ["O"]) for kind in CHOSEN))
    assert found == alone - {None}
    assert before == read("C1CCC1")


@pytest.mark.parametrize(
    ("first", "second", "made"),
    [
        # Chains are cut at a single bond: CH3 or CH2-OH of one, CH3 or NH2 of the other.
        ("CO", "CN", {"CC", "CN", "CO", "NO"}),
        # A propane ring cut twice gives one or two atoms; one alone cannot be bound twice.
        ("C1CC1", "C1CC1", {"C1CCC1"}),
        ("C1CC1", "O1CC1", {"C1CCC1", "C1COC1"}),
        ("C1CC1", "CC", set()),  # a ring and a chain are not cut alike
        ("C", "C", set()),
    ],
)
def test_a_crossover_makes_these_and_no_others(first, second, made):
    rng = np.random.default_rng(0)
    one, two = read(clean(first).smiles), read(clean(second).smiles)
    found = {write(graph, 20) for _ in range(300) if (graph := cross(one, two, rng)) is not None}
    assert found == {clean(text).smiles for text in made}


@pytest.mark.parametrize(
    ("smiles", "wanted"),
    [
        ("C1CCCCCC1", True),
        ("C1CCCCCCC1", False),  # a ring of eight
        ("C1=C=CCCC1", False),
        ("C1#CCCCC1", False),
        ("C=C=C", True),
        ("O=S1(=O)CCC1", True),
        ("c1ccc2ccccc2c1", True),
        ("CC.C", False),
    ],
)
def test_what_can_hardly_be_made_is_refused(smiles, wanted):
    names, bonds = [], {}
    mol = rdkit().MolFromSmiles(smiles)
    rdkit().Kekulize(mol, clearAromaticFlags=True)
    names = [atom.GetSymbol() for atom in mol.GetAtoms()]
    for bond in mol.GetBonds():
        ends = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        bonds[tuple(ends)] = int(bond.GetBondTypeAsDouble())
    assert write((names, bonds), 20) == (clean(smiles).smiles if wanted else "")
    assert write((names, bonds), len(names) - 1) == ""


def test_steps_along_bonds():
    ring = {(0, 1): 1, (1, 2): 2, (2, 3): 1, (0, 3): 1, (3, 4): 1}
    assert reached(ring, 0) == {0: 0, 1: 1, 3: 1, 2: 2, 4: 2}
    assert reached(ring, 3, without=(3, 4)) == {3: 0, 2: 1, 0: 1, 1: 2}


def sizes(smiles):
    return np.array([rdkit().MolFromSmiles(text).GetNumAtoms() / 12 for text in smiles])


START = ["CCO", "c1ccccc1", "CC(N)=O", "C1CCNC1", "OCC", "nonsense"]


def test_the_budget_is_spent_to_the_last_call_on_new_molecules():
    asked = []

    def score(smiles):
        asked.extend(smiles)
        return sizes(smiles)

    found = evolve(START, score, 137, population=20, atoms=12, seed=3)
    assert asked == found.smiles and len(set(asked)) == 137 == len(found.scores)
    assert found.ended == "" and found.smiles[:4] == [clean(s).smiles for s in START[:4]]
    assert found.generations[:5].tolist() == [0, 0, 0, 0, 1]
    for text in asked:
        assert clean(text).smiles == text and clean(text).size <= 12
    assert {atom for text in asked for atom in read(text)[0]} <= {"C", "N", "O"}


def test_a_search_is_a_function_of_its_seed():
    runs = [evolve(START, sizes, 80, population=20, seed=seed).smiles for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_it_finds_a_molecule_again():
    """Serinol by its similarity, from molecules that hold its atoms and none of its shape."""
    near = Similarity(["OCC(N)CO"])

    def score(smiles):
        found = near.values(smiles)
        return np.array([found[text].number for text in smiles])

    found = evolve(["CCO", "c1ccccc1", "CC(N)=O"], score, 400, population=30, atoms=12, seed=0)
    assert found.best(1) == [("NC(CO)CO", 1.0)]


def test_a_molecule_without_a_score_has_no_children():
    """All that holds nitrogen fails, so that after the start no search goes on from there."""
    parents = []

    def score(smiles):
        parents.extend(smiles)
        return np.array([np.nan if "N" in text else 0.5 for text in smiles])

    found = evolve(["CCN", "CCCC"], score, 30, population=10, elements=["C"], atoms=6, seed=0)
    assert not any("N" in text for text in parents[2:])
    assert np.isnan(found.scores[0]) and "CCN" not in dict(found.best(99))


def test_where_nothing_new_is_left_it_says_so():
    found = evolve(["C"], lambda some: np.zeros(len(some)), 100, elements=["C"], atoms=2, seed=0)
    assert set(found.smiles) == {"C", "CC", "C=C", "C#C"}
    assert found.ended.startswith("no new molecule was found in generation")


def test_of_too_many_to_begin_with_some_are_drawn():
    start = ["C" * n for n in range(1, 31)]
    found = evolve(start, sizes, 10, population=10, seed=0)
    assert len(found.smiles) == 10 and set(found.smiles) < set(start)
    again = evolve(start, sizes, 10, population=10, seed=1)
    assert again.smiles != found.smiles


def test_the_best_come_first_and_earlier_of_equals():
    scores = np.array([0.1, np.nan, 0.9, 0.9])
    found = Search(["a", "b", "c", "d"], scores, np.zeros(4, dtype=np.int64))
    assert found.best(9) == [("c", 0.9), ("d", 0.9), ("a", 0.1)]


@pytest.mark.parametrize(
    ("start", "calls", "line"),
    [
        (["x", "y"], 10, "none of the 2 molecules to begin with can be changed"),
        (["C"], 0, "a search of 0 calls, a population of 20"),
    ],
)
def test_a_search_that_cannot_begin(start, calls, line):
    with pytest.raises(UserError, match=line):
        evolve(start, sizes, calls)
