"""SRGAN: pictures four times as large, with the detail that a mean would leave out.

Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial
network", arXiv:1609.04802. Of a small picture x and the sharp one y that it was made of:

    eq. 4  |y - G(x)|^2, which is all that SRResNet learns, and leaves answers smooth;
    eq. 5  the same between layers of a classifier, phi(y) and phi(G(x));
    eq. 3  eq. 5 plus a thousandth of eq. 6, the generator's part of the game, -log D(G(x)).

Section 3.2: SRResNet is trained first, and the game begins with its weights. Here that is a phase
of one run: for `model.warm_up` examples the generator moves alone, on eq. 4. Its weights at the
end of the phase stay in the model: with `strength` 0 it samples from them, with 1 from those that
the game made, in between from a mixture (arXiv:1809.00219, eq. 4).

Deviations: the classifier is EfficientNet-Lite0, since VGG-19's weights cannot be had everywhere,
and the distance of each of five layers is a share of its size; without its weights here, set
model.features=none. What the game's phase keeps of eq. 4 is `model.distance`. The critic joins its
last maps by their mean, so that any size is judged. With `model.base` the layers learn what to add
to the picture enlarged bicubically, which a training of minutes needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

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
from zerosum.losses.reconstruction import l2
from zerosum.modalities.images.degraded import Degraded, enlargement
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.perceptual import (
    PerceptualName,
    perceptual_loss,
    perceptual_network,
)
from zerosum.modalities.images.sized import Sight
from zerosum.nets.remembered import Remembered
from zerosum.nets.upscale import PictureCritic, SRResNet


class SRGAN(Game):
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
        """Feature maps of the generator."""
        blocks: Count = 16
        """Residual blocks of the generator."""
        batch_norm: bool = True
        """Normalise the generator's maps by the batch."""
        base: bool = False
        """Learn what to add to the picture enlarged bicubically."""
        critic_width: Count = 64
        """Feature maps of the critic's first layer."""
        critic_halvings: Count = 4
        """How often the critic halves what it sees."""
        warm_up: Whole = 0
        """Examples of the first phase, in which the generator learns alone."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss."""
        adversarial: Weight = 1e-3
        """Weight of the game for the generator."""
        features: PerceptualName = "efficientnet-lite0"
        """Whose layers say how far an answer is from the truth in the second phase; none."""
        perceptual: Weight = 1.0
        """Weight of that distance."""
        distance: Weight = 0.0
        """Weight of the mean squared difference of pixels in the second phase."""

        def matched(self, spec: DataSpec) -> Self:
            channels, scale, size = enlargement(spec)
            found = {"channels": channels, "scale": scale, "size": size}
            return self.following(found)

    class Options(game.SampleOptions):
        strength: Share = 1.0
        """How much of the game is in an answer: 0 is the first phase's network, 1 the last."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights, self.scale = config, config.scale
        self.given = ImageField(shape=(config.channels, *config.size))
        self.objective = OBJECTIVES[config.objective]
        network = SRResNet(
            config.channels,
            scale=config.scale,
            width=config.width,
            blocks=config.blocks,
            batch=config.batch_norm,
            base=config.base,
        )
        self.radius = network.radius
        self.generator = Remembered(network)
        self.discriminator = PictureCritic(
            config.channels, width=config.critic_width, halvings=config.critic_halvings
        )
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
        how = "srgan enlarges: give the pictures as input (n, channels, H, W)"
        given = input_of(condition, n, how)
        strength: float = self.options.strength  # pyright: ignore[reportAttributeAccessIssue]
        if strength < 1 and not self.weights.warm_up:
            raise UserError("strength mixes two phases, and this model had one: leave it out")
        return {"image": self.generator(given, strength=strength), "input": given}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch["image"])}

    def distance_loss(self, batch: Batch) -> Terms:
        fake = self.answered(batch)
        return {"l2": l2(fake["image"], batch["image"])}

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
            terms["l2"] = weights.distance * l2(fake, truth)
        return terms


ADAM = Optim(lr=1e-4, betas=(0.9, 0.999))
BOTH = {"discriminator": ADAM, "generator": ADAM}
RULES = "arXiv:1609.04802, section 3.2"

KODAK = Degraded(path="kodak", holdout=0.25, crop=64, flip=True)
SMALL = SRGAN.Config(
    width=32,
    blocks=6,
    batch_norm=False,
    base=True,
    critic_width=24,
    warm_up=8_000,
    adversarial=5e-3,
    distance=0.5,
)
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
        sources=cite(RULES, "data.scale", "train.batch"),
    ),
    "kodak-l2": Recipe(
        model=SMALL.model_copy(update={"warm_up": SHORT.examples}),
        data=KODAK,
        optim=QUICK,
        ema=CALM,
        train=SHORT,
        evaluate=SCORED,
        about="kodak with the first phase alone",
        sources=cite(RULES, "data.scale", "train.batch"),
    ),
    "photos": Recipe(
        model=SRGAN.Config(warm_up=16_000_000),
        data=Degraded(path="photos", flip=True),
        optim={
            "discriminator": ADAM,
            "generator": ADAM,
        },
        ema=Averaging(half_life=0),
        train=Train(examples=19_200_000, batch=16),
        evaluate=SCORED,
        about="the paper's networks and length, for a GPU and a folder given with --data",
        sources=cite(RULES, "optim", "model.warm_up", "data.crop", "data.scale", "train.batch")
        | cite("arXiv:1609.04802, section 2.1", "model.blocks", "model.width")
        | cite("arXiv:1609.04802, eq. 3", "model.adversarial"),
    ),
    "tiny": tiny(
        SRGAN.Config(
            width=8,
            blocks=1,
            batch_norm=False,
            critic_width=4,
            critic_halvings=2,
            warm_up=320,
            features="none",
            distance=1.0,
        ),
        Degraded(path="samples", scale=2, crop=16),
        BOTH,
    ),
}
