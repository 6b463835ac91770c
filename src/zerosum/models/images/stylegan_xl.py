"""StyleGAN-XL: alias-free pictures of many classes, judged on features and grown in stages.

Sauer, Schwarz and Geiger 2022, "StyleGAN-XL: Scaling StyleGAN to Large Diverse Datasets",
arXiv:2202.00273: StyleGAN3's generator with a short code, told the mean features of a class
(section 3.2); critics on projected features, told the same; growing by stages, of which only the
newest is trained (section 3.3); the gradient of a classifier (section 3.4).

A stage is a run. The first makes small pictures; the next, of pictures twice as large, begins with
its weights (`--from`), cuts off its last layers, and trains new ones behind the others.

Deviations: features of one network, EfficientNet-Lite0, and not of a transformer beside it; means
and magnitudes move at a step's end, as in `zerosum.models.images.stylegan3`; those of
`zerosum.nets.projected`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field as Setting
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zerosum.config import Count, Examples, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Progress, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.remedies import ShowsAugmented
from zerosum.data.fields import Category, Field
from zerosum.data.source import Split
from zerosum.errors import UserError
from zerosum.layers.resample import blurred
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images import Images, MaybeLabelledImageConfig
from zerosum.modalities.images.guiding import GuideName, guide
from zerosum.modalities.images.projecting import FeaturesName, feature_network
from zerosum.nets.bands import Bands
from zerosum.nets.projected import LEAST, LITE0, Discriminator, joined
from zerosum.nets.stylegan3 import Generator, Layer

SEEN = 4_096
"""Training images whose features are averaged by class."""
LEAST_SIDE = 8
"""Of the first stage's pictures, in pixels."""
PORTION = 64
"""Of them, at a time."""


