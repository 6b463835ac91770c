"""Flow-GAN: a generator with an exact likelihood in an adversarial game.

Grover, Dhar and Ermon 2018, "Flow-GAN: Combining Maximum Likelihood and Adversarial Learning in
Generative Models", arXiv:1705.08868: a normalising flow generates, a Wasserstein critic with
gradient penalty judges, and the flow may also be paid for the data's likelihood (the hybrid
objective of section 4, weight lambda; 0 is the purely adversarial Flow-GAN).

Deviations: the couplings of `realnvp`, fully connected; the critic is a multilayer perceptron;
the likelihood term is in nats per pixel, so lambda is not the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.flow import Flow, Pixels
from zerosum.nets.mlp import mlp


class FlowGAN(LatentGame):
    class Config(ImageConfig):
        layers: Count = Field(default=8, ge=2)
        """Number of couplings."""
        hidden: tuple[Count, ...] = (256, 256)
        """Widths of the hidden layers of each coupling's network and of the critic."""
        levels: Count = Field(default=256, ge=2)
        """Values that a pixel can have."""
        likelihood: Weight = 1.0
        """Weight of the negative log likelihood, in nats per pixel; 0 leaves it out."""
        penalty: Weight = 10.0
        """Weight of the critic's gradient penalty."""
        critic_steps: Count = 5
        """Moves of the critic per move of the flow."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.shape = (config.channels, *config.size)
        self.dimensions = math.prod(self.shape)
        self.likelihood, self.penalty = config.likelihood, config.penalty
        self.critic_steps = config.critic_steps
        self.objective = OBJECTIVES["wasserstein"]
        self.flow = Flow(self.dimensions, config.layers, config.hidden)
        self.pixels = Pixels(config.levels)
        self.critic = nn.Sequential(
            nn.Flatten(), mlp([self.dimensions, *config.hidden, 1]), nn.Flatten(0)
        )

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "flow": [self.flow]}

    def generators(self) -> list[nn.Module]:
        return [self.flow]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("critic", self.critic_loss, repeat=self.critic_steps),
            Turn("flow", self.flow_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.dimensions, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.pixels.inverse(self.flow.inverse(z)).view(-1, *self.shape)}

    def log_likelihood(self, batch: Batch) -> Tensor:
        """A lower bound (B,) in nats on images' log probability, by uniform dequantisation."""
        images = batch["image"]
        vectors, change = self.pixels(images, torch.rand_like(images))
        return self.flow.log_density(vectors) + change

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

    def flow_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        fake_logits = self.critic(self.sample(len(real))["image"])
        terms = {"adversarial": self.objective.generator(fake_logits)}
        if self.likelihood:
            nll = -self.log_likelihood(batch).mean() / self.dimensions
            terms["nll"] = self.likelihood * nll
        return terms


CRITIC = Optim(lr=5e-4, betas=(0.5, 0.9))
FLOW = Optim(lr=Cosine(start=1e-3, end=1e-5), betas=(0.5, 0.9), clip=10.0)
BOTH = {"critic": CRITIC, "flow": FLOW}

SEARCH = {"model.likelihood": Factor(0.1, 10), "model.penalty": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        FlowGAN.Config(levels=17, likelihood=10.0, critic_steps=2), BOTH, examples=100_000
    ),
    "adversarial": on_digits(
        FlowGAN.Config(levels=17, likelihood=0.0),
        BOTH,
        examples=100_000,
        about="the purely adversarial game, to see its likelihood",
        sources=cite("arXiv:1705.08868, section 4", "model.likelihood"),
    ),
    "tiny": tiny(
        FlowGAN.Config(layers=2, hidden=(16,), levels=17, critic_steps=2),
        Images(path="digits"),
        BOTH,
    ),
}
