"""The remedy `ada`: augmentation whose strength follows how much the critic has overfitted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from zerosum.augment.adaptive import AdaptiveAugment, adjusted, multipliers_of
from zerosum.config import Count, Examples, Share, Weight
from zerosum.core.game import Game, Terms, Turn
from zerosum.core.remedies.base import Effect, Remedy
from zerosum.core.remedies.objective import objective_of, set_objective
from zerosum.core.remedies.shown import Shown, viewers
from zerosum.core.schedule import Number, at, bounded
from zerosum.data.fields import Batch
from zerosum.data.source import Examples as Held
from zerosum.data.source import Split
from zerosum.errors import UserError
from zerosum.losses.objectives import Objective

DECIDED = ("minimax", "nonsaturating", "hinge")
"""Objectives whose critic is undecided at a logit of 0; of the others the sign of a logit says
nothing, and reals are compared with the fakes beside them."""
_Selected = str | tuple[str, ...] | dict[str, Weight]


def _known(select: _Selected) -> _Selected:
    try:
        multipliers_of(select)
    except UserError as error:
        raise ValueError(str(error)) from error
    return select


class AdaptiveAugmentation(Remedy):
    """Every critic sees images changed with probability p, which follows its overfitting."""

    paper: ClassVar[str] = "Karras et al. 2020, arXiv:2006.06676"
    needs: ClassVar[str] = (
        "a critic whose network is given an image of the data, and an objective on logits where "
        "no strength is set"
    )
    usual: ClassVar[str] = "bgc, target 0.6, speed 500,000 (the paper)"

    name: Literal["ada"] = "ada"
    select: Annotated[_Selected, AfterValidator(_known)] = "bgc"
    """Which changes: `bg`, `bgc`, `bgcfnc`..., names of changes, or a multiplier for each."""
    target: Annotated[float, bounded(ge=-1, le=1)] = 0.6
    """What r_t or r_v is held at."""
    speed: Examples = 500_000
    """Examples in which p can go from 0 to 1."""
    interval: Count = 4
    """Steps between two moves of p."""
    measure: Literal["r_t", "r_v"] = "r_t"
    """By the sign of the real logits, or by the logits of held-out examples."""
    strength: Annotated[Number, bounded(ge=0, le=1)] | None = None
    """p itself, a number or a schedule, instead of the control."""
    start: Share = 0.0
    """p at the start of a controlled run."""

    def effect(self, game: Game) -> Effect:
        return _Adaptive(self, viewers(game, images=True), game)


class _Adaptive(Shown):
    """Changes before the critics, and the control of their strength.

    What is measured in a step enters sums after it, and the ranks average these; p moves at the
    end of every so many steps by the sums of those before, and so is the same on all ranks.
    """

    averaged_buffers = ("total", "count")
    p: Tensor
    measured: Tensor
    moved_at: Tensor
    total: Tensor
    count: Tensor
    met: Tensor
    met_count: Tensor

    def __init__(
        self, settings: AdaptiveAugmentation, networks: Iterable[nn.Module], game: Game
    ) -> None:
        change = AdaptiveAugment(settings.select)
        super().__init__(networks, change, images=True)
        self.augment, self.settings = change, settings
        self.controlled = settings.strength is None
        self._logits: list[tuple[Tensor, Tensor]] = []
        self._heldout: Held | None = None
        if not self.controlled:
            return
        base = objective_of(game)
        self.base = base
        set_objective(game, Objective(base.name, self.critic, base.generator, base.relativistic))
        self.register_buffer("p", torch.tensor(settings.start))
        self.register_buffer("measured", torch.zeros(()))
        self.register_buffer("moved_at", torch.zeros((), dtype=torch.int64))
        # Of logits of the training's, generated and held-out examples; r_t needs the first alone.
        for name in ("total", "count"):
            self.register_buffer(name, torch.zeros(3))
        # Sums since the last step; buffers, so that whoever tries a loss can put them back.
        for name in ("met", "met_count"):
            self.register_buffer(name, torch.zeros(3), persistent=False)

    def learn_from(self, split: Split) -> None:
        if not self.controlled or self.settings.measure == "r_t":
            return
        if split.heldout is None or not len(split.heldout):
            raise UserError(
                "the remedy ada measures r_v on held-out examples, and none are kept aside "
                f"({split.heldout_note}): measure r_t, or hold some out"
            )
        self._heldout = split.heldout

    def turn(self, game: Game, turn: Turn) -> Turn:
        if self.settings.strength is not None:
            self.augment.strength = at(self.settings.strength, game.progress)
            return turn
        self.augment.strength = float(self.p)
        if not set(turn.players) & set(game.critics()):
            return turn
        return replace(turn, loss=partial(self.loss, turn))

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        self._logits.append((real_logits.detach(), fake_logits.detach()))
        return self.base.critic(real_logits, fake_logits)

    def loss(self, turn: Turn, batch: Batch) -> Terms:
        self._logits.clear()  # a generator may have asked what the critic would pay
        terms = turn.loss(batch)
        for real, fake in self._logits:
            real, fake = real.float(), fake.float()
            if self.settings.measure == "r_v":
                self._meet(0, real)
                self._meet(1, fake)
            elif self.base.name in DECIDED:
                self._meet(0, real.sign())
            else:
                beside = fake if fake.shape == real.shape else fake.mean()
                self._meet(0, (real - beside).sign())
        self._logits.clear()
        return terms

    def after_step(self, game: Game) -> None:
        if not self.controlled:
            game.report(**{"ada/p": torch.tensor(self.augment.strength, device=game.device)})
            return
        every, now = self.settings.interval, game.progress
        if now.step % every == 0 and bool((self.count[0] > 0).item()):
            self._move(now.seen)
        if self._heldout is not None and (now.step + 1) % every == 0:
            self._judge_heldout(game, self._heldout)
        self.total += self.met
        self.count += self.met_count
        self.met.zero_()
        self.met_count.zero_()
        game.report(**{"ada/p": self.p, f"ada/{self.settings.measure}": self.measured})

    def _move(self, seen: int) -> None:
        """Move p by what the steps up to here showed; they cover so many examples."""
        mean = self.total / self.count
        whole = self.settings.measure == "r_v"
        self.measured.copy_(((mean[0] - mean[2]) / (mean[0] - mean[1])) if whole else mean[0])
        if bool(self.measured.isfinite()):
            settings, examples = self.settings, seen - int(self.moved_at)
            measured = float(self.measured)
            strength = adjusted(float(self.p), measured, settings.target, examples, settings.speed)
            self.p.fill_(strength)
        self.moved_at.fill_(seen)
        self.total.zero_()
        self.count.zero_()

    @torch.no_grad()
    def _judge_heldout(self, game: Game, heldout: Held) -> None:
        """Logits of as many held-out examples as the last step had real ones, changed as these
        are; running means of the critic stay as they are."""
        drawn = heldout.some(max(int(self.met_count[0]), 1), seed=game.progress.step)
        batch = {name: value.to(game.device) for name, value in drawn.items()}
        kept = [(buffer, buffer.clone()) for buffer in game.buffers()]
        judged = [critic(batch) for critic in game.critics().values()]
        for buffer, value in kept:
            buffer.copy_(value)
        for logits in judged:
            self._meet(2, logits.float())

    @torch.no_grad()
    def _meet(self, which: int, logits: Tensor) -> None:
        self.met[which] += logits.sum()
        self.met_count[which] += logits.numel()
