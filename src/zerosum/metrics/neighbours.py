"""Nearest neighbours and ball tests, exact, by brute force in blocks of bounded memory.

Squared distances come from float64 matrix products, ‖x‖² + ‖y‖² − 2 x·y, after both sets are
centred on the base's mean. That form cancels where points nearly coincide, so every answer that
its round-off could change is computed again from the differences x − y: the distances given back
are exact to the last bits, duplicates are at distance 0, and a tie is a tie.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, matched

QUERIES, BASE = 1024, 4096
"""Rows and columns of a block of distances: 32 MiB in float64."""
NUMBERS = 1 << 23
"""Most float64 numbers held by one exact recomputation: 64 MiB."""
SPARE = 8
"""Candidates beyond k that are measured exactly, so that near ties come out in order."""


class Neighbours(NamedTuple):
    """Nearest base points of every query, nearest first.

    Attributes:
        distances: Euclidean distances, shape (Q, k), float64.
        indices: Rows of the base, shape (Q, k), int64.
    """

    distances: Tensor
    indices: Tensor


class BallCounts(NamedTuple):
    """Which balls around base points hold which queries, counted both ways.

    Attributes:
        held: In how many balls each query lies, shape (Q,), int64.
        holds: How many queries each ball holds, shape (B,), int64.
        sole_ball: Number of queries that lie in this ball alone, shape (B,), int64.
        sole_query: Number of balls that hold this query alone, shape (Q,), int64.
    """

    held: Tensor
    holds: Tensor
    sole_ball: Tensor
    sole_query: Tensor


def nearest_neighbours(
    queries: Array, base: Array, k: int = 1, *, rows: int = QUERIES, columns: int = BASE
) -> Neighbours:
    """The k nearest base points of every query, in Euclidean distance.

    Neither block size changes the distances. A query that is itself in the base is found like
    any other point, at distance 0. Memory beyond the inputs is a few hundred MiB at most.

    Args:
        queries: Points to look from, shape (Q, d).
        base: Points to find, shape (B, d), B ≥ k.
        k: How many.
        rows: Queries in a block.
        columns: Base points in a block.

    Raises:
        UserError: Malformed or mismatched sets, or fewer base points than k.
    """
    at_least(k, 1, "k")
    points, targets = _pair(queries, base, rows, columns)
    if len(targets) < k:
        raise UserError(f"k is {k} but the base has {len(targets)} points: lower k")
    pool = min(k + SPARE, len(targets))
    distances, indices = [], []
    centre = _mean(targets)
    for query in points.split(rows):
        found, horizon = _candidates(query, targets, centre, pool, columns)
        owner = torch.arange(len(query), device=query.device).repeat_interleave(pool)
        exact = _exact(query, targets, owner, found.flatten()).view(-1, pool)
        order = exact.argsort(dim=1, stable=True)[:, :k]
        near, place = exact.gather(1, order), found.gather(1, order)
        # Rows where a point beyond the candidates might still be nearer than the k-th of them.
        open_rows = ((near[:, -1] > horizon) & (near[:, -1] > 0)).nonzero()[:, 0]
        if len(open_rows):
            settled = _settle(query[open_rows], targets, centre, near[open_rows, -1], k, columns)
            near[open_rows], place[open_rows] = settled
        distances.append(near.sqrt())
        indices.append(place)
    return Neighbours(torch.cat(distances), torch.cat(indices))


def own_radii(features: Array, k: int) -> Tensor:
    """Distance of every point to its k-th nearest other point of the same set, shape (N,).

    Raises:
        UserError: Malformed features, or no more than k of them.
    """
    at_least(k, 1, "k")
    points = checked(features, "features")
    if len(points) <= k:
        raise UserError(f"k is {k} but there are {len(points)} points: lower k or add points")
    # The point itself is among the k + 1 nearest, or as many duplicates of it at distance 0 are.
    return nearest_neighbours(points, points, k + 1).distances[:, -1]


def ball_counts(
    queries: Array, base: Array, radii: Tensor, *, rows: int = QUERIES, columns: int = BASE
) -> BallCounts:
    """Count queries in closed balls around the base points, boundary included.

    Args:
        queries: Points to place, shape (Q, d).
        base: Centres, shape (B, d).
        radii: Radius of each ball, shape (B,).
        rows: Queries in a block.
        columns: Centres in a block.

    Raises:
        UserError: Malformed or mismatched sets, or another number of radii than of centres.
    """
    points, centres = _pair(queries, base, rows, columns)
    reach = checked(radii, "radii", rows=1, rank=1).to(points.device, torch.float64)
    if len(reach) != len(centres):
        raise UserError(f"{len(reach)} radii for {len(centres)} centres: give one for each")
    held = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    last_ball = torch.zeros_like(held)
    holds = torch.zeros(len(centres), dtype=torch.int64, device=points.device)
    last_query = torch.zeros_like(holds)
    middle = _mean(centres)
    for start in range(0, len(points), rows):
        query = points[start : start + rows]
        here = slice(start, start + len(query))
        for first, there, squared, error in _blocks(query, centres, middle, columns):
            inside = _inside(query, centres[there], reach[there], squared, error)
            held[here] += inside.sum(1)
            holds[there] += inside.sum(0)
            # The sum of the indices inside is the index itself where there is only one.
            number = torch.arange(first, first + inside.shape[1], device=points.device)
            last_ball[here] += (inside * number).sum(1)
            number = torch.arange(start, start + inside.shape[0], device=points.device)
            last_query[there] += (inside * number[:, None]).sum(0)
    return BallCounts(
        held,
        holds,
        torch.bincount(last_ball[held == 1], minlength=len(centres)),
        torch.bincount(last_query[holds == 1], minlength=len(points)),
    )


def _pair(queries: Array, base: Array, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    at_least(rows, 1, "rows")
    at_least(columns, 1, "columns")
    points = checked(queries, "queries", rows=1)
    targets = checked(base, "base", rows=1)
    matched(points, targets, "base")
    return points, targets


def _mean(points: Tensor) -> Tensor:
    total = sum(block.double().sum(0) for block in points.split(QUERIES))
    return torch.as_tensor(total) / len(points)


def _blocks(
    query: Tensor, base: Tensor, centre: Tensor, columns: int
) -> Iterator[tuple[int, slice, Tensor, Tensor]]:
    """Blocks of squared distances with a bound on their round-off.

    Yields:
        First column, the columns as a slice, squared distances and their bound, both (Q, C).
    """
    x = query.double() - centre
    x_norm = x.square().sum(1, keepdim=True)
    # Twice the classical bound d·ε·(‖x‖ + ‖y‖)² ≤ 2 d·ε·(‖x‖² + ‖y‖²) on an inner product's error.
    share = 4 * (x.shape[1] + 4) * torch.finfo(torch.float64).eps
    for start in range(0, len(base), columns):
        there = slice(start, min(start + columns, len(base)))
        y = base[there].double() - centre
        norms = x_norm + y.square().sum(1)
        squared = torch.addmm(norms, x, y.T, alpha=-2).clamp_(min=0)
        yield start, there, squared, norms.mul_(share)


def _candidates(
    query: Tensor, base: Tensor, centre: Tensor, pool: int, columns: int
) -> tuple[Tensor, Tensor]:
    """Base points that look nearest, shape (Q, pool), and what all others surely exceed, (Q,)."""
    best = torch.zeros((len(query), 0), dtype=torch.float64, device=query.device)
    found = torch.zeros((len(query), 0), dtype=torch.int64, device=query.device)
    worst = best.new_zeros(len(query))
    for first, _, squared, error in _blocks(query, base, centre, columns):
        worst = torch.maximum(worst, error.amax(1))
        near, place = squared.topk(min(pool, squared.shape[1]), dim=1, largest=False)
        best = torch.cat([best, near], 1)
        found = torch.cat([found, place + first], 1)
        best, order = best.topk(min(pool, best.shape[1]), dim=1, largest=False)
        found = found.gather(1, order)
    if pool == len(base):
        return found, torch.full_like(worst, torch.inf)
    return found, best[:, -1] - worst


def _settle(
    query: Tensor, base: Tensor, centre: Tensor, limit: Tensor, k: int, columns: int
) -> tuple[Tensor, Tensor]:
    """Exact squared distances and rows of the k nearest, given a bound on the k-th of them."""
    best = torch.zeros((len(query), 0), dtype=torch.float64, device=query.device)
    found = torch.zeros((len(query), 0), dtype=torch.int64, device=query.device)
    for first, there, squared, error in _blocks(query, base, centre, columns):
        i, j = (squared <= limit[:, None] + error).nonzero(as_tuple=True)
        squared.fill_(torch.inf)
        squared[i, j] = _exact(query, base[there], i, j)
        near, place = squared.topk(min(k, squared.shape[1]), dim=1, largest=False)
        best = torch.cat([best, near], 1)
        found = torch.cat([found, place + first], 1)
        best, order = best.topk(min(k, best.shape[1]), dim=1, largest=False)
        found = found.gather(1, order)
    return best, found


def _exact(query: Tensor, base: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Squared distances of the pairs (query[i], base[j]) from their differences, shape (P,)."""
    step = max(1, NUMBERS // query.shape[1])
    parts = [
        (query[a].double() - base[b].double()).square().sum(1)
        for a, b in zip(i.split(step), j.split(step))
    ]
    return torch.cat(parts) if parts else query.new_zeros(0, dtype=torch.float64)


def _inside(query: Tensor, base: Tensor, reach: Tensor, squared: Tensor, error: Tensor) -> Tensor:
    """Whether each query lies in each ball, shape (Q, C), bool."""
    limit = reach.square()
    doubtful = (squared - limit).abs_() <= error + 4 * torch.finfo(limit.dtype).eps * limit
    inside = squared <= limit
    for rows in doubtful.nonzero().split(1 << 20):
        i, j = rows.unbind(1)
        # Compare distances, not squares: a radius is the square root of just such a sum, and
        # only the root gives a point at exactly that distance back its tie.
        inside[i, j] = _exact(query, base, i, j).sqrt() <= reach[j]
    return inside
