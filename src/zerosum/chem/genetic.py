"""A genetic algorithm over molecules: the baseline of every search that is guided by a score.

After Jensen 2019 (doi:10.1039/C8SC05372C), written from the paper's description. It counts its
calls of the scorer, so that other searches can be compared with it at the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zerosum.chem.graphs import Graph, cross, mutate, read, write
from zerosum.chem.molecules import clean
from zerosum.errors import UserError

Floats = NDArray[np.float64]
OnProgress = Callable[[int, int], None]

_TRIES = 50  # crossovers for each child that is wanted, until a generation gives up


@dataclass(frozen=True)
class Search:
    """All molecules that a search had scored, in the order in which it asked.

    Attributes:
        smiles: Clean, each once.
        scores: (N,); NaN where the scorer had none.
        generations: (N,), 0 for the molecules that it began with.
        ended: Why it spent fewer calls than it might; "" where it spent all.
    """

    smiles: list[str]
    scores: Floats
    generations: NDArray[np.int64]
    ended: str = ""

    def best(self, count: int) -> list[tuple[str, float]]:
        """The highest scores with their molecules, best first; of equal ones the earlier."""
        order = np.argsort(-np.nan_to_num(self.scores, nan=-np.inf), kind="stable")
        sound = [row for row in order if not np.isnan(self.scores[row])]
        return [(self.smiles[row], float(self.scores[row])) for row in sound[:count]]


def evolve(
    start: Sequence[str],
    score: Callable[[list[str]], Floats],
    calls: int,
    *,
    population: int = 20,
    mutation: float = 0.5,
    atoms: int = 0,
    elements: Sequence[str] = (),
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Search:
    """Search for high scores with crossover and mutation.

    A generation draws parents in proportion to their scores, crosses two at a time, mutates a
    share of the children, and keeps the best of parents and children together. No molecule is
    asked about twice. A molecule without a score has no children.

    Args:
        start: SMILES to begin with; those that are no molecules, repeat one or are too large are
            left out, and of more than `population` as many are drawn.
        score: From SMILES to scores of at least 0, higher is better; NaN for none.
        calls: Molecules that may be scored, those of the start included.
        population: Molecules that are kept, and children of a generation. A large one spends
            its calls on breadth: of 1,000 calls over molecules of QM9's size, 20 beat 50 and 100.
        mutation: Share of children that are mutated.
        atoms: Most heavy atoms of a child; 0 takes the largest of the start.
        elements: New atoms of mutations; the uncharged ones of the start if left out.
        seed: Of all choices.
        on_progress: Called after each generation with (calls, of how many).

    Raises:
        UserError: Nothing of the start is a molecule that can be changed, or `calls` is below 1.
    """
    if calls < 1 or population < 2 or not 0 <= mutation <= 1:
        raise UserError(
            f"a search of {calls:,} calls, a population of {population:,} and a mutated share of "
            f"{mutation:g}: give 1, 2 and 0 at least, and a share of 1 at most"
        )
    rng = np.random.default_rng(seed)
    graphs = _graphs(start, atoms)
    if not graphs:
        raise UserError(
            f"none of the {len(start):,} molecules to begin with can be changed: "
            "give SMILES of single molecules"
        )
    most = atoms or max(len(names) for names, _ in graphs.values())
    wanted = list(elements) or _elements(graphs.values())
    first = list(graphs)
    if len(first) > min(population, calls):
        drawn = rng.permutation(len(first))[: min(population, calls)]
        first = [first[number] for number in sorted(drawn.tolist())]
    asked: dict[str, float] = {}
    generations: list[int] = []
    alive: list[str] = []
    children, generation, ended = first, 0, ""
    while children:
        found = np.asarray(score(children), dtype=np.float64)
        asked.update(zip(children, found.tolist(), strict=True))
        generations += [generation] * len(children)
        if on_progress is not None:
            on_progress(len(asked), calls)
        good = [text for text in (*alive, *children) if not np.isnan(asked[text])]
        alive = sorted(good, key=lambda text: -asked[text])[:population]
        if len(asked) >= calls:
            break
        generation += 1
        children = _children(
            alive, asked, graphs, min(population, calls - len(asked)), mutation, most, wanted, rng
        )
        ended = "" if children else f"no new molecule was found in generation {generation:,}"
    return Search(list(asked), np.array(list(asked.values())), np.array(generations), ended)


def _children(
    alive: Sequence[str],
    asked: dict[str, float],
    graphs: dict[str, Graph],
    count: int,
    mutation: float,
    most: int,
    elements: Sequence[str],
    rng: np.random.Generator,
) -> list[str]:
    """New molecules, each once and none that was asked about; their graphs are remembered."""
    if not alive:
        return []
    weights = np.maximum([asked[text] for text in alive], 0.0)
    share = weights / weights.sum() if weights.sum() > 0 else np.full(len(alive), 1 / len(alive))
    made: dict[str, None] = {}
    for _ in range(_TRIES * count):
        pair = rng.choice(len(alive), 2, p=share)
        one, two = (graphs[alive[int(number)]] for number in pair)
        child = cross(one, two, rng)
        if child is not None and rng.random() < mutation:
            child = mutate(child, elements, rng)
        elif child is None and mutation > 0:
            child = mutate(one, elements, rng)  # a molecule of one atom cannot be crossed
        smiles = write(child, most) if child is not None else ""
        if smiles and smiles not in asked and smiles not in made:
            made[smiles] = None
            graphs[smiles] = read(smiles)
            if len(made) == count:
                break
    return list(made)


def _graphs(start: Sequence[str], atoms: int) -> dict[str, Graph]:
    found: dict[str, Graph] = {}
    for text in start:
        one = clean(text)
        if one.smiles and one.smiles not in found and (not atoms or one.size <= atoms):
            found[one.smiles] = read(one.smiles)
    return found


def _elements(graphs: Iterable[Graph]) -> list[str]:
    names = {name for atoms, _ in graphs for name in atoms}
    return sorted(name for name in names if name.isalpha()) or ["C"]
