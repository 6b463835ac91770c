"""What makes a graph a molecule, as smooth numbers that a gradient can follow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import relu

from zerosum.chem import molecules as chem


def valences(atoms: Sequence[str], bonds: Sequence[str]) -> tuple[Tensor, Tensor]:
    """What atoms take and what bonds ask for.

    Args:
        atoms: Names of atom kinds 1, 2, ..., such as `N+`.
        bonds: Names of bond kinds 1, 2, ..., such as `double`.

    Returns:
        The most bonds, counted by order, of each kind of atom (T,), kind 0 taking none; and the
        order of each kind of bond (Y,), kind 0 having none.
    """
    most = torch.tensor([0.0, *(float(chem.valence(name)) for name in atoms)])
    order = torch.tensor([0.0, *(float(chem.ORDERS.index(name) + 1) for name in bonds)])
    return most, order


def overvalence(atoms: Tensor, bonds: Tensor, most: Tensor, order: Tensor) -> Tensor:
    """Bonds, counted by order, beyond what atoms take: (B,), summed over the nodes.

    Args:
        atoms: (B, N, T), one-hot or probabilities.
        bonds: (B, N, N, Y), likewise, symmetric and without loops.
        most: (T,) as `valences` gives it.
        order: (Y,) likewise.
    """
    return relu((bonds @ order).sum(2) - atoms @ most).sum(1)


def apartness(atoms: Tensor, bonds: Tensor) -> Tensor:
    """Of each atom the number that it does not hang together with, over N: (B,), summed over them.

    Atoms hang together as far as a path of bonds does, none of them more than 1. 0 for a graph
    in one piece.

    Args:
        atoms: (B, N, T), one-hot or probabilities.
        bonds: (B, N, N, Y), likewise, symmetric and without loops.
    """
    nodes = atoms.shape[1]
    there = 1 - atoms[..., 0]
    joined = (torch.eye(nodes, device=atoms.device) + bonds[..., 1:].sum(-1)).clamp(max=1)
    for _ in range(math.ceil(math.log2(max(nodes - 1, 1)))):  # each doubles the reach
        joined = (joined @ joined).clamp(max=1)
    return ((1 - joined) * there[:, :, None] * there[:, None]).sum((1, 2)) / nodes
