"""What the policy `act` does: a few bounded changes of a run that goes on, each one recorded.

Nothing here knows a system. Learning rates are multiplied, averages become longer, the game's own
augmentation is switched off, the critic is shown augmented images (Zhao et al. 2020,
arXiv:2006.10738), or it plays one more turn, on the squared gradients of its logits by what it
sees: R1 and R2 of Mescheder et al. 2018 (arXiv:1801.04406, eq. 9 and 10), which make any of these
games converge near its solution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.augment.diffaugment import DiffAugment
from zerosum.core.ema import EMA
from zerosum.core.game import Game, Terms, Turn
from zerosum.core.remedies import Shown
from zerosum.core.runtime import uncompiled
from zerosum.core.schedule import Number, at
from zerosum.data.fields import Batch
from zerosum.doctor.checkup import augmentations
from zerosum.doctor.event import Event
from zerosum.doctor.remedies import HIGHEST, USUAL

LEAST, MOST = 1e-3, 1e7
"""Bounds of all factors of a player's learning rate together."""
LONG = 0.05
"""Half-life of the averages after oscillation or collapse, as a share of the run."""
GAMMA = 0.5
"""Weight of the penalty, times the fourth root of the number of values of a sample."""


class Treatment:
    """What was prescribed so far: a part of the run's state.

    Args:
        game: The game.
        ema: Its averages.
        state: What `state` gave before; empty at first.

    Attributes:
        critics: The players who judge.
        factors: Factor of each player's learning rate.
        penalised: Whether the critic plays the penalty's turn.
        augmented: Whether the critic sees augmented images.
        plain: Whether the game's own augmentation is switched off.
        half_life: Half-life of the averages, 0 for the recipe's.
        taken: Actions so far.
    """

    def __init__(self, game: Game, ema: EMA, state: Mapping[str, Any]) -> None:
        self.game, self.ema, self.critics = game, ema, tuple(game.critics())
        self.factors: dict[str, float] = dict(state.get("factors", {}))
        self.penalised: bool = state.get("penalised", False)
        self.augmented: bool = state.get("augmented", False)
        self.plain: bool = state.get("plain", False)
        self.half_life: float = state.get("half_life", 0.0)
        self.taken: int = state.get("taken", 0)
        self._augment = DiffAugment(("translation", "cutout"))
        self._hooked: set[str] = set()
        self._apply()

    def state(self) -> dict[str, Any]:
        """For the checkpoint: JSON."""
        return {
            "factors": self.factors,
            "penalised": self.penalised,
            "augmented": self.augmented,
            "plain": self.plain,
            "half_life": self.half_life,
            "taken": self.taken,
        }

    def factor(self, player: str) -> float:
        """What a player's scheduled learning rate is multiplied by."""
        return self.factors.get(player, 1.0)

    def turns(self) -> list[Turn]:
        """Turns to play after the game's own."""
        return [Turn(self.critics, self.penalty)] if self.penalised else []

    def prescribe(self, event: Event, rates: Mapping[str, Number]) -> list[str]:
        """Change what helps against a failure.

        Args:
            event: The failure.
            rates: Learning rate or schedule of each player.

        Returns:
            What was done, in words; nothing where nothing here helps. Going back to earlier
            weights is left to the caller, who has the checkpoints.
        """
        players = list(rates)
        progress = self.game.progress
        now = {n: at(rate, progress) * self.factor(n) for n, rate in rates.items()}
        guilty = event.signal.partition("/")[2]
        done: list[str] = []
        match event.failure:
            case "exploding":
                done += [self._rate(name, 1 / 30) for name in players]
            case "dead run":
                usual = max([USUAL, *(now[name] for name in players if name != guilty)])
                done += [self._rate(guilty, min(usual, HIGHEST) / max(now[guilty], 1e-30))]
            case "imbalance":
                slow = min(now, key=lambda name: now[name])
                done += [self._rate(slow, min(max(now.values()), HIGHEST) / max(now[slow], 1e-30))]
            case "vanishing gradient":
                done += [self._rate(name, 0.1) for name in self.critics] + self._penalise()
            case "augmentation leak":
                done += self._show_plain()
            case "memorisation" | "discriminator overfit":
                done += self._change_images() or self._penalise()
            case "mode collapse":
                done += [self._rate(name, 0.3) for name in players if name not in self.critics]
                done += self._penalise() + self._average()
            case "oscillation":
                done += self._penalise() + self._average()
            case _:
                pass
        done = [line for line in done if line]
        if done:
            self.taken += 1
            self._apply()
        return done

    # -- the single changes ----------------------------------------------------------------

    def _rate(self, player: str, factor: float) -> str:
        before = self.factor(player)
        after = min(max(before * factor, LEAST), MOST)
        if math.isclose(after, before):
            return ""
        self.factors[player] = after
        return f"learning rate of the {player} x {after / before:.3g}"

    def _penalise(self) -> list[str]:
        if self.penalised or not self._networks():
            return []
        self.penalised = True
        return ["R1 and R2 for the critic"]

    def _change_images(self) -> list[str]:
        if self.augmented or not self._sees_images():
            return []
        self.augmented = True
        return ["the critic sees shifted and blanked images"]

    def _show_plain(self) -> list[str]:
        if self.plain or not augmentations(self.game):
            return []
        self.plain = True
        return ["the game's own augmentation is off"]

    def _average(self) -> list[str]:
        longest = LONG * self.game.progress.total
        if self.half_life >= longest:
            return []
        self.half_life = longest
        return [f"averages with a half-life of {longest:,.0f} examples"]

    # -- what they do ----------------------------------------------------------------------

    def _apply(self) -> None:
        if self.half_life:
            self.ema.half_life, self.ema.ramp = self.half_life, 0.0
        if self.augmented and "augmented" not in self._hooked:
            Shown(self._networks(), self._augment, images=True)
            self._hooked.add("augmented")
        if self.plain and "plain" not in self._hooked:
            for module in augmentations(self.game):
                module.register_forward_hook(_unchanged)
            self._hooked.add("plain")

    def _networks(self) -> list[nn.Module]:
        players = self.game.players()
        return [
            module
            for name in self.critics
            for module in players[name]
            if not isinstance(module, nn.Embedding)
        ]

    def _sees_images(self) -> bool:
        """Whether a critic's network begins with something that takes images."""
        return any(
            isinstance(part, nn.Conv2d) for module in self._networks() for part in module.modules()
        )

    def penalty(self, batch: Batch) -> Terms:
        """gamma / 2 times the mean squared gradient of each critic's logits by what it judges,
        real and generated."""
        with torch.no_grad():
            made = self.game.answered(batch)
        untouched = {*self.game.inputs(), *self.game.conditions()}
        terms = []
        with uncompiled():
            for critic in self.game.critics().values():
                for part in (batch, made):
                    shown = {
                        name: value.detach().requires_grad_()
                        for name, value in part.items()
                        if value.is_floating_point() and name not in untouched
                    }
                    out = critic({**part, **shown})
                    slopes = torch.autograd.grad(
                        out.sum(), list(shown.values()), create_graph=True, allow_unused=True
                    )
                    used = [slope.flatten(1) for slope in slopes if slope is not None]
                    gamma = GAMMA * sum(slope.shape[1] for slope in used) ** 0.25
                    terms.append(gamma / 2 * torch.cat(used, 1).square().sum(1).mean())
        return {"penalty": sum(terms, start=torch.zeros((), device=self.game.device))}


def _unchanged(module: nn.Module, given: tuple[Any, ...], out: object) -> Tensor:
    """The hook: images as they came."""
    return given[0]
