"""StyleGAN3: pictures whose texture moves with what is shown, and not with the pixels.

Karras, Aittala, Laine, Härkönen, Hellsten, Lehtinen and Aila 2021, "Alias-Free Generative
Adversarial Networks", arXiv:2106.12423: the generator of section 3, in the form that is
equivariant to translation (`rotation=false`, config T) or to rotation too (config R); the
discriminator, the loss with lazy R1 and the settings of StyleGAN2, without mixed styles and path
lengths (config B and appendix F); for R, pictures that are blurred at first (appendix F).

Deviations: mean style and mean magnitudes move at the end of a step, by its last forward, and not
within each forward of the discriminator's turn, so that a loss may be evaluated more often than a
step is made, and two processes see what one does; sides need not be powers of two (see
`zerosum.nets.bands`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field as Setting
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.config import Count, Examples, Fraction, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Progress, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine, Number, at, bounded
from zerosum.core.search import Factor
from zerosum.data.fields import Category, Field
from zerosum.layers.resample import blurred
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1
from zerosum.modalities.images import Images, MaybeLabelledImageConfig
from zerosum.nets.bands import Bands
from zerosum.nets.stylegan2_critic import Discriminator
from zerosum.nets.stylegan3 import Generator


class StyleGAN3(LatentGame):
    class Config(MaybeLabelledImageConfig):
        latent: Count = 512
        """Numbers in the latent code."""
        style: Count = 512
        """Numbers in a style, which the mapping network makes of a code."""
        mapping_layers: Count = 2
        """Layers of the mapping network."""
        rotation: bool = False
        """1x1 kernels and radial filters: turns with what is shown, too (config R)."""
        base: Count = 32768
        """Feature maps of a layer times twice its cutoff; of the discriminator, of a resolution
        times its side."""
        most: Count = 512
        """Largest number of feature maps."""
        layers: Annotated[int, Setting(ge=4, le=64)] = 14
        """Layers of the generator, the one to colours not counted."""
        margin: Whole = 10
        """Pixels around the picture that no discriminator sees."""
        gamma: Annotated[Number, bounded(ge=0)] = 2.0
        """Weight of R1, taken times gamma / 2."""
        penalty_every: Count = 16
        """Steps from one R1 penalty to the next, whose weight is that many times it."""
        blur: Weight = 0.0
        """Deviation in pixels of the blur that the discriminator sees through at first; 10 for
        rotation in the paper."""
        blur_until: Examples = 200_000
        """Examples after which the blur, which shrinks evenly, is gone."""
        group: Count = 4
        """Samples that the discriminator compares with each other."""
        clamp: float | None = Setting(default=256.0, gt=0)
        """Largest absolute value of a map, for half precision; None for no bound."""
        momentum: Fraction = 0.999
        """Share that the mean magnitude of maps keeps at each step."""

    class Options(SampleOptions):
        truncation: float = Setting(default=1.0, ge=-2, le=2)
        """How far a style is from the mean style: 1 as it is, 0.7 more alike and cleaner."""
        cutoff: Whole = 0
        """Truncate only so many of the first styles, those of the coarse layers; 0 for all."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.classes = config.latent, config.classes
        self.gamma, self.penalty_every = config.gamma, config.penalty_every
        self.blur, self.blur_until = config.blur, config.blur_until
        self.objective = OBJECTIVES["nonsaturating"]
        wider = 2 if config.rotation else 1
        bands = Bands.of(
            config.size,
            config.channels,
            base=config.base * wider,
            most=config.most * wider,
            layers=config.layers,
            margin=config.margin,
        )
        self.generator = Generator(
            config.latent,
            config.classes,
            config.style,
            bands,
            layers=config.mapping_layers,
            kernel=1 if config.rotation else 3,
            radial=config.rotation,
            clamp=config.clamp,
            momentum=config.momentum,
        )
        self.discriminator = Discriminator(
            config.classes,
            config.channels,
            config.size,
            base=config.base,
            most=config.most,
            clamp=config.clamp,
            group=config.group,
        )
        self._mean_style: Tensor | None = None

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)} if self.classes else {}

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"], batch)}

    def turns(self) -> list[Turn]:
        return [
            Turn("generator", self.generator_loss),
            Turn("discriminator", self.discriminator_loss),
            Turn("discriminator", self.penalty_loss, every=self.penalty_every),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)} if self.classes else {}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        options = self.options
        assert isinstance(options, StyleGAN3.Options)
        told, cutoff = self.told(condition), options.cutoff or None
        styles = self.generator.mapping(z, told, options.truncation, cutoff)
        return self.of_styles(styles, condition)

    def to_styles(self, z: Tensor, condition: Batch) -> Tensor:
        return self.generator.mapping(z, self.told(condition))

    def of_styles(self, styles: Tensor, condition: Batch) -> dict[str, Tensor]:
        return self._finished(self.generator.synthesis(styles), condition)

    def mean_style(self) -> Tensor:
        return self.generator.mapping.average

    def style_weights(self) -> list[Tensor]:
        return self.generator.synthesis.style_weights()

    def moved(self, styles: Tensor, condition: Batch, transform: Tensor) -> dict[str, Tensor]:
        inverse = torch.linalg.inv(transform)
        # To units of the generator's own length, see `Bands`.
        config = self.config
        assert isinstance(config, StyleGAN3.Config)
        inverse[..., :2, 2] *= min(config.size) / self.generator.bands.bands[-1].rate / 2
        return self._finished(self.generator.synthesis(styles, inverse), condition)

    def _finished(self, images: Tensor, condition: Batch) -> dict[str, Tensor]:
        """Samples: images in [-1, 1], and their classes."""
        found = {"image": images.clamp(-1, 1)}
        return found | {"label": condition["label"]} if self.classes else found

    def told(self, batch: Batch) -> Tensor | None:
        """One-hot labels (B, classes) of a batch; None where classes are not told."""
        return one_hot(batch["label"], self.classes).float() if self.classes else None

    def judge(self, images: Tensor, batch: Batch) -> Tensor:
        """Logits (B,) of images (B, C, H, W) said to be of a batch's classes."""
        sigma = self.blur * max(1 - self.progress.seen / max(self.blur_until, 1), 0)
        return self.discriminator(blurred(images, sigma), self.told(batch)).squeeze(1)

    def fakes(self, batch: Batch) -> Tensor:
        """Images (B, C, H, W) to train on, as many as a batch has."""
        styles = self.generator.mapping(self.latent(len(batch["image"])), self.told(batch))
        self._mean_style = styles[:, 0].detach().float().mean(0)
        return self.generator.synthesis(styles)

    def generator_loss(self, batch: Batch) -> Terms:
        return {"adversarial": self.objective.generator(self.judge(self.fakes(batch), batch))}

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self.fakes(batch)
        real_logits, fake_logits = self.judge(batch["image"], batch), self.judge(fake, batch)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def penalty_loss(self, batch: Batch) -> Terms:
        gamma = at(self.gamma, self.progress)
        penalty = r1(lambda images: self.judge(images, batch), batch["image"])
        return {"r1": self.penalty_every * gamma / 2 * penalty}

    def after_step(self, progress: Progress) -> None:
        self.generator.synthesis.track()
        if self._mean_style is not None:
            self.generator.mapping.track(self._mean_style)
        self._mean_style = None


