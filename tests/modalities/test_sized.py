"""Networks on pictures of any size: tiles give what the whole picture gives."""

import pytest
import torch
from torch import Tensor, nn

from zerosum.modalities.images.sized import Sight, bytes_per_pixel, grown, tiled, whole


def convolutions(*, stride: int = 1, scale: int = 1) -> nn.Sequential:
    """Two layers of 3x3: radius 2 of the input at stride 1."""
    torch.manual_seed(0)
    up = nn.Upsample(scale_factor=stride * scale) if stride * scale > 1 else nn.Identity()
    layers = [nn.Conv2d(3, 4, 3, stride, 1), nn.Tanh(), up, nn.Conv2d(4, 3, 3, 1, 1)]
    return nn.Sequential(*layers).requires_grad_(False)


def pictures(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("size", [(37, 50), (8, 8), (5, 61), (64, 16)])
@pytest.mark.parametrize("side", [8, 13])
@pytest.mark.parametrize(
    ("stride", "scale", "sight"),
    [(1, 1, Sight(radius=2)), (1, 2, Sight(radius=2, scale=2)), (2, 1, Sight(2, radius=3))],
)
def test_tiles_give_the_whole_picture(
    size: tuple[int, int], side: int, stride: int, scale: int, sight: Sight
):
    network, given = convolutions(stride=stride, scale=scale), pictures(*size)
    at_once = whole(network, given, sight)
    in_parts = tiled(network, given, sight, side)
    assert at_once.shape == (1, 3, size[0] * scale, size[1] * scale)
    # the issue asks for 1/255 of the range of 2; only rounding is left
    assert torch.allclose(in_parts, at_once, atol=1e-5)


def test_a_radius_too_small_shows_seams():
    network, given = convolutions(), pictures(32, 32)
    seams = tiled(network, given, Sight(radius=1), 8) - whole(network, given, Sight())
    assert float(seams.abs().max()) > 2 / 255
    rows = set(seams.abs().sum((0, 1, 3)).gt(1e-4).nonzero().flatten().tolist())
    assert {7, 8, 15, 16} <= rows  # on both sides of each border of tiles


def test_tiles_are_told_and_none_is_larger_than_asked():
    seen: list[tuple[int, int]] = []
    sizes: set[tuple[int, ...]] = set()

    def network(one: Tensor) -> Tensor:
        sizes.add(tuple(one.shape[2:]))
        return one

    made = tiled(network, pictures(20, 30), Sight(radius=2), 10, lambda *at: seen.append(at))
    assert torch.equal(made, pictures(20, 30))
    assert seen == [(number, 6) for number in range(1, 7)]
    assert max(max(size) for size in sizes) == 14


@pytest.mark.parametrize(
    ("size", "large"), [((5, 6), (8, 8)), ((8, 16), (8, 16)), ((1, 9), (8, 16))]
)
def test_sides_grow_to_multiples_and_the_picture_stays(
    size: tuple[int, int], large: tuple[int, int]
):
    given = pictures(*size)
    made = grown(given, 8)
    assert tuple(made.shape[2:]) == large
    assert torch.equal(made[:, :, : size[0], : size[1]], given)


def test_reflection_goes_on_where_the_picture_ends():
    made = grown(torch.arange(6.0).view(1, 1, 1, 6).expand(1, 1, 6, 6), 4)
    assert made[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3]


def test_memory_of_known_layers_is_counted():
    probe = torch.zeros(1, 2, 16, 16)
    wide = nn.Conv2d(2, 8, 1).requires_grad_(False)
    # 8 maps of float32 before the ReLU and 8 after it live at once
    assert bytes_per_pixel(lambda x: torch.relu(wide(x)), probe) == 2 * 8 * 4
    # views cost nothing
    assert bytes_per_pixel(lambda x: wide(x)[:, 1:].flatten(1), probe) < 8 * 4 + 7 * 4 + 1
    assert bytes_per_pixel(lambda x: wide(x)[:, :, :8][:, :, :4], probe) == 8 * 4
    # what was let go of is not counted
    assert bytes_per_pixel(lambda x: wide(wide(x)[:, :2]), probe) == 2 * 8 * 4
