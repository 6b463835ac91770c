"""Denoising diffusion: the baseline of today, slow to sample.

Ho, Jain and Abbeel 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239: the
simplified loss of eq. 14, which predicts the noise, with linear betas (section 4). Samples by
Song, Meng and Ermon 2021, "Denoising Diffusion Implicit Models", arXiv:2010.02502, eq. 12 with
sigma = 0, in far fewer steps than were trained: a sample is a function of its code.

Deviations: a small U-Net without attention; each step's guess of the data is clipped to [-1, 1].
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from zerosum.config import Count
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.losses.likelihood import discretised_normal
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.diffusion import Clock, Diffusion, linear_betas
from zerosum.nets.unet import UNet, halvings


class Denoiser(nn.Module):
    """Noised images (B, C, H, W) and times (B,), as shares, to the noise in them."""

    def __init__(self, channels: int, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        told = 4 * width
        self.clock = Clock(told)
        self.network = UNet(channels, channels, width=width, levels=halvings(size, 2), told=told)

    def forward(self, images: Tensor, share: Tensor) -> Tensor:
        return self.network(images, self.clock(share))


class DDPM(LatentGame):
    class Config(ImageConfig):
        width: Count = 32
        """Feature maps at the full size; doubled at each level below, up to 4 times."""
        steps: Count = 1_000
        """Steps of the process that is learned."""
        sampling_steps: Count = 50
        """Steps of sampling, at most `steps`."""
        levels: Count = Field(default=256, ge=2)
        """Values that a pixel can have: what `log_likelihood` is the probability of."""
        looks: Count = 20
        """Steps at which `log_likelihood` looks at an image, at most `steps`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.shape = (config.channels, *config.size)
        self.diffusion = Diffusion(linear_betas(config.steps))
        self.sampling_steps = min(config.sampling_steps, config.steps)
        self.levels, self.looks = config.levels, min(config.looks, config.steps)
        self.denoiser = Denoiser(config.channels, config.width, config.size)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"denoiser": [self.denoiser]}

    def generators(self) -> list[nn.Module]:
        return [self.denoiser]

    def turns(self) -> list[Turn]:
        return [Turn("denoiser", self.loss)]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, *self.shape, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.denoise(z, self.sampling_steps)}

    def denoise(self, noise: Tensor, steps: int) -> Tensor:
        """Images (B, C, H, W) of pure noise (B, C, H, W), in so many steps."""
        total = self.diffusion.steps
        times = torch.linspace(total, 0, steps + 1).round().long().tolist()
        images = noise
        for time, earlier in itertools.pairwise(times):
            now = torch.full((len(noise),), time, device=noise.device)
            predicted = self.predict(images, now)
            data = self.diffusion.without(images, now, predicted).clamp(-1, 1)
            # The noise that fits the clipped data, so that the two still make up the images.
            kept = float(self.diffusion.kept[time])
            rest = (images - kept**0.5 * data) / (1 - kept) ** 0.5
            images = self.diffusion.noised(data, torch.full_like(now, earlier), rest)
        return images

    def predict(self, images: Tensor, time: Tensor) -> Tensor:
        """The noise (B, C, H, W) in images (B, C, H, W) after so many steps (B,)."""
        return self.denoiser(images, time / self.diffusion.steps)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """The bound of eq. 5 (B,) in nats, with an unbiased estimate of its sum over the steps.

        The steps are cut into `looks` parts, and one step is drawn of each; the last one, whose
        law is cut into levels (eq. 13), is always looked at.
        """
        real, total = batch["image"], self.diffusion.steps
        kept = self.diffusion.kept[-1].to(real)
        prior = (kept * (real.square() - 1) - (1 - kept).log()).flatten(1).sum(1) / 2
        first = torch.ones(len(real), dtype=torch.int64, device=real.device)
        guess, _ = self._guess(real, first)
        sigma = (1 - self.diffusion.kept[1]).sqrt().to(real)
        bound = discretised_normal(real, guess, sigma, self.levels) - prior
        edges = torch.linspace(1, total, self.looks + 1).round().long().tolist()
        for low, high in itertools.pairwise(edges):
            if low == high:
                continue
            time = torch.randint(low + 1, high + 1, (len(real),), device=real.device)
            guess, noised = self._guess(real, time)
            ours, variance = self.diffusion.posterior(guess, noised, time)
            theirs, _ = self.diffusion.posterior(real, noised, time)
            apart = ((ours - theirs).square() / (2 * variance)).flatten(1).sum(1)
            bound = bound - (high - low) * apart
        return bound

    def _guess(self, real: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """What is taken for the data, and the noised images it was guessed from."""
        noised = self.diffusion.noised(real, time, torch.randn_like(real))
        predicted = self.predict(noised, time)
        return self.diffusion.without(noised, time, predicted).clamp(-1, 1), noised

    def loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        time = torch.randint(1, self.diffusion.steps + 1, (len(real),), device=real.device)
        noise = torch.randn_like(real)
        predicted = self.predict(self.diffusion.noised(real, time, noise), time)
        return {"denoising": F.mse_loss(predicted, noise)}


ADAM = {"denoiser": Optim(lr=Cosine(start=2e-3, end=1e-4), betas=(0.9, 0.999), clip=1.0)}

PAPER = "arXiv:2006.11239, section 4"

PRESETS = {
    "digits": on_digits(
        DDPM.Config(width=16, levels=17),
        ADAM,
        examples=90_000,
        half_life=4_500,
        sources=cite(PAPER, "model.steps"),
    ),
    "fashion": Recipe(
        model=DDPM.Config(width=16, sampling_steps=25),
        data=Images(path="fashion-mnist"),
        optim=ADAM,
        ema=Averaging(half_life=10_000),
        train=Train(examples=200_000, batch=64, sheet_every=50_000),
        evaluate=Evaluate(samples=2_000),
        sources=cite(PAPER, "model.steps"),
    ),
    "tiny": tiny(DDPM.Config(width=8, steps=20, sampling_steps=4), Images(path="digits"), ADAM),
}
