"""BigGAN: class-conditional, wide, with a shared embedding and truncated codes.

Brock, Donahue and Simonyan 2019, "Large Scale GAN Training for High Fidelity Natural Image
Synthesis", arXiv:1809.11096: the hinge loss and spectral normalisation in both networks as in
SAGAN, with conditional batch normalisation from one embedding of the class (section 3),
hierarchical codes, orthogonal regularisation (eq. 3), truncation of the code at sampling
(section 3.1), and batch normalisation's statistics taken anew for it (appendix E). `deep` builds
the networks of appendix B.2.

Deviations: equation 3 is taken times one half, as in the authors' release; one move of the
generator per `critic_steps` of the discriminator counts one batch on the clock; up to 32 pixels
the networks are those of the release, which the paper does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.config import Count, Positive, Weight, Whole
from zerosum.core.game import Batch, LatentGame, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.data.fields import Category, Field
from zerosum.errors import UserError
from zerosum.layers.power import Spectral
from zerosum.layers.pyramid import doublings
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.weights import orthogonal_off_diagonal
from zerosum.modalities.images import Images, LabelledImageConfig
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.biggan import (
    Discriminator,
    Generator,
    discriminator_multiples,
    generator_multiples,
    truncated,
)
from zerosum.nets.biggan_deep import (
    DeepDiscriminator,
    DeepGenerator,
    deep_discriminator_multiples,
)
from zerosum.nets.biggan_norm import standing

BATCH = 64
"""Samples in each batch that standing statistics are taken of."""


class BigGAN(LatentGame):
    class Config(LabelledImageConfig):
        latent: Count = 128
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps that the generator's are multiples of."""
        critic_width: Count = 64
        """The same of the discriminator."""
        shared: Whole = 128
        """Length of the embedding of a class that all layers share; 0 gives each class gains and
        biases of its own in every layer."""
        hierarchical: bool = True
        """Give each block a part of the code, beside the embedding; with `deep` the whole."""
        deep: bool = False
        """Build the networks of appendix B.2: two blocks at each resolution, of bottlenecks."""
        attention: Whole = 0
        """Height of the map that gets self-attention, in both networks; 0 for none."""
        objective: ObjectiveName = "hinge"
        """The adversarial loss."""
        orthogonal: Weight = 0.0
        """Weight of the generator's orthogonal regularisation, taken times one half."""
        critic_steps: Count = 2
        """Moves of the discriminator per step."""
        eps: Positive = 1e-6
        """Least length of a vector that spectral normalisation divides."""
        begin: Literal["ortho", "N02"] = "ortho"
        """How weights begin: orthogonal, or normal with deviation 0.02."""

    class Options(SampleOptions):
        truncation: Weight = 0.0
        """Largest absolute number of a code: beyond it numbers are drawn again; 0 for none."""
        standing: Whole = 0
        """Batches of samples that batch normalisation takes its statistics of anew; 0 has those
        of the training."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.classes, self.critic_steps = config.classes, config.critic_steps
        self.objective, self.orthogonal = OBJECTIVES[config.objective], config.orthogonal
        pair = deep_networks(config) if config.deep else networks(config)
        self.generator, self.discriminator = pair
        self.latent_size = self.generator.latent
        self._standing: dict[object, nn.Module] = {}

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)}

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"], batch["label"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss, repeat=self.critic_steps),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        options, label = self.options, condition["label"]
        assert isinstance(options, BigGAN.Options)
        generator = self.settled(options) if options.standing else self.generator
        return {"image": generator(truncated(z, options.truncation), label), "label": label}

    def settled(self, options: BigGAN.Options) -> nn.Module:
        """The generator with standing statistics; made once for each state of the weights."""
        weights = tuple((p.data_ptr(), p._version) for p in self.generator.parameters())
        key = (options.standing, options.truncation, weights)
        if key not in self._standing:
            rng = torch.Generator().manual_seed(0)

            def draw() -> tuple[Tensor, Tensor]:
                z = truncated(self.latent(BATCH, rng), options.truncation)
                return z, self.uniform_labels(BATCH, self.classes, rng)

            self._standing.clear()
            copy = deepcopy(self.generator)
            self._standing[key] = standing(copy, draw, options.standing)
        return self._standing[key]

    def judge(self, images: Tensor, label: Tensor) -> Tensor:
        """Logits (B,) of images (B, C, H, W) said to be of classes (B,)."""
        return self.discriminator(images, label).squeeze(1)

    def generated(self, n: int) -> tuple[Tensor, Tensor]:
        """Images of classes drawn uniformly, and these."""
        label = self.uniform_labels(n, self.classes)
        return self.generator(self.latent(n), label), label

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            fake, told = self.generated(len(real))
        # One pass for both: the power iteration moves once.
        logits = self.judge(torch.cat([fake, real]), torch.cat([told, batch["label"]]))
        fake_logits, real_logits = logits.split(len(real))
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        fake_logits = self.judge(*self.generated(len(batch["image"])))
        real_logits = None
        if self.objective.relativistic:
            real_logits = self.judge(batch["image"], batch["label"])
        terms = {"adversarial": self.objective.generator(fake_logits, real_logits)}
        if self.orthogonal:
            shared = {id(p) for p in self.generator.shared.parameters()}
            weights = [p for p in self.generator.parameters() if id(p) not in shared]
            terms["orthogonal"] = self.orthogonal / 2 * orthogonal_off_diagonal(weights)
        return terms


def networks(config: BigGAN.Config) -> tuple[Generator, Discriminator]:
    """The networks of section 3 and appendix B.1."""
    grid, levels = doublings(config.size)
    multiples, halved = discriminator_multiples(levels)
    up, down = _heights(grid[0], levels, halved)
    generator = Generator(
        config.latent,
        [config.width * n for n in generator_multiples(levels)],
        config.channels,
        classes=config.classes,
        grid=grid,
        shared=config.shared,
        hierarchical=config.hierarchical and config.shared > 0,
        attention=_at(config.attention, up),
        spectral=Spectral(eps=config.eps),
        begin=config.begin,
    )
    discriminator = Discriminator(
        [config.critic_width * n for n in multiples],
        halved,
        config.channels,
        classes=config.classes,
        attention=_at(config.attention, down),
        spectral=Spectral(eps=config.eps),
        begin=config.begin,
    )
    return generator, discriminator


def deep_networks(config: BigGAN.Config) -> tuple[DeepGenerator, DeepDiscriminator]:
    """The networks of appendix B.2.

    Raises:
        UserError: Classes have no embedding.
    """
    if not config.shared:
        raise UserError("model.deep needs an embedding of the class: set model.shared=128")
    grid, levels = doublings(config.size)
    multiples, halved = deep_discriminator_multiples(levels)
    up, down = _heights(grid[0], levels, halved)
    generator = DeepGenerator(
        config.latent,
        [config.width * n for n in generator_multiples(levels)],
        config.channels,
        classes=config.classes,
        grid=grid,
        shared=config.shared,
        attention=_at(config.attention, up),
        spectral=Spectral(eps=config.eps),
        begin=config.begin,
    )
    discriminator = DeepDiscriminator(
        [config.critic_width * n for n in multiples],
        halved,
        config.channels,
        classes=config.classes,
        attention=_at(config.attention, down),
        spectral=Spectral(eps=config.eps),
        begin=config.begin,
    )
    return generator, discriminator


def _heights(start: int, levels: int, halved: Sequence[bool]) -> tuple[list[int], list[int]]:
    """Heights of the maps after each block of the generator and of the discriminator."""
    up = [start * 2 ** (level + 1) for level in range(levels)]
    return up, [up[-1] // 2 ** sum(halved[: i + 1]) for i in range(len(halved))]


def _at(attention: int, heights: list[int]) -> list[int]:
    """The first block whose output has the height that gets attention; none for 0."""
    if not attention:
        return []
    if attention not in heights:
        found = ", ".join(str(height) for height in dict.fromkeys(heights))
        raise UserError(f"attention={attention}, but maps are {found} high: choose one of them")
    return [heights.index(attention)]


# A minute holds a thousand steps: a discriminator whose slope is bounded may run ahead.
QUICK = {
    "discriminator": Optim(lr=6e-3, betas=(0.0, 0.9)),
    "generator": Optim(lr=Cosine(start=2e-3, end=2e-4), betas=(0.0, 0.9)),
}
EVEN = Optim(lr=2e-4, betas=(0.0, 0.999))
CODE = "arXiv:1809.11096, the authors' code for CIFAR-10"
PAPER = "arXiv:1809.11096, section 3 and appendices B and C"


def imagenet(size: int, latent: int, batch: int = 2048) -> Recipe:
    """A preset of the paper's, for a folder with one sub-folder per class."""
    players = {
        "discriminator": Optim(lr=2e-4, betas=(0.0, 0.999), eps=1e-6),
        "generator": Optim(lr=5e-5, betas=(0.0, 0.999), eps=1e-6),
    }
    return Recipe(
        model=BigGAN.Config(
            latent=latent,
            width=96,
            critic_width=96,
            attention=64 if size > 64 else 32,
            orthogonal=1e-4,
        ),
        data=Images(path="photos", size=(size, size), flip=True),
        optim=players,
        ema=Averaging(half_life=14_195_000, ramp=0),  # 0.9999 a step of 2,048 images
        train=Train(
            examples=150_000 * batch,
            batch=batch,
            batch_per_device=64,
            checkpoint_every=2_000_000,
            sheet_every=1_000_000,
            log_every=100_000,
            channels_last=True,
        ),
        evaluate=Evaluate(every=10_000_000, samples=10_000),
        about="give a folder with one sub-folder per class with --data; for many GPUs",
        sources=cite(
            PAPER,
            *("model.width", "model.critic_width", "model.orthogonal", "model.critic_steps"),
            *("model.shared", "model.hierarchical", "optim.discriminator.lr", "train.batch"),
            *("optim.generator.lr", "optim.discriminator.betas", "optim.generator.betas"),
        ),
    )


