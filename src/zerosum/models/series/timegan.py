"""TimeGAN: a game in a code of series that also learns how one step follows another.

Yoon, Jarrett and van der Schaar 2019, "Time-series Generative Adversarial Networks", NeurIPS 2019.
An embedder and a recovery network turn series into codes and back (eq. 7), a generator draws
codes, a supervisor foretells the next step of a code (eq. 9), a critic judges codes at each step
(eq. 8). First the autoencoder learns, then the supervisor, then all together: with a supervised
loss, and with the moments of the series, weighted as in the authors' code.

Deviations: phases are shares of the run. The critic rests where its loss is below 0.15, as in the
authors' code, by a gradient of zero, on which Adam still coasts. Samples come from averaged
weights. The codes of the prior are uniform in [0, 1], drawn anew at each step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from zerosum.config import Count, Fraction, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.modalities.series import Series
from zerosum.modalities.series.model import SeriesConfig
from zerosum.nets.recurrent import Recurrent


class TimeGAN(LatentGame):
    class Config(SeriesConfig):
        latent: Count = 24
        """Numbers of noise a step."""
        width: Count = 24
        """Numbers of a code a step, and of each hidden state."""
        layers: Count = 3
        """Recurrent layers of each network; the supervisor has one less."""
        embed: Fraction = 1 / 3
        """Share of the run after which the autoencoder alone has learned."""
        foretell: Fraction = 2 / 3
        """Share after which the supervisor alone has learned too."""
        gamma: Weight = 1.0
        """Weight of the critic's opinion of codes that the supervisor has not touched."""
        supervised: Weight = 100.0
        """Weight of the root of the supervisor's error, for the generator."""
        moments: Weight = 100.0
        """Weight of the differences of means and deviations."""
        rest: Weight = 0.15
        """The critic does not learn while its loss is below."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights = config
        width = config.width

        def net(before: int, after: int, layers: int, final: nn.Module | None = None) -> Recurrent:
            return Recurrent(before, after, width=width, layers=layers, final=final)

        self.embedder = net(config.channels, width, config.layers, nn.Sigmoid())
        self.recovery = net(width, config.channels, config.layers)
        self.generator = net(config.latent, width, config.layers, nn.Sigmoid())
        self.supervisor = net(width, width, max(1, config.layers - 1), nn.Sigmoid())
        self.critic = net(width, 1, config.layers)

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "autoencoder": [self.embedder, self.recovery],
            "critic": [self.critic],
            "generator": [self.generator, self.supervisor],
        }

    def generators(self) -> list[nn.Module]:
        return [self.generator, self.supervisor, self.recovery]

    def turns(self) -> list[Turn]:
        if self._share() < self.weights.embed:
            return [Turn("autoencoder", self.embedding_loss)]
        if not self.ready():
            return [Turn("generator", self.foretelling_loss)]
        return [
            Turn("generator", self.generator_loss, repeat=2),
            Turn("autoencoder", self.joint_loss, repeat=2),
            Turn("critic", self.critic_loss),
        ]

    def ready(self) -> bool:
        return self._share() >= self.weights.foretell

    def _share(self) -> float:
        """Of the run that is done."""
        return self.progress.seen / max(self.progress.total, 1)

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(self.embedder(batch["series"])).flatten(1)}

    # -- samples ---------------------------------------------------------------------------

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        config = self.weights
        source = self.device if rng is None else rng.device
        shape = (n, config.length, config.latent)
        return torch.rand(shape, generator=rng, device=source).to(self.device)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"series": self.recovery(self.supervisor(self.generator(z)))}

    # -- losses ----------------------------------------------------------------------------

    def embedding_loss(self, batch: Batch) -> Terms:
        series = batch["series"]
        return {"reconstruction": 10 * _root(series, self.recovery(self.embedder(series)))}

    def foretelling_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            codes = self.embedder(batch["series"])
        return {"supervised": self._foretold(codes)}

    def joint_loss(self, batch: Batch) -> Terms:
        codes = self.embedder(batch["series"])
        return {
            "reconstruction": 10 * _root(batch["series"], self.recovery(codes)),
            "supervised": 0.1 * self._foretold(codes),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        series, weights = batch["series"], self.weights
        drawn = self.generator(self.latent(len(series)))
        followed = self.supervisor(drawn)
        with torch.no_grad():
            codes = self.embedder(series)
        made = self.recovery(followed)
        return {
            "adversarial": _said(self.critic(followed), 1.0)
            + weights.gamma * _said(self.critic(drawn), 1.0),
            "supervised": weights.supervised * self._foretold(codes).sqrt(),
            "moments": weights.moments * moments(series, made),
        }

    def critic_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            codes = self.embedder(batch["series"])
            drawn = self.generator(self.latent(len(codes)))
            followed = self.supervisor(drawn)
        real_logits, fake_logits = self.critic(codes), self.critic(followed)
        self.report(real_logits=real_logits.flatten(1), fake_logits=fake_logits.flatten(1))
        loss = _said(real_logits, 1.0) + _said(fake_logits, 0.0)
        loss = loss + self.weights.gamma * _said(self.critic(drawn), 0.0)
        return {"adversarial": loss * (loss.detach() > self.weights.rest)}

    def _foretold(self, codes: Tensor) -> Tensor:
        """Equation 9: the mean squared error of the next step of codes (B, T, width)."""
        return mse_loss(self.supervisor(codes)[:, :-1], codes[:, 1:])


def moments(real: Tensor, fake: Tensor) -> Tensor:
    """Mean absolute differences of the mean and of the deviation of each step and channel, of
    series (B, T, C): as in the authors' code."""
    deviations = [(one.var(0, unbiased=False) + 1e-6).sqrt() for one in (real, fake)]
    apart = (deviations[0] - deviations[1]).abs().mean()
    return apart + (real.mean(0) - fake.mean(0)).abs().mean()


