"""The Dirac-GAN with a little width: a game that circles for ever without a regulariser.

Mescheder, Geiger and Nowozin 2018, arXiv:1801.04406, section 2: the generator moves one point
towards another, the discriminator is linear, and gradient descent turns around the solution.
Here generator and data are N(theta, s^2) and N(0, s^2), and only theta is learned.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import AnyNumber, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train
from zerosum.data.spec import GameConfig
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1
from zerosum.modalities.points import Toy

WIDTH = 0.05


class Shift(nn.Module):
    """Codes (B, 1) to points (B, 1)."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(start))

    def forward(self, z: Tensor) -> Tensor:
        return WIDTH * z + self.theta


class Dirac(LatentGame):
    class Config(GameConfig):
        start: AnyNumber = 1.0
        """Where theta begins; the solution is 0."""
        gamma: Weight = 0.0
        """Weight of R1, taken times gamma / 2; the mistake is 0."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.gamma = config.gamma
        self.objective = OBJECTIVES["nonsaturating"]
        self.generator = Shift(config.start)
        self.discriminator = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.discriminator.weight)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["point"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, 1, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"point": self.generator(z)}

    def judge(self, points: Tensor) -> Tensor:
        return self.discriminator(points).squeeze(1)

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["point"]
        with torch.no_grad():
            fake = self.sample(len(real))["point"]
        real_logits, fake_logits = self.judge(real), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        terms = {"adversarial": self.objective.critic(real_logits, fake_logits)}
        if self.gamma:
            terms["r1"] = self.gamma / 2 * r1(self.judge, real)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.sample(len(batch["point"]))["point"]
        return {"adversarial": self.objective.generator(self.judge(fake))}


PRESETS = {
    "tiny": Recipe(
        model=Dirac.Config(),
        data=Toy(name="gaussian", mean=0.0, std=WIDTH, count=20_000),
        optim={
            "discriminator": Optim(kind="sgd", lr=0.05),
            "generator": Optim(kind="sgd", lr=0.05),
        },
        ema=Averaging(half_life=0),
        train=Train(examples=512_000, batch=128),
        evaluate=Evaluate(samples=2_000),
        about="the example of arXiv:1801.04406, section 2",
    ),
}
