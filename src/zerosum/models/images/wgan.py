"""Wasserstein GAN: a critic kept Lipschitz by clipping its weights.

Arjovsky, Chintala and Bottou 2017, "Wasserstein GAN", arXiv:1701.07875: eq. 2 (the dual of the
earth mover's distance) and algorithm 1, that is five steps of the critic for one of the
generator, weights clipped to [-0.01, 0.01] after each, RMSProp at 5e-5. The critic's loss with its
sign turned estimates the distance up to a constant, and falls as samples get better.

Deviations: the optimizer steps after a loss, so the clipping that follows a step is done where the
weights are next used; strided convolutions of our own, with batch normalisation in the generator
alone (in the critic, clipping would squash its gains); normal codes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count, Positive
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.weights import clip_weights_
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.plain import Discriminator, Generator


class WGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps after the first halving; doubled at each level below."""
        limit: Positive = 0.01
        """Largest absolute value of a weight of the critic: c."""
        critic_steps: Count = 5
        """Steps of the critic, each on a new batch, for one of the generator."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.limit = config.latent, config.limit
        self.critic_steps = config.critic_steps
        self.objective = OBJECTIVES["wasserstein"]
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        self.critic = Discriminator(*shape)
        self.clip()

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("critic", self.critic_loss, repeat=self.critic_steps, then=self.clip),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def clip(self) -> None:
        """The constraint of algorithm 1, after each of the critic's moves."""
        clip_weights_(self.critic, self.limit)

    def critic_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.critic(real), self.critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        fake_logits = self.critic(self.sample(len(batch["image"]))["image"])
        return {"adversarial": self.objective.generator(fake_logits)}


RMSPROP = Optim(kind="rmsprop", lr=5e-5)  # algorithm 1
QUICK = Optim(kind="rmsprop", lr=2e-4)
BOTH = {"critic": RMSPROP, "generator": RMSPROP}

PAPER = "arXiv:1701.07875, algorithm 1"

SEARCH = {"model.limit": Factor(0.2, 5)}

PRESETS = {
    "digits": on_digits(
        WGAN.Config(latent=64, width=32, limit=0.03),
        {"critic": QUICK, "generator": Optim(kind="rmsprop", lr=1e-3)},
        examples=70_000,
        about="algorithm 1 at rates and a limit for a minute on one core",
        sources=cite(PAPER, "model.critic_steps"),
    ),
    "cifar10": Recipe(
        model=WGAN.Config(),
        data=Images(path="cifar10"),
        optim=BOTH,
        train=Train(examples=5_000_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        sources=cite(PAPER, "model.limit", "model.critic_steps", "optim", "train.batch"),
    ),
    "tiny": tiny(WGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
