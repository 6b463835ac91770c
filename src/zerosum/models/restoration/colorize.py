"""Colour for grey photographs: pix2pix's game on the lightness and the colours of pictures.

Isola, Zhu, Zhou and Efros 2017, "Image-to-image translation with conditional adversarial
networks", arXiv:1611.07004, whose section 4 colours photographs; the idea to predict a* and b* of
CIE L*a*b* from L* is that of Zhang, Isola and Efros 2016, arXiv:1603.08511. Of a picture with
lightness L and colours c = (a, b) a generator G sees L alone:

    eq. 1  the critic tells (L, c) from (L, G(L)), patch by patch;
    eq. 3  |c - G(L)|_1, whose best answer to doubt is the median, which is greyish;
    eq. 4  the game plus lambda times the distance, lambda = 100 (section 6.2).

The networks, the halved loss of the critic, the dropout in training and Adam(2e-4, 0.5, 0.999)
are pix2pix's (sections 3.1 to 3.3 and 6.1). L is scaled to [-1, 1], a and b are divided by 110.

A sample is a finished RGB picture with the lightness that was given: a colour that no screen
shows at its lightness is paled until it can be shown.

Deviations: dropout is off when sampling unless the option `noise` is set, since one answer is
wanted; normalisation is by each picture's own statistics; pictures of less than 94 pixels are
judged in smaller patches. With `model.adversarial=0` the critic rests.
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
from zerosum.modalities.images.fields import Lightness
from zerosum.modalities.images.greyed import Greyed
from zerosum.modalities.images.lab import joined, parted
from zerosum.modalities.images.sized import Sight
from zerosum.nets.translate import (
    NormName,
    PatchCritic,
    TranslatingUNet,
    fitting_patch,
)

LIGHTNESS, COLOURS = 1, 2
"""Channels of what is given and of what is made."""


class Colorize(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "image")

        size: Size = (0, 0)
        """(height, width) in pixels; 0 takes it from the data."""
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
        """Weight of the L1 distance to the true colours."""

        def matched(self, spec: DataSpec) -> Self:
            _, *size = spec.shape("input")
            if not isinstance(spec.fields["input"], Lightness):
                raise UserError(
                    "colouring learns from pictures and their lightness, which these are not: "
                    "read them with data.kind=greyed"
                )
            return self.following({"size": (size[0], size[1])})

    class Options(game.SampleOptions):
        noise: bool = False
        """Drop entries when sampling, as in training; false gives one answer per picture."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.given = Lightness(shape=(1, *config.size))
        self.objective = OBJECTIVES[config.objective]
        self.adversarial, self.distance = config.adversarial, config.distance
        self.generator = TranslatingUNet(
            LIGHTNESS,
            COLOURS,
            config.size,
            width=config.width,
            norm=config.norm,
            levels=config.halvings,
        )
        self.discriminator = PatchCritic(
            LIGHTNESS + COLOURS,
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

    def inputs(self) -> dict[str, Lightness]:
        return {"input": self.given}

    def sight(self) -> Sight:
        """It looks at all of a picture, whose sides must be halved as often as in training."""
        return Sight(2**self.generator.levels)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        how = "colorize colours pictures: give their lightness as input (n, 1, H, W)"
        given = input_of(condition, n, how)
        noise = self.options.noise  # pyright: ignore[reportAttributeAccessIssue]
        return {"image": joined(given, self.generator(given, rng, noise=noise)), "input": given}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        if not self.adversarial:
            return {}
        return {"discriminator": lambda batch: self.judge(batch["input"], colours(batch))}

    def judge(self, given: Tensor, made: Tensor) -> Tensor:
        """Logits (B, 1, h, w) of a lightness (B, 1, H, W) and its colours (B, 2, H, W)."""
        return self.discriminator(torch.cat([given, made], dim=1))

    def discriminator_loss(self, batch: Batch) -> Terms:
        given = batch["input"]
        with torch.no_grad():
            made = self.generator(given)
        real_logits, fake_logits = self.judge(given, colours(batch)), self.judge(given, made)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits) / 2}

    def generator_loss(self, batch: Batch) -> Terms:
        given, truth = batch["input"], colours(batch)
        made = self.generator(given)
        terms = {"l1": self.distance * l1(made, truth)}
        if self.adversarial:
            real_logits = self.judge(given, truth) if self.objective.relativistic else None
            loss = self.objective.generator(self.judge(given, made), real_logits)
            terms["adversarial"] = self.adversarial * loss
        return terms


def colours(batch: Batch) -> Tensor:
    """The scaled a* and b* (B, 2, H, W) of the pictures of a batch."""
    return parted(batch["image"])[1]


PAPER = Optim(lr=2e-4, betas=(0.5, 0.999))  # section 3.3
PAPER_BOTH = {"discriminator": PAPER, "generator": PAPER}

HOUSES = Greyed(path="facades", size=(64, 64), flip=True)
SMALL = Colorize.Config(width=32, critic_width=32, halvings=4)
QUICK = Train(examples=8_000, batch=4, checkpoint_every=4_000, sheet_every=4_000, log_every=400)
# Few steps leave the weights restless: their average answers better.
CALM = Averaging(half_life=400)
SCORED = Evaluate(every=0, samples=106, metrics=("kd", "l1", "psnr", "colourfulness"))

RATES = "arXiv:1611.07004, section 3.3"
TRAINED = "arXiv:1611.07004, section 6.2, colouring"

SEARCH = {"model.distance": Factor(0.1, 10)}

PRESETS = {
    "facades": Recipe(
        model=SMALL,
        data=HOUSES,
        optim=PAPER_BOTH,
        ema=CALM,
        train=QUICK,
        evaluate=SCORED,
        about="photos of houses at 64 pixels: minutes of one core",
        sources=cite(TRAINED, "model.distance", "data.flip", "train.batch") | cite(RATES, "optim"),
    ),
    "facades-l1": Recipe(
        model=SMALL.model_copy(update={"adversarial": 0.0}),
        data=HOUSES,
        optim=PAPER_BOTH,
        ema=CALM,
        train=QUICK,
        evaluate=SCORED,
        about="facades without the game",
        sources=cite("arXiv:1611.07004, section 4.2", "model.adversarial")
        | cite(TRAINED, "data.flip", "train.batch")
        | cite(RATES, "optim"),
    ),
    "photos": Recipe(
        model=Colorize.Config(),
        data=Greyed(path="photos", size=(256, 256), flip=True),
        optim=PAPER_BOTH,
        ema=Averaging(half_life=10_000),
        train=Train(examples=7_200_000, batch=4, sheet_every=20_000),
        evaluate=SCORED,
        about="the paper's networks and length, for a GPU and a folder given with --data",
        sources=cite("arXiv:1611.07004, section 6.1", "model.width", "model.critic_width")
        | cite(
            TRAINED, "model.distance", "data.size", "data.flip", "train.batch", "train.examples"
        )
        | cite(RATES, "optim"),
    ),
    "tiny": tiny(
        Colorize.Config(width=8, critic_width=8),
        Greyed(path="samples-squares", size=(16, 16)),
        {"discriminator": PAPER, "generator": Optim(lr=5e-3)},
    ),
}
