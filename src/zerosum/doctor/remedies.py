"""What helps, as the exact words to add to a command: those that the recipe has a setting for."""

from __future__ import annotations

from collections.abc import Callable

from zerosum.core.game import Progress
from zerosum.core.optim import Optim
from zerosum.core.recipe import Recipe, flat
from zerosum.core.schedule import at

Remedy = Callable[[Recipe, str], tuple[str, str]]
"""From a recipe and the player at fault to advice and an override (or "")."""
USUAL = 2e-4
"""A learning rate that is seldom far wrong with Adam (Radford et al. 2015)."""
HIGHEST = 1e-3
"""The highest rate that is given to a player."""
RELATIVISTIC = {"nonsaturating": "rpgan", "minimax": "nonsaturating"}
"""A steadier loss for one that collapses or saturates."""


def slower(advice: str, factor: float = 0.1) -> Remedy:
    """Lower a player's learning rate, or all of them."""
    return lambda recipe, player: (advice, rates(recipe, player, factor))


def faster(advice: str) -> Remedy:
    """Give a player that hardly moves a usual rate, if its own is lower."""

    def found(recipe: Recipe, player: str) -> tuple[str, str]:
        slow = player in recipe.optim and _size(recipe.optim[player]) < USUAL
        return advice, f"optim.{player}.lr={USUAL:g}" if slow else ""

    return found


def even(advice: str) -> Remedy:
    """Give all players the largest learning rate among them, at most `HIGHEST`."""

    def found(recipe: Recipe, player: str) -> tuple[str, str]:
        size = {name: _size(optim) for name, optim in recipe.optim.items()}
        top = min(max(size.values()), HIGHEST)
        slow = min(size, key=lambda name: size[name])
        return advice, f"optim.{slow}.lr={top:g}" if size[slow] < top else ""

    return found


def clip(advice: str) -> Remedy:
    return lambda recipe, player: (advice, f"optim.{player}.clip=1")


def calm(advice: str) -> Remedy:
    """A steadier loss, a stronger regulariser, or a slower pair of players."""

    def found(recipe: Recipe, player: str) -> tuple[str, str]:
        model = flat(recipe.model.model_dump())
        loss, gamma = model.get("objective"), model.get("gamma")
        words = []
        if loss in RELATIVISTIC:
            words.append(f"model.objective={RELATIVISTIC[loss]}")
        if isinstance(gamma, int | float):
            words.append(f"model.gamma={10 * gamma if gamma else 1:g}")
        return advice, " ".join(words) or rates(recipe, "", 0.3)

    return found


def augment(advice: str) -> Remedy:
    """More pictures from the same ones, where the recipe can."""

    def found(recipe: Recipe, player: str) -> tuple[str, str]:
        model = flat(recipe.model.model_dump())
        limit = getattr(recipe.data, "limit", None)
        gamma = model.get("gamma")
        if limit is not None:
            return advice, "data.limit=null"
        if isinstance(gamma, int | float):
            return advice, f"model.gamma={10 * gamma if gamma else 1:g}"
        return advice, "doctor.policy=act"

    return found


def advise(advice: str) -> Remedy:
    """Advice for what no setting mends."""
    return lambda recipe, player: (advice, "")


def rates(recipe: Recipe, player: str, factor: float) -> str:
    """Overrides that multiply the learning rate of a player, or of all."""
    names = [player] if player in recipe.optim else list(recipe.optim)
    return " ".join(f"optim.{name}.lr={factor * _size(recipe.optim[name]):g}" for name in names)


def _size(optim: Optim) -> float:
    """A learning rate, or the one that its schedule begins with."""
    return at(optim.lr, Progress())
