"""The theory of 2014 made visible: a learned discriminator beside the optimal one.

Goodfellow et al. 2014, arXiv:1406.2661: for a fixed generator the best discriminator is D*(x) =
p_data(x) / (p_data(x) + p_g(x)) (proposition 1), and the game's value at it is 2 JSD(p_data,
p_g) - log 4 (theorem 1). Here data have a known density on the line and the generator is
affine, x = a z + b, so p_g = N(b, a^2) is known too and both sides can be drawn while they
learn. The game is the minimax one of eq. 1, whose generator's loss is non-saturating unless
`saturating` is set.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from zerosum.config import AnyNumber, Count, Positive
from zerosum.core.game import Batch, LatentGame, Lines, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train
from zerosum.data.spec import GameConfig
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.points import Toy
from zerosum.nets.mlp import mlp
from zerosum.theory import optimal_discriminator

BEST = "D* = p / (p + q)"


class Affine(nn.Module):
    """Codes (B, 1) to points a z + b, (B, 1)."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, z: Tensor) -> Tensor:
        return z * self.log_scale.exp() + self.shift

    def log_density(self, points: Tensor) -> Tensor:
        """Natural logarithm of the density of the outputs at points (B, 1)."""
        standard = (points[:, 0] - self.shift) / self.log_scale.exp()
        return -standard.square() / 2 - self.log_scale - math.log(2 * math.pi) / 2


class TheoryGame(LatentGame):
    class Config(GameConfig):
        law: Toy = Toy(name="gaussian")
        """The law of the data, whose density is drawn; keep it equal to `data`."""
        scale: Positive = 0.5
        """Standard deviation of the generator at the start."""
        shift: AnyNumber = 3.0
        """Mean of the generator at the start."""
        hidden: tuple[Count, ...] = (64, 64)
        """Widths of the discriminator's hidden layers."""
        saturating: bool = False
        """Let the generator minimise log(1 - D) as in eq. 1."""
        moves: Count = 10
        """Discriminator's moves per step, so that it stays near its optimum."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.law, self.moves = config.law, config.moves
        self.objective = OBJECTIVES["minimax" if config.saturating else "nonsaturating"]
        self.generator = Affine(config.scale, config.shift)
        self.discriminator = mlp([1, *config.hidden, 1], final=nn.Flatten(0))

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch["point"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss, repeat=self.moves),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, 1, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"point": self.generator(z)}

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["point"]
        with torch.no_grad():
            fake = self.sample(len(real))["point"]
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        loss = self.objective.critic(real_logits, fake_logits)
        points = torch.cat([real, fake])
        best = torch.sigmoid(self.optimal_logits(points))
        gap = (torch.sigmoid(torch.cat([real_logits, fake_logits])) - best).abs()
        self.report(
            real_logits=real_logits, fake_logits=fake_logits, value=-loss, distance_to_optimum=gap
        )
        return {"adversarial": loss}

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.sample(len(batch["point"]))["point"]
        return {"adversarial": self.objective.generator(self.discriminator(fake))}

    @torch.no_grad()
    def optimal_logits(self, points: Tensor) -> Tensor:
        """log p_data - log p_g at points (B, 1): the logits of D* (proposition 1)."""
        return self.law.log_density(points) - self.generator.log_density(points)

    @torch.no_grad()
    def lines(self) -> dict[str, Lines]:
        centre, reach = self.generator.shift.item(), 4 * self.generator.log_scale.exp().item()
        ends = min(-6.0, centre - reach), max(6.0, centre + reach)
        x = torch.linspace(*ends, 2001, device=self.device)
        points, cell = x[:, None], (ends[1] - ends[0]) / 2000
        p, q = self.law.log_density(points).exp(), self.generator.log_density(points).exp()

        def value(logits: Tensor) -> float:
            """V(D, G) of eq. 1 as an integral; logits keep it finite where D is sure."""
            return ((p * logsigmoid(logits) + q * logsigmoid(-logits)).sum() * cell).item()

        logits = self.discriminator(points)
        bound = value(self.optimal_logits(points))
        title = f"V(D) = {value(logits):.3f}, V(D*) = 2 JSD - log 4 = {bound:.3f}"
        curves = {"D learned": torch.sigmoid(logits), BEST: optimal_discriminator(p, q)}
        return {
            "densities": Lines(x, {"data": p, "generator": q}, "x"),
            title: Lines(x, curves, "x", frozenset({BEST})),
        }


def _preset(law: Toy, **model: float | bool) -> Recipe:
    return Recipe(
        model=TheoryGame.Config.model_validate({"law": law, **model}),
        data=law,
        optim={
            "discriminator": Optim(lr=2e-3, betas=(0.5, 0.999)),
            "generator": Optim(lr=5e-3, betas=(0.5, 0.999)),
        },
        ema=Averaging(half_life=0),
        train=Train(
            examples=400_000,
            batch=256,
            checkpoint_every=200_000,
            sheet_every=20_000,
            log_every=5_000,
        ),
        evaluate=Evaluate(samples=2_000),
    )


PRESETS = {
    "gaussian": _preset(Toy(name="gaussian")),
    "mixture": _preset(Toy(name="mixture")),
    "saturating": _preset(Toy(name="gaussian"), saturating=True, shift=5.0),
    "tiny": _preset(Toy(name="gaussian", count=1_000)).override(
        {"train.examples": 1_280, "evaluate.samples": 64, "model.moves": 2}
    ),
}
