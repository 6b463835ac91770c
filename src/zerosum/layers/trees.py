"""Breadth-first trees of a graph, and walks down them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order
from torch import Tensor

NONE = -1
"""No node: the parent of a root, and of what a root does not reach."""


class Trees:
    """The breadth-first tree of each node of an undirected graph.

    Attributes:
        parents: Of each node in the tree of each root, (root, node), int64; `NONE` for none.
        neighbours: Of each node in the graph, (nodes, most), int64, `NONE` behind the last.
        deepest: Edges of the longest way from a root to a node.
    """

    def __init__(self, nodes: int, edges: Tensor) -> None:
        """Build the trees.

        Args:
            nodes: How many there are.
            edges: (M, 2), int64.
        """
        pairs = edges.detach().cpu().numpy()
        ends = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
        ones = np.ones(len(ends), dtype=np.int8)
        graph = sparse.csr_array((ones, (ends[:, 0], ends[:, 1])), shape=(nodes, nodes))
        parents = np.full((nodes, nodes), NONE, dtype=np.int64)
        depth, deepest = np.zeros(nodes, dtype=np.int64), 0
        for root in range(nodes):
            reached, before = breadth_first_order(graph, root, directed=False)
            parents[root, reached[1:]] = before[reached[1:]]
            depth[root] = 0
            for node in reached[1:]:
                depth[node] = depth[before[node]] + 1
            deepest = max(deepest, int(depth[reached].max()))
        degrees = np.bincount(ends[:, 0], minlength=nodes)
        neighbours = np.full((nodes, max(int(degrees.max()), 1)), NONE, dtype=np.int64)
        places = np.arange(len(ends)) - np.repeat(np.cumsum(degrees) - degrees, degrees)
        neighbours[ends[:, 0], places] = ends[:, 1]
        self.parents = torch.from_numpy(parents).to(edges.device)
        self.neighbours = torch.from_numpy(neighbours).to(edges.device)
        self.deepest = deepest

    def log_probability(
        self, roots: Tensor, nodes: Tensor, affinity: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Logarithms (B,) of the probability that a walk from each root ends at each node.

        Minus infinity where the root does not reach the node, or is it.

        Args:
            roots: (B,), int64.
            nodes: (B,), int64.
            affinity: As `walk`'s.
        """
        logs = torch.full((len(roots),), -torch.inf, device=roots.device)
        going = torch.nonzero(self.parents[roots, nodes] != NONE).squeeze(1)
        logs[going] = 0.0
        # The step back from the node first, then those that led to it, from the last on.
        root, node = roots[going], nodes[going]
        target = self.parents[root, node]
        for _ in range(self.deepest + 1):
            if not len(going):
                break
            others, _, logs_of = self._steps(root, node, affinity)
            place = (others == target[:, None]).long().argmax(1, keepdim=True)
            logs = logs.index_add(0, going, logs_of.gather(1, place).squeeze(1))
            above = self.parents[root, node]
            up = above != NONE
            going, root, node, above = going[up], root[up], node[up], above[up]
            node, target = above, node
        return logs

    def _steps(
        self, root: Tensor, node: Tensor, affinity: Callable[[Tensor, Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where walks from roots (B,) may go on from nodes (B,).

        Returns:
            Neighbours (B, most) in the graph, the one before (B,), and the logarithms (B, most)
            of the probability of a step to each; minus infinity for those not in the tree.
        """
        others = self.neighbours[node]
        before = self.parents[root, node]
        children = self.parents[root[:, None], others.clamp(min=0)] == node[:, None]
        open_to = (others != NONE) & (children | (others == before[:, None]))
        logits = affinity(node, others.clamp(min=0)).masked_fill(~open_to, -torch.inf)
        return others, before, logits.log_softmax(1)

    def walk(
        self,
        roots: Tensor,
        affinity: Callable[[Tensor, Tensor], Tensor],
        uniform: Callable[..., Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Where walks down the trees of some roots end.

        At each node the next one is drawn among its children and its parent in the tree, by a
        softmax of what they have in common with it; a walk ends where it turns back.

        Args:
            roots: (B,), int64, each with a neighbour.
            affinity: Of nodes (B,) and of others beside each (B, most), giving (B, most).
            uniform: Draws numbers in [0, 1) of a shape.

        Returns:
            Nodes (B,), and the logarithms (B,) of the probability that the walk ends there: the
            product of its steps', the one back included, since a tree has one way to each node.
        """
        count = len(roots)
        found, logs = roots.clone(), roots.new_zeros(count, dtype=torch.float32)
        going = torch.arange(count, device=roots.device)
        for _ in range(self.deepest + 1):
            root, node = roots[going], found[going]
            others, before, logs_of = self._steps(root, node, affinity)
            # The inverse of the cumulated probabilities: one number a walk, whatever the degrees.
            level = uniform(len(going), 1)
            shares = logs_of.detach().exp().cumsum(1)
            pick = (shares <= level * shares[:, -1:]).sum(1, keepdim=True)
            pick = pick.clamp(max=others.shape[1] - 1)
            logs = logs.index_add(0, going, logs_of.gather(1, pick).squeeze(1))
            step = others.gather(1, pick).squeeze(1)
            forth = step != before
            found[going[forth]] = step[forth]
            going = going[forth]
            if not len(going):
                break
        return found, logs
