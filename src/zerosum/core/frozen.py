"""Helpers that are never trained: perceptual networks, text encoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypedDict

from torch import Tensor, nn

from zerosum.errors import UserError


class FrozenState(TypedDict):
    """What a checkpoint keeps of a helper."""

    name: str
    hash: str


class Frozen(nn.Module):
    """Holds a network that a name and a hash restore: part of the computation, and of no
    checkpoint, player or average.

    Its weights get no gradient, but gradients flow through it. A checkpoint keeps name and hash,
    and refuses to go on with other weights.
    """

    def __init__(self, network: nn.Module, *, name: str, hash: str) -> None:
        """Freeze a network.

        Args:
            network: Evaluated as it is; it stays in evaluation mode.
            name: What it is, such as `efficientnet-lite0`.
            hash: Of its weights, in hexadecimal.
        """
        super().__init__()
        self.name, self.hash = name, hash
        # In a tuple, so that torch does not count its weights among the game's.
        self._held = (network.eval().requires_grad_(False),)

    @property
    def network(self) -> nn.Module:
        return self._held[0]

    def forward(self, *inputs: Tensor) -> Any:
        return self.network(*inputs)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow the game to its device and type."""
        self.network._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def get_extra_state(self) -> FrozenState:
        return {"name": self.name, "hash": self.hash}

    def set_extra_state(self, state: FrozenState) -> None:
        if state["hash"] != self.hash:
            raise UserError(
                f"{self.name} has other weights ({self.hash[:12]}…) than those that the run began "
                f"with ({state['name']}, {state['hash'][:12]}…): bring these back"
            )


def helpers(game: nn.Module) -> set[str]:
    """Names of the networks that were never trained and took part in a game's training."""
    return {module.name for module in game.modules() if isinstance(module, Frozen)}
