"""Real-ESRGAN: enlarging pictures that were blurred, noised and compressed on their way.

Wang, Xie, Dong and Shan 2021, "Real-ESRGAN: training real-world blind super-resolution with pure
synthetic data", arXiv:2107.10833. What is new lies around ESRGAN's generator:

    section 3.2  inputs are degraded twice over, by blur, resizing, noise and JPEG;
    section 3.3  and some ring, by sinc filters;
    section 3.4  the critic is a U-Net that judges each pixel, under spectral normalisation;
    section 4.1  |y - G(x)|_1 first, alone; then 1 of it, 1 of a classifier's layers and 0.1 of
                 the game. The generator is averaged.

The first phase lasts `model.warm_up` examples of one run; its weights stay in the model, and
`strength` samples from a mixture: 0 is the first phase's network, 1 the game's.

Deviations: the classifier is EfficientNet-Lite0, since VGG-19's weights cannot be had everywhere,
and each layer's distance is a share of its size, all with one weight; without its weights here,
set model.features=none. Targets are not sharpened, and there is no pool of pairs: each visit is
degraded anew. With `model.base` the layers learn what to add to the picture enlarged bicubically,
which a training of minutes needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from zerosum.config import Count, Share, Size, Weight, Whole
from zerosum.core import game
from zerosum.core.game import Batch, Game, Progress, Terms, Turn, input_of
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Piecewise
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.reconstruction import l1
from zerosum.modalities.images.degraded import Degraded, enlargement
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.perceptual import (
    PerceptualName,
    perceptual_loss,
    perceptual_network,
)
from zerosum.modalities.images.sized import Sight
from zerosum.nets.remembered import Remembered
from zerosum.nets.rrdb import RRDBNet
from zerosum.nets.upscale import HALVED, UNetCritic


class RealESRGAN(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "image")

        channels: Whole = 0
        """Channels of the pictures; 0 takes the number from the data."""
        scale: Whole = 0
        """How many times larger answers are, each way; 0 takes it from the data."""
        size: Size = (0, 0)
        """(height, width) of inputs in pixels; 0 takes it from the data. Any other can be given
        to the trained model."""
        width: Count = 64
        """Feature maps between the generator's blocks."""
        blocks: Count = 23
        """Residual in residual dense blocks of the generator."""
        growth: Count = 32
        """Feature maps that each layer of a dense block adds."""
        base: bool = False
        """Learn what to add to the picture enlarged bicubically."""
        critic_width: Count = 64
        """Feature maps of the critic's first layer."""
        warm_up: Whole = 0
        """Examples of the first phase, in which the generator learns alone."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss."""
        adversarial: Weight = 0.1
        """Weight of the game for the generator."""
        features: PerceptualName = "efficientnet-lite0"
        """Whose layers say how far an answer is from the truth in the second phase; none."""
        perceptual: Weight = 1.0
        """Weight of that distance."""
        distance: Weight = 1.0
        """Weight of the mean difference of pixels in the second phase."""

        def matched(self, spec: DataSpec) -> Self:
            channels, scale, size = enlargement(spec)
            found = {"channels": channels, "scale": scale, "size": size}
            followed = self.following(found)
            if any(side * scale % HALVED for side in size):
                near = max(1, round(size[0] * scale / HALVED)) * HALVED
                raise UserError(
                    f"real_esrgan's critic halves what it sees three times, which crops of "
                    f"{size[0] * scale} pixels cannot be: set data.crop={near}"
                )
            return followed

    class Options(game.SampleOptions):
        strength: Share = 1.0
        """How much of the game is in an answer: 0 is the first phase's network, 1 the last."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights, self.scale = config, config.scale
        self.given = ImageField(shape=(config.channels, *config.size))
        self.objective = OBJECTIVES[config.objective]
        network = RRDBNet(
            config.channels,
            scale=config.scale,
            width=config.width,
            blocks=config.blocks,
            growth=config.growth,
            base=config.base,
        )
        self.radius = network.radius
        self.generator = Remembered(network)
        self.discriminator = UNetCritic(config.channels, width=config.critic_width)
        self.perceptual = perceptual_network(config.features)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        if self.progress.seen < self.weights.warm_up:
            return [Turn("generator", self.distance_loss)]
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def after_step(self, progress: Progress) -> None:
        if progress.seen < self.weights.warm_up:
            self.generator.remember()

    def inputs(self) -> dict[str, ImageField]:
        return {"input": self.given}

    def sight(self) -> Sight:
        """What the layers reach to each side."""
        return Sight(radius=self.radius, scale=self.scale)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        how = "real_esrgan enlarges: give the pictures as input (n, channels, H, W)"
        given = input_of(condition, n, how)
        strength: float = self.options.strength  # pyright: ignore[reportAttributeAccessIssue]
        if strength < 1 and not self.weights.warm_up:
            raise UserError("strength mixes two phases, and this model had one: leave it out")
        return {"image": self.generator(given, strength=strength), "input": given}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch["image"])}

    def distance_loss(self, batch: Batch) -> Terms:
        fake = self.answered(batch)
        return {"l1": l1(fake["image"], batch["image"])}

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self.answered(batch)
        real_logits = self.discriminator(batch["image"])
        fake_logits = self.discriminator(fake["image"])
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        weights, truth = self.weights, batch["image"]
        fake = self.answered(batch)["image"]
        real_logits = self.discriminator(truth) if self.objective.relativistic else None
        game = self.objective.generator(self.discriminator(fake), real_logits)
        terms = {"adversarial": weights.adversarial * game}
        if self.perceptual is not None:
            layers = perceptual_loss(self.perceptual(fake), self.perceptual(truth))
            terms["perceptual"] = weights.perceptual * layers
        if weights.distance:
            terms["l1"] = weights.distance * l1(fake, truth)
        return terms


ADAM = Optim(lr=1e-4, betas=(0.9, 0.999))
RULES = "arXiv:2107.10833, section 4.1"
WEIGHTS = "arXiv:2107.10833, section 4.1, weights"

BLIND: Literal["second-order"] = "second-order"
KODAK = Degraded(path="kodak", holdout=0.25, crop=64, degradation=BLIND, flip=True)
SMALL = RealESRGAN.Config(width=32, blocks=2, growth=16, base=True, critic_width=16, warm_up=8_000)
QUICK = {
    "discriminator": Optim(lr=2e-4, betas=(0.9, 0.999)),
    "generator": Optim(
        lr=Piecewise(points=[(0, 1e-3), (8_000, 1e-3), (8_001, 2e-4)]), betas=(0.9, 0.999)
    ),
}
SCORED = Evaluate(
    every=0, samples=576, features="efficientnet-lite0", metrics=("kd", "perceptual", "psnr")
)
CALM = Averaging(half_life=600)
SHORT = Train(examples=12_800, batch=16, checkpoint_every=3_200, sheet_every=3_200, log_every=800)

SEARCH = {"model.adversarial": Factor(0.1, 10), "model.distance": Factor(0.1, 10)}

PRESETS = {
    "kodak": Recipe(
        model=SMALL,
        data=KODAK,
        optim=QUICK,
        ema=CALM,
        train=SHORT,
        evaluate=SCORED,
        about="minutes of one core, on 18 photographs",
        sources=cite(RULES, "data.scale", "data.degradation")
        | cite(WEIGHTS, "model.adversarial", "model.perceptual", "model.distance"),
    ),
    "photos": Recipe(
        model=RealESRGAN.Config(warm_up=48_000_000),
        data=Degraded(path="photos", crop=256, degradation=BLIND, flip=True),
        optim={
            "discriminator": ADAM,
            "generator": Optim(
                lr=Piecewise(points=[(0, 2e-4), (48_000_000, 2e-4), (48_000_001, 1e-4)]),
                betas=(0.9, 0.999),
            ),
        },
        train=Train(examples=67_200_000, batch=48),
        evaluate=SCORED,
        about="the paper's networks and length, for a GPU and a folder given with --data",
        sources=cite(
            RULES,
            "optim",
            "data.crop",
            "data.scale",
            "data.degradation",
            "train.batch",
            "train.examples",
            "model.warm_up",
        )
        | cite(WEIGHTS, "model.adversarial", "model.perceptual", "model.distance"),
    ),
    "tiny": tiny(
        RealESRGAN.Config(
            width=8, blocks=1, growth=4, critic_width=4, warm_up=320, features="none"
        ),
        Degraded(path="samples", scale=2, crop=16, degradation=BLIND),
        {"discriminator": ADAM, "generator": Optim(lr=1e-3, betas=(0.9, 0.999))},
    ),
}
