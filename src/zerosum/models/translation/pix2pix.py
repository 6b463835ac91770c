"""pix2pix: from pictures to pictures, learned from pairs by a game and a distance.

Isola, Zhu, Zhou and Efros 2017, "Image-to-image translation with conditional adversarial
networks", arXiv:1611.07004. Of an input x, an answer y and noise z:

    eq. 1  the critic tells (x, y) from (x, G(x, z)), patch by patch;
    eq. 3  |y - G(x, z)|_1, which gets the coarse and leaves the fine blurred;
    eq. 4  the game plus lambda times the distance, lambda = 100 (section 6.2).

Section 3.1: z is nothing but dropout in the first layers of the decoder, kept on when sampling.
Section 3.3: the generator maximises log D(x, G(x, z)); the critic's loss is halved; Adam(2e-4,
0.5, 0.999). Section 6.1: a U-Net with batch normalisation, and a critic of 70x70 patches.

Deviations: dropout's masks are drawn from the generator of the sampling, so that a sample can be
had again, and `noise=False` drops nothing. Normalisation is by each picture's own statistics: the
paper's batch normalisation at batch 1, where the statistics of the test picture are used, is the
same; `model.norm=batch` keeps running statistics instead. Pictures of less than 94 pixels are
judged in smaller patches. With `model.adversarial=0` the critic rests, and what is left is the
plain network that the paper compares with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count, Size, Whole
from zerosum.core import game
from zerosum.core.game import Batch, Game, Terms, Turn, input_of
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.reconstruction import l1
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.pairs import Pairs
from zerosum.modalities.images.sized import Sight
from zerosum.nets.translate import (
    NormName,
    PatchCritic,
    TranslatingUNet,
    fitting_patch,
)


class Pix2Pix(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "image")

        input_channels: Whole = 0
        """Channels of the picture that is given; 0 takes the number from the data."""
        channels: Whole = 0
        """Channels of the answer; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) of both in pixels; 0 takes it from the data."""
        width: Count = 64
        """Feature maps of the generator's first layer; doubled at each halving, up to 8 times."""
        halvings: Whole = 0
        """How often the generator halves a picture; 0: as often as its size allows, at most 8."""
        critic_width: Count = 64
        """Feature maps of the critic's first layer."""
        patch: Whole = 0
        """Side of what a logit sees: 7, 16, 34, 70, 142 or 286; 0: 70, less for small pictures."""
        norm: NormName = "instance"
        """Normalisation: by each picture's own statistics, or by the batch's."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss."""
        adversarial: float = Setting(default=1.0, ge=0)
        """Weight of the game for the generator; 0 plays none, and the critic rests."""
        distance: float = Setting(default=100.0, ge=0)
        """Weight of the L1 distance to the true answer."""

        def matched(self, spec: DataSpec) -> Self:
            before, *size = spec.shape("input")
            after, *answered = spec.shape("image")
            if size != answered:
                raise UserError(
                    f"input and answer differ in size, {size[0]}x{size[1]} and "
                    f"{answered[0]}x{answered[1]}: set data.size to make them alike"
                )
            found = {"input_channels": before, "channels": after, "size": (size[0], size[1])}
            return self.following(found)

    class Options(game.SampleOptions):
        noise: bool = True
        """Drop entries when sampling, as the paper does; false gives one answer per input."""

        def still(self) -> Self:
            return self.model_copy(update={"noise": False})

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.given = ImageField(shape=(config.input_channels, *config.size))
        self.objective = OBJECTIVES[config.objective]
        self.adversarial, self.distance = config.adversarial, config.distance
        self.generator = TranslatingUNet(
            config.input_channels,
            config.channels,
            config.size,
            width=config.width,
            norm=config.norm,
            levels=config.halvings,
        )
        self.discriminator = PatchCritic(
            config.input_channels + config.channels,
            width=config.critic_width,
            patch=fitting_patch(config.patch, config.size),
            norm=config.norm,
        )

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        move = Turn("generator", self.generator_loss)
        if not self.adversarial:
            return [move]
        return [Turn("discriminator", self.discriminator_loss), move]

    def inputs(self) -> dict[str, ImageField]:
        return {"input": self.given}

    def sight(self) -> Sight:
        """It looks at all of a picture, whose sides must be halved as often as in training."""
        return Sight(2**self.generator.levels)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        how = "pix2pix translates: give the pictures as input (n, channels, H, W)"
        given = input_of(condition, n, how)
        noise = self.options.noise  # pyright: ignore[reportAttributeAccessIssue]
        return {"image": self.generator(given, rng, noise=noise), "input": given}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": self.judge} if self.adversarial else {}

    def judge(self, batch: Batch) -> Tensor:
        """Logits (B, 1, h, w) of pairs of input and answer."""
        return self.discriminator(torch.cat([batch["input"], batch["image"]], dim=1))

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self.sample(len(batch["input"]), input=batch["input"])
        real_logits, fake_logits = self.judge(batch), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits) / 2}

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.sample(len(batch["input"]), input=batch["input"])
        terms = {"l1": self.distance * l1(fake["image"], batch["image"])}
        if self.adversarial:
            real_logits = self.judge(batch) if self.objective.relativistic else None
            loss = self.objective.generator(self.judge(fake), real_logits)
            terms["adversarial"] = self.adversarial * loss
        return terms


