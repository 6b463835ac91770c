"""Nearest neighbours and ball tests, exact, by brute force in blocks of bounded memory.

Squared distances come from matrix products, ‖x‖² + ‖y‖² − 2 x·y, after both sets are centred on
the base's mean. That form cancels where points nearly coincide, so it serves as a sieve only: less
a bound on its round-off it is a lower bound on every distance, and each answer that the bound
leaves open is computed again from the differences x − y in float64. The distances given back are
exact to the last bits, duplicates are at distance 0, and a tie is a tie. Since only the sieve
depends on it, the product is taken in float32 where the features come so, at half the cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, matched

QUERIES, BASE = 2048, 2048
"""Rows and columns of a block of distances: 16 MiB in float32, 32 MiB in float64."""
NUMBERS = 1 << 18
"""Most float64 numbers held by one exact recomputation: 2 MiB, which stay in the cache."""
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
    sieve = _Sieve.of(points, targets)
    for query in points.split(rows):
        found, horizon = _candidates(query, targets, sieve, pool, columns)
        owner = torch.arange(len(query), device=query.device).repeat_interleave(pool)
        exact = _exact(query, targets, owner, found.flatten()).view(-1, pool)
        order = exact.argsort(dim=1, stable=True)[:, :k]
        near, place = exact.gather(1, order), found.gather(1, order)
        # Rows where a point beyond the candidates might still be nearer than the k-th of them.
        open_rows = ((near[:, -1] > horizon) & (near[:, -1] > 0)).nonzero()[:, 0]
        if len(open_rows):
            settled = _settle(query[open_rows], targets, sieve, near[open_rows, -1], k, columns)
            near[open_rows], place[open_rows] = settled
        distances.append(near.sqrt())
        indices.append(place)
    return Neighbours(torch.cat(distances), torch.cat(indices))


def own_radii(features: Array, k: int) -> Tensor:
    """Distance of every point to its k-th nearest other point of the same set, shape (N,).

    Raises:
        UserError: Malformed features, or no more than k of them.
    """
    return own_neighbours(features, k).distances[:, -1]


def own_neighbours(features: Array, k: int) -> Neighbours:
    """The k nearest other points of the same set of every point, nearest first.

    Raises:
        UserError: As for `own_radii`.
    """
    at_least(k, 1, "k")
    points = checked(features, "features")
    if len(points) <= k:
        raise UserError(f"k is {k} but there are {len(points)} points: lower k or add points")
    # The point itself is among the k + 1 nearest, or as many duplicates of it at distance 0 are.
    found = nearest_neighbours(points, points, k + 1)
    own = found.indices == torch.arange(len(points), device=points.device)[:, None]
    own[:, -1] |= ~own.any(1)
    return Neighbours(found.distances[:, 1:], found.indices[~own].view(-1, k))


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
    return mutual_counts(queries, base, base_radii=[radii], rows=rows, columns=columns)[0][0]


def mutual_counts(
    queries: Array,
    base: Array,
    *,
    base_radii: Sequence[Tensor] = (),
    query_radii: Sequence[Tensor] = (),
    rows: int = QUERIES,
    columns: int = BASE,
) -> tuple[list[BallCounts], list[BallCounts]]:
    """Count points in balls around the points of the other set, all from one pass of distances.

    Args:
        queries: Points of the one set, shape (Q, d).
        base: Points of the other set, shape (B, d).
        base_radii: Radii of balls around the base, each shape (B,).
        query_radii: Radii of balls around the queries, each shape (Q,).
        rows: Queries in a block.
        columns: Base points in a block.

    Returns:
        For each of `base_radii` the queries in those balls, and for each of `query_radii` the
        base points in those.

    Raises:
        UserError: As for `ball_counts`.
    """
    points, others = _pair(queries, base, rows, columns)
    base_reach = [_reach(radii, others) for radii in base_radii]
    query_reach = [_reach(radii, points) for radii in query_radii]
    in_base = [_Tally(len(points), len(others), points.device) for _ in base_reach]
    in_query = [_Tally(len(others), len(points), points.device) for _ in query_reach]
    sieve = _Sieve.of(points, others)
    for start in range(0, len(points), rows):
        query = points[start : start + rows]
        for block in sieve.blocks(query, others, columns):
            for tally, reach in zip(in_base, base_reach):
                i, j = _inside(query, others, block, reach[block.there])
                tally.add(i + start, j + block.there.start)
            for tally, reach in zip(in_query, query_reach):
                i, j = _inside(query, others, block, reach[start : start + rows, None])
                tally.add(j + block.there.start, i + start)
    return [tally.counts() for tally in in_base], [tally.counts() for tally in in_query]


def _pair(queries: Array, base: Array, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    at_least(rows, 1, "rows")
    at_least(columns, 1, "columns")
    points = checked(queries, "queries", rows=1)
    targets = checked(base, "base", rows=1)
    matched(points, targets, "base")
    return points, targets


def _reach(radii: Tensor, centres: Tensor) -> Tensor:
    reach = checked(radii, "radii", rows=1, rank=1).to(centres.device, torch.float64)
    if len(reach) != len(centres):
        raise UserError(f"{len(reach)} radii for {len(centres)} centres: give one for each")
    return reach


class _Tally:
    """Counts of points in balls, gathered from pairs."""

    def __init__(self, points: int, balls: int, device: torch.device) -> None:
        self.held = torch.zeros(points, dtype=torch.int64, device=device)
        self.holds = torch.zeros(balls, dtype=torch.int64, device=device)
        self.ball_sum, self.point_sum = torch.zeros_like(self.held), torch.zeros_like(self.holds)

    def add(self, point: Tensor, ball: Tensor) -> None:
        """Take in pairs of a point and a ball that holds it."""
        self.held += torch.bincount(point, minlength=len(self.held))
        self.holds += torch.bincount(ball, minlength=len(self.holds))
        self.ball_sum.index_add_(0, point, ball)
        self.point_sum.index_add_(0, ball, point)

    def counts(self) -> BallCounts:
        # The sum of the indices is the index itself where there is only one.
        return BallCounts(
            self.held,
            self.holds,
            torch.bincount(self.ball_sum[self.held == 1], minlength=len(self.holds)),
            torch.bincount(self.point_sum[self.holds == 1], minlength=len(self.held)),
        )


@dataclass(frozen=True)
class _Block:
    """Lower bounds on the squared distances of some queries to some base points.

    Attributes:
        there: Which base points, as a slice with a start.
        lower: The bounds, shape (Q, C).
        x_norm: Squared norms of the centred queries, shape (Q, 1).
        y_norm: Those of the base points, shape (C,).
        share: What the bounds left for round-off either way, as a share of both norms.
        least: The same where numbers are too small for shares.
    """

    there: slice
    lower: Tensor
    x_norm: Tensor
    y_norm: Tensor
    share: float
    least: float

    def upper(self, i: Tensor, j: Tensor) -> Tensor:
        """Upper bounds on some pairs' squared distances, float64."""
        norms = self.x_norm[i, 0].double() + self.y_norm[j].double()
        return self.lower[i, j].double() + 2 * (self.share * norms + self.least)


