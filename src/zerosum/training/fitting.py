"""Stored weights into a game, with one clear line where its code has changed in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from zerosum.core.game import Game
from zerosum.errors import UserError

SHOWN = 3
"""Tensors that a message names."""


def fill(game: Game, stored: Mapping[str, Any], where: str, *, whole: bool = True) -> None:
    """Give a game stored weights and buffers.

    Args:
        game: As its code is now.
        stored: A state dict, or a part of one.
        where: What the weights belong to, for the message.
        whole: Whether all that the game has must be there.

    Raises:
        UserError: The game has other tensors, or of other shapes: it says which.
    """
    now = game.state_dict()
    wrong = [
        f"{name} was {tuple(stored[name].shape)} and is {tuple(now[name].shape)}"
        for name in stored
        if isinstance(stored[name], Tensor)
        and isinstance(now.get(name), Tensor)
        and stored[name].shape != now[name].shape
    ]
    wrong += [f"{name} is no longer there" for name in stored if name not in now]
    wrong += [f"{name} is new" for name in now if whole and name not in stored]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise UserError(
            f"the weights in {where} do not fit the model as its code is now: "
            f"{', '.join(wrong[:SHOWN])}{more}. Bring back the code that they were trained with "
            "(see --module), or train anew into another --out"
        )
    game.load_state_dict(dict(stored), strict=whole)