PAPER = Optim(lr=2e-4, betas=(0.5, 0.999))  # section 3.3
PAPER_BOTH = {"discriminator": PAPER, "generator": PAPER}

FACADES = Pairs(path="facades", direction="BtoA", size=(64, 64), crop=True, flip=True)
# Down to 4x4 and no further: a step then costs 0.6 of one with all six halvings.
SMALL = Pix2Pix.Config(width=32, critic_width=32, halvings=4)
QUICK = Train(examples=32_000, batch=4, checkpoint_every=4_000, sheet_every=4_000, log_every=400)
ICONS = Pairs(path="icons:thin-bold", flip=True)
STROKES = Pix2Pix.Config(width=32, critic_width=32, halvings=3)
FEW = Train(examples=24_000, batch=16, checkpoint_every=8_000, sheet_every=4_000, log_every=800)
# Few steps leave the weights restless: their average answers better.
CALM = Averaging(half_life=1_200)

RATES = "arXiv:1611.07004, section 3.3"
JITTER = "arXiv:1611.07004, section 6.2"

SEARCH = {"model.distance": Factor(0.1, 10)}

PRESETS = {
    "facades": Recipe(
        model=SMALL,
        data=FACADES,
        optim=PAPER_BOTH,
        ema=CALM,
        train=QUICK,
        evaluate=Evaluate(every=8_000, samples=106),
        about="an eighth of the paper's scale, averaged",
        sources=cite(JITTER, "model.distance", "data.flip", "data.crop") | cite(RATES, "optim"),
    ),
    "facades-l1": Recipe(
        model=SMALL.model_copy(update={"adversarial": 0.0}),
        data=FACADES,
        optim=PAPER_BOTH,
        ema=CALM,
        train=QUICK,
        evaluate=Evaluate(every=8_000, samples=106),
        about="facades without the game",
        sources=cite("arXiv:1611.07004, section 4.2", "model.adversarial")
        | cite(RATES, "optim")
        | cite(JITTER, "data.flip", "data.crop"),
    ),
    "facades-256": Recipe(
        model=Pix2Pix.Config(),
        data=FACADES.model_copy(update={"size": (256, 256)}),
        optim=PAPER_BOTH,
        ema=Averaging(half_life=0),
        train=Train(examples=80_000, batch=1, sheet_every=8_000, checkpoint_every=20_000),
        evaluate=Evaluate(every=20_000, samples=106),
        about="200 epochs of 400 pairs",
        sources=cite("arXiv:1611.07004, section 6.1", "model.width", "model.critic_width")
        | cite(
            JITTER,
            "model.distance",
            "data.size",
            "data.flip",
            "data.crop",
            "train.batch",
            "train.examples",
        )
        | cite(RATES, "optim"),
    ),
    "icons": Recipe(
        model=STROKES,
        data=ICONS,
        optim=PAPER_BOTH,
        ema=CALM,
        train=FEW,
        evaluate=Evaluate(every=8_000, samples=153),
        sources=cite(JITTER, "model.distance") | cite(RATES, "optim"),
    ),
    "icons-l1": Recipe(
        model=STROKES.model_copy(update={"adversarial": 0.0}),
        data=ICONS,
        optim=PAPER_BOTH,
        ema=CALM,
        train=FEW,
        evaluate=Evaluate(every=8_000, samples=153),
        about="icons without the game",
        sources=cite(RATES, "optim"),
    ),
    "tiny": tiny(
        Pix2Pix.Config(width=8, critic_width=8),
        Pairs(path="digits-edges"),
        {"discriminator": PAPER, "generator": Optim(lr=5e-3)},
    ),
}
