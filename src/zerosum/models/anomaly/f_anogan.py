"""f-AnoGAN: a Wasserstein game learns normal pictures, then an encoder learns to find their codes.

Schlegl, Seeböck, Waldstein, Langs and Schmidt-Erfurth 2019, "f-AnoGAN: Fast unsupervised anomaly
detection with generative adversarial networks", Medical Image Analysis 54, pages 30-44. Two phases
on normal pictures x alone:

    section 2.1  generator G and critic D by WGAN-GP, critic features f;
    section 2.2  "izi_f": with G and D at rest, the encoder E minimises
                 |x - G(E(x))|^2 / n + kappa |f(x) - f(G(E(x)))|^2 / m, kappa = 1;
    section 2.3  the score of a picture is the same sum, its map |x - G(E(x))|.

Deviations: both phases are one run, the encoder's beginning at a share of it; networks are a few
strided convolutions in the place of residual ones; E's codes are not limited; in presets other
than `paper` the networks are narrower and the rates are ours. Samples, scores and maps come from
averaged weights of G and E, which rest or are averaged together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from zerosum.config import Count, Fraction, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.images import Anomalies, ImageConfig
from zerosum.nets.plain import Discriminator, Generator, Trunk


class FAnoGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 128
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps at half the picture's size; doubled at each level below."""
        critic_steps: Count = 5
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""
        kappa: Weight = 1.0
        """Weight of the distance of features beside that of pixels, in training and in scores."""
        encoder_from: Fraction = 0.5
        """Share of the run after which the game rests and the encoder learns."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.critic_steps = config.latent, config.critic_steps
        self.penalty, self.kappa = config.penalty, config.kappa
        self.encoder_from, self.objective = config.encoder_from, OBJECTIVES["wasserstein"]
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        self.critic = Discriminator(*shape)
        trunk = Trunk(*shape, norm=nn.BatchNorm2d)
        self.encoder = nn.Sequential(trunk, nn.Linear(trunk.features, config.latent))

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "critic": [self.critic],
            "generator": [self.generator],
            "encoder": [self.encoder],
        }

    def generators(self) -> list[nn.Module]:
        """The encoder too, which is averaged with the generator that it inverts."""
        return [self.generator, self.encoder]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(batch["image"])}

    @property
    def encoding(self) -> bool:
        """Whether the second phase has begun."""
        clock = self.progress
        return clock.total > 0 and clock.seen >= self.encoder_from * clock.total

    def turns(self) -> list[Turn]:
        if self.encoding:
            return [Turn("encoder", self.encoder_loss)]
        return [
            Turn("critic", self.critic_loss, repeat=self.critic_steps),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def critic_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.critic(real), self.critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * gradient_penalty(self.critic, real, fake),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        fake_logits = self.critic(self.sample(len(batch["image"]))["image"])
        return {"adversarial": self.objective.generator(fake_logits)}

    def encoder_loss(self, batch: Batch) -> Terms:
        # The generator is at rest: its running statistics hold what it has learned.
        with _resting(self.generator):
            pixels, features = self.distances(batch["image"])
        return {"image": pixels.mean(), "features": self.kappa * features.mean()}

    def distances(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared distances (B,) of pictures to their reconstructions: pixels, features."""
        made = self.reconstruct(images)
        seen, again = self.critic[0](images), self.critic[0](made)
        return (made - images).square().flatten(1).mean(1), (again - seen).square().mean(1)

    def reconstruct(self, images: Tensor) -> Tensor:
        """What the generator makes of the codes of pictures, (B, C, H, W)."""
        return self.generator(self.encoder(images))

    def anomaly(self, batch: Batch) -> Tensor:
        pixels, features = self.distances(batch["image"])
        return pixels + self.kappa * features

    def anomaly_map(self, batch: Batch) -> Tensor:
        images = batch["image"]
        return (self.reconstruct(images) - images).abs().mean(1, keepdim=True)


@contextmanager
def _resting(module: nn.Module) -> Iterator[None]:
    mode = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(mode)


PAPER = {
    "critic": Optim(lr=1e-4, betas=(0.0, 0.9)),
    "generator": Optim(lr=1e-4, betas=(0.0, 0.9)),
    "encoder": Optim(kind="rmsprop", lr=5e-5),
}
QUICK = {
    "critic": Optim(lr=1e-3, betas=(0.0, 0.9)),
    "generator": Optim(lr=1e-3, betas=(0.0, 0.9)),
    "encoder": Optim(lr=1e-3, betas=(0.9, 0.999)),
}

SECTION = "Medical Image Analysis 54 (2019), section 3"

SEARCH = {"model.kappa": Factor(0.1, 10), "model.latent": Factor(0.25, 2)}

PRESETS = {
    "mnist": Recipe(
        model=FAnoGAN.Config(latent=32, width=16, critic_steps=2),
        data=Anomalies(path="mnist", normal="1"),
        optim=QUICK,
        ema=Averaging(half_life=5_000),
        train=Train(
            examples=100_000, checkpoint_every=50_000, sheet_every=25_000, channels_last=True
        ),
        evaluate=Evaluate(samples=500),
        about="two minutes on one core",
        sources=cite(SECTION, "model.kappa", "model.penalty", "train.batch"),
    ),
    "pneumonia": Recipe(
        model=FAnoGAN.Config(latent=32, width=16, critic_steps=2),
        data=Anomalies(path="pneumoniamnist", normal="normal", flip=True),
        optim=QUICK,
        ema=Averaging(half_life=5_000),
        train=Train(
            examples=100_000, checkpoint_every=50_000, sheet_every=25_000, channels_last=True
        ),
        evaluate=Evaluate(samples=350),
        about="two minutes on one core",
        sources=cite(SECTION, "model.kappa", "model.penalty", "train.batch"),
    ),
    "photos": Recipe(
        model=FAnoGAN.Config(),
        data=Anomalies(path="photos", size=(64, 64)),
        optim=PAPER,
        ema=Averaging(half_life=0),
        train=Train(examples=6_400_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=640_000, samples=2_000),
        about="a folder with normal/ in it; for a GPU",
        sources=cite(
            SECTION,
            "model.latent",
            "model.width",
            "model.critic_steps",
            "model.penalty",
            "model.kappa",
            "data.size",
            "optim",
            "train.batch",
        ),
    ),
    "tiny": tiny(
        FAnoGAN.Config(latent=8, width=8, critic_steps=2),
        Anomalies(path="digits", normal="1"),
        PAPER,
    ),
}