class StyleGANXL(LatentGame):
    class Config(MaybeLabelledImageConfig):
        latent: Count = 64
        """Numbers in the latent code."""
        style: Count = 512
        """Numbers in a style."""
        mapping_layers: Count = 2
        """Layers of the mapping network."""
        base: Count = 32768
        """Feature maps of a layer times twice its cutoff."""
        most: Count = 512
        """Largest number of feature maps."""
        layers: Annotated[int, Setting(ge=4, le=64)] = 10
        """Layers of the first stage's generator, the one to colours not counted."""
        stages: Annotated[int, Setting(ge=0, le=7)] = 0
        """How often the picture was doubled since the first stage; begin with the run before."""
        added: Annotated[int, Setting(ge=3, le=64)] = 7
        """New layers of each later stage, in place of the last two."""
        margin: Whole = 10
        """Pixels around the picture that no critic sees."""
        clamp: float | None = Setting(default=256.0, gt=0)
        """Largest absolute value of a map, for half precision; None for no bound."""
        features: FeaturesName = "efficientnet-lite0"
        """Whose features are judged, and averaged by class."""
        seen: Annotated[int, Setting(ge=LEAST, le=4096)] = 224
        """Pixels of the shorter side of the images that the features are taken of."""
        critic_width: Count = 64
        """Feature maps of the finest critic's first layer; doubled with each scale and halving."""
        guide: GuideName = ""
        """A classifier whose opinion the generator follows, with `labels`."""
        guidance: Weight = 8.0
        """Weight of the classifier's cross-entropy."""
        blur: Weight = 2.0
        """Width in pixels of the blur that the critics see through at first."""
        blur_until: Examples = 200_000
        """Examples after which the blur, which shrinks evenly, is gone."""

    class Options(SampleOptions):
        truncation: float = Setting(default=1.0, ge=-2, le=2)
        """How far a style is from the mean style: 1 as it is, 0.7 more alike and cleaner."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.classes = config.latent, config.classes
        self.stages, self.objective = config.stages, OBJECTIVES["hinge"]
        self.blur, self.blur_until = config.blur, config.blur_until
        told = LITE0[-1] if config.classes else 0
        bands = _bands(config)
        self.generator = Generator(
            config.latent,
            told,
            config.style,
            bands,
            layers=config.mapping_layers,
            clamp=config.clamp,
        )
        self.generator.register_buffer("class_features", torch.randn(config.classes, told))
        self.kept = len(bands.bands) - 2 - config.added if config.stages else 0
        self.discriminator = Discriminator(
            feature_network(config.features, config.channels),
            seen=config.seen,
            width=config.critic_width,
            told=told,
        )
        self.guidance, self.guide = config.guidance, guide(config.guide, config.classes)
        self._mean_style: Tensor | None = None

    # -- players ---------------------------------------------------------------------------

    def players(self) -> dict[str, list[nn.Module]]:
        trained: list[nn.Module] = [self.generator]
        if self.stages:  # section 3.3: what was trained before remains fixed
            trained = [*self.newest()]
        return {"discriminator": [self.discriminator], "generator": trained}

    def generators(self) -> list[nn.Module]:
        return [self.generator]

    def newest(self) -> list[Layer]:
        """The layers of the newest stage."""
        layers = list(self.generator.synthesis.layers)[self.kept :]
        return [layer for layer in layers if isinstance(layer, Layer)]

    def anew(self) -> tuple[str, ...]:
        """The newest layers: those of the same numbers were cut off."""
        if not self.stages:
            return ()
        count = len(self.generator.synthesis.layers)
        return tuple(f"generator.synthesis.layers.{k}." for k in range(self.kept, count))

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)} if self.classes else {}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: joined(self.judge(batch["image"], batch))}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    @torch.no_grad()
    def learn_from(self, split: Split) -> None:
        """Take the mean features of each class: of the coarsest maps, over all places."""
        if not self.classes:
            return
        some = split.train.some(SEEN)
        sums = torch.zeros(self.classes, LITE0[-1], device=self.device)
        counts = torch.zeros(self.classes, 1, device=self.device)
        for start in range(0, len(some["label"]), PORTION):
            images = some["image"][start : start + PORTION].to(self.device)
            labels = some["label"][start : start + PORTION].to(self.device)
            maps = self.discriminator.features(self.discriminator.shown(images))[-1]
            sums.index_add_(0, labels, maps.mean((2, 3)).float())
            counts.index_add_(0, labels, torch.ones_like(labels[:, None], dtype=counts.dtype))
        means = sums / counts.clamp(min=1)
        # In units of what tells classes apart, so that no part that all share drowns it.
        centred = means - means.mean(0)
        self.class_features.copy_(centred / centred.square().mean().sqrt().clamp(min=1e-8))

    @property
    def class_features(self) -> Tensor:
        """What the networks are told of each class, (classes, features)."""
        return self.generator.get_buffer("class_features")

    # -- samples ---------------------------------------------------------------------------

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)} if self.classes else {}

    def told(self, batch: Batch) -> Tensor | None:
        """Features (B, features) of the classes of a batch; None where classes are not told."""
        return self.class_features[batch["label"]] if self.classes else None

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        options = self.options
        assert isinstance(options, StyleGANXL.Options)
        styles = self.generator.mapping(z, self.told(condition), options.truncation)
        return self.of_styles(styles, condition)

    def to_styles(self, z: Tensor, condition: Batch) -> Tensor:
        return self.generator.mapping(z, self.told(condition))

    def of_styles(self, styles: Tensor, condition: Batch) -> dict[str, Tensor]:
        found = {"image": self.generator.synthesis(styles).clamp(-1, 1)}
        return found | {"label": condition["label"]} if self.classes else found

    def mean_style(self) -> Tensor:
        return self.generator.mapping.average

    def style_weights(self) -> list[Tensor]:
        return self.generator.synthesis.style_weights()

    # -- losses ----------------------------------------------------------------------------

    def judge(self, images: Tensor, batch: Batch) -> list[Tensor]:
        """Maps of logits of images (B, C, H, W) said to be of a batch's classes."""
        sigma = self.blur * max(1 - self.progress.seen / max(self.blur_until, 1), 0)
        return self.discriminator(blurred(images, sigma), self.told(batch))

    def fakes(self, batch: Batch) -> Tensor:
        """Images (B, C, H, W) to train on, as many as a batch has."""
        styles = self.generator.mapping(self.latent(len(batch["image"])), self.told(batch))
        self._mean_style = styles[:, 0].detach().float().mean(0)
        return self.generator.synthesis(styles)

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self.fakes(batch)
        real_logits, fake_logits = self.judge(batch["image"], batch), self.judge(fake, batch)
        self.report(real_logits=joined(real_logits), fake_logits=joined(fake_logits))
        losses = [self.objective.critic(*pair) for pair in zip(real_logits, fake_logits)]
        return {"adversarial": torch.stack(losses).sum()}

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.fakes(batch)
        losses = [self.objective.generator(logits) for logits in self.judge(fake, batch)]
        terms = {"adversarial": torch.stack(losses).sum()}
        if self.guide is not None and self.guidance:
            # Section 3.4.
            terms["guide"] = self.guidance * cross_entropy(self.guide(fake), batch["label"])
        return terms

    def after_step(self, progress: Progress) -> None:
        layers = self.newest() if self.stages else self.generator.synthesis.layers
        for layer in layers:
            assert isinstance(layer, Layer)
            layer.track()
        if self._mean_style is not None and not self.stages:
            self.generator.mapping.track(self._mean_style)
        self._mean_style = None