@dataclass(frozen=True)
class _Sieve:
    """How matrix products are taken: around which centre, shape (d,), and in its precision."""

    centre: Tensor

    @classmethod
    def of(cls, queries: Tensor, base: Tensor) -> _Sieve:
        """Centred on the base; in float32 if neither set is wider and its bound can hold."""
        total = sum(block.double().sum(0) for block in base.split(QUERIES))
        centre = torch.as_tensor(total) / len(base)
        widest = max(queries.dtype.itemsize, base.dtype.itemsize)
        # Fast modes that round the factors of a product would break the bound.
        if widest > 4 or base.is_cuda or torch.get_float32_matmul_precision() != "highest":
            return cls(centre)
        rough = centre.float()
        parts = [*queries.split(QUERIES), *base.split(QUERIES)]
        largest = max(float((part.float() - rough).abs().amax()) for part in parts)
        return cls(rough if 1e-10 < largest < 1e14 else centre)

    def exact(self) -> _Sieve:
        """The same in float64."""
        return _Sieve(self.centre.double())

    def blocks(self, query: Tensor, base: Tensor, columns: int) -> Iterator[_Block]:
        """Blocks of some queries, shape (Q, d), against all of the base in turn."""
        dtype, dim = self.centre.dtype, len(self.centre)
        # An inner product of d terms, in whatever order, errs by d·ε/2·‖x‖‖y‖ at most, either
        # norm by as large a share; rounding the centred points and adding up costs a few ε more.
        share = (dim + 32) * torch.finfo(dtype).eps
        least = dim * torch.finfo(dtype).tiny
        x = query.to(dtype) - self.centre
        x_norm = x.square().sum(1, keepdim=True)
        for start in range(0, len(base), columns):
            there = slice(start, min(start + columns, len(base)))
            y = base[there].to(dtype) - self.centre
            y_norm = y.square().sum(1)
            lower = torch.addmm(y_norm * (1 - share) - least, x, y.T, alpha=-2)
            lower += x_norm * (1 - share)
            yield _Block(there, lower, x_norm, y_norm, share, least)


