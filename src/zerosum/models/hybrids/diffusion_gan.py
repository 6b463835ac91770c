"""Diffusion-GAN: both sides are shown to the discriminator through noise, as much as it can bear.

Wang, Zheng, He, Chen and Zhou 2023, "Diffusion-GAN: Training GANs with Diffusion",
arXiv:2206.02262: real and generated images go t steps forth in a Gaussian diffusion (section 3.1),
t is drawn anew for each image, and the discriminator is told t (section 3.2). Through the noise
the generator gets a gradient wherever it stands, and the discriminator less to learn by heart. The
longest time T follows the discriminator: where it overfits, T grows (section 3.3, eqs. 8 to 10).

Deviations: the networks are ours, plain convolutions with the time beside the features; weights
are averaged. On several devices each adapts T by its own share of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from zerosum.config import Count, Examples, Share, Weight
from zerosum.core.game import Batch, LatentGame, Progress, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor, Span
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.diffusion import Clock, Diffusion, linear_betas
from zerosum.nets.plain import Generator, Trunk

CHOICES = 64
"""Times that are drawn whenever T moves, half of them 0; batches choose from these."""
INTERVAL = 4
"""Steps between two looks at whether the discriminator overfits."""


class Discriminator(nn.Module):
    """Images (B, C, H, W) and times (B,), as shares of the longest, to logits (B,)."""

    def __init__(self, width: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.trunk = Trunk(width, channels, size)
        told = 2 * width
        self.clock = Clock(told)
        self.head = nn.Sequential(
            nn.Linear(self.trunk.features + told, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
        )

    def forward(self, images: Tensor, share: Tensor) -> Tensor:
        seen = torch.cat([self.trunk(images), self.clock(share)], dim=1)
        return self.head(seen).squeeze(1)


class DiffusionGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 64
        """Numbers in the latent code."""
        width: Count = 32
        """Feature maps after the first halving; doubled at each level below."""
        least: Count = 5
        """The longest time T at the start, and where nothing is overfitted."""
        most: Count = Field(default=1_000, le=1_000)
        """The most that T grows to, at which an image has 4e-5 of its variance left."""
        sigma: Weight = 0.05
        """Standard deviation of the noise."""
        target: Share = 0.6
        """Mean sign of the real images' logits that T is moved towards."""
        pace: Examples = 100_000
        """Examples in which T goes from one end to the other."""
        mixture: Literal["priority", "uniform"] = "priority"
        """Whether times up to T are drawn in proportion to their length, or all alike."""
        gamma: Weight = 0.0
        """Weight of R1, taken times gamma / 2."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.settings, self.latent_size = config, config.latent
        self.objective = OBJECTIVES["nonsaturating"]
        self.diffusion = Diffusion(linear_betas(1_000)[: config.most])
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        self.discriminator = Discriminator(*shape)
        self.register_buffer("grown", torch.zeros((), dtype=torch.float64))
        self.register_buffer("times", torch.zeros(CHOICES, dtype=torch.int64))
        self.register_buffer("surety", torch.zeros((), dtype=torch.float64))
        self._signs: list[Tensor] = []
        self._draw_times()

    surety: Tensor
    """Sum of the real logits' mean signs in the steps since T was last looked at."""
    grown: Tensor
    """How far T has come from the least (0) to the most (1)."""
    times: Tensor
    """The times (64,) that batches choose from."""

    @property
    def longest(self) -> int:
        """T."""
        low, high = self.settings.least, self.settings.most
        return round(low + self.grown.item() * max(high - low, 0))

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def judge(self, images: Tensor) -> Tensor:
        """Logits (B,) of images (B, C, H, W) seen through noise, each at a time of its own."""
        return self.seen(images, self._some_times(len(images)))

    def seen(self, images: Tensor, time: Tensor) -> Tensor:
        """Logits (B,) of images (B, C, H, W) that go forth by times (B,)."""
        noise = self.settings.sigma * torch.randn_like(images)
        return self.discriminator(self.diffusion.noised(images, time, noise), self._share(time))

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits, fake_logits = self.judge(real), self.judge(fake)
        self._signs.append(real_logits.detach().sign().mean())
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        terms = {"adversarial": self.objective.critic(real_logits, fake_logits)}
        if self.settings.gamma:
            terms["r1"] = self.settings.gamma / 2 * r1(self.judge, real)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.sample(len(batch["image"]))["image"]
        return {"adversarial": self.objective.generator(self.judge(fake))}

    def after_step(self, progress: Progress) -> None:
        """Every few steps, move T by whether the discriminator is too sure of real images."""
        if self._signs:
            self.surety.add_(torch.stack(self._signs).mean().to(self.surety))
            self._signs.clear()
        if (progress.step + 1) % INTERVAL:
            return
        excess = self.surety / INTERVAL - self.settings.target
        batch = progress.seen / progress.step  # an interval is longer than one step
        self.grown.add_(excess.sign() * INTERVAL * batch / self.settings.pace).clamp_(0, 1)
        self.surety.zero_()
        self._draw_times()

    def _draw_times(self) -> None:
        """New times up to T in the second half; the first stays 0: clean images are seen too."""
        longest = self.longest
        weights = torch.ones(longest)
        if self.settings.mixture == "priority":
            weights = torch.arange(1, longest + 1, dtype=torch.float32)
        drawn = torch.multinomial(weights, CHOICES // 2, replacement=True) + 1
        self.times[CHOICES // 2 :] = drawn.to(self.times)

    def _some_times(self, n: int) -> Tensor:
        return self.times[torch.randint(CHOICES, (n,)).to(self.times.device)]

    def _share(self, time: Tensor) -> Tensor:
        return time / self.settings.most


QUICK = Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.5, 0.99))
BOTH = {"discriminator": QUICK, "generator": QUICK}
PAPER = "arXiv:2206.02262, section 3 and appendix"

SEARCH = {"model.target": Span(0.4, 0.8, log=False), "model.gamma": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        DiffusionGAN.Config(pace=50_000, gamma=1.0),
        BOTH,
        examples=150_000,
        about="a minute on one core, so T moves twice as fast",
        sources=cite(PAPER, "model.sigma", "model.target", "model.most"),
    ),
    "tiny": tiny(DiffusionGAN.Config(latent=8, width=8, pace=1_000), Images(path="digits"), BOTH),
}
