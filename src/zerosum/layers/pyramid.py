"""How an image size is reached from a small grid by doubling."""

from __future__ import annotations

from zerosum.errors import UserError


def doublings(size: tuple[int, int], least: int = 4) -> tuple[tuple[int, int], int]:
    """The smallest grid of a size, and how often it is doubled.

    Args:
        size: (height, width) in pixels.
        least: The shorter side of the grid lies in [least, 2 * least).

    Returns:
        The grid's (height, width) and the number of doublings, at least one.

    Raises:
        UserError: The size is not reached by doubling, with the nearest sizes that are.
    """
    levels = 0
    while min(size) >= least * 2 ** (levels + 1):
        levels += 1
    step = 2 ** max(levels, 1)
    if levels == 0 or size[0] % step or size[1] % step:
        good = [max(round(side / step), least) * step for side in size]
        shown = good[0] if good[0] == good[1] else f"[{good[0]},{good[1]}]"
        raise UserError(
            f"a size of {size[0]}x{size[1]} cannot be reached by doubling a small grid: "
            f"set data.size={shown}"
        )
    return (size[0] // step, size[1] // step), levels
