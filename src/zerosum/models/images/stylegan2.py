"""StyleGAN2, with or without classes: styles, path lengths, lazy penalties.

Karras, Laine, Aittala, Hellsten, Lehtinen and Aila 2020, "Analyzing and Improving the Image
Quality of StyleGAN", arXiv:1912.04958: modulated convolutions whose deviation is undone (section
2.2), lazy regularisation (section 3.1), path length regularisation (section 3.2), images summed
over resolutions and a residual discriminator (section 4.1), the non-saturating loss with R1
(appendix B). Mixed styles are of Karras, Laine and Aila 2019, arXiv:1812.04948, section 3.1.
Conditions, and the settings of small and of published sets, are of Karras, Aittala, Hellsten,
Laine, Lehtinen and Aila 2020, "Training Generative Adversarial Networks with Limited Data",
arXiv:2006.06676, appendices D and E; frozen layers of Mo, Cho and Shin 2020, arXiv:2002.10964.

Deviations: the mean style moves once a step, by the styles of the generator's turn, not with each
call; samples are drawn with the noise maps that the network keeps, so that a seed gives the same
sample in any number; sides need not be powers of two (see `zerosum.nets.stylegan2`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field as Setting
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.config import Count, Fraction, Share, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Progress, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.remedies import AdaptiveAugmentation
from zerosum.core.schedule import Cosine, Number, at, bounded
from zerosum.core.search import Factor
from zerosum.data.fields import Category, Field
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1
from zerosum.losses.smoothness import PathLength
from zerosum.modalities.images import Images, MaybeLabelledImageConfig
from zerosum.nets.styled import Noise
from zerosum.nets.stylegan2 import Architecture, Generator
from zerosum.nets.stylegan2_critic import Discriminator


class StyleGAN2(LatentGame):
    class Config(MaybeLabelledImageConfig):
        latent: Count = 512
        """Numbers in the latent code."""
        style: Count = 512
        """Numbers in a style, which the mapping network makes of a code."""
        layers: Count = 8
        """Layers of the mapping network."""
        base: Count = 32768
        """Feature maps of a resolution times its longer side, in both networks."""
        most: Count = 512
        """Largest number of feature maps."""
        architecture: Architecture = "skip"
        """How the generator's resolutions are joined."""
        critic_architecture: Architecture = "resnet"
        """How the discriminator's are."""
        noise: bool = True
        """Add noise to each map of the generator."""
        gamma: Annotated[Number, bounded(ge=0)] = 10.0
        """Weight of R1, taken times gamma / 2."""
        path: Weight = 2.0
        """Weight of the path length penalty; 0 plays none."""
        path_every: Count = 4
        """Steps from one path length penalty to the next, whose weight is that many times it."""
        penalty_every: Count = 16
        """The same of R1."""
        shrink: Count = 2
        """The path length penalty takes one sample of so many."""
        mixing: Share = 0.9
        """Share of the batches whose samples take their later layers' styles of a second code."""
        group: Count = 4
        """Samples that the discriminator compares with each other."""
        clamp: float | None = Setting(default=None, gt=0)
        """Largest absolute value of a map, for half precision; None for no bound."""
        momentum: Fraction = 0.995
        """Share that the mean style keeps at each step."""
        freeze: Whole = 0
        """First layers of the discriminator that stay as they are: for `--from`."""

    class Options(SampleOptions):
        truncation: float = Setting(default=1.0, ge=-2, le=2)
        """How far a style is from the mean style: 1 as it is, 0.7 more alike and cleaner."""
        cutoff: Whole = 0
        """Truncate only so many of the first styles, those of the coarse layers; 0 for all."""
        noise: Noise = "const"
        """Noise maps: those of the network (const), drawn anew (random), or none."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.classes = config.latent, config.classes
        self.gamma, self.weight, self.mixing = config.gamma, config.path, config.mixing
        self.path_every, self.penalty_every = config.path_every, config.penalty_every
        self.shrink = config.shrink
        self.objective = OBJECTIVES["nonsaturating"]
        self.generator = Generator(
            config.latent,
            config.classes,
            config.style,
            config.channels,
            config.size,
            layers=config.layers,
            momentum=config.momentum,
            base=config.base,
            most=config.most,
            architecture=config.architecture,
            clamp=config.clamp,
            noisy=config.noise,
        )
        self.discriminator = Discriminator(
            config.classes,
            config.channels,
            config.size,
            base=config.base,
            most=config.most,
            architecture=config.critic_architecture,
            clamp=config.clamp,
            group=config.group,
            freeze=config.freeze,
        )
        self.path = PathLength()
        self._mean_style: Tensor | None = None

    def conditions(self) -> dict[str, Field]:
        return {"label": Category(count=self.classes)} if self.classes else {}

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.judge(batch["image"], batch)}

    def turns(self) -> list[Turn]:
        turns = [Turn("generator", self.generator_loss)]
        if self.weight:
            turns.append(Turn("generator", self.path_loss, every=self.path_every))
        turns.append(Turn("discriminator", self.discriminator_loss))
        turns.append(Turn("discriminator", self.penalty_loss, every=self.penalty_every))
        return turns

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"label": self.uniform_labels(n, self.classes, rng)} if self.classes else {}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        options = self.options
        assert isinstance(options, StyleGAN2.Options)
        cutoff = options.cutoff or None
        styles = self.generator.mapping(z, self.told(condition), options.truncation, cutoff)
        return self.of_styles(styles, condition)

    def to_styles(self, z: Tensor, condition: Batch) -> Tensor:
        """Styles (n, layers, style) of codes (n, latent) under conditions, not truncated."""
        return self.generator.mapping(z, self.told(condition))

    def of_styles(self, styles: Tensor, condition: Batch) -> dict[str, Tensor]:
        """Samples of styles (n, layers, style)."""
        options = self.options
        assert isinstance(options, StyleGAN2.Options)
        # The last layer is linear; samples are images, in [-1, 1].
        image = {"image": self.generator.synthesis(styles, options.noise).clamp(-1, 1)}
        return image | {"label": condition["label"]} if self.classes else image

    def mean_style(self) -> Tensor:
        """The mean style (style,)."""
        return self.generator.mapping.average

    def style_weights(self) -> list[Tensor]:
        """For each style, the matrices (numbers, style) of the layers that it tells."""
        return self.generator.synthesis.style_weights()

    def told(self, batch: Batch) -> Tensor | None:
        """One-hot labels (B, classes) of a batch; None where classes are not told."""
        return one_hot(batch["label"], self.classes).float() if self.classes else None

    def judge(self, images: Tensor, batch: Batch) -> Tensor:
        """Logits (B,) of images (B, C, H, W) said to be of a batch's classes."""
        return self.discriminator(images, self.told(batch)).squeeze(1)

    def styles(self, n: int, batch: Batch) -> Tensor:
        """Styles (n, layers, style) of n new codes under the first n conditions of a batch, most
        of them mixed of two codes."""
        condition = self.told(batch)
        condition = None if condition is None else condition[:n]
        styles = self.generator.mapping(self.latent(n), condition)
        self._mean_style = styles[:, 0].detach().mean(0)
        layers = styles.shape[1]
        if self.mixing and float(torch.rand(())) < self.mixing:
            first = int(torch.randint(1, layers, ()))
            other = self.generator.mapping(self.latent(n), condition)
            styles = torch.cat([styles[:, :first], other[:, first:]], dim=1)
        return styles

    def fakes(self, batch: Batch) -> Tensor:
        """Images (B, C, H, W) to train on: as many as a batch has, with new noise."""
        return self.generator.synthesis(self.styles(len(batch["image"]), batch), "random")

    def generator_loss(self, batch: Batch) -> Terms:
        return {"adversarial": self.objective.generator(self.judge(self.fakes(batch), batch))}

    def path_loss(self, batch: Batch) -> Terms:
        n = max(len(batch["image"]) // self.shrink, 1)
        styles = self.styles(n, batch)
        length = self.path(lambda w: self.generator.synthesis(w, "random"), styles)
        return {"path": self.path_every * self.weight * length}

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
        self.path.update()
        if self._mean_style is not None:
            self.generator.mapping.track(self._mean_style)
        self._mean_style = None


def both(lr: float) -> dict[str, Optim]:
    """Both players' optimizers at the intervals of the paper."""
    adam = Optim(lr=lr, betas=(0.0, 0.99))
    return {"discriminator": adam.lazy(16), "generator": adam.lazy(4)}


def auto(
    side: int, batch: int | None = None, path: str = "photos", examples: int = 25_000_000
) -> Recipe:
    """The recipe by resolution and batch of the authors' configuration `auto`, on one device.

    Args:
        side: Longer side of the images in pixels.
        batch: Images per step; None takes 4096 / side, at most 32.
        path: The data.
        examples: Length of the run.
    """
    batch = batch or max(min(4096 // side, 32), 1)
    return Recipe(
        model=StyleGAN2.Config(
            layers=2,
            base=32768 if side >= 512 else 16384,
            gamma=0.0002 * side**2 / batch,
            group=min(batch, 4),
        ),
        data=Images(path=path, size=(side, side), flip=True),
        optim=both(0.002 if side >= 1024 else 0.0025),
        ema=Averaging(half_life=batch * 10_000 / 32),
        train=Train(examples=examples, batch=batch),
        about="by resolution and batch; give your folder with --data",
        sources=cite(f"{RELEASE} auto, {side} pixels", "model", *TABLE),
    )


def published(
    name: str, side: int, *, batch: int, group: int, base: int, lr: float, gamma: float, ema: int
) -> Recipe:
    """The authors' configuration of a name, for images of one side."""
    return Recipe(
        model=StyleGAN2.Config(base=base, gamma=gamma, group=group),
        data=Images(path="photos", size=(side, side), flip=True),
        optim=both(lr),
        ema=Averaging(half_life=ema, ramp=0),
        train=Train(examples=25_000_000, batch=batch, checkpoint_every=1_000_000),
        about="published settings, for several GPUs; give the folder with --data",
        sources=cite(f"{RELEASE} {name}", "model", *TABLE, "train.examples"),
    )


def cifar10(*remedies: AdaptiveAugmentation) -> Recipe:
    """The authors' configuration for CIFAR-10: no path lengths, no mixing, blocks in a row."""
    told = ("remedies",) if remedies else ()
    return Recipe(
        model=StyleGAN2.Config(
            layers=2, critic_architecture="orig", gamma=0.01, path=0, mixing=0, group=32
        ),
        data=Images(path="cifar10"),
        optim=both(0.0025),
        remedies=remedies,
        ema=Averaging(half_life=500_000),
        train=Train(examples=100_000_000, batch=64, checkpoint_every=1_000_000),
        evaluate=Evaluate(every=1_000_000, samples=5_000),
        about="for a GPU; model.labels=true tells the class",
        sources=cite(f"{RELEASE} cifar", "model", *TABLE, "train.examples", *told),
    )


RELEASE = "arXiv:2006.06676, the authors' configuration"
TABLE = ("optim", "ema", "train.batch")
# Minutes hold some thousand steps: start fast, end calm.
QUICK = {
    "discriminator": both(0.004)["discriminator"],
    "generator": both(0.0025)["generator"].model_copy(update={"lr": Cosine(start=4e-3, end=4e-4)}),
}

SEARCH = {"model.gamma": Factor(0.1, 10)}

PRESETS = {
    "digits": Recipe(
        model=StyleGAN2.Config(
            latent=32, style=64, layers=2, base=256, most=48, gamma=1.0, path=0, mixing=0.5
        ),
        data=Images(path="digits"),
        optim=QUICK,
        ema=Averaging(half_life=4_000),
        train=Train(examples=110_000, batch=16, sheet_every=50_000, log_every=4_000),
        evaluate=Evaluate(every=100_000, samples=1_500),
        about="the paper's parts at 8x8, in minutes on one core",
    ),
    "fashion": Recipe(
        model=StyleGAN2.Config(latent=64, style=64, layers=2, base=672, most=64, gamma=1.0),
        data=Images(path="fashion-mnist"),
        optim=both(0.0025),
        ema=Averaging(half_life=10_000),
        train=Train(examples=400_000, batch=32, sheet_every=20_000),
        evaluate=Evaluate(every=100_000, samples=5_000),
        about="7, 14 and 28 pixels, narrow",
    ),
    "photos": auto(64),
    "cifar10": cifar10(),
    "cifar10-ada": cifar10(AdaptiveAugmentation()),
    "paper256": published(
        "paper256", 256, batch=64, group=8, base=16384, lr=0.0025, gamma=1.0, ema=20_000
    ),
    "paper512": published(
        "paper512", 512, batch=64, group=8, base=32768, lr=0.0025, gamma=0.5, ema=20_000
    ),
    "paper1024": published(
        "paper1024", 1024, batch=32, group=4, base=32768, lr=0.002, gamma=2.0, ema=10_000
    ),
    "tiny": tiny(
        StyleGAN2.Config(
            latent=8, style=8, layers=2, base=64, most=8, path_every=2, penalty_every=2
        ),
        Images(path="digits"),
        both(0.0025),
    ),
}