# Appendix F: the generator's rate of StyleGAN2, a little less for the discriminator.
BOTH = {
    "discriminator": Optim(lr=2e-3, betas=(0.0, 0.99)).lazy(16),
    "generator": Optim(lr=2.5e-3, betas=(0.0, 0.99)),
}
# Minutes hold some thousand steps: start fast, end calm.
QUICK = {
    "discriminator": Optim(lr=4e-3, betas=(0.0, 0.99)).lazy(16),
    "generator": Optim(lr=Cosine(start=4e-3, end=4e-4), betas=(0.0, 0.99)),
}
PAPER = "arXiv:2106.12423, appendix F"

SEARCH = {"model.gamma": Factor(0.1, 10)}


def published(rotation: bool) -> Recipe:
    """The paper's settings for FFHQ-U at 256 pixels."""
    return Recipe(
        model=StyleGAN3.Config(
            rotation=rotation,
            gamma=1.0,
            blur=10.0 if rotation else 0.0,
            momentum=0.5 ** (32 / 20_000),
        ),
        data=Images(path="photos", size=(256, 256), flip=True),
        optim=BOTH,
        ema=Averaging(half_life=10_000),
        train=Train(examples=25_000_000, batch=32),
        evaluate=Evaluate(every=1_000_000, samples=10_000),
        about="published settings, for several GPUs; give the folder with --data",
        sources=cite(
            PAPER,
            "model.base",
            "model.most",
            "model.layers",
            "model.blur_until",
            "optim",
            "train.examples",
            "train.batch",
        ),
    )


PRESETS = {
    "digits": Recipe(
        model=StyleGAN3.Config(
            latent=32, style=32, base=192, most=32, layers=4, margin=2, gamma=1.0, clamp=None
        ),
        data=Images(path="digits"),
        optim=QUICK,
        ema=Averaging(half_life=4_000),
        train=Train(examples=110_000, batch=16, sheet_every=50_000, log_every=4_000),
        evaluate=Evaluate(every=110_000, samples=1_500),
        about="the paper's parts at 8x8, in minutes on one core",
    ),
    "fashion": Recipe(
        model=StyleGAN3.Config(
            latent=64, style=64, base=512, most=32, layers=6, margin=4, gamma=0.5
        ),
        data=Images(path="fashion-mnist"),
        optim=QUICK,
        ema=Averaging(half_life=2_500),
        train=Train(examples=80_000, batch=16, sheet_every=20_000, log_every=2_000),
        evaluate=Evaluate(every=40_000, samples=2_000),
        about="the paper's parts at 28x28, in forty minutes of one core",
    ),
    "t256": published(rotation=False),
    "r256": published(rotation=True),
    "tiny": tiny(
        StyleGAN3.Config(latent=8, style=8, base=64, most=8, layers=4, margin=2, penalty_every=2),
        Images(path="digits"),
        BOTH,
    ),
}
