"""AnoGAN: a game learns normal pictures, and a search for the nearest one that it can make tells.

Schlegl, Seeböck, Waldstein, Schmidt-Erfurth and Langs 2017, "Unsupervised Anomaly Detection with
Generative Adversarial Networks to Guide Marker Discovery", arXiv:1703.05921. A DCGAN learns normal
pictures (section 2.1). To score a picture x, its code is searched by gradient descent (2.2):

    eq. 2  residual loss         R(z) = sum |x - G(z)|;
    eq. 4  discrimination loss   D(z) = sum |f(x) - f(G(z))|, f a layer of the discriminator;
    eq. 5  (1 - lambda) R(z) + lambda D(z), lambda = 0.1, both the search's loss and the score.

Deviations: the search starts from one code, drawn from a seed, for all pictures, so that a score
is a function of the picture alone; Adam moves it (the paper does not say what does), for 200 steps
where the paper makes 500; f is all of the discriminator but its last layer; our own few
convolutions stand for DCGAN's, with weights that start as PyTorch's do; G's weights are averaged.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count, Positive, Seed, Share
from zerosum.core import game
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images import Anomalies, ImageConfig
from zerosum.nets.plain import Discriminator, Generator


class AnoGAN(LatentGame):
    class Config(ImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps at half the picture's size; doubled at each level below."""
        discrimination: Share = 0.1
        """lambda: weight of the distance of features; that of pixels has the rest."""

    class Options(game.SampleOptions):
        steps: Count = Setting(default=200)
        """Gradient steps of the search for a picture's code."""
        rate: Positive = 0.05
        """Learning rate of the search."""
        start: Seed = 0
        """Seed of the code that all searches start from."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.discrimination = config.latent, config.discrimination
        self.objective = OBJECTIVES["nonsaturating"]
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        self.discriminator = Discriminator(*shape, norm=nn.BatchNorm2d)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self.sample(len(batch["image"]))["image"]
        real_logits, fake_logits = self.discriminator(batch["image"]), self.discriminator(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        fake_logits = self.discriminator(self.sample(len(batch["image"]))["image"])
        return {"adversarial": self.objective.generator(fake_logits)}

    def search(self, images: Tensor) -> Tensor:
        """Codes (B, latent) that a search finds for pictures (B, C, H, W)."""
        options = self.options
        assert isinstance(options, AnoGAN.Options)
        rng = torch.Generator().manual_seed(options.start)
        start = self.latent(1, rng).expand(len(images), -1)
        with torch.no_grad():
            features = self.discriminator[0](images)
        with torch.enable_grad():
            z = start.clone().requires_grad_()
            # A sum over pictures, and a rule that moves each number by its own gradients: no
            # search feels another one.
            mover = torch.optim.Adam([z], lr=options.rate)
            for _ in range(options.steps):
                loss = self.distance(self.generator(z), images, features).sum()
                (z.grad,) = torch.autograd.grad(loss, [z])
                mover.step()
        return z.detach()

    def distance(self, made: Tensor, images: Tensor, features: Tensor) -> Tensor:
        """Equation 5 (B,) between pictures and what is made for them.

        Args:
            made: (B, C, H, W).
            images: (B, C, H, W).
            features: Of `images`, (B, d).
        """
        residual = (images - made).abs().flatten(1).sum(1)
        seen = (features - self.discriminator[0](made)).abs().sum(1)
        return (1 - self.discrimination) * residual + self.discrimination * seen

    def anomaly(self, batch: Batch) -> Tensor:
        images = batch["image"]
        made = self.generator(self.search(images))
        return self.distance(made, images, self.discriminator[0](images))

    def anomaly_map(self, batch: Batch) -> Tensor:
        images = batch["image"]
        made = self.generator(self.search(images))
        return (images - made).abs().mean(1, keepdim=True)


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))
BOTH = {"discriminator": ADAM, "generator": ADAM}
QUICK = {
    "discriminator": Optim(lr=5e-4, betas=(0.5, 0.999)),
    "generator": Optim(lr=1e-3, betas=(0.5, 0.999)),
}

SCORE = "arXiv:1703.05921, section 2.2"

SEARCH = {"model.discrimination": Factor(0.1, 5), "model.latent": Factor(0.1, 2)}

PRESETS = {
    "mnist": Recipe(
        model=AnoGAN.Config(latent=32, width=16),
        data=Anomalies(path="mnist", normal="1"),
        optim=QUICK,
        ema=Averaging(half_life=5_000),
        train=Train(
            examples=100_000, checkpoint_every=50_000, sheet_every=25_000, channels_last=True
        ),
        evaluate=Evaluate(samples=500),
        about="about a minute on one core",
        sources=cite(SCORE, "model.discrimination"),
    ),
    "pneumonia": Recipe(
        model=AnoGAN.Config(latent=32, width=16),
        data=Anomalies(path="pneumoniamnist", normal="normal", flip=True),
        optim=QUICK,
        ema=Averaging(half_life=5_000),
        train=Train(
            examples=100_000, checkpoint_every=50_000, sheet_every=25_000, channels_last=True
        ),
        evaluate=Evaluate(samples=350),
        about="about a minute on one core",
        sources=cite(SCORE, "model.discrimination"),
    ),
    "tiny": tiny(AnoGAN.Config(latent=8, width=8), Anomalies(path="digits", normal="1"), BOTH),
}
