"""DoppelGANger: what describes a series first, then its range, then its steps, in stretches.

Lin, Jain, Wang, Fanti and Sekar 2020, "Using GANs for Sharing Networked Time Series Data:
Challenges, Initial Promise, and Open Questions", arXiv:1909.13403: attributes are drawn by a
perceptron of their own; each series is normalised by its own range, whose ends are drawn by
another one that knows the attributes, so that series of very different sizes do not collapse to
one; an LSTM that knows both emits several steps at a time; a flag beside each step says whether
the series goes on or ends there; a second critic judges attributes and ranges alone. Both critics
follow WGAN-GP.

Deviations: the class, where the data have one and `labels` asks for it, is given, not drawn; the
end of a generated series is the first step whose flag says so more than not, and what follows is
cut off without a gradient; samples come from averaged weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus

from zerosum.config import Count, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.data.fields import Category, Field
from zerosum.data.spec import DataSpec
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.series import Series
from zerosum.modalities.series.fields import AttributesField
from zerosum.modalities.series.model import SeriesConfig
from zerosum.nets.mlp import mlp

NARROW = 1e-4
"""Half a range below which a series is taken to be even."""
FLAGS = 2
"""Numbers beside a step: that it goes on, and that it ends."""


class Stretches(nn.Module):
    """Noise and attributes to series in [-1, 1]: an LSTM whose steps are stretches of several."""

    def __init__(
        self,
        noise: int,
        told: int,
        channels: int,
        length: int,
        width: int,
        at_once: int,
        ends: bool,
    ) -> None:
        super().__init__()
        self.count = -(-length // at_once)
        self.length, self.channels = length, channels
        self.out = channels + FLAGS * ends
        self.cells = nn.LSTM(noise + told, width, batch_first=True)
        self.last = nn.Linear(width, self.out * at_once)

    def forward(self, noise: Tensor, told: Tensor) -> Tensor:
        """Series (B, length, channels) of noise (B, count, n) and attributes (B, told), with two
        flags beside the channels where series end: 0 behind the end."""
        beside = told[:, None].expand(-1, self.count, -1)
        made = self.last(self.cells(torch.cat([noise, beside], dim=2))[0])
        made = made.reshape(len(made), -1, self.out)[:, : self.length]
        values = torch.tanh(made[:, :, : self.channels])
        if self.out == self.channels:
            return values
        flags = made[:, :, self.channels :].softmax(2)
        return torch.cat([values, flags], dim=2) * alive(flags)[:, :, None]


def alive(flags: Tensor) -> Tensor:
    """Which steps (B, T) of a series are there, 0 or 1: up to the first whose flags (B, T, 2),
    going on and ending, say that it ends."""
    over = (flags.detach()[:, :, 1] > flags.detach()[:, :, 0]).float()
    return (over.cumsum(1) - over < 1).to(flags.dtype)


class DoppelGANger(LatentGame):
    class Config(SeriesConfig):
        plain: ClassVar[bool] = False

        attributes: tuple[Whole, ...] = ()
        """Words of each attribute, 0 for a number; taken from the data."""
        ends: bool = False
        """Whether series differ in length; taken from the data."""
        latent: Count = 10
        """Numbers of noise for the attributes, for the ranges, and for each stretch."""
        width: Count = 100
        """Numbers of the hidden state."""
        hidden: tuple[Count, ...] = (100, 100, 100)
        """Widths of the perceptrons that draw attributes and ranges."""
        judge: tuple[Count, ...] = (200, 200, 200, 200)
        """Widths of both critics."""
        at_once: Count = 6
        """Steps of a stretch."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty of each critic."""
        beside: Weight = 1.0
        """Weight of the critic of attributes and ranges alone."""

        def matched(self, spec: DataSpec) -> Self:
            found = spec.fields.get("attributes")
            sizes = found.sizes if isinstance(found, AttributesField) else ()
            changes = {"attributes": sizes, "ends": "steps" in spec.fields}
            return super().matched(spec).model_copy(update=changes)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights, self.classes = config, config.classes
        self.objective = OBJECTIVES["wasserstein"]
        ranges, noise = 2 * config.channels, config.latent
        known = config.classes + sum(max(size, 1) for size in config.attributes)
        told = known + ranges
        self.attributes = (
            mlp([noise + config.classes, *config.hidden, known - config.classes])
            if config.attributes
            else None
        )
        self.ranges = mlp([noise + known, *config.hidden, ranges])
        form = (config.channels, config.length, config.width, config.at_once, config.ends)
        self.stretches = Stretches(noise, told, *form)
        whole = told + config.length * self.stretches.out
        self.critic = mlp([whole, *config.judge, 1], final=nn.Flatten(0))
        self.second = mlp([told, *config.judge, 1], final=nn.Flatten(0))

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "critic": [self.critic, self.second],
            "generator": [
                *([] if self.attributes is None else [self.attributes]),
                self.ranges,
                self.stretches,
            ],
        }

    def turns(self) -> list[Turn]:
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(self.whole(*self.parted(batch)))}

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)} if self.classes else {}

    # -- samples ---------------------------------------------------------------------------

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        before = 1 if self.attributes is None else 2
        return self.normal(n, before + self.stretches.count, self.weights.latent, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)} if self.classes else {}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        told, shape = self.drawn(z, condition, sharp=True)
        width = told.shape[1] - 2 * self.weights.channels
        middle, half = told[:, None, width:].chunk(2, dim=2)
        series = middle + half * shape[:, :, : self.weights.channels]
        found = {"series": series}
        if self.weights.ends:
            there = alive(shape[:, :, -FLAGS:])
            found = {"series": series * there[:, :, None], "steps": there.sum(1).long()}
        if self.attributes is not None:
            found["attributes"] = told[:, self.classes : width]
        return found | {"label": condition["label"]} if self.classes else found

    def drawn(self, z: Tensor, batch: Batch, *, sharp: bool = False) -> tuple[Tensor, Tensor]:
        """Class, attributes and range (B, told), and series in the unit of their own range, with
        their flags, (B, T, C + 2).

        Args:
            z: Noise (B, before + stretches, latent).
            batch: Has the classes.
            sharp: Make words one-hot.
        """
        told, count = self._label(batch, len(z)), self.stretches.count
        if self.attributes is not None:
            found = self.attributes(torch.cat([z[:, 0], told], dim=1))
            told = torch.cat([told, self._words(found, sharp)], dim=1)
        noise = z[:, -count - 1]
        middle, half = self.ranges(torch.cat([noise, told], dim=1)).chunk(2, dim=1)
        told = torch.cat([told, middle, softplus(half)], dim=1)
        return told, self.stretches(z[:, -count:], told)

    def _words(self, logits: Tensor, sharp: bool) -> Tensor:
        """Attributes (B, n) of what their network says: words by their shares, numbers in
        [-1, 1]."""
        sizes = self.weights.attributes
        parts = []
        for size, part in zip(sizes, logits.split([max(size, 1) for size in sizes], dim=1)):
            shares = part.softmax(1)
            words = one_hot(shares.argmax(1), size).to(part.dtype) if sharp and size else shares
            parts.append(words if size else torch.tanh(part))
        return torch.cat(parts, dim=1)

    def parted(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The same of real or finished series (B, T, C)."""
        series, told = batch["series"], [self._label(batch, len(batch["series"]))]
        if self.attributes is not None:
            told.append(batch["attributes"])
        there = torch.ones_like(series[:, :, :1])
        if self.weights.ends:
            places = torch.arange(series.shape[1], device=series.device)
            there = (places < batch["steps"][:, None]).to(series.dtype)[:, :, None]
        low = series.masked_fill(there == 0, torch.inf).amin(1)
        high = series.masked_fill(there == 0, -torch.inf).amax(1)
        middle, half = (low + high) / 2, ((high - low) / 2).clamp(min=NARROW)
        shape = (series - middle[:, None]) / half[:, None] * there
        if self.weights.ends:
            going = torch.cat([there[:, 1:], torch.zeros_like(there[:, :1])], dim=1)
            shape = torch.cat([shape, going, there - going], dim=2)
        return torch.cat([*told, middle, half], dim=1), shape

    def whole(self, told: Tensor, shape: Tensor) -> Tensor:
        """Attributes and series as one row, (B, n)."""
        return torch.cat([told, shape.flatten(1)], dim=1)

    def _label(self, batch: Batch, n: int) -> Tensor:
        if not self.classes:
            return torch.zeros(n, 0, device=self.device)
        return one_hot(batch["label"], self.classes).float()

    # -- losses ----------------------------------------------------------------------------

    def critic_loss(self, batch: Batch) -> Terms:
        told, shape = self.parted(batch)
        with torch.no_grad():
            fake_told, fake_shape = self.drawn(self.latent(len(told)), batch)
        real, fake = self.whole(told, shape), self.whole(fake_told, fake_shape)
        real_logits, fake_logits = self.critic(real), self.critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        weight, penalty = self.weights.beside, self.weights.penalty
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
            "attributes": self.weights.beside * self.objective.generator(self.second(told)),
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
    "visits": _preset("visits", 256_000, at_once=4),
    "italy-power-demand": _preset("italy-power-demand", 256_000, labels=True),
    "gunpoint": _preset("gunpoint", 128_000, labels=True, at_once=10),
    "tiny": tiny(
        DoppelGANger.Config(latent=2, width=8, hidden=(8,), judge=(8,)),
        Series(path="sines"),
        BOTH,
    ),
}
