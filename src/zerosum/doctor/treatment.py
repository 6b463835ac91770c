"""What the policy `act` does: a few bounded changes of a run that goes on, each one recorded.

Nothing here knows a system. Learning rates are multiplied, weights go back to the last good
checkpoint, averages become longer, and what a critic is shown is softened by a hook before its
networks: instance noise (Sønderby et al. 2017, arXiv:1610.04490, section 3) or differentiable
augmentation (Zhao et al. 2020, arXiv:2006.10738), on real and generated samples alike.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zerosum.augment.diffaugment import DiffAugment
from zerosum.core.run import Actors
from zerosum.core.schedule import at
from zerosum.doctor.event import Event

LEAST, MOST = 1e-3, 1e7
"""Bounds of all factors of a player's learning rate together."""
USUAL = 2e-4
"""The learning rate that a player gets whose own is far too small."""
CALM = 0.2
"""Share of the run over which averages reach after oscillation, in half-lives."""


class Treatment:
    """What was prescribed so far: a part of the run's state.

    Attributes:
        factors: Factor of each player's learning rate.
        noise: Standard deviation of the critic's instance noise when it was switched on, and the
            images seen then; it falls to 0 at the end of the run.
        augmented: Whether the critic sees augmented images.
        half_life: Half-life of the averages, 0 for the recipe's.
        taken: Actions so far.
    """

    def __init__(self, actors: Actors, critics: tuple[str, ...], state: dict[str, Any]) -> None:
        self.actors, self.critics = actors, critics
        self.factors: dict[str, float] = dict(state.get("factors", {}))
        self.noise: list[float] = list(state.get("noise", []))
        self.augmented: bool = state.get("augmented", False)
        self.half_life: float = state.get("half_life", 0.0)
        self.taken: int = state.get("taken", 0)
        self._augment = DiffAugment(("translation", "cutout"))
        self._hooked = False
        self._settle()

    def state(self) -> dict[str, Any]:
        """For the checkpoint: JSON."""
        return {
            "factors": self.factors,
            "noise": self.noise,
            "augmented": self.augmented,
            "half_life": self.half_life,
            "taken": self.taken,
        }

    def factor(self, player: str) -> float:
        """What a player's scheduled learning rate is multiplied by."""
        return self.factors.get(player, 1.0)

    def prescribe(self, event: Event, rates: dict[str, Any], spread: float) -> list[str]:
        """Change what helps against a failure.

        Args:
            event: The failure.
            rates: Learning rate or schedule of each player.
            spread: Standard deviation of real and generated values together.

        Returns:
            What was done, in words; nothing where nothing here helps. `back to ...` is left to
            the caller, who has the checkpoints.
        """
        players = list(rates)
        now = {name: at(rate, self.actors.game.progress) for name, rate in rates.items()}
        guilty = event.signal.partition("/")[2]
        done: list[str] = []
        match event.failure:
            case "exploding":
                done += [self._rate(name, 0.1) for name in players]
            case "dead run":
                done += [self._rate(guilty, USUAL / max(now[guilty] * self.factor(guilty), 1e-30))]
            case "imbalance":
                real = {name: now[name] * self.factor(name) for name in players}
                slow = min(real, key=lambda name: real[name])
                done += [self._rate(slow, min(max(real.values()), 1e-3) / max(real[slow], 1e-30))]
            case "vanishing gradient":
                done += [self._rate(name, 0.1) for name in self.critics]
                done += self._soften(spread)
            case "memorisation" | "discriminator overfit":
                done += self._change_images() or self._soften(spread / 2)
            case "mode collapse":
                done += [self._rate(name, 0.3) for name in players if name not in self.critics]
                done += self._soften(spread)
            case "oscillation":
                done += self._soften(spread) + self._average()
            case _:
                pass
        done = [line for line in done if line]
        if done:
            self.taken += 1
            self._settle()
        return done

    # -- the single changes ----------------------------------------------------------------

    def _rate(self, player: str, factor: float) -> str:
        before = self.factor(player)
        after = min(max(before * factor, LEAST), MOST)
        if after == before:
            return ""
        self.factors[player] = after
        return f"learning rate of the {player} x {after / before:.3g}"

    def _soften(self, spread: float) -> list[str]:
        if self.noise or not self.critics:
            return []
        self.noise = [round(spread / 2, 4), self.actors.game.progress.seen]
        return [f"instance noise of {self.noise[0]:g}, falling to 0 at the end"]

    def _change_images(self) -> list[str]:
        if self.augmented or not self.critics or not self._sees_images():
            return []
        self.augmented = True
        return ["the critic sees shifted and blanked images"]

    def _average(self) -> list[str]:
        longest = CALM * self.actors.game.progress.total
        if self.half_life >= longest:
            return []
        self.half_life = longest
        return [f"averages with a half-life of {longest:,.0f} images"]

    # -- what they do ----------------------------------------------------------------------

    def _settle(self) -> None:
        if self.half_life:
            self.actors.ema.half_life, self.actors.ema.ramp = self.half_life, 0.0
        if (self.noise or self.augmented) and not self._hooked:
            for module in self._networks():
                module.register_forward_pre_hook(self._show)
            self._hooked = True

    def _networks(self) -> list[nn.Module]:
        players = self.actors.game.players()
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

    def _show(self, module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The hook: what the network is given instead, while it learns."""
        if not module.training or not given or not isinstance(given[0], Tensor):
            return None
        seen = given[0]
        if not seen.is_floating_point():
            return None
        if self.augmented and seen.ndim == 4:
            seen = self._augment(seen)
        sigma = self._sigma()
        if sigma > 0:
            seen = seen + sigma * torch.randn_like(seen)
        return (seen, *given[1:])

    def _sigma(self) -> float:
        if not self.noise:
            return 0.0
        size, since = self.noise
        now = self.actors.game.progress
        if now.total <= since:
            return size
        return size * max(0.0, 1 - (now.seen - since) / (now.total - since))
