"""Variational auto-encoder: the likelihood baseline with a latent code.

Kingma and Welling 2014, "Auto-Encoding Variational Bayes", arXiv:1312.6114: the bound of eq. 3
with a Gaussian encoder and decoder (appendix B gives the KL term in closed form, appendix C.2
the networks' outputs). With `beta` other than 1 it is the beta-VAE of Higgins et al. 2017,
"beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", eq. 4.

Deviations: convolutions in place of one hidden layer; one standard deviation for all pixels,
learned (Rybkin, Daniilidis and Levine 2021, "Simple and Effective VAE Training with Calibrated
Decoders", arXiv:2006.13202). Samples are the decoder's means, as is usual in the field: noise
drawn for each pixel would look worse and score worse.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.losses.likelihood import discretised_normal
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.autoencoder import Decoder, GaussianEncoder, normal_kl


class VAE(LatentGame):
    class Config(ImageConfig):
        latent: Count = 32
        """Numbers in the latent code."""
        width: Count = 32
        """Feature maps at the largest resolution; doubled at each level below."""
        beta: Weight = 1.0
        """Weight of the KL term; 1 is the VAE, above 1 the beta-VAE."""
        levels: Count = Field(default=256, ge=2)
        """Values that a pixel can have: what `log_likelihood` is the probability of."""

    bf16 = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.beta, self.levels = config.latent, config.beta, config.levels
        self.encoder = GaussianEncoder(config.latent, config.width, config.channels, config.size)
        self.decoder = Decoder(config.latent, config.width, config.channels, config.size)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"autoencoder": [self.encoder, self.decoder]}

    def generators(self) -> list[nn.Module]:
        """The encoder too, so that it reads codes of the averaged decoder."""
        return [self.decoder, self.encoder]

    def turns(self) -> list[Turn]:
        return [Turn("autoencoder", self.loss)]

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

    def log_likelihood(self, batch: Batch) -> Tensor:
        """The bound of eq. 3 (B,) in nats, of one drawn code; the decoder's normal law is cut into
        levels."""
        real = batch["image"]
        mean, log_variance = self.encode(real)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        sigma = self.decoder.log_sigma.exp()
        given = discretised_normal(real, self.decoder(z), sigma, self.levels)
        return given - normal_kl(mean, log_variance)

    def loss(self, batch: Batch) -> Terms:
        """The negative bound in nats per pixel value, so that sizes share a learning rate."""
        real = batch["image"]
        mean, log_variance = self.encode(real)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        values = real[0].numel()
        log_sigma = self.decoder.log_sigma
        error = (self.decoder(z) - real).square().mean() * (-2 * log_sigma).exp() / 2
        return {
            "reconstruction": error + log_sigma + math.log(2 * math.pi) / 2,
            "kl": self.beta * normal_kl(mean, log_variance).mean() / values,
        }


ADAM = {"autoencoder": Optim(lr=Cosine(start=2e-3, end=2e-4), betas=(0.9, 0.999))}

SEARCH = {"model.beta": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(VAE.Config(latent=16, levels=17), ADAM, examples=500_000),
    "fashion": Recipe(
        model=VAE.Config(),
        data=Images(path="fashion-mnist"),
        optim=ADAM,
        ema=Averaging(half_life=20_000),
        train=Train(examples=1_200_000, batch=64, sheet_every=100_000),
        evaluate=Evaluate(every=300_000, samples=5_000),
    ),
    "beta": Recipe(
        model=VAE.Config(latent=10, beta=4.0),
        data=Images(path="mnist"),
        optim=ADAM,
        ema=Averaging(half_life=20_000),
        train=Train(examples=1_200_000, batch=64),
        evaluate=Evaluate(every=300_000, samples=5_000),
        about="beta above 1, after Higgins et al. 2017",
    ),
    "tiny": tiny(VAE.Config(latent=4, width=8), Images(path="digits"), ADAM),
}