def _candidates(
    query: Tensor, base: Tensor, sieve: _Sieve, pool: int, columns: int
) -> tuple[Tensor, Tensor]:
    """Base points that may be nearest, shape (Q, pool), and what no other falls below, (Q,)."""
    best = torch.zeros((len(query), 0), dtype=sieve.centre.dtype, device=query.device)
    found = torch.zeros((len(query), 0), dtype=torch.int64, device=query.device)
    for block in sieve.blocks(query, base, columns):
        near, place = block.lower.topk(min(pool, block.lower.shape[1]), dim=1, largest=False)
        best = torch.cat([best, near], 1)
        found = torch.cat([found, place + block.there.start], 1)
        best, order = best.topk(min(pool, best.shape[1]), dim=1, largest=False)
        found = found.gather(1, order)
    if pool == len(base):
        return found, torch.full((len(query),), torch.inf, dtype=torch.float64).to(query.device)
    return found, best[:, -1].double()


def _settle(
    query: Tensor, base: Tensor, sieve: _Sieve, limit: Tensor, k: int, columns: int
) -> tuple[Tensor, Tensor]:
    """Exact squared distances and rows of the k nearest, given a bound on the k-th of them."""
    best = torch.zeros((len(query), 0), dtype=torch.float64, device=query.device)
    found = torch.zeros((len(query), 0), dtype=torch.int64, device=query.device)
    for block in sieve.exact().blocks(query, base, columns):
        i, j = (block.lower <= limit[:, None]).nonzero(as_tuple=True)
        squared = block.lower.fill_(torch.inf)
        squared[i, j] = _exact(query, base[block.there], i, j)
        near, place = squared.topk(min(k, squared.shape[1]), dim=1, largest=False)
        best = torch.cat([best, near], 1)
        found = torch.cat([found, place + block.there.start], 1)
        best, order = best.topk(min(k, best.shape[1]), dim=1, largest=False)
        found = found.gather(1, order)
    return best, found


def _exact(query: Tensor, base: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Squared distances of the pairs (query[i], base[j]) from their differences, shape (P,)."""
    step = max(1, NUMBERS // query.shape[1])
    parts = [
        query[a].double().sub_(base[b]).square_().sum(1)
        for a, b in zip(i.split(step), j.split(step))
    ]
    return torch.cat(parts) if parts else query.new_zeros(0, dtype=torch.float64)


def _inside(query: Tensor, base: Tensor, block: _Block, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of a block at no more than their reach, which is (C,) or (Q, 1): rows and columns."""
    limit = reach.square()
    slack = 4 * torch.finfo(block.lower.dtype).eps
    i, j = (block.lower <= (limit * (1 + slack)).to(block.lower)).nonzero(as_tuple=True)
    pair = (j,) if reach.ndim == 1 else (i, torch.zeros_like(i))
    doubtful = (block.upper(i, j) > limit[pair] * (1 - slack)).nonzero()[:, 0]
    out = torch.zeros(len(i), dtype=torch.bool, device=i.device)
    targets = base[block.there]
    for some in doubtful.split(1 << 20):
        # Compare distances, not squares: a radius is the square root of just such a sum, and
        # only the root gives a point at exactly that distance back its tie.
        apart = _exact(query, targets, i[some], j[some]).sqrt()
        out[some] = apart > reach[tuple(axis[some] for axis in pair)]
    kept = ~out
    return i[kept], j[kept]
