"""Thin-plate splines and correlation beside closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator

from zerosum.nets.warping import GeometricMatcher, ThinPlateSpline, correlation, warped

SIZE = (12, 9)


def anchors(side: int) -> torch.Tensor:
    """(x, y) of the anchors row by row, written a second time."""
    line = [2 * i / (side - 1) - 1 for i in range(side)]
    return torch.tensor([(x, y) for y in line for x in line])


def centres() -> torch.Tensor:
    """(x, y) of the middles of the pixels, (H, W, 2)."""
    height, width = SIZE
    rows = [(2 * i + 1) / height - 1 for i in range(height)]
    columns = [(2 * j + 1) / width - 1 for j in range(width)]
    return torch.tensor([[(x, y) for x in columns] for y in rows])


@pytest.mark.parametrize("side", [2, 3, 5])
def test_anchors_that_do_not_move_leave_a_picture_as_it_is(side: int):
    spline = ThinPlateSpline(SIZE, side)
    grid = spline(torch.zeros(2, side**2, 2))
    assert torch.equal(grid[0], spline.places.view(*SIZE, 2))
    assert torch.allclose(grid[1], centres(), atol=1e-6)
    pictures = torch.rand(2, 3, *SIZE)
    assert torch.allclose(warped(pictures, grid), pictures, atol=1e-5)


@pytest.mark.parametrize("side", [2, 3, 5])
def test_an_affine_movement_of_the_anchors_is_one_of_all_pixels(side: int):
    matrix, shift = torch.tensor([[1.2, 0.3], [-0.2, 0.7]]), torch.tensor([0.1, -0.25])
    at = anchors(side)
    grid = ThinPlateSpline(SIZE, side)((at @ matrix.T + shift - at)[None])
    assert torch.allclose(grid[0], centres() @ matrix.T + shift, atol=1e-5)


def test_a_shift_by_whole_pixels_shifts_the_picture():
    moves = torch.tensor([2 / SIZE[1] * 2, 2 / SIZE[0] * 3]).expand(1, 9, 2)  # 2 right, 3 down
    picture = torch.rand(1, 1, *SIZE)
    made = warped(picture, ThinPlateSpline(SIZE, 3)(moves))
    assert torch.allclose(made[..., :-3, :-2], picture[..., 3:, 2:], atol=1e-5)
    # beyond the edge is what is at the edge
    assert torch.allclose(made[0, 0, -1, -1], picture[0, 0, -1, -1], atol=1e-5)


def test_any_movement_is_that_of_scipys_spline():
    moves = 0.3 * torch.randn(25, 2, generator=torch.Generator().manual_seed(0))
    at = anchors(5)
    wanted = RBFInterpolator(at.double(), (at + moves).double(), kernel="thin_plate_spline")(
        centres().double().reshape(-1, 2)
    )
    grid = ThinPlateSpline(SIZE, 5)(moves[None])
    assert np.allclose(grid.reshape(-1, 2).numpy(), wanted, atol=1e-4)


def test_correlation_is_the_product_of_every_two_places():
    first, second = torch.randn(2, 4, 3, 2), torch.randn(2, 4, 3, 2)
    found = correlation(first, second)
    assert found.shape == (2, 6, 3, 2)
    # the second map's place of row 2, column 1 is its fifth; the first map's is of row 0, column 1
    product = (first[1, :, 0, 1] * second[1, :, 2, 1]).sum()
    assert torch.allclose(found[1, 5, 0, 1], product, atol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (70, 50)])
def test_a_matcher_begins_with_no_movement_and_learns_every_move(size: tuple[int, int]):
    torch.manual_seed(0)
    matcher = GeometricMatcher(3, 4, size, width=4, side=3)
    moves = matcher(torch.rand(2, 3, *size), torch.rand(2, 4, *size))
    assert moves.shape == (2, 9, 2) and not moves.any()
    moves.sum().backward()
    assert matcher.moves.bias.grad is not None
    assert torch.allclose(matcher.moves.bias.grad, torch.full((18,), 2.0))  # tanh'(0) = 1, twice
