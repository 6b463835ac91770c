"""Denoising diffusion GAN: diffusion in a few large steps, each learned adversarially.

Xiao, Kreis and Vahdat 2022, "Tackling the Generative Learning Trilemma with Denoising Diffusion
GANs", arXiv:2112.07804: the generator guesses the data x_0 from x_t, a code z and t; x_(t-1) is
drawn from the diffusion's posterior (section 3.2), and a discriminator that is told x_t and t
compares it with the real x_(t-1); non-saturating losses with R1.

Deviations: a small U-Net without attention and with z added to the time's vector; the
discriminator is a plain convolutional one that sees both images as channels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, Game, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.diffusion import Clock, Diffusion, variance_preserving_betas
from zerosum.nets.plain import Trunk
from zerosum.nets.unet import UNet, halvings


class Generator(nn.Module):
    """x_t (B, C, H, W), codes (B, latent) and times (B,), as shares, to x_0 in [-1, 1]."""

    def __init__(self, channels: int, width: int, latent: int, size: tuple[int, int]) -> None:
        super().__init__()
        told = 4 * width
        self.clock = Clock(told)
        self.code = nn.Sequential(nn.Linear(latent, told), nn.SiLU(), nn.Linear(told, told))
        self.network = UNet(channels, channels, width=width, levels=halvings(size, 2), told=told)

    def forward(self, noised: Tensor, z: Tensor, share: Tensor) -> Tensor:
        return self.network(noised, self.clock(share) + self.code(z)).tanh()


class Discriminator(nn.Module):
    """x_(t-1) and x_t (B, C, H, W) and times (B,), as shares, to logits (B,)."""

    def __init__(self, channels: int, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.trunk = Trunk(width, 2 * channels, size)
        told = 4 * width
        self.clock = Clock(told)
        self.head = nn.Sequential(
            nn.Linear(self.trunk.features + told, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
        )

    def forward(self, earlier: Tensor, later: Tensor, share: Tensor) -> Tensor:
        seen = self.trunk(torch.cat([earlier, later], dim=1))
        return self.head(torch.cat([seen, self.clock(share)], dim=1)).squeeze(1)


class DDGAN(Game):
    class Config(ImageConfig):
        latent: Count = 32
        """Numbers in the code of one step."""
        width: Count = 16
        """Feature maps at the full size of the generator and half of the discriminator's."""
        steps: Count = 4
        """Steps of the process, in training and in sampling."""
        gamma: Weight = 0.1
        """Weight of R1, taken times gamma / 2."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.shape, self.latent_size = (config.channels, *config.size), config.latent
        self.gamma = config.gamma
        self.objective = OBJECTIVES["nonsaturating"]
        self.diffusion = Diffusion(variance_preserving_betas(config.steps))
        self.generator = Generator(config.channels, config.width, config.latent, config.size)
        self.discriminator = Discriminator(config.channels, 2 * config.width, config.size)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": self.judge}

    def judge(self, batch: Batch) -> Tensor:
        """Logits (B,) of images that went forth to a random time, given the time after it."""
        time, earlier, later = self.forth(batch["image"])
        return self.discriminator(earlier, later, time / self.diffusion.steps)

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        images = self.normal(n, *self.shape, rng=rng)
        for step in range(self.diffusion.steps, 0, -1):
            time = torch.full((n,), step, device=images.device)
            images = self.back(images, time, rng)
        return {"image": images.clamp(-1, 1)}

    def back(self, noised: Tensor, time: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """x_(t-1) of x_t (B, C, H, W) and t (B,): a guess of the data, then the posterior."""
        z = self.normal(len(noised), self.latent_size, rng=rng)
        data = self.generator(noised, z, time / self.diffusion.steps)
        mean, variance = self.diffusion.posterior(data, noised, time)
        return mean + variance.sqrt() * self.normal(*noised.shape, rng=rng)

    def forth(self, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Times (B,) with real x_(t-1) and x_t, of real x_0 (B, C, H, W)."""
        time = torch.randint(1, self.diffusion.steps + 1, (len(real),), device=real.device)
        earlier = self.diffusion.noised(real, time - 1, torch.randn_like(real))
        ratio = (self.diffusion.kept[time] / self.diffusion.kept[time - 1]).to(real)
        ratio = ratio.view(-1, 1, 1, 1)
        later = ratio.sqrt() * earlier + (1 - ratio).sqrt() * torch.randn_like(real)
        return time, earlier, later

    def discriminator_loss(self, batch: Batch) -> Terms:
        time, earlier, later = self.forth(batch["image"])
        share = time / self.diffusion.steps
        with torch.no_grad():
            guess = self.back(later, time)
        real_logits = self.discriminator(earlier, later, share)
        fake_logits = self.discriminator(guess, later, share)
        self.report(real_logits=real_logits, fake_logits=fake_logits)

        def told(images: Tensor) -> Tensor:
            return self.discriminator(images, later, share)

        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "r1": self.gamma / 2 * r1(told, earlier),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        time, _, later = self.forth(batch["image"])
        logits = self.discriminator(self.back(later, time), later, time / self.diffusion.steps)
        return {"adversarial": self.objective.generator(logits)}


ADAM = Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.0, 0.99))
BOTH = {"discriminator": ADAM, "generator": ADAM}
QUICK = dict.fromkeys(BOTH, Optim(lr=1e-3, betas=(0.0, 0.99)))

STEPS = "arXiv:2112.07804, section 5"

SEARCH = {"model.gamma": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        DDGAN.Config(latent=64, width=8, gamma=0.1),
        QUICK,
        examples=60_000,
        sources=cite(STEPS, "model.steps"),
    ),
    "fashion": Recipe(
        model=DDGAN.Config(),
        data=Images(path="fashion-mnist"),
        optim=BOTH,
        ema=Averaging(half_life=5_000),
        train=Train(examples=100_000, batch=64, sheet_every=20_000),
        evaluate=Evaluate(samples=5_000),
        sources=cite(STEPS, "model.steps"),
    ),
    "tiny": Recipe(
        model=DDGAN.Config(latent=4, width=8, steps=2),
        data=Images(path="digits"),
        optim=BOTH,
        ema=Averaging(half_life=16),
        train=Train(examples=320, batch=16),
        evaluate=Evaluate(samples=64),
        about="seconds on a CPU, for tests",
    ),
}
