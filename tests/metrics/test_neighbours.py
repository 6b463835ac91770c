"""Neighbours and balls against naive loops, above all where points coincide."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import pairwise_distances

from zerosum.errors import UserError
from zerosum.metrics.neighbours import (
    ball_counts,
    mutual_counts,
    nearest_neighbours,
    own_neighbours,
    own_radii,
)


def normal(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)).double()


def awkward(kind):
    if kind == "lattice":
        return normal(80, 3).round(), normal(120, 3, 1).round()
    if kind == "copies":
        return normal(7, 5).repeat(9, 1), normal(7, 5).repeat(12, 1)
    if kind == "constant":
        return torch.full((30, 4), 0.1), torch.full((50, 4), 0.1)
    if kind == "far":
        # Two tight clusters far apart: the product form cannot see inside either.
        tight = torch.cat([normal(40, 6) * 1e-7, normal(40, 6, 1) * 1e-7 + 1000])
        return tight, tight
    return normal(60, 16) + 1e4, normal(90, 16, 1) + 1e4


KINDS = ("plain", "lattice", "copies", "constant", "far")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 4, 30])
def test_against_differences(kind, k):
    queries, base = awkward(kind)
    squared = (queries.double()[:, None] - base.double()).square().sum(-1)
    expected = squared.sort(1).values[:, :k].sqrt()
    found = nearest_neighbours(queries, base, k, rows=16, columns=24)
    torch.testing.assert_close(found.distances, expected, rtol=1e-12, atol=0)
    again = squared.gather(1, found.indices).sqrt()
    torch.testing.assert_close(found.distances, again, rtol=1e-12, atol=0)
    assert all(len(set(row)) == k for row in found.indices.tolist())


def test_against_scikit_learn():
    queries, base = normal(40, 9), normal(70, 9, 1)
    expected = np.sort(pairwise_distances(queries.numpy(), base.numpy()), axis=1)[:, :5]
    found = nearest_neighbours(queries.numpy(), base.numpy(), 5)
    np.testing.assert_allclose(found.distances, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_balls_against_a_naive_loop(kind):
    queries, base = awkward(kind)
    radii = own_radii(base, 3)
    found = ball_counts(queries, base, radii, rows=16, columns=24)
    squared = (queries.double()[:, None] - base.double()).square().sum(-1)
    inside = squared.sqrt() <= radii
    assert torch.equal(found.held, inside.sum(1))
    assert torch.equal(found.holds, inside.sum(0))
    sole_ball = (inside & (inside.sum(1, keepdim=True) == 1)).sum(0)
    sole_query = (inside & (inside.sum(0, keepdim=True) == 1)).sum(1)
    assert torch.equal(found.sole_ball, sole_ball)
    assert torch.equal(found.sole_query, sole_query)


def test_points_on_the_boundary_are_inside():
    """Every point lies on the ball that its k-th neighbour spans."""
    points = normal(200, 32) * 3 + 50
    radii = own_radii(points, 4)
    nearest = nearest_neighbours(points, points, 5).indices[:, -1]
    inside = ball_counts(points[nearest], points, radii, rows=7, columns=11).held
    counts = ball_counts(points, points, radii)
    assert int(counts.holds.min()) == 5
    assert torch.equal(counts.held[nearest], inside)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 1000))
def test_block_sizes_change_nothing(rows, columns, seed):
    queries, base = (
        normal(30, 4, seed).round(decimals=1),
        normal(40, 4, seed + 1).round(decimals=1),
    )
    radii = own_radii(base, 2)
    whole = nearest_neighbours(queries, base, 6).distances
    part = nearest_neighbours(queries, base, 6, rows=rows, columns=columns).distances
    assert torch.equal(whole, part)
    balls = ball_counts(queries, base, radii)
    small = ball_counts(queries, base, radii, rows=rows, columns=columns)
    assert all(torch.equal(a, b) for a, b in zip(balls, small))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.int64])
def test_other_number_types(dtype):
    points = (normal(30, 4) * 4).to(dtype)
    expected = nearest_neighbours(points.double(), points.double(), 3).distances
    assert torch.equal(nearest_neighbours(points, points, 3).distances, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1.0, 1e-18, 1e18, 1e-30])
def test_float32_features_give_the_answers_of_float64(kind, scale):
    """The product in float32 is a sieve: what it lets through is measured in float64."""
    queries, base = ((part * scale).float() for part in awkward(kind))
    wide = queries.double(), base.double()
    found, expected = (
        nearest_neighbours(*s, 4, rows=16, columns=24) for s in ((queries, base), wide)
    )
    assert torch.equal(found.distances, expected.distances)
    radii = own_radii(base, 3)
    assert torch.equal(radii, own_radii(wide[1], 3))
    pair = (ball_counts(*s, radii, rows=16, columns=24) for s in ((queries, base), wide))
    assert all(torch.equal(a, b) for a, b in zip(*pair))


def test_many_dimensions_in_float32():
    """Where round-off is largest beside the gaps between neighbours."""
    queries, base = normal(300, 1500).float() + 2, normal(400, 1500, 1).float() + 2
    found = nearest_neighbours(queries, base, 6)
    assert torch.equal(found.distances, nearest_neighbours(queries.double(), base.double(), 6)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_one_pass_counts_all_balls(kind):
    queries, base = awkward(kind)
    near, far, own = own_radii(base, 2), own_radii(base, 5), own_radii(queries, 3)
    ours, theirs = mutual_counts(
        queries, base, base_radii=[near, far], query_radii=[own], rows=16, columns=24
    )
    wanted = [ball_counts(queries, base, near), ball_counts(queries, base, far)]
    for found, expected in zip([*ours, *theirs], [*wanted, ball_counts(base, queries, own)]):
        assert all(torch.equal(a, b) for a, b in zip(found, expected))


@pytest.mark.parametrize("kind", KINDS)
def test_own_neighbours_are_others(kind):
    points = awkward(kind)[0]
    found = own_neighbours(points, 5)
    assert not bool((found.indices == torch.arange(len(points))[:, None]).any())
    gaps = (points.double()[:, None] - points[found.indices].double()).square().sum(-1).sqrt()
    torch.testing.assert_close(found.distances, gaps, rtol=1e-12, atol=0)


def test_radii_skip_the_point_itself():
    line = torch.tensor([[0.0], [1.0], [3.0], [6.0]])
    assert own_radii(line, 1).tolist() == [1, 1, 2, 3]
    assert own_radii(line, 3).tolist() == [6, 5, 3, 6]


def test_errors():
    with pytest.raises(UserError, match="lower k"):
        nearest_neighbours(torch.zeros(3, 2), torch.zeros(3, 2), 4)
    with pytest.raises(UserError, match="lower k"):
        own_radii(torch.zeros(3, 2), 3)
    with pytest.raises(UserError, match="k is 0"):
        nearest_neighbours(torch.zeros(3, 2), torch.zeros(3, 2), 0)
    with pytest.raises(UserError, match="one for each"):
        ball_counts(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(2))