PRESETS = {
    "digits": on_digits(
        BigGAN.Config(latent=32, width=8, critic_width=8, shared=16, critic_steps=1),
        QUICK,
        examples=64_000,
        channels_last=True,
        about="narrow; a minute or two on one core",
    ),
    "fashion": Recipe(
        model=BigGAN.Config(latent=60, width=12, critic_width=16, shared=32, critic_steps=1),
        data=Images(path="fashion-mnist"),
        optim={
            "discriminator": Optim(lr=2e-3, betas=(0.0, 0.9)),
            "generator": Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.0, 0.9)),
        },
        ema=Averaging(half_life=10_000),
        train=Train(examples=300_000, batch=64, sheet_every=50_000, channels_last=True),
        evaluate=Evaluate(every=100_000, samples=5_000),
        about="narrow; tens of minutes on one core",
    ),
    "cifar10": Recipe(
        model=BigGAN.Config(shared=0, hierarchical=False, critic_steps=4, eps=1e-8, begin="N02"),
        data=Images(path="cifar10"),
        optim={"discriminator": EVEN, "generator": EVEN},
        ema=Averaging(half_life=346_000, ramp=0),  # 0.9999 a step of 50 images
        train=Train(examples=125_000 * 50, batch=50, sheet_every=100_000, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=10_000),
        about="500 passes of the images before the discriminator",
        sources=cite(
            CODE,
            *("model.latent", "model.width", "model.critic_width", "model.shared"),
            *("model.hierarchical", "model.attention", "model.orthogonal", "model.critic_steps"),
            *(
                "model.eps",
                "model.begin",
                "optim",
                "ema.half_life",
                "train.batch",
                "train.examples",
            ),
        ),
    ),
    "imagenet64": imagenet(64, 120),
    "imagenet128": imagenet(128, 120),
    "imagenet256": imagenet(256, 140),
    "tiny": tiny(
        BigGAN.Config(latent=8, width=2, critic_width=2, shared=4),
        Images(path="digits"),
        {"discriminator": EVEN, "generator": EVEN},
    ),
}
