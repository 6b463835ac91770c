"""Remedies: parts of a recipe that change any game which they fit.

`Recipe.remedies` names them. Each is a class here, not a flag in a model's file. They are applied
in the order of `REMEDIES`, whatever the order in the recipe: labels are changed before anchors
follow the logits, gradients are normalised where they leave the critic's side, and `ada` measures
the logits as the critic gave them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from torch import nn

from zerosum.core.game import Game
from zerosum.core.remedies.adaptive import AdaptiveAugmentation
from zerosum.core.remedies.base import Effect, Remedied, Remedy
from zerosum.core.remedies.objective import FlippedLabels, LabelSmoothing, Lecam, TopK
from zerosum.core.remedies.shown import InstanceNoise, NormalisedGradient, Shown, ShowsAugmented
from zerosum.core.remedies.weights import HistoricalAveraging, VirtualBatchNorm
from zerosum.data.spec import GameConfig
from zerosum.errors import UserError, nearest

AnyRemedy = Annotated[
    VirtualBatchNorm
    | NormalisedGradient
    | ShowsAugmented
    | InstanceNoise
    | LabelSmoothing
    | FlippedLabels
    | Lecam
    | TopK
    | AdaptiveAugmentation
    | HistoricalAveraging,
    Field(discriminator="name"),
]
_ORDER: tuple[type[Remedy], ...] = (
    VirtualBatchNorm,
    NormalisedGradient,
    ShowsAugmented,
    InstanceNoise,
    LabelSmoothing,
    FlippedLabels,
    Lecam,
    TopK,
    AdaptiveAugmentation,
    HistoricalAveraging,
)
REMEDIES: dict[str, type[Remedy]] = {kind.model_fields["name"].default: kind for kind in _ORDER}
"""All remedies by name, in the order in which they are applied."""


def _read(value: Any) -> Any:
    """Names alone mean remedies with their usual strengths: `lecam,top_k`."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list | tuple):
        raise ValueError("write names, such as lecam,top_k, or a list of groups of settings")
    parts = [{"name": one} if isinstance(one, str) else one for one in value]
    for part in parts:
        name = part.get("name") if isinstance(part, Mapping) else getattr(part, "name", None)
        if name not in REMEDIES:
            raise ValueError(f"there is no remedy '{name}': {nearest(str(name), REMEDIES)}")
    return tuple(parts)


def _each_once(remedies: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
    names = [remedy.name for remedy in remedies]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} stands there twice: name each remedy once")
    return remedies


Remedies = Annotated[tuple[AnyRemedy, ...], BeforeValidator(_read), AfterValidator(_each_once)]
"""The remedies of a recipe, from parts or from names alone."""


def with_remedies(kind: type[Game], config: GameConfig, remedies: Sequence[Remedy]) -> Game:
    """Build a game and apply remedies to it.

    Args:
        kind: The game's class.
        config: What it is built from.
        remedies: Those that it is to have; a game without any is an instance of `kind` itself.

    Raises:
        UserError: A remedy does not fit the game; it says which would.
    """
    if not remedies:
        return kind(config)
    game = type(kind.__name__, (Remedied, kind), {"__doc__": kind.__doc__})(config)
    game.remedies, order = nn.ModuleList(), list(REMEDIES)
    for remedy in sorted(remedies, key=lambda one: order.index(one.name)):
        try:
            game.remedies.append(remedy.effect(game))
        except UserError as error:
            raise UserError(f"the remedy {remedy.name} does not fit this game: {error}") from error
    return game


__all__ = [
    "REMEDIES",
    "AdaptiveAugmentation",
    "AnyRemedy",
    "Effect",
    "FlippedLabels",
    "HistoricalAveraging",
    "InstanceNoise",
    "LabelSmoothing",
    "Lecam",
    "NormalisedGradient",
    "Remedied",
    "Remedies",
    "Remedy",
    "Shown",
    "ShowsAugmented",
    "TopK",
    "VirtualBatchNorm",
    "with_remedies",
]
