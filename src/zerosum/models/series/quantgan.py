"""Quant GAN: temporal convolutions that draw returns, with their volatility in clusters.

Wiese, Knobloch, Korn and Kretschmer 2020, "Quant GANs: Deep Generation of Financial Time Series",
arXiv:1907.06673: both players are temporal convolutional networks with a receptive field of 127
steps (section 3 and appendix B); noise is three numbers a step.

The codec takes heavy tails out of the returns by Lambert's W and lays them in again, as in the
paper (`data.scale=gaussian`).

Deviations: the critic says one number for a series, from its last step, which sees `field` steps;
samples come from averaged weights, and lie between the extremes of the training part: where tails
are laid in, a number that is twice as far out as any that was seen would be a thousand times it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.data.source import Split
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.penalties import r1
from zerosum.modalities.series import Series
from zerosum.modalities.series.codec import SeriesCodec
from zerosum.modalities.series.model import SeriesConfig
from zerosum.nets.temporal import TemporalNet


class Within(nn.Module):
    """Series (B, T, C) between the least and the greatest number of each channel, when sampled.

    Attributes:
        ends: Both, (2, C).
    """

    ends: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        ends = torch.tensor([-torch.inf, torch.inf])
        self.register_buffer("ends", ends[:, None].repeat(1, channels))

    def forward(self, series: Tensor) -> Tensor:
        return series if self.training else series.clamp(*self.ends)


class QuantGAN(LatentGame):
    class Config(SeriesConfig):
        latent: Count = 3
        """Numbers of noise a step."""
        width: Count = 80
        """Maps of a block."""
        blocks: Annotated[int, Setting(ge=1, le=12)] = 6
        """Blocks, each of twice the dilation: the receptive field is 2 to that power, times two,
        less one."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss."""
        gamma: Weight = 0.0
        """Weight of R1, taken times gamma / 2; 0 leaves it out."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.length, self.latent_size, self.gamma = config.length, config.latent, config.gamma
        self.objective = OBJECTIVES[config.objective]
        shape = {"width": config.width, "blocks": config.blocks}
        self.generator = TemporalNet(config.latent, config.channels, **shape)
        self.critic = TemporalNet(config.channels, 1, **shape)
        self.within = Within(config.channels)

    def learn_from(self, split: Split) -> None:
        if isinstance(split.codec, SeriesCodec):
            codec = split.codec
            self.within.ends.copy_(codec.scaled(np.stack([codec.low, codec.high])))

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def generators(self) -> list[nn.Module]:
        return [self.generator, self.within]

    def turns(self) -> list[Turn]:
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.judge(batch["series"])}

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Noise (n, before + length, latent): also for the steps that the first ones depend on."""
        return self.normal(n, self.generator.field - 1 + self.length, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        # What lies before has no whole past of its own, and is dropped.
        return {"series": self.within(self.generator(z)[:, self.generator.field - 1 :])}

    def judge(self, series: Tensor) -> Tensor:
        """Logits (B,) of series (B, T, C)."""
        return self.critic(series)[:, -1, 0]

    def critic_loss(self, batch: Batch) -> Terms:
        real = batch["series"]
        with torch.no_grad():
            fake = self.sample(len(real))["series"]
        real_logits, fake_logits = self.judge(real), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        terms = {"adversarial": self.objective.critic(real_logits, fake_logits)}
        if self.gamma:
            terms["r1"] = self.gamma / 2 * r1(self.judge, real)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        logits = self.judge(self.sample(len(batch["series"]))["series"])
        real = self.judge(batch["series"]) if self.objective.relativistic else None
        return {"adversarial": self.objective.generator(logits, real)}


BOTH = {
    "critic": Optim(lr=1e-3, betas=(0.0, 0.9)),
    "generator": Optim(lr=3e-4, betas=(0.0, 0.9)),
}
PRICES = ("Adj_Close",)

PRESETS = {
    "stock": Recipe(
        model=QuantGAN.Config(width=32, gamma=1.0),
        data=Series(path="stock", columns=PRICES, returns=True, scale="gaussian", length=128),
        optim=BOTH,
        ema=Averaging(half_life=2_000),
        train=Train(examples=100_000, batch=64, sheet_every=20_000, log_every=3_200),
        evaluate=Evaluate(every=50_000, samples=1_000),
        about="daily log returns of one share, half a year each; ten minutes of one core",
    ),
    "paper": Recipe(
        model=QuantGAN.Config(),
        data=Series(path="stock", columns=PRICES, returns=True, scale="gaussian", length=127),
        optim=BOTH,
        train=Train(examples=5_000_000, batch=64),
        evaluate=Evaluate(every=500_000, samples=1_000),
        about="the published networks",
        sources=cite(
            "arXiv:1907.06673, appendix B", "model.latent", "model.width", "model.blocks"
        ),
    ),
    "tiny": tiny(
        QuantGAN.Config(width=8, blocks=3), Series(path="autoregression", scale="standard"), BOTH
    ),
}
