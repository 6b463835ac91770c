"""Link prediction without learning: scores of pairs of nodes from the edges that are known.

Liben-Nowell and Kleinberg 2007, "The link-prediction problem for social networks",
doi:10.1002/asi.20591, table 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import eigsh

Pairs = NDArray[np.int64]
Scores = NDArray[np.float64]


def adjacency(nodes: int, edges: Pairs) -> sparse.csr_array:
    """The symmetric matrix (nodes, nodes) of 0 and 1 of edges (M, 2)."""
    ends = np.concatenate([edges, edges[:, ::-1]])
    ones = np.ones(len(ends))
    return sparse.csr_array((ones, (ends[:, 0], ends[:, 1])), shape=(nodes, nodes))


def common_neighbours(nodes: int, edges: Pairs, pairs: Pairs) -> Scores:
    """How many nodes are neighbours of both, (N,)."""
    matrix = adjacency(nodes, edges)
    return np.asarray(matrix[pairs[:, 0]].multiply(matrix[pairs[:, 1]]).sum(axis=1)).ravel()


def adamic_adar(nodes: int, edges: Pairs, pairs: Pairs) -> Scores:
    """The sum over common neighbours of 1 / log(degree), (N,): Adamic and Adar 2003."""
    matrix = adjacency(nodes, edges)
    degrees = matrix.sum(axis=1)
    # A common neighbour has a degree of two at least; others are never counted.
    weights = np.where(degrees > 1, 1 / np.log(np.maximum(degrees, 2)), 0.0)
    both = matrix[pairs[:, 0]].multiply(matrix[pairs[:, 1]])
    return np.asarray(both @ weights).ravel()


def preferential_attachment(nodes: int, edges: Pairs, pairs: Pairs) -> Scores:
    """The product of the degrees, (N,)."""
    degrees = np.bincount(edges.ravel(), minlength=nodes).astype(np.float64)
    return degrees[pairs[:, 0]] * degrees[pairs[:, 1]]


def spectral(nodes: int, edges: Pairs, pairs: Pairs, width: int = 16) -> Scores:
    """The product, (N,), of rows of the adjacency matrix's closest matrix of a low rank.

    Of the `width` eigenvalues that are largest in size, each with its sign.
    """
    matrix = adjacency(nodes, edges)
    rank = min(width, nodes - 2)
    start = np.ones(nodes) / nodes**0.5  # else each run has another sign and rounding
    values, vectors = eigsh(matrix, k=rank, which="LM", v0=start)
    return (vectors[pairs[:, 0]] * values * vectors[pairs[:, 1]]).sum(axis=1)


PREDICTORS: dict[str, Callable[[int, Pairs, Pairs], Scores]] = {
    "common neighbours": common_neighbours,
    "Adamic-Adar": adamic_adar,
    "preferential attachment": preferential_attachment,
    "spectral embedding": spectral,
}


def others(nodes: int, edges: Pairs, count: int, rng: np.random.Generator) -> Pairs:
    """Pairs (count, 2) of different nodes, without repeats, that are no edges; fewer if there are
    fewer."""
    first, second = np.triu_indices(nodes, 1)
    taken = np.isin(first * nodes + second, edges.min(1) * nodes + edges.max(1))
    free = np.flatnonzero(~taken)
    chosen = rng.choice(free, size=min(count, len(free)), replace=False)
    return np.stack([first[chosen], second[chosen]], axis=1).astype(np.int64)
