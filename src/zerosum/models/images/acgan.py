"""Auxiliary classifier GAN.

Odena, Olah and Shlens 2017, "Conditional Image Synthesis With Auxiliary Classifier GANs",
arXiv:1610.09585, section 3: the discriminator also tells the class. With L_S the log-likelihood
of the right source and L_C that of the right class, on real and fake images, the discriminator
maximises L_S + L_C and the generator L_C - L_S (here, as everybody does, its non-saturating
form).

Deviations: the convolutional pair of `dcgan` with dropout, and without normalisation in the
discriminator; one network for all classes (the paper trains one per ten classes of ImageNet);
fake images take the real ones' labels; samples come from averaged weights.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field as Setting
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.data.fields import Category, Field
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.modalities.images import Images, LabelledImageConfig
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.dcgan import Generator, Trunk


class ACGAN(LatentGame):
    class Config(LabelledImageConfig):
        latent: Count = 100
        """Numbers in the latent code, beside the class."""
        width: Count = 64
        """Feature maps at the largest resolution; doubled at each level below."""
        dropout: float = Setting(default=0.5, ge=0, lt=1)
        """Share of the discriminator's last features dropped in training."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss (L_S)."""
        weight: Weight = 1.0
        """Weight of the auxiliary classifier (L_C) for both players."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.classes = config.latent, config.classes
        self.objective, self.weight = OBJECTIVES[config.objective], config.weight
        layers = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent + config.classes, *layers)
        trunk = Trunk(*layers, norm=None)
        features = trunk.features * trunk.grid[0] * trunk.grid[1]
        self.trunk = nn.Sequential(trunk, nn.Flatten(), nn.Dropout(config.dropout))
        self.source = nn.Linear(features, 1)
        self.classifier = nn.Linear(features, config.classes)

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)}

    def players(self) -> dict[str, list[nn.Module]]:
        judges: list[nn.Module] = [self.trunk, self.source, self.classifier]
        return {"discriminator": judges, "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"])[0]}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        label = condition["label"]
        code = torch.cat([z, one_hot(label, self.classes).to(z.dtype)], dim=1)
        return {"image": self.generator(code), "label": label}

    def judge(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the source (B,) and of the class (B, classes) of images (B, C, H, W)."""
        features = self.trunk(images)
        return self.source(features).squeeze(1), self.classifier(features)

    def discriminator_loss(self, batch: Batch) -> Terms:
        real, label = batch["image"], batch["label"]
        with torch.no_grad():
            fake = self.sample(len(real), label=label)["image"]
        (real_logits, real_class), (fake_logits, fake_class) = self.judge(real), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        told = cross_entropy(real_class, label) + cross_entropy(fake_class, label)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "class": self.weight * told,
        }

    def generator_loss(self, batch: Batch) -> Terms:
        real, label = batch["image"], batch["label"]
        fake_logits, fake_class = self.judge(self.sample(len(real), label=label)["image"])
        real_logits = self.judge(real)[0] if self.objective.relativistic else None
        return {
            "adversarial": self.objective.generator(fake_logits, real_logits),
            "class": self.weight * cross_entropy(fake_class, label),
        }


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))  # the paper's appendix
BOTH = {"discriminator": ADAM, "generator": ADAM}
# A minute is short: start fast, end calm.
QUICK = {
    "discriminator": Optim(lr=1e-3, betas=(0.5, 0.999)),
    "generator": Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.5, 0.999)),
}

PAPER = "arXiv:1610.09585, appendix"

SEARCH = {"model.weight": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        ACGAN.Config(latent=32, width=64, dropout=0.2, weight=0.2),
        QUICK,
        examples=190_000,
        about="with the paper's weight of 1 the classes lose most of their variety",
    ),
    "cifar10": Recipe(
        model=ACGAN.Config(),
        data=Images(path="cifar10"),
        optim=BOTH,
        ema=Averaging(half_life=50_000),
        train=Train(examples=5_000_000, batch=100, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        sources=cite(PAPER, "optim", "model.dropout", "train.batch", "train.examples"),
    ),
    "tiny": tiny(ACGAN.Config(latent=8, width=8), Images(path="digits"), BOTH),
}
