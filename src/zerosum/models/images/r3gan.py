"""R3GAN: a regularised relativistic GAN on a residual backbone without tricks.

Huang, Gokaslan, Kuleshov and Tompkin 2024, "The GAN is dead; long live the GAN! A Modern GAN
Baseline", arXiv:2501.05441: section 2, the relativistic pairing loss (Jolicoeur-Martineau 2019)
with zero-centred gradient penalties on real samples (R1) and on generated ones (R2), each times
gamma / 2, in every step; section 4, the networks (`zerosum.nets.r3gan`). Both turns see their own
real samples. Rate, Adam's second factor, gamma, half-life of the averaged weights and strength of
the augmentation each follow half a cosine and stay.

Deviations: fake images take the real ones' labels in both turns; one generator of random numbers
for all; sizes that are no power of two begin at another grid than 4x4 (28 pixels at 7x7), and
sides that differ at one of their ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.config import Count, Whole
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.remedies import AdaptiveAugmentation
from zerosum.core.schedule import Cosine, Number, at, bounded
from zerosum.core.search import Factor
from zerosum.data.fields import Category, Field
from zerosum.layers.pyramid import doublings
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import judged
from zerosum.modalities.images import Images, MaybeLabelledImageConfig
from zerosum.nets.r3gan import Discriminator, Generator


class R3GAN(LatentGame):
    class Config(MaybeLabelledImageConfig):
        latent: Count = 64
        """Numbers in the latent code, and in the embedding of a class beside it."""
        width: Count = 768
        """Feature maps of the stages with the smallest maps."""
        cardinality: Count = 96
        """Groups of the 3x3 convolutions there."""
        wide: Count = 4
        """Stages of that width; each larger map has half the features and half the groups."""
        blocks: Count = 2
        """Residual blocks of a stage."""
        expansion: Count = 2
        """Feature maps inside a block, as a multiple of its width."""
        gamma: Annotated[Number, bounded(ge=0)] = 1.0
        """Weight of R1 and of R2, each taken times gamma / 2."""
        half: Whole = 0
        """Stages of the largest maps that a GPU computes in bfloat16, penalties included."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.gamma = config.latent, config.gamma
        self.classes, self.objective = config.classes, OBJECTIVES["rpgan"]
        grid, levels = doublings(config.size)
        narrowing = [2 ** max(stage + 1 - config.wide, 0) for stage in range(levels + 1)]
        widths = [max(config.width // n, 1) for n in narrowing]
        groups = [max(config.cardinality // n, 1) for n in narrowing]
        blocks = [config.blocks] * len(widths)
        half = range(min(config.half, len(widths)))
        self.generator = Generator(
            config.latent,
            widths,
            groups,
            blocks,
            config.channels,
            grid=grid,
            classes=config.classes,
            embedding=config.latent,
            expansion=config.expansion,
            half=[-1 - stage for stage in half],
        )
        self.discriminator = Discriminator(
            widths[::-1],
            groups[::-1],
            blocks,
            config.channels,
            grid=grid,
            classes=config.classes,
            embedding=config.width,
            expansion=config.expansion,
            half=list(half),
        )

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)} if self.classes else {}

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {
            "discriminator": lambda batch: self.discriminator(batch["image"], self.told(batch))
        }

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss, fresh=True),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)} if self.classes else {}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        labels = {"label": condition["label"]} if self.classes else {}
        image = self.generator(z, self.told(condition)).clamp(-1, 1)  # the last layer is linear
        return {"image": image, **labels}

    def told(self, batch: Batch) -> Tensor | None:
        """The classes of a batch, one-hot (B, classes); None where the networks know of none."""
        return one_hot(batch["label"], self.classes).float() if self.classes else None

    def generated(self, batch: Batch) -> Tensor:
        """As many images as a batch has, of the same classes."""
        return self.generator(self.latent(len(batch["image"])), self.told(batch))

    def scored(self, told: Tensor | None, images: Tensor, scale: Tensor) -> Tensor:
        """Logits (B,) of images (B, C, H, W), they and all biases times `scale` (B,)."""
        return self.discriminator(images, told, scale)

    def discriminator_loss(self, batch: Batch) -> Terms:
        gamma, told = at(self.gamma, self.progress), self.told(batch)
        with torch.no_grad():
            fake = self.generated(batch)
        # One pass gives logits and slopes: whatever changes images at random before the
        # discriminator, the penalty holds where the logit was taken.
        real_logits, real_slope = judged(partial(self.scored, told), batch["image"])
        fake_logits, fake_slope = judged(partial(self.scored, told), fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "r1": gamma / 2 * real_slope.mean(),
            "r2": gamma / 2 * fake_slope.mean(),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        told = self.told(batch)
        fake_logits = self.discriminator(self.generated(batch), told)
        with torch.no_grad():
            real_logits = self.discriminator(batch["image"], told)
        return {"adversarial": self.objective.generator(fake_logits, real_logits)}


AUTHORS = "arXiv:2501.05441, the authors' configuration"
SHAPE = ("latent", "width", "cardinality", "wide", "blocks", "expansion", "half", "labels")
SEARCH = {"model.gamma": Factor(0.1, 10)}


def published(
    name: str,
    data: Images,
    *,
    gamma: float,
    half_life: int,
    augmentation: float,
    batch: int,
    examples: int,
    decay: int = 20_000_000,
    labels: bool = False,
    width: int = 768,
    wide: int = 4,
    half: int = 4,
) -> Recipe:
    """A preset of the authors: gamma falls to a tenth of what it begins with.

    Args:
        name: Of the authors' data.
        data: What is learned from.
        gamma: Weight of the penalties at the start.
        half_life: Of the averaged weights at the end, in images.
        augmentation: Probability of each change that the discriminator sees, at the end.
        batch: Images per step.
        examples: Length of the run; the authors train until the scores stop improving.
        decay: Images after which all schedules have ended.
        labels: Whether the networks are told the class.
        width: Feature maps of the widest stages.
        wide: Stages of that width.
        half: Stages in bfloat16.
    """
    rule = Optim(
        lr=Cosine(start=2e-4, end=5e-5, until=decay),
        betas=(0.0, Cosine(start=0.9, end=0.99, until=decay)),
    )
    return Recipe(
        model=R3GAN.Config(
            width=width,
            wide=wide,
            labels=labels,
            gamma=Cosine(start=gamma, end=gamma / 10, until=decay),
            half=half,
        ),
        data=data,
        optim={"discriminator": rule, "generator": rule},
        remedies=(AdaptiveAugmentation(strength=Cosine(start=0, end=augmentation, until=decay)),),
        ema=Averaging(half_life=Cosine(start=0, end=half_life, until=decay), ramp=0),
        train=Train(
            examples=examples,
            batch=batch,
            batch_per_device=64,
            checkpoint_every=1_000_000,
            sheet_every=200_000,
            log_every=20_000,
        ),
        evaluate=Evaluate(every=2_000_000, samples=10_000),
        about="hundreds of GPU hours to the end; micro-batches of 64 fit 24 GB",
        sources=cite(
            f"{AUTHORS} for {name}",
            *(f"model.{setting}" for setting in (*SHAPE, "gamma")),
            *("optim", "remedies", "ema", "train.batch"),
        ),
    )


# A minute or two: start fast, end calm.
QUICK = Optim(lr=Cosine(start=2e-3, end=1e-4), betas=(0.0, 0.99))
ADAM = Optim(lr=2e-4, betas=(0.0, 0.99))

PRESETS = {
    "digits": Recipe(
        model=R3GAN.Config(
            latent=32, width=96, cardinality=12, wide=1, blocks=1, gamma=1.0, labels=True
        ),
        data=Images(path="digits"),
        optim={"discriminator": QUICK, "generator": QUICK},
        ema=Averaging(half_life=4_000),
        train=Train(
            examples=80_000,
            batch=32,
            checkpoint_every=100_000,
            sheet_every=20_000,
            log_every=4_000,
        ),
        evaluate=Evaluate(every=100_000, samples=1_500),
        about="an eighth of the width; about three minutes on one core",
    ),
    "fashion": Recipe(
        model=R3GAN.Config(
            width=96, cardinality=12, wide=1, gamma=Cosine(start=5.0, end=0.5), blocks=1
        ),
        data=Images(path="fashion-mnist"),
        optim={
            "discriminator": Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.0, 0.99)),
            "generator": Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.0, 0.99)),
        },
        ema=Averaging(half_life=10_000),
        train=Train(examples=200_000, batch=64, sheet_every=25_000),
        evaluate=Evaluate(every=50_000, samples=5_000),
        about="an eighth of the width; about forty minutes on one core",
    ),
    "cifar10": published(
        "CIFAR-10",
        Images(path="cifar10"),
        gamma=0.05,
        half_life=5_000_000,
        augmentation=0.55,
        batch=512,
        examples=250_000_000,
        labels=True,
        half=3,
    ),
    "ffhq64": published(
        "FFHQ-64",
        Images(path="photos", size=(64, 64), flip=True),
        gamma=2.0,
        half_life=500_000,
        augmentation=0.3,
        batch=256,
        examples=200_000_000,
    ),
    "ffhq256": published(
        "FFHQ-256",
        Images(path="photos", size=(256, 256), flip=True),
        gamma=150.0,
        half_life=500_000,
        augmentation=0.3,
        batch=256,
        examples=200_000_000,
    ),
    "imagenet32": published(
        "ImageNet-32",
        Images(path="photos", size=(32, 32)),
        gamma=0.5,
        half_life=50_000_000,
        augmentation=0.5,
        batch=4096,
        examples=1_000_000_000,
        decay=200_000_000,
        labels=True,
        width=1536,
        half=3,
    ),
    "imagenet64": published(
        "ImageNet-64",
        Images(path="photos", size=(64, 64)),
        gamma=1.0,
        half_life=50_000_000,
        augmentation=0.4,
        batch=4096,
        examples=1_000_000_000,
        decay=200_000_000,
        labels=True,
        width=1536,
        wide=5,
    ),
    "tiny": tiny(
        R3GAN.Config(latent=8, width=16, cardinality=4, blocks=1),
        Images(path="digits"),
        {"discriminator": ADAM, "generator": ADAM},
    ),
}
