"""Mixed styles: coarse ones of one picture, fine ones of another.

Karras, Laine and Aila 2019, arXiv:1812.04948, section 3.1 and figure 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.errors import UserError

PARTS = {"coarse": (0.0, 1 / 3), "middle": (1 / 3, 2 / 3), "fine": (2 / 3, 1.0)}


def parse_layers(words: str, count: int) -> list[int]:
    """Numbers of layers from words such as `0-3,6`, `coarse`, `middle`, `fine` or `all`.

    Args:
        words: What the user said.
        count: How many layers there are.

    Raises:
        UserError: The words name no layers, or layers that are not there.
    """
    found: set[int] = set()
    for word in words.replace(" ", "").split(","):
        if word == "all":
            found |= set(range(count))
            continue
        if word in PARTS:
            first, last = (round(share * count) for share in PARTS[word])
            found |= set(range(first, last))
            continue
        first, _, last = word.partition("-")
        try:
            ends = int(first), int(last or first)
        except ValueError:
            raise UserError(
                f"'{word}' names no layers: give some such as 0-3,6 or coarse, middle, fine, all"
            ) from None
        if not 0 <= ends[0] <= ends[1] < count:
            raise UserError(f"layers {word} are not all there: they are numbered 0 to {count - 1}")
        found |= set(range(ends[0], ends[1] + 1))
    return sorted(found)


def mix(rows: Tensor, columns: Tensor, layers: list[int]) -> Tensor:
    """Styles whose `layers` are those of the columns, and the others those of the rows.

    Args:
        rows: Styles (r, layers, width).
        columns: Styles (c, layers, width).
        layers: Numbers of layers.

    Returns:
        (r, c, layers, width).
    """
    mixed = rows[:, None].repeat(1, len(columns), 1, 1)
    chosen = torch.tensor(layers, dtype=torch.long, device=rows.device)
    mixed[:, :, chosen] = columns[None, :, chosen]
    return mixed