def _bands(config: StyleGANXL.Config) -> Bands:
    """The layers' bands: of the first stage, then of each doubling.

    Raises:
        UserError: The picture cannot have been doubled so often.
    """
    times = 2**config.stages
    if any(side % times or side // times < LEAST_SIDE for side in config.size):
        size = "x".join(str(side) for side in config.size)
        raise UserError(
            f"model.stages={config.stages} halves {size} pixels to less than {LEAST_SIDE}, or to "
            "no whole number: a run of stage 0 comes first, of small pictures"
        )
    shape = {"base": config.base, "most": config.most, "margin": config.margin}
    first = (config.size[0] // times, config.size[1] // times)
    bands = Bands.of(first, config.channels, layers=config.layers, **shape)
    for stage in range(1, config.stages + 1):
        size = (first[0] * 2**stage, first[1] * 2**stage)
        bands = bands.grown(size, config.channels, layers=config.added, **shape)
    return bands


# Appendix: the rates of StyleGAN3 and of projected GANs' discriminator.
BOTH = {
    "discriminator": Optim(lr=2e-3, betas=(0.0, 0.99)),
    "generator": Optim(lr=2.5e-3, betas=(0.0, 0.99)),
}
PAPER = "arXiv:2202.00273"
AUGMENTED = (ShowsAugmented(policy=("color", "translation", "cutout")),)
SMALL = StyleGANXL.Config(
    labels=True,
    latent=32,
    style=32,
    base=192,
    most=32,
    layers=4,
    added=3,
    margin=2,
    clamp=None,
    features="random",
    seen=LEAST,
    critic_width=16,
    blur=0.0,
)


def published(side: int, stages: int, batch: int, *, guided: bool) -> Recipe:
    """A stage of the paper's on ImageNet, of pictures of `side` pixels."""
    return Recipe(
        model=StyleGANXL.Config(
            labels=True, stages=stages, guide="efficientnet-lite0" if guided else ""
        ),
        data=Images(path="photos", size=(side, side), flip=True),
        optim=BOTH,
        remedies=AUGMENTED,
        ema=Averaging(half_life=10_000),
        train=Train(examples=25_000_000, batch=batch, batch_per_device=32),
        evaluate=Evaluate(every=1_000_000, samples=10_000),
        about="a stage of the paper's on ImageNet, for many GPUs; give the folder with --data",
        sources=cite(f"{PAPER}, section 3", "model.latent", "model.layers", "model.added"),
    )


PRESETS = {
    "digits": Recipe(
        model=SMALL.model_copy(update={"guide": "digits", "guidance": 1.0}),
        data=Images(path="digits"),
        optim=BOTH,
        ema=Averaging(half_life=4_000),
        train=Train(examples=100_000, batch=32, sheet_every=25_000, log_every=4_000),
        evaluate=Evaluate(every=100_000, samples=1_500),
        about="the first stage's parts at 8x8, with random features; minutes on one core",
    ),
    "imagenet16": published(16, 0, 2048, guided=False),
    "imagenet32": published(32, 1, 2048, guided=True),
    "imagenet64": published(64, 2, 256, guided=True),
    "imagenet128": published(128, 3, 256, guided=True),
    "imagenet256": published(256, 4, 256, guided=True),
    "tiny": tiny(
        SMALL.model_copy(
            update={
                "latent": 8,
                "style": 8,
                "base": 64,
                "most": 8,
                "critic_width": 4,
                "guide": "digits",
            }
        ),
        Images(path="digits"),
        BOTH,
    ),
}
