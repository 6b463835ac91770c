"""What a remedy is: a typed part of a recipe that changes a built game."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from typing import ClassVar

from torch import nn

from zerosum.config import Part
from zerosum.core.game import Game, Progress, Terms, Turn
from zerosum.data.fields import Batch
from zerosum.data.source import Split


class Effect(nn.Module):
    """What a remedy does to one game. Its buffers are part of the game's checkpoint.

    An effect holds no module of the game, and reaches into it by bound methods alone, so that a
    copy of the game is treated by a copy of the effect.
    """

    def learn_from(self, split: Split) -> None:
        """Take what it needs of the run's data; called once, before the first step.

        Raises:
            UserError: The data lack it.
        """

    def turn(self, game: Game, turn: Turn) -> Turn:
        """A turn of the step that comes, as it is to be played."""
        return turn

    def after_step(self, game: Game) -> None:
        """Move what moves once a step, as `Game.after_step` does."""


class AddsTerm(Effect, ABC):
    """An effect that adds to the losses of turns."""

    def turn(self, game: Game, turn: Turn) -> Turn:
        return replace(turn, loss=partial(self.loss, game, turn))

    @abstractmethod
    def loss(self, game: Game, turn: Turn, batch: Batch) -> Terms:
        """The terms of a turn, with those of the remedy."""


class Remedy(Part, ABC):
    """A part of a recipe that any game may have that it fits: no model's file knows of it."""

    name: str
    """Which remedy, a literal in each subclass."""
    paper: ClassVar[str]
    """Where it comes from."""
    needs: ClassVar[str]
    """Which games can have it."""
    usual: ClassVar[str]
    """Usual strength, and whose it is."""

    @abstractmethod
    def effect(self, game: Game) -> Effect:
        """Change a game that was just built.

        Raises:
            UserError: The game is none of those that can have it; the message says which can.
        """


class Remedied(Game):
    """What a game with remedies has before its own class: their effects around its steps.

    Attributes:
        remedies: The effects, in the order in which they were applied.
    """

    remedies: nn.ModuleList

    def turns(self) -> list[Turn]:
        found = super().turns()  # pyright: ignore[reportAbstractUsage] (the game's own comes next)
        for effect in self.remedies:
            assert isinstance(effect, Effect)
            found = [effect.turn(self, turn) for turn in found]
        return found

    def learn_from(self, split: Split) -> None:
        super().learn_from(split)
        for effect in self.remedies:
            assert isinstance(effect, Effect)
            effect.learn_from(split)

    def after_step(self, progress: Progress) -> None:
        super().after_step(progress)
        for effect in self.remedies:
            assert isinstance(effect, Effect)
            effect.after_step(self)