def _root(wanted: Tensor, made: Tensor) -> Tensor:
    return (mse_loss(made, wanted) + 1e-12).sqrt()  # whose slope at 0 is finite


def _said(logits: Tensor, truth: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))


ADAM = Optim(lr=1e-3, betas=(0.9, 0.999))
TRIO = {"autoencoder": ADAM, "critic": ADAM, "generator": ADAM}
PAPER = "doi:10.5555/3454287.3454781, section 5"
SOURCES = cite(PAPER, "model.width", "model.layers", "optim", "train.batch")


def _preset(path: str, examples: int, about: str) -> Recipe:
    return Recipe(
        model=TimeGAN.Config(),
        data=Series(path=path),
        optim=TRIO,
        ema=Averaging(half_life=examples / 200),
        train=Train(examples=examples, batch=128, sheet_every=examples // 6, log_every=6_400),
        evaluate=Evaluate(every=examples // 3, samples=1_000),
        about=about,
        sources=SOURCES,
    )


PRESETS = {
    "sines": _preset("sines", 384_000, "five sines of 24 steps, made on the spot"),
    "stock": _preset("stock", 384_000, "daily prices, windows of 24 days"),
    "energy": _preset("energy", 384_000, "28 channels, windows of four hours"),
    # 150 steps a series take six times as long as 24: a fifth of the examples.
    "gunpoint": _preset("gunpoint", 72_000, "movements of a hand, its classes left out"),
    "paper": Recipe(
        model=TimeGAN.Config(),
        data=Series(path="stock"),
        optim=TRIO,
        train=Train(examples=19_200_000, batch=128),
        evaluate=Evaluate(every=1_920_000, samples=1_000),
        about="150,000 steps of 128, a third for each phase, as published",
        sources=SOURCES,
    ),
    "tiny": tiny(TimeGAN.Config(latent=2, width=4, layers=1), Series(path="sines"), TRIO),
}
