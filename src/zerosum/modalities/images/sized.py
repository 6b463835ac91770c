"""Networks on pictures of any size: whole where they look at all of it, else tile by tile.

A tile is given with so much around it that nothing beyond can change what is kept of it; so the
answer is that of the whole picture, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import pad

Network = Callable[[Tensor], Tensor]
"""Pictures (B, C, H, W) to pictures (B, c, H scale, W scale)."""


@dataclass(frozen=True)
class Sight:
    """How a network looks at pictures.

    Attributes:
        step: Sides must be multiples of this many pixels.
        radius: Pixels of the input, to each side, that can change one of the output; None where
            all can, as with statistics of the whole picture or Fourier transforms.
        scale: Pixels of the output, each way, for one of the input.
    """

    step: int = 1
    radius: int | None = None
    scale: int = 1


@runtime_checkable
class AnySize(Protocol):
    """A game that maps pictures of any size, not of the training's alone."""

    def sight(self) -> Sight:
        """How its generator looks at the input."""
        ...


def grown(pictures: Tensor, step: int) -> Tensor:
    """Pictures (B, C, H, W) grown at the right and below to multiples of `step`, by reflection.

    A side that is too short to be reflected so far is repeated.
    """
    more = [-side % step for side in pictures.shape[2:]]
    reflected = all(extra < side for extra, side in zip(more, pictures.shape[2:]))
    return pad(pictures, (0, more[1], 0, more[0]), mode="reflect" if reflected else "replicate")


@torch.no_grad()
def whole(network: Network, pictures: Tensor, sight: Sight) -> Tensor:
    """What a network makes of whole pictures (B, C, H, W) of any size."""
    height, width = (side * sight.scale for side in pictures.shape[2:])
    return network(grown(pictures, sight.step))[:, :, :height, :width]


@torch.no_grad()
def tiled(
    network: Network,
    pictures: Tensor,
    sight: Sight,
    side: int,
    on_tile: Callable[[int, int], None] | None = None,
) -> Tensor:
    """The same tile by tile, for networks of a finite radius.

    Args:
        network: What is run.
        pictures: (B, C, H, W).
        sight: How it looks at them; its radius must not be None.
        side: Of a tile without what is around it, in pixels of the input; raised to `step`.
        on_tile: Called with tiles done and of how many.
    """
    assert sight.radius is not None
    step, scale = sight.step, sight.scale
    halo = -(-sight.radius // step) * step
    side = max(step, side // step * step)
    height, width = pictures.shape[2:]
    large = grown(pictures, step)
    cores = list(_cores(large.shape[2], large.shape[3], side))
    answer: Tensor | None = None
    for done, (top, left, bottom, right) in enumerate(cores, start=1):
        above, before = max(0, top - halo), max(0, left - halo)
        below, after = min(large.shape[2], bottom + halo), min(large.shape[3], right + halo)
        made = network(large[:, :, above:below, before:after])
        if answer is None:
            shape = (len(made), made.shape[1], large.shape[2] * scale, large.shape[3] * scale)
            answer = made.new_empty(shape)
        rows = slice((top - above) * scale, (bottom - above) * scale)
        columns = slice((left - before) * scale, (right - before) * scale)
        answer[:, :, top * scale : bottom * scale, left * scale : right * scale] = made[
            :, :, rows, columns
        ]
        if on_tile is not None:
            on_tile(done, len(cores))
    assert answer is not None
    return answer[:, :, : height * scale, : width * scale]


def _cores(height: int, width: int, side: int) -> Iterator[tuple[int, int, int, int]]:
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield top, left, min(top + side, height), min(left + side, width)


@torch.no_grad()
def bytes_per_pixel(network: Network, probe: Tensor) -> float:
    """Memory that a network takes at its peak for one pixel of the input.

    Measured on a small picture (1, C, h, w): all storages that live between two of its operations,
    each counted once however many views of it there are. What an operation takes within itself is
    not seen.
    """
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.weak import WeakTensorKeyDictionary

    alive = WeakTensorKeyDictionary()
    peak = 0

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(
            self, function: Any, types: Any, given: Any = (), named: Any = None
        ) -> Any:
            nonlocal peak
            made = function(*given, **(named or {}))
            for one in made if isinstance(made, tuple | list) else (made,):
                if isinstance(one, Tensor):
                    alive[one] = (one.untyped_storage().data_ptr(), one.untyped_storage().nbytes())
            peak = max(peak, sum(dict(alive.values()).values()))
            return made

    with Watching():
        network(probe)
    return peak / (probe.shape[2] * probe.shape[3])
