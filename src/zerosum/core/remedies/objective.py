"""Remedies of the adversarial loss: other labels, LeCam's anchors, the best of a batch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from zerosum.config import Fraction, Share, Weight
from zerosum.core.game import Game, Terms, Turn
from zerosum.core.remedies.base import AddsTerm, Effect, Remedy
from zerosum.core.schedule import Linear, Number, at, bounded
from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.losses.labels import flipped, label_smoothed
from zerosum.losses.objectives import OBJECTIVES, Objective
from zerosum.losses.stabilisers import LeCamAnchors, lecam, top_k

LABELLED = ("minimax", "nonsaturating", "lsgan")
"""Objectives in which real samples have a label."""


class LabelSmoothing(Remedy):
    """The critic's target of real samples is less than 1; fakes keep 0."""

    paper: ClassVar[str] = "Salimans et al. 2016, arXiv:1606.03498, section 3.4"
    needs: ClassVar[str] = f"the objective {', '.join(LABELLED[:-1])} or {LABELLED[-1]}"
    usual: ClassVar[str] = "0.9 (the paper)"

    name: Literal["label_smoothing"] = "label_smoothing"
    real: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Target of real samples."""

    def effect(self, game: Game) -> Effect:
        objective = objective_of(game)
        if objective.name not in LABELLED or objective is not OBJECTIVES[objective.name]:
            own = " with targets of its own, which its model.* sets" * (objective.name in LABELLED)
            raise UserError(f"it needs {self.needs}, and this plays {objective.name}{own}")
        set_objective(game, label_smoothed(objective.name, self.real))
        return Effect()


class FlippedLabels(Remedy):
    """A share of real and fake logits change places before the critic's loss is taken."""

    paper: ClassVar[str] = "Chintala et al. 2016, How to train a GAN? (NIPS workshop)"
    needs: ClassVar[str] = "any objective on logits"
    usual: ClassVar[str] = "0.05 (common practice)"

    name: Literal["flipped_labels"] = "flipped_labels"
    probability: Share = 0.05
    """Share of the pairs that change places."""

    def effect(self, game: Game) -> Effect:
        set_objective(game, flipped(objective_of(game), self.probability))
        return Effect()


class Lecam(Remedy):
    """Logits are pulled towards the other side's running mean, in the critic's turn."""

    paper: ClassVar[str] = "Tseng et al. 2021, arXiv:2104.03310"
    needs: ClassVar[str] = "any objective on logits, with one critic"
    usual: ClassVar[str] = "0.01 to 0.3 (common practice), decay 0.99 (the paper)"

    name: Literal["lecam"] = "lecam"
    weight: Weight = 0.1
    """Weight of the term."""
    decay: Fraction = 0.99
    """How much of the running means stays at each step."""

    def effect(self, game: Game) -> Effect:
        effect = _Anchored(self.weight, self.decay, objective_of(game))
        set_objective(game, effect.objective())
        return effect


class _Anchored(AddsTerm):
    """LeCam's term, of the logits that a turn hands to the objective."""

    real: Tensor
    fake: Tensor
    met: Tensor

    def __init__(self, weight: float, decay: float, base: Objective) -> None:
        super().__init__()
        self.weight, self.base = weight, base
        self.anchors = LeCamAnchors(decay)
        # Sums since the last step; buffers, so that whoever tries a loss can put them back.
        for name in ("real", "fake", "met"):
            self.register_buffer(name, torch.zeros(()), persistent=False)
        self._logits: list[tuple[Tensor, Tensor]] = []

    def objective(self) -> Objective:
        base = self.base
        return Objective(base.name, self.critic, base.generator, base.relativistic)

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        self._logits.append((real_logits, fake_logits))
        return self.base.critic(real_logits, fake_logits)

    def loss(self, game: Game, turn: Turn, batch: Batch) -> Terms:
        self._logits.clear()
        terms = turn.loss(batch)
        # A generator may ask what the critic would pay, as unrolling does.
        if not self._logits or not set(turn.players) & set(game.critics()):
            return terms
        if len(self._logits) > 1:
            raise UserError(
                f"remedy lecam follows the logits of one critic, and {len(self._logits)} judge in "
                f"the turn of {'+'.join(turn.players)}: leave it out"
            )
        ((real, fake),) = self._logits
        self._logits.clear()
        with torch.no_grad():
            self.real += real.mean().float()
            self.fake += fake.mean().float()
            self.met += 1
        return {**terms, "lecam": self.weight * lecam(real, fake, self.anchors)}

    def after_step(self, game: Game) -> None:
        if self.met > 0:
            self.anchors.update(self.real / self.met, self.fake / self.met)
        for sums in (self.real, self.fake, self.met):
            sums.zero_()


class TopK(Remedy):
    """The generator learns from the samples alone that the critic finds best."""

    paper: ClassVar[str] = "Sinha et al. 2020, arXiv:2002.06224"
    needs: ClassVar[str] = "an objective that judges each sample alone (not a relativistic one)"
    usual: ClassVar[str] = "share from 1 to 0.5 over the run (the paper)"

    name: Literal["top_k"] = "top_k"
    share: Annotated[Number, bounded(gt=0, le=1)] = Linear(start=1.0, end=0.5)
    """Share of the batch that is kept, a number or a schedule."""

    def effect(self, game: Game) -> Effect:
        objective = objective_of(game)
        if objective.relativistic:
            raise UserError(f"it needs {self.needs}, and this plays {objective.name}")
        effect = _Best(self.share, objective)
        set_objective(game, Objective(objective.name, objective.critic, effect.generator))
        return effect


class _Best(Effect):
    """The generator's loss on the best share of a batch."""

    def __init__(self, share: Number, base: Objective) -> None:
        super().__init__()
        self.number, self.base, self.share = share, base, 1.0

    def turn(self, game: Game, turn: Turn) -> Turn:
        self.share = at(self.number, game.progress)
        return turn

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self.base.generator(top_k(fake_logits, self.share), real_logits)


def objective_of(game: Game) -> Objective:
    """The adversarial loss that a game keeps in `objective`.

    Raises:
        UserError: It has none.
    """
    found = getattr(game, "objective", None)
    if not isinstance(found, Objective):
        raise UserError("it needs an objective on logits, and this game has none")
    return found


def set_objective(game: Game, objective: Objective) -> None:
    """Give a game another adversarial loss."""
    vars(game)["objective"] = objective
