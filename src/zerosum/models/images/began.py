"""BEGAN: the discriminator is an auto-encoder, and a control loop balances the two players.

Berthelot, Schumm and Metz 2017, "BEGAN: Boundary Equilibrium Generative Adversarial Networks",
arXiv:1703.10717, section 3: an image's energy is the L1 error of its reconstruction. The
discriminator lowers E[energy of real] - k E[energy of fake], the generator the energy of its
images. After each step k moves by lambda (gamma E[real] - E[fake]), which holds the ratio of the
energies near gamma: lower values give sharper and less varied images. The paper's measure of
convergence is among the signals, with k.

Deviations: strided and transposed convolutions of our own in place of the paper's 3x3 ones with
subsampling and nearest neighbours; ReLU with a slope instead of ELU; z is uniform as in the paper;
k moves after the step, with the energy of the generator's samples in its turn and the real energy
of the discriminator's turn just before.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.config import Count, Share, Weight
from zerosum.core.game import Batch, LatentGame, Progress, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Recipe, Train, cite, tiny
from zerosum.core.schedule import Step
from zerosum.core.search import Factor, Span
from zerosum.losses.energy import (
    began_balance,
    began_convergence,
    began_critic,
    began_generator,
)
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.plain import Generator, Trunk


class BEGAN(LatentGame):
    averaged_buffers = ("balance", "real_energy")
    balance: Tensor
    real_energy: Tensor

    class Config(ImageConfig):
        latent: Count = 64
        """Numbers in the generator's code and in the auto-encoder's."""
        width: Count = 64
        """Feature maps after the first halving; doubled at each level below."""
        diversity: Share = 0.5
        """Wanted ratio of the fakes' energy to the real images': gamma, in [0, 1]."""
        rate: Weight = 0.001
        """How fast k moves: lambda."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size = config.latent
        self.diversity, self.rate = config.diversity, config.rate
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape)
        trunk = Trunk(*shape)
        # No tanh here: it would reproduce black and white for nothing, and the generator would
        # make nothing else.
        self.discriminator = nn.Sequential(
            trunk,
            nn.Linear(trunk.features, config.latent),
            Generator(config.latent, *shape, final=nn.Identity()),
        )
        self.register_buffer("balance", torch.zeros(()))
        self.register_buffer("real_energy", torch.zeros(()))
        self.fake_energy = torch.zeros(())

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: -self.energy(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        source = self.device if rng is None else rng.device
        uniform = torch.rand(n, self.latent_size, generator=rng, device=source).to(self.device)
        return 2 * uniform - 1

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def energy(self, images: Tensor) -> Tensor:
        """Mean absolute errors (B,) of the reconstructions of images (B, C, H, W)."""
        return (self.discriminator(images) - images).abs().flatten(1).mean(1)

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_energy, fake_energy = self.energy(real), self.energy(fake)
        self.real_energy.copy_(real_energy.detach().mean())
        self.report(real_energy=real_energy, fake_energy=fake_energy)
        return {"adversarial": began_critic(real_energy, fake_energy, self.balance)}

    def generator_loss(self, batch: Batch) -> Terms:
        energy = self.energy(self.sample(len(batch["image"]))["image"])
        convergence = began_convergence(self.real_energy, energy, diversity=self.diversity)
        self.fake_energy = energy.detach().mean()
        self.report(balance=self.balance, convergence=convergence)
        return {"adversarial": began_generator(energy)}

    def after_step(self, progress: Progress) -> None:
        moved = began_balance(
            self.balance,
            self.real_energy,
            self.fake_energy,
            diversity=self.diversity,
            rate=self.rate,
        )
        self.balance.copy_(moved)


ADAM = Optim(lr=Step(start=1e-4, factor=0.5, every=1_000_000), betas=(0.5, 0.999))
QUICK = Optim(lr=5e-4, betas=(0.5, 0.999))

PAPER = "arXiv:1703.10717, section 4"

SEARCH = {"model.diversity": Span(0.3, 0.8, log=False), "model.rate": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        BEGAN.Config(latent=16, width=32, diversity=1.0, rate=0.01),
        {"discriminator": QUICK, "generator": QUICK},
        examples=80_000,
        about="half a minute on one core, so k moves ten times as fast as published",
    ),
    "photos": Recipe(
        model=BEGAN.Config(),
        data=Images(path="photos", size=(64, 64), flip=True),
        optim={"discriminator": ADAM, "generator": ADAM},
        ema=Averaging(half_life=10_000),
        train=Train(examples=3_000_000, batch=16, sheet_every=100_000, channels_last=True),
        about="give your folder with --data",
        sources=cite(
            PAPER,
            "model.latent",
            "model.diversity",
            "model.rate",
            "optim.discriminator.lr.start",
            "optim.generator.lr.start",
            "train.batch",
        ),
    ),
    "tiny": tiny(
        BEGAN.Config(latent=8, width=8),
        Images(path="digits"),
        {"discriminator": QUICK, "generator": QUICK},
    ),
}
