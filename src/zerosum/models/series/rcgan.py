"""RCGAN: a recurrent generator and a recurrent critic that judges at each step.

Esteban, Hyland and Rätsch 2017, "Real-valued (Medical) Time Series Generation with Recurrent
Conditional GANs", arXiv:1706.02633: noise at each step goes through an LSTM (section 3), a critic
gives a logit at each step, whose cross-entropies are averaged (eq. 1 and 2); both are told the
class, put beside each step. Without labels it is the paper's RGAN.

Deviations: samples come from averaged weights; series are scaled to [-1, 1], which the generator's
last tanh gives; presets of labelled sets have a penalty, R1.
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
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.penalties import r1
from zerosum.modalities.series import Series
from zerosum.modalities.series.model import SeriesConfig
from zerosum.nets.recurrent import Recurrent


class RCGAN(LatentGame):
    class Config(SeriesConfig):
        latent: Count = 5
        """Numbers of noise a step."""
        width: Count = 100
        """Numbers of the hidden states."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss, of each step."""
        penalty: Weight = 0.0
        """Weight of R1 (arXiv:1801.04406, eq. 9) on the mean logit of a series. The paper has
        none; where series are few the players then circle, and the class is lost."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.size, self.classes = (config.length, config.latent), config.classes
        self.objective, self.penalty = OBJECTIVES[config.objective], config.penalty
        before, told = config.latent + config.classes, config.channels + config.classes
        self.generator = Recurrent(
            before, config.channels, width=config.width, cell="lstm", final=nn.Tanh()
        )
        self.critic = Recurrent(told, 1, width=config.width, cell="lstm")

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.judge(batch["series"], batch)}

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)} if self.classes else {}

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, *self.size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)} if self.classes else {}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        found = {"series": self.generator(self._told(z, condition))}
        return found | {"label": condition["label"]} if self.classes else found

    def _told(self, steps: Tensor, batch: Batch) -> Tensor:
        """Steps (B, T, n) with the class beside each."""
        if not self.classes:
            return steps
        label = one_hot(batch["label"], self.classes).to(steps.dtype)
        return torch.cat([steps, label[:, None].expand(-1, steps.shape[1], -1)], dim=2)

    def judge(self, series: Tensor, batch: Batch) -> Tensor:
        """Logits (B, T) of each step of series (B, T, C)."""
        return self.critic(self._told(series, batch)).squeeze(2)

    def _fake(self, batch: Batch) -> Tensor:
        return self.generator(self._told(self.latent(len(batch["series"])), batch))

    def critic_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self._fake(batch)
        real_logits, fake_logits = self.judge(batch["series"], batch), self.judge(fake, batch)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        terms = {"adversarial": self.objective.critic(real_logits, fake_logits)}
        if self.penalty:

            def whole(series: Tensor) -> Tensor:
                return self.judge(series, batch).mean(1)

            terms["penalty"] = self.penalty * r1(whole, batch["series"])
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        logits = self.judge(self._fake(batch), batch)
        real = self.judge(batch["series"], batch) if self.objective.relativistic else None
        return {"adversarial": self.objective.generator(logits, real)}


# The authors move the critic by plain descent, ten times as far as most would.
BOTH = {
    "critic": Optim(kind="sgd", lr=0.1, betas=(0.0, 0.0)),
    "generator": Optim(lr=1e-3, betas=(0.9, 0.999)),
}
OURS = {
    "critic": Optim(lr=1e-3, betas=(0.5, 0.9)),
    "generator": Optim(lr=1e-3, betas=(0.5, 0.9)),
}


def _preset(path: str, examples: int, *, labels: bool = False) -> Recipe:
    return Recipe(
        model=RCGAN.Config(width=48, labels=labels, penalty=10.0 if labels else 0.0),
        data=Series(path=path),
        optim=OURS,
        ema=Averaging(half_life=examples / 100),
        train=Train(examples=examples, batch=64, sheet_every=examples // 4, log_every=6_400),
        evaluate=Evaluate(every=examples // 2, samples=1_000),
        about="minutes on one core",
    )


PRESETS = {
    "sines": _preset("sines", 256_000),
    "stock": _preset("stock", 256_000),
    "energy": _preset("energy", 256_000),
    "italy-power-demand": _preset("italy-power-demand", 256_000, labels=True),
    "gunpoint": _preset("gunpoint", 64_000, labels=True),
    "paper": Recipe(
        model=RCGAN.Config(),
        data=Series(path="sines", length=30),
        optim=BOTH,
        train=Train(examples=1_000_000, batch=28),
        evaluate=Evaluate(every=250_000, samples=1_000),
        about="published numbers",
        sources=cite("arXiv:1706.02633, section 4", "model.latent", "model.width", "optim"),
    ),
    "tiny": tiny(RCGAN.Config(latent=2, width=8), Series(path="sines"), OURS),
}
