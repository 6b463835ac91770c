"""BiGAN and ALI: a generator and an encoder, judged together.

Donahue, Krähenbühl and Darrell 2017, "Adversarial Feature Learning", arXiv:1605.09782, section 3:
the discriminator tells pairs (x, E(x)) from pairs (G(z), z); generator and encoder play against it
together, and at the optimum invert each other. Dumoulin et al. 2017, "Adversarially Learned
Inference", arXiv:1606.00704, found the same game at the same time with a stochastic encoder:
`stochastic=True` draws E(x) from a Gaussian whose mean and variance are learned.

Deviations: generator and encoder minimise the losses with exchanged labels, as both papers do in
practice; strided convolutions of our own, with batch normalisation in generator and encoder, and
from 28 pixels on in the discriminator too; the encoder's weights are averaged as the generator's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, tiny
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.joint import JointDiscriminator
from zerosum.nets.plain import Generator, Trunk


class BiGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 50
        """Numbers in the latent code."""
        width: Count = 32
        """Feature maps after the first halving; doubled at each level below."""
        hidden: Count = 256
        """Width of the discriminator's layers of the code and of the pair."""
        stochastic: bool = False
        """Draw codes of images from a Gaussian (ALI) instead of one code per image (BiGAN)."""
        normalise_discriminator: bool = True
        """Batch normalisation in the discriminator's layers of the image."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.stochastic = config.latent, config.stochastic
        self.objective = OBJECTIVES["nonsaturating"]
        shape = (config.width, config.channels, config.size)
        norm = nn.BatchNorm2d if config.normalise_discriminator else None
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        trunk = Trunk(*shape, norm=nn.BatchNorm2d)
        numbers = 2 * config.latent if config.stochastic else config.latent
        self.encoder = nn.Sequential(trunk, nn.Linear(trunk.features, numbers))
        self.discriminator = JointDiscriminator(config.latent, *shape, config.hidden, norm)

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.discriminator],
            "generator": [self.generator],
            "encoder": [self.encoder],
        }

    def generators(self) -> list[nn.Module]:
        """The encoder too: it inverts the averaged generator, so it is averaged with it."""
        return [self.generator, self.encoder]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {
            "discriminator": lambda batch: self.discriminator(
                batch["image"], self.encode(batch["image"])
            )
        }

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn(("generator", "encoder"), self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def encode(self, images: Tensor) -> Tensor:
        """Codes (B, latent) of images (B, C, H, W); their means if the encoder is stochastic."""
        return self.posterior(images)[0]

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Means and deviations (B, latent) of the codes; the deviations of a BiGAN are 0."""
        numbers = self.encoder(images)
        if not self.stochastic:
            return numbers, torch.zeros_like(numbers)
        mean, log_deviation = numbers.chunk(2, dim=1)
        return mean, log_deviation.clamp(-6, 2).exp()

    def reconstruct(self, images: Tensor) -> Tensor:
        """What the generator makes of the images' codes, (B, C, H, W)."""
        return self.generator(self.encode(images))

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            pairs = self._pairs(batch["image"])
        real_logits, fake_logits = (self.discriminator(*pair) for pair in pairs)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        real_logits, fake_logits = (
            self.discriminator(*pair) for pair in self._pairs(batch["image"])
        )
        # The encoder wants its pairs to be taken for the generator's: labels exchanged.
        return {
            "generator": self.objective.generator(fake_logits),
            "encoder": self.objective.generator(-real_logits),
        }

    def _pairs(self, real: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """(x, E(x)) and (G(z), z)."""
        mean, deviation = self.posterior(real)
        if self.stochastic:
            mean = mean + deviation * self.normal(*mean.shape)
        z = self.latent(len(real))
        return (real, mean), (self.generator(z), z)


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
ALL = {"discriminator": ADAM, "generator": ADAM, "encoder": ADAM}
# A minute is short: with equal rates the critic comes to win on the digits.
FAST = Optim(lr=1e-3, betas=(0.5, 0.999))
QUICK = {"discriminator": ADAM, "generator": FAST, "encoder": FAST}

PRESETS = {
    "digits": on_digits(
        BiGAN.Config(latent=32, normalise_discriminator=False), QUICK, examples=110_000
    ),
    "ali": on_digits(
        BiGAN.Config(latent=32, stochastic=True, normalise_discriminator=False),
        QUICK,
        examples=110_000,
        about="as digits, with the encoder of arXiv:1606.00704",
    ),
    "fashion": Recipe(
        model=BiGAN.Config(width=16),
        data=Images(path="fashion-mnist"),
        optim=ALL,
        ema=Averaging(half_life=10_000),
        train=Train(examples=300_000, batch=64, sheet_every=30_000, channels_last=True),
        evaluate=Evaluate(every=100_000, samples=5_000),
        about="about ten minutes on one core",
    ),
    "tiny": tiny(
        BiGAN.Config(latent=8, width=8, hidden=16, stochastic=True), Images(path="digits"), ALL
    ),
}
