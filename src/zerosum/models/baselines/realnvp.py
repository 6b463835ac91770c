"""Real NVP: a normalising flow, the baseline with an exact likelihood.

Dinh, Sohl-Dickstein and Bengio 2017, "Density estimation using Real NVP", arXiv:1605.08803:
affine couplings (section 3.2) between the data and a standard normal code of the same size,
trained by maximum likelihood (section 3.1), with dequantised pixels on a logit scale (4.1).

Deviations: fully connected couplings over random halves of the coordinates instead of
convolutions with checkerboard and channel masks and a multi-scale squeeze; no batch
normalisation. Made for points and for small images; the number of levels of a pixel is a
setting, since the digits have 17 and not 256.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count
from zerosum.core.game import Batch, LatentGame, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, tiny
from zerosum.core.schedule import Cosine
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.modalities.images import Images
from zerosum.modalities.images.presets import on_digits
from zerosum.modalities.points import Toy
from zerosum.nets.flow import Flow, Pixels


class RealNVP(LatentGame):
    class Config(GameConfig):
        field: Literal["", "image", "point"] = ""
        """What is learned; taken from the data."""
        shape: tuple[Count, ...] = ()
        """Shape of one sample; taken from the data."""
        layers: Count = Setting(default=8, ge=2)
        """Number of couplings."""
        hidden: tuple[Count, ...] = (256, 256)
        """Widths of the hidden layers of each coupling's network."""
        levels: Count = Setting(default=256, ge=2)
        """Values that a pixel can have; means nothing for points."""

        def matched(self, spec: DataSpec) -> RealNVP.Config:
            field = "point" if "point" in spec.fields else "image"
            return self.model_copy(update={"field": field, "shape": spec.shape(field)})

    class Options(SampleOptions):
        temperature: float = Setting(default=1.0, ge=0)
        """Standard deviation of the code; below 1 for likelier samples of less variety."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.field, self.shape = config.field, config.shape
        self.dimensions = math.prod(config.shape)
        self.flow = Flow(self.dimensions, config.layers, config.hidden)
        self.pixels = Pixels(config.levels) if config.field == "image" else None

    def players(self) -> dict[str, list[nn.Module]]:
        return {"flow": [self.flow]}

    def generators(self) -> list[nn.Module]:
        return [self.flow]

    def turns(self) -> list[Turn]:
        return [Turn("flow", self.loss)]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        options = self.options
        assert isinstance(options, RealNVP.Options)
        return options.temperature * self.normal(n, self.dimensions, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        data = self.flow.inverse(z)
        if self.pixels is not None:
            data = self.pixels.inverse(data)
        return {self.field: data.view(-1, *self.shape)}

    def log_likelihood(self, batch: Batch) -> Tensor:
        """Natural logarithm (B,) of the density of points; of images a lower bound on that of
        their probability, by uniform dequantisation."""
        samples = batch[self.field]
        if self.pixels is None:
            return self.flow.log_density(samples)
        vectors, change = self.pixels(samples, torch.rand_like(samples))
        return self.flow.log_density(vectors) + change

    def loss(self, batch: Batch) -> Terms:
        """Negative log likelihood in nats per dimension."""
        return {"nll": -self.log_likelihood(batch).mean() / self.dimensions}


ADAM = {"flow": Optim(lr=Cosine(start=1e-3, end=1e-5), betas=(0.9, 0.999), clip=10.0)}


def _toy(name: Literal["moons", "ring"]) -> Recipe:
    return Recipe(
        model=RealNVP.Config(hidden=(64, 64)),
        data=Toy(name=name),
        optim=ADAM,
        ema=Averaging(half_life=20_000),
        train=Train(examples=1_500_000, batch=256, sheet_every=100_000, log_every=10_000),
        evaluate=Evaluate(every=500_000, samples=2_000),
    )


PRESETS = {
    "digits": on_digits(
        RealNVP.Config(levels=17, hidden=(128, 128)),
        ADAM,
        examples=100_000,
        # A flow learns 1,617 digits by heart: it stops where held-out ones get less probable.
        evaluate=Evaluate(
            every=10_000, samples=1_500, metrics=("likelihood", "fd", "prdc"), patience=3
        ),
    ),
    "moons": _toy("moons"),
    "ring": _toy("ring"),
    "tiny": tiny(RealNVP.Config(layers=2, hidden=(16,), levels=17), Images(path="digits"), ADAM),
}
