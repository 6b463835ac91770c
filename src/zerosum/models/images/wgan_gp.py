"""Wasserstein GAN with gradient penalty.

Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville 2017, "Improved Training of Wasserstein GANs",
arXiv:1704.00028: eq. 3, a critic whose gradient norm is held near 1 on lines between real and
fake samples; algorithm 1, five critic steps per generator step, weight 10, Adam(1e-4, 0, 0.9);
section 4, no batch normalisation in the critic but layer normalisation.

Deviations: samples come from averaged weights; the generator's batch is the critic's, where the
authors' code for CIFAR-10 doubles it; in presets other than `cifar10` the networks are narrower
and the learning rates are ours. The DCGAN backbone is that of `dcgan`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine, Linear
from zerosum.core.search import Factor
from zerosum.layers.norm import layer_norm
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets import dcgan, resnet


class WGANGP(LatentGame):
    class Config(ImageConfig):
        backbone: Literal["dcgan", "resnet"] = "resnet"
        """Which pair of networks."""
        latent: Count = 128
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps at the largest resolution."""
        growth: Whole = 2
        """Factor of the feature maps at each halving (resnet; dcgan always doubles)."""
        halvings: Whole = 0
        """Blocks of the critic that halve the map (resnet); 0 goes down to a small grid."""
        flat: Whole = 1
        """Blocks of the critic that keep the map's size, after those (resnet)."""
        critic_norm: Literal["layer", "none"] = "layer"
        """Normalisation in the critic; never over the batch, which would couple the gradients."""
        critic_steps: Count = 5
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.critic_steps = config.latent, config.critic_steps
        self.penalty, self.objective = config.penalty, OBJECTIVES["wasserstein"]
        layers = (config.width, config.channels, config.size)
        norm = layer_norm if config.critic_norm == "layer" else None
        if config.backbone == "dcgan":
            self.generator = dcgan.Generator(config.latent, *layers)
            self.critic = dcgan.Discriminator(*layers, norm=norm)
        else:
            self.generator = resnet.Generator(config.latent, *layers, growth=config.growth)
            trunk = resnet.Trunk(
                *layers,
                growth=config.growth,
                norm=norm,
                halvings=config.halvings,
                flat=config.flat,
                pool="mean",
            )
            self.critic = nn.Sequential(trunk, resnet.Score(trunk.features))

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(batch["image"])}

    def turns(self) -> list[Turn]:
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


ADAM = Optim(lr=1e-4, betas=(0.0, 0.9))  # algorithm 1
BOTH = {"critic": ADAM, "generator": ADAM}
# A minute holds a thousand steps: start fast, with the critic ahead of the generator.
QUICK = {
    "critic": Optim(lr=3e-3, betas=(0.0, 0.9)),
    "generator": Optim(lr=Cosine(start=2e-3, end=2e-4), betas=(0.0, 0.9)),
}

# 100,000 iterations, over which the rate falls to nothing.
FALLING = Optim(lr=Linear(start=2e-4, end=0.0), betas=(0.0, 0.9))

PAPER = "arXiv:1704.00028, algorithm 1"
CODE = "arXiv:1704.00028, the authors' code for CIFAR-10"

SEARCH = {"model.penalty": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        WGANGP.Config(latent=32, width=16, critic_steps=2),
        QUICK,
        examples=50_000,
        channels_last=True,
        about="the residual pair for 8x8, two critic steps, faster learning rates",
        sources=cite(PAPER, "model.penalty"),
    ),
    "fashion": Recipe(
        model=WGANGP.Config(backbone="dcgan", latent=64, width=24, critic_steps=3),
        data=Images(path="fashion-mnist"),
        optim={
            "critic": Optim(lr=2e-3, betas=(0.0, 0.9)),
            "generator": Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.0, 0.9)),
        },
        ema=Averaging(half_life=10_000),
        train=Train(examples=220_000, batch=64, sheet_every=20_000, channels_last=True),
        evaluate=Evaluate(every=110_000, samples=5_000),
        about="the pair of dcgan, narrow; about ten minutes on one core",
        sources=cite(PAPER, "model.penalty"),
    ),
    "cifar10": Recipe(
        model=WGANGP.Config(width=128, growth=1, halvings=2, flat=2, critic_norm="none"),
        data=Images(path="cifar10"),
        optim={"critic": FALLING, "generator": FALLING},
        ema=Averaging(half_life=50_000),
        train=Train(examples=6_400_000, batch=64, channels_last=True),
        evaluate=Evaluate(every=640_000, samples=5_000),
        sources=cite(
            CODE, "model.latent", "model.width", "model.critic_norm", "optim", "train.examples"
        )
        | cite(PAPER, "model.critic_steps", "model.penalty", "train.batch"),
    ),
    "tiny": tiny(WGANGP.Config(latent=8, width=8, critic_steps=2), Images(path="digits"), BOTH),
}
