"""VAE/GAN: an auto-encoder that measures likeness by a discriminator's features.

Larsen, Soenderby, Larochelle and Winther 2016, "Autoencoding beyond pixels using a learned
similarity metric", arXiv:1512.09300: the reconstruction error of eq. 7 is taken in a hidden
layer of the discriminator; algorithm 1 gives each network its own loss, the decoder weighing
likeness against deception by gamma (section 2.3), and shows the discriminator three kinds of
images: real ones, reconstructions, and samples of the prior.

Deviations: Adam in place of RMSProp; R1 on the discriminator (0 leaves it out); no batch
normalisation in the discriminator, where it mixes the three kinds.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, tiny
from zerosum.core.search import Factor
from zerosum.losses.penalties import r1
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.autoencoder import GaussianEncoder, normal_kl
from zerosum.nets.plain import Generator, Trunk


class VAEGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 32
        """Numbers in the latent code."""
        width: Count = 32
        """Feature maps at the largest resolution; doubled at each level below."""
        beta: Weight = 1.0
        """Weight of the encoder's KL term: 1 is the bound of eq. 5, above it a beta-VAE's."""
        gamma: Weight = 1e-3
        """What likeness counts for the decoder, deception having 1."""
        penalty: Weight = 1.0
        """Weight of R1 on the discriminator, times a half; 0, as in the paper, leaves it out."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.beta, self.gamma = config.latent, config.beta, config.gamma
        self.penalty = config.penalty
        sizes = (config.width, config.channels, config.size)
        self.encoder = GaussianEncoder(config.latent, *sizes)
        self.decoder = Generator(config.latent, *sizes)
        self.trunk = Trunk(*sizes)
        self.head = nn.Sequential(nn.Linear(self.trunk.features, 1), nn.Flatten(0))

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.trunk, self.head],
            "encoder": [self.encoder],
            "decoder": [self.decoder],
        }

    def generators(self) -> list[nn.Module]:
        """The encoder too, so that it reads codes of the averaged decoder."""
        return [self.decoder, self.encoder]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("encoder", self.encoder_loss),
            Turn("decoder", self.decoder_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.decoder(z)}

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, latent) of the codes of images (B, C, H, W)."""
        return self.encoder(images)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) decoded from the means of their codes."""
        return self.decoder(self.encode(images)[0])

    def judge(self, images: Tensor) -> Tensor:
        """Logits (B,) of images (B, C, H, W)."""
        return self.head(self.trunk(images))

    def draw(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Codes (B, latent) of a posterior."""
        return mean + (log_variance / 2).exp() * torch.randn_like(mean)

    def likeness(self, real: Tensor, again: Tensor) -> Tensor:
        """Minus the log likelihood of the discriminator's features, normal with variance 1 (eq. 7
        and 8), less its constant: half the squared distance, summed over the features."""
        return (self.trunk(again) - self.trunk(real).detach()).square().sum(1).mean() / 2

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            again = self.decoder(self.draw(*self.encode(real)))
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.judge(real), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        wrong = (F.softplus(fake_logits).mean() + F.softplus(self.judge(again)).mean()) / 2
        terms = {"adversarial": F.softplus(-real_logits).mean() + wrong}
        if self.penalty:
            terms["r1"] = self.penalty / 2 * r1(self.judge, real)
        return terms

    def encoder_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        mean, log_variance = self.encode(real)
        again = self.decoder(self.draw(mean, log_variance))
        return {
            "likeness": self.likeness(real, again),
            "kl": self.beta * normal_kl(mean, log_variance).mean(),
        }

    def decoder_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            z = self.draw(*self.encode(real))
        again = self.decoder(z)
        fake = self.sample(len(real))["image"]
        deceived = F.softplus(-self.judge(fake)).mean() + F.softplus(-self.judge(again)).mean()
        return {
            "likeness": self.gamma * self.likeness(real, again),
            "adversarial": deceived / 2,
        }


ADAM = Optim(lr=1e-3, betas=(0.5, 0.99))
ALL = {"discriminator": ADAM, "encoder": ADAM, "decoder": ADAM}

SEARCH = {"model.beta": Factor(0.1, 10), "model.gamma": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(VAEGAN.Config(latent=16, beta=3.0, gamma=6e-4), ALL, examples=100_000),
    "fashion": Recipe(
        model=VAEGAN.Config(beta=10.0, gamma=1e-4),
        data=Images(path="fashion-mnist"),
        optim=ALL,
        ema=Averaging(half_life=15_000),
        train=Train(examples=300_000, batch=64, sheet_every=50_000),
        evaluate=Evaluate(samples=5_000),
    ),
    "tiny": tiny(VAEGAN.Config(latent=4, width=8), Images(path="digits"), ALL),
}
