"""A GAN on points in the plane, where every failure can be seen.

Two multilayer perceptrons in any adversarial game, with R1 and R2 (Mescheder et al. 2018) on
the discriminator. With `rpgan` and gamma above zero it covers all modes (Huang et al. 2024);
preset `collapse` is the plain game of 2014, which does not.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.penalties import r1, r2
from zerosum.modalities.points import Toy
from zerosum.nets.mlp import mlp


class ToyGAN(LatentGame):
    class Config(GameConfig):
        dimensions: Whole = 0
        """Coordinates of a point; 0 takes the number from the data."""
        latent: Count = 2
        """Numbers in the latent code."""
        hidden: tuple[Count, ...] = (128, 128, 128)
        """Widths of the hidden layers of both networks."""
        objective: ObjectiveName = "rpgan"
        """The adversarial loss."""
        gamma: Weight = 0.1
        """Weight of R1 and of R2, each taken times gamma / 2; 0 leaves them out."""

        def matched(self, spec: DataSpec) -> ToyGAN.Config:
            return self.model_copy(update={"dimensions": spec.shape("point")[0]})

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.gamma = config.latent, config.gamma
        self.objective = OBJECTIVES[config.objective]
        self.generator = mlp([config.latent, *config.hidden, config.dimensions])
        self.discriminator = mlp([config.dimensions, *config.hidden, 1], final=nn.Flatten(0))

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch["point"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"point": self.generator(z)}

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["point"]
        with torch.no_grad():
            fake = self.sample(len(real))["point"]
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        terms = {"adversarial": self.objective.critic(real_logits, fake_logits)}
        if self.gamma:
            terms["r1"] = self.gamma / 2 * r1(self.discriminator, real)
            terms["r2"] = self.gamma / 2 * r2(self.discriminator, fake)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        real = batch["point"]
        fake_logits = self.discriminator(self.sample(len(real))["point"])
        real_logits = self.discriminator(real) if self.objective.relativistic else None
        return {"adversarial": self.objective.generator(fake_logits, real_logits)}


ADAM = Optim(lr=Cosine(start=1e-3, end=1e-5), betas=(0.5, 0.99))
BOTH = {"discriminator": ADAM, "generator": ADAM}
# A generator four times as fast as its judge runs from mode to mode.
HASTY = {
    "discriminator": Optim(lr=5e-4, betas=(0.8, 0.999)),
    "generator": Optim(lr=2e-3, betas=(0.8, 0.999)),
}


def _preset(
    data: Toy,
    model: ToyGAN.Config | None = None,
    optim: dict[str, Optim] = BOTH,
    images: int = 1_500_000,
    half_life: float = 20_000,
) -> Recipe:
    return Recipe(
        model=model or ToyGAN.Config(),
        data=data,
        optim=optim,
        ema=Averaging(half_life=half_life),
        train=Train(
            examples=images,
            batch=256,
            checkpoint_every=500_000,
            sheet_every=50_000,
            log_every=10_000,
        ),
        evaluate=Evaluate(every=250_000, samples=2_000),
    )


SEARCH = {"model.gamma": Factor(0.1, 10)}

PRESETS = {
    "ring": _preset(Toy(name="ring")),
    "grid": _preset(Toy(name="grid")),
    "spiral": _preset(Toy(name="spiral")),
    "moons": _preset(Toy(name="moons")),
    "checkerboard": _preset(Toy(name="checkerboard")),
    "rings": _preset(Toy(name="rings")),
    "collapse": _preset(
        Toy(name="ring"),
        ToyGAN.Config(objective="nonsaturating", gamma=0),
        optim=HASTY,
        images=500_000,
        half_life=0,  # the average of a generator that runs in circles is their centre
    ),
    "tiny": _preset(
        Toy(name="ring", count=1_000), ToyGAN.Config(hidden=(16, 16)), images=5_120, half_life=256
    ),
}
