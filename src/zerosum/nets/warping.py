"""Thin-plate splines, and the network that finds one which lays a picture over another.

Bookstein 1989, "Principal warps"; Jaderberg et al. 2015, arXiv:1506.02025 (sampling on a grid);
Rocco, Arandjelovic and Sivic 2017, "Convolutional neural network architecture for geometric
matching", arXiv:1703.05593, as CP-VTON uses it (Wang et al. 2018, arXiv:1807.07688, section 3.1).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, normalize

COARSE = 16
"""Most places along the longer side at which features are compared."""


class ThinPlateSpline(nn.Module):
    """The smoothest map of the plane that moves some anchors as asked.

    Anchors stand on a regular grid over the picture, in coordinates (x, y) of -1 to 1 from edge to
    edge. The map is linear in how the anchors move, so it is one product with a matrix that is
    computed once.
    """

    weights: Tensor
    places: Tensor

    def __init__(self, size: tuple[int, int], side: int) -> None:
        """Prepare the map.

        Args:
            size: (height, width) of the pictures that are warped.
            side: Anchors each way, at least 2.
        """
        super().__init__()
        self.size = size
        line = torch.linspace(-1, 1, side, dtype=torch.float64)
        anchors = torch.cartesian_prod(line, line).flip(1)  # (x, y), row by row
        rows, columns = (
            (torch.arange(length, dtype=torch.float64) * 2 + 1) / length - 1 for length in size
        )
        places = torch.cartesian_prod(rows, columns).flip(1)
        count = len(anchors)
        flat = torch.cat([torch.ones(count, 1, dtype=torch.float64), anchors], dim=1)
        system = torch.zeros(count + 3, count + 3, dtype=torch.float64)
        system[:count, :count] = _bending(anchors, anchors)
        system[:count, count:], system[count:, :count] = flat, flat.T
        solved = torch.linalg.inv(system)[:, :count]
        ones = torch.ones(len(places), 1, dtype=torch.float64)
        basis = torch.cat([_bending(places, anchors), ones, places], dim=1)
        # Computed again when a model is built, so neither is a part of its weights.
        self.register_buffer("weights", (basis @ solved).float(), persistent=False)
        self.register_buffer("places", places.float(), persistent=False)
        self.register_buffer("anchors", anchors.float(), persistent=False)

    def forward(self, moves: Tensor) -> Tensor:
        """Where each pixel is taken from, (B, H, W, 2) in (x, y), as `grid_sample` has it.

        Args:
            moves: Of the anchors, row by row, (B, side^2, 2) in (x, y); all 0 move nothing.
        """
        grid = self.places + self.weights @ moves
        return grid.view(moves.shape[0], *self.size, 2)


def _bending(places: Tensor, anchors: Tensor) -> Tensor:
    """r^2 log r of all distances, (N, K); 0 where they are 0."""
    squared = (places[:, None] - anchors[None]).square().sum(2)
    return torch.xlogy(squared, squared) / 2


def warped(pictures: Tensor, grid: Tensor) -> Tensor:
    """Pictures (B, C, h, w) taken at a grid (B, H, W, 2), between pixels by bilinear
    interpolation; beyond the edge is what is at the edge."""
    return grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """How alike two maps of features are, of each place to each other one.

    Args:
        first: (B, C, h, w), of length 1 at each place.
        second: The same.

    Returns:
        (B, h w, h, w): scalar products; the channel counts the places of `second` row by row.
    """
    batch, _, height, width = first.shape
    products = torch.einsum("bci,bcj->bji", first.flatten(2), second.flatten(2))
    return products.view(batch, -1, height, width)


class GeometricMatcher(nn.Module):
    """Which moves of a spline's anchors lay a garment over a person.

    Features of both are compared at every two places, and a small network reads the moves off
    these likenesses (CP-VTON, section 3.1). It starts at no move at all.
    """

    def __init__(
        self,
        person: int,
        garment: int,
        size: tuple[int, int],
        *,
        width: int = 64,
        side: int = 5,
    ) -> None:
        """Build the layers.

        Args:
            person: Channels of the person.
            garment: Channels of the garment.
            size: (height, width) of both.
            width: Feature maps of the first layer; doubled at each halving, up to 8 times.
            side: Anchors each way.
        """
        super().__init__()
        halved, longest = 0, max(size)
        while longest > COARSE:
            halved, longest = halved + 1, -(-longest // 2)
        self.of_person = _features(person, width, halved)
        self.of_garment = _features(garment, width, halved)
        height, across = (-(-length // 2**halved) for length in size)
        wide = 4 * width
        self.read = nn.Sequential(
            *_layer(height * across, wide, 2),
            *_layer(wide, wide // 2, 2),
            *_layer(wide // 2, width, 1),
            nn.Flatten(),
        )
        left = -(-height // 4) * -(-across // 4)
        self.moves = nn.Linear(width * left, 2 * side**2)
        nn.init.zeros_(self.moves.weight)
        nn.init.zeros_(self.moves.bias)

    def forward(self, person: Tensor, garment: Tensor) -> Tensor:
        """Moves (B, side^2, 2) in (x, y) of -1 to 1, of persons and garments (B, C, H, W)."""
        first = normalize(self.of_person(person), dim=1)
        second = normalize(self.of_garment(garment), dim=1)
        alike = normalize(torch.relu(correlation(first, second)), dim=1)
        return torch.tanh(self.moves(self.read(alike))).view(person.shape[0], -1, 2)


def _features(before: int, width: int, halved: int) -> nn.Sequential:
    widths = [width * min(2**layer, 8) for layer in range(max(1, halved))]
    layers: list[nn.Module] = []
    for number, (narrow, wide) in enumerate(zip([before, *widths], widths)):
        layers += _layer(narrow, wide, 2 if number < halved else 1)
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], widths[-1], 3, 1, 1))


def _layer(before: int, after: int, stride: int) -> list[nn.Module]:
    """Halved sides are rounded up."""
    return [
        nn.Conv2d(before, after, 3, stride, 1),
        nn.InstanceNorm2d(after, affine=True),
        nn.ReLU(),
    ]
