"""DoppelGANger: a class first, then the range of a series, then the series itself, in stretches.

Lin, Jain, Wang, Fanti and Sekar 2020, "Using GANs for Sharing Networked Time Series Data:
Challenges, Initial Promise, and Open Questions", arXiv:1909.13403: attributes are drawn by a
perceptron of their own (section 4.2.1); each series is normalised by its own range, whose ends are
drawn as further attributes, so that series of very different sizes do not collapse to one (4.2.2);
an LSTM emits several steps at a time (4.2.3); a second critic judges the attributes alone. Both
critics follow WGAN-GP.

Deviations: attributes are the class, where the data have one, and the ranges; series have one
length; samples come from averaged weights.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.data.fields import Category, Field
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.series import Series
from zerosum.modalities.series.model import SeriesConfig
from zerosum.nets.mlp import mlp

NARROW = 1e-4
"""Half a range below which a series is taken to be even."""


class Stretches(nn.Module):
    """Noise and attributes to series in [-1, 1]: an LSTM whose steps are stretches of several."""

    def __init__(
        self, noise: int, told: int, channels: int, length: int, width: int, at_once: int
    ) -> None:
        super().__init__()
        self.count = -(-length // at_once)
        self.length, self.channels, self.at_once = length, channels, at_once
        self.cells = nn.LSTM(noise + told, width, batch_first=True)
        self.last = nn.Linear(width, channels * at_once)

    def forward(self, noise: Tensor, told: Tensor) -> Tensor:
        """Series (B, length, channels) of noise (B, count, n) and attributes (B, told)."""
        beside = told[:, None].expand(-1, self.count, -1)
        made = torch.tanh(self.last(self.cells(torch.cat([noise, beside], dim=2))[0]))
        return made.reshape(len(made), -1, self.channels)[:, : self.length]


class DoppelGANger(LatentGame):
    class Config(SeriesConfig):
        latent: Count = 10
        """Numbers of noise for the ranges, and for each stretch."""
        width: Count = 100
        """Numbers of the hidden state."""
        hidden: tuple[Count, ...] = (100, 100, 100)
        """Widths of the perceptron that draws ranges."""
        judge: tuple[Count, ...] = (200, 200, 200, 200)
        """Widths of both critics."""
        at_once: Count = 6
        """Steps of a stretch."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty of each critic."""
        attributes: Weight = 1.0
        """Weight of the critic of the attributes alone."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights, self.classes = config, config.classes
        self.objective = OBJECTIVES["wasserstein"]
        ranges = 2 * config.channels
        told = config.classes + ranges
        self.ranges = mlp([config.latent + config.classes, *config.hidden, ranges])
        self.stretches = Stretches(
            config.latent, told, config.channels, config.length, config.width, config.at_once
        )
        whole = told + config.length * config.channels
        self.critic = mlp([whole, *config.judge, 1], final=nn.Flatten(0))
        self.second = mlp([told, *config.judge, 1], final=nn.Flatten(0))

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "critic": [self.critic, self.second],
            "generator": [self.ranges, self.stretches],
        }

    def turns(self) -> list[Turn]:
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(self.whole(*self.parted(batch)))}

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)} if self.classes else {}

    # -- samples ---------------------------------------------------------------------------

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, 1 + self.stretches.count, self.weights.latent, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)} if self.classes else {}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        told, shape = self.drawn(z, condition)
        middle, half = self._ends(told)
        found = {"series": middle + half * shape}
        return found | {"label": condition["label"]} if self.classes else found

    def drawn(self, z: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Attributes (B, told) and series in the unit of their own range, (B, T, C)."""
        label = self._label(batch, len(z))
        found = self.ranges(torch.cat([z[:, 0], label], dim=1))
        middle, half = found.chunk(2, dim=1)
        told = torch.cat([label, middle, nn.functional.softplus(half)], dim=1)
        return told, self.stretches(z[:, 1:], told)

    def parted(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The same of real or finished series (B, T, C)."""
        series = batch["series"]
        low, high = series.amin(1), series.amax(1)
        middle, half = (low + high) / 2, ((high - low) / 2).clamp(min=NARROW)
        told = torch.cat([self._label(batch, len(series)), middle, half], dim=1)
        return told, (series - middle[:, None]) / half[:, None]

    def whole(self, told: Tensor, shape: Tensor) -> Tensor:
        """Attributes and series as one row, (B, n)."""
        return torch.cat([told, shape.flatten(1)], dim=1)

    def _label(self, batch: Batch, n: int) -> Tensor:
        if not self.classes:
            return torch.zeros(n, 0, device=self.device)
        return one_hot(batch["label"], self.classes).float()

    def _ends(self, told: Tensor) -> tuple[Tensor, Tensor]:
        """Middle and half of the range (B, 1, C) of attributes."""
        middle, half = told[:, self.classes :].chunk(2, dim=1)
        return middle[:, None], half[:, None]

    # -- losses ----------------------------------------------------------------------------

    def critic_loss(self, batch: Batch) -> Terms:
        told, shape = self.parted(batch)
        with torch.no_grad():
            fake_told, fake_shape = self.drawn(self.latent(len(told)), batch)
        real, fake = self.whole(told, shape), self.whole(fake_told, fake_shape)
        real_logits, fake_logits = self.critic(real), self.critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        weight, penalty = self.weights.attributes, self.weights.penalty
        judged = self.objective.critic(self.second(told), self.second(fake_told))
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": penalty * gradient_penalty(self.critic, real, fake),
            "attributes": weight * judged,
            "attributes penalty": weight
            * penalty
            * gradient_penalty(self.second, told, fake_told),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        told, shape = self.drawn(self.latent(len(batch["series"])), batch)
        return {
            "adversarial": self.objective.generator(self.critic(self.whole(told, shape))),
            "attributes": self.weights.attributes * self.objective.generator(self.second(told)),
        }


ADAM = Optim(lr=1e-3, betas=(0.5, 0.999))
BOTH = {"critic": ADAM, "generator": ADAM}
SOURCES = cite(
    "arXiv:1909.13403, appendix B", "model.width", "model.hidden", "model.penalty",
    "optim",
)  # fmt: skip


def _preset(path: str, examples: int, *, labels: bool = False, at_once: int = 6) -> Recipe:
    return Recipe(
        model=DoppelGANger.Config(labels=labels, at_once=at_once),
        data=Series(path=path),
        optim=BOTH,
        ema=Averaging(half_life=examples / 100),
        train=Train(examples=examples, batch=64, sheet_every=examples // 4, log_every=6_400),
        evaluate=Evaluate(every=examples // 2, samples=1_000),
        about="minutes on one core",
        sources=SOURCES,
    )


PRESETS = {
    "sines": _preset("sines", 256_000),
    "stock": _preset("stock", 256_000),
    "energy": _preset("energy", 256_000),
    "italy-power-demand": _preset("italy-power-demand", 256_000, labels=True),
    "gunpoint": _preset("gunpoint", 128_000, labels=True, at_once=10),
    "tiny": tiny(
        DoppelGANger.Config(latent=2, width=8, hidden=(8,), judge=(8,)),
        Series(path="sines"),
        BOTH,
    ),
}
