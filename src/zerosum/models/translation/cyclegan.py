"""CycleGAN: from pictures of one kind to pictures of another, without pairs.

Zhu, Park, Isola and Efros 2017, "Unpaired image-to-image translation using cycle-consistent
adversarial networks", arXiv:1703.10593. Two translators, G from X to Y and F back, two critics:

    eq. 1  each critic tells pictures of its kind from translated ones (least squares, section 4);
    eq. 2  |F(G(x)) - x|_1 + |G(F(y)) - y|_1, lambda = 10: what was translated can be had again;
    5.2    |G(y) - y|_1 + |F(x) - x|_1, half of lambda: what is of the kind already stays, colours
           too.

Section 4: the critics see translations of a pool of the last 50; their loss is halved; Adam(2e-4,
0.5), batch 1, the rate falling to 0 over the second half. The critics judge patches of 70x70.

The data's `input` is X and its `image` Y; `generate --option back=true` goes from Y to X.

Deviations: the critics see what the translators make after their move of the same step; smaller
pictures are judged in smaller patches; identity is left out where X and Y
differ in channels, which it means nothing for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from zerosum.config import Count, Size, Weight, Whole
from zerosum.core import game
from zerosum.core.game import Batch, Game, Progress, Terms, Turn, input_of
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Linear
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.reconstruction import l1
from zerosum.losses.replay import ReplayPool
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.sized import Sight
from zerosum.modalities.images.unpaired import Unpaired, both_kinds
from zerosum.nets.translate import NormName, PatchCritic, fitting_patch
from zerosum.nets.translator import ResidualTranslator, Rise


class CycleGAN(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "image")

        input_channels: Whole = 0
        """Channels of X; 0 takes the number from the data."""
        channels: Whole = 0
        """Channels of Y; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) of both in pixels; 0 takes it from the data."""
        width: Count = 64
        """Feature maps of the translators at full size; doubled at each halving."""
        blocks: Count = 9
        """Residual blocks; the paper has 9 for 256 pixels and 6 for 128."""
        halvings: Count = 2
        """How often a translator halves a picture."""
        rise: Rise = "transposed"
        """How maps are doubled again: the paper's transposed convolutions, or by resizing, which
        leaves no checkerboard."""
        critic_width: Count = 64
        """Feature maps of the critics' first layer."""
        patch: Whole = 0
        """Side of what a logit sees: 7, 16, 34, 70, 142 or 286; 0: 70, less for small pictures."""
        norm: NormName = "instance"
        """Normalisation: by each picture's own statistics, or by the batch's."""
        objective: ObjectiveName = "lsgan"
        """The adversarial loss."""
        cycle: Weight = 10.0
        """Weight of the way there and back: lambda."""
        identity: Weight = 0.5
        """Weight of leaving alone what is of the kind already, as a share of lambda."""
        pool: Whole = 50
        """Translations that are remembered for each critic."""

        def matched(self, spec: DataSpec) -> Self:
            before, after, size = both_kinds(spec, 2**self.halvings)
            same = self.identity if before == after else 0.0
            found = {"input_channels": before, "channels": after, "size": size, "identity": same}
            return self.model_copy(update=found)

    class Options(game.SampleOptions):
        back: bool = False
        """Translate pictures of Y to X."""

        def unscored(self) -> str:
            return (
                "back=true maps the other way: turn data.direction and train" if self.back else ""
            )

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        before, after, size = config.input_channels, config.channels, config.size
        self.given = (ImageField(shape=(before, *size)), ImageField(shape=(after, *size)))
        self.objective = OBJECTIVES[config.objective]
        # The paper's squares have no half before them, as those of Mao et al. 2017 have.
        self.unit = 2.0 if config.objective == "lsgan" else 1.0
        self.cycle, self.identity = config.cycle, config.identity * config.cycle
        shape = {"width": config.width, "blocks": config.blocks, "halvings": config.halvings}
        self.forth = ResidualTranslator(before, after, **shape, norm=config.norm, rise=config.rise)
        self.back = ResidualTranslator(after, before, **shape, norm=config.norm, rise=config.rise)
        patch = fitting_patch(config.patch, size)

        def critic(channels: int) -> PatchCritic:
            return PatchCritic(channels, width=config.critic_width, patch=patch, norm=config.norm)

        self.judge_x, self.judge_y = critic(before), critic(after)
        self.pool_x, self.pool_y = ReplayPool(config.pool), ReplayPool(config.pool)

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "generators": [self.forth, self.back],
            "discriminators": [self.judge_x, self.judge_y],
        }

    def generators(self) -> list[nn.Module]:
        return [self.forth, self.back]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminators": lambda batch: self.judge_y(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("generators", self.generator_loss),
            Turn("discriminators", self.discriminator_loss),
        ]

    def after_step(self, progress: Progress) -> None:
        for pool in (self.pool_x, self.pool_y):
            pool.settle()

    def inputs(self) -> dict[str, ImageField]:
        return {"input": self.given[self._backwards]}

    def sight(self) -> Sight:
        return Sight(self.forth.step, self.forth.radius)

    @property
    def _backwards(self) -> bool:
        return self.options.back  # pyright: ignore[reportAttributeAccessIssue]

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        how = "cyclegan translates: give the pictures as input (n, channels, H, W)"
        given = input_of(condition, n, how)
        return {"image": (self.back if self._backwards else self.forth)(given), "input": given}

    def returned(self, answers: Batch) -> Tensor:
        return (self.forth if self._backwards else self.back)(answers["image"])

    def generator_loss(self, batch: Batch) -> Terms:
        x, y = batch["input"], batch["image"]
        fake_y, fake_x = self.forth(x), self.back(y)
        terms = {
            "adversarial": self._deceived(self.judge_y, y, fake_y)
            + self._deceived(self.judge_x, x, fake_x),
            "cycle": self.cycle * (l1(self.back(fake_y), x) + l1(self.forth(fake_x), y)),
        }
        if self.identity:
            terms["identity"] = self.identity * (l1(self.forth(y), y) + l1(self.back(x), x))
        return terms

    def discriminator_loss(self, batch: Batch) -> Terms:
        x, y = batch["input"], batch["image"]
        with torch.no_grad():
            fake_y, fake_x = self.forth(x), self.back(y)
        old_y, old_x = self.pool_y.mix(fake_y, keep=False), self.pool_x.mix(fake_x, keep=False)
        real_logits, fake_logits = self.judge_y(y), self.judge_y(old_y)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        of_y = self.objective.critic(real_logits, fake_logits)
        of_x = self.objective.critic(self.judge_x(x), self.judge_x(old_x))
        return {"adversarial": self.unit * (of_y + of_x) / 2}

    def _deceived(self, judge: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        real_logits = judge(real) if self.objective.relativistic else None
        return self.unit * self.objective.generator(judge(fake), real_logits)


PAPER = "arXiv:1703.10593, section 4"
LAYERS = "arXiv:1703.10593, appendix 7"


def falling(rate: float, examples: int) -> Optim:
    """A rate that falls to 0 over the second half of a run (section 4)."""
    return Optim(lr=Linear(start=rate, end=0.0, begin=examples // 2), betas=(0.5, 0.999))


def both(rate: float, examples: int) -> dict[str, Optim]:
    return dict.fromkeys(("generators", "discriminators"), falling(rate, examples))


RULES = cite(PAPER, "model.cycle", "model.pool", "model.objective") | cite(
    "arXiv:1703.10593, section 5.2", "model.identity"
)

SEARCH = {"model.cycle": Factor(0.1, 10), "model.identity": Factor(0.1, 4)}


def small(data: Unpaired, heldout: int) -> Recipe:
    """A preset of minutes on a CPU, for pictures of 32 pixels.

    Args:
        data: What is learned from.
        heldout: How many held-out pictures it has, which all give scores.
    """
    return Recipe(
        model=CycleGAN.Config(width=16, blocks=3, critic_width=32, rise="resize"),
        data=data,
        optim=both(1e-3, 16_000),
        ema=Averaging(half_life=800),
        train=Train(
            examples=16_000, batch=16, checkpoint_every=8_000, sheet_every=4_000, log_every=800
        ),
        evaluate=Evaluate(every=8_000, samples=heldout),
        sources=RULES,
    )


PRESETS = {
    "icons": small(Unpaired(path="icons:thin-fill", flip=True), 153),
    "emoji": small(Unpaired(path="emoji-pairs", size=(32, 32)), 191),
    "photos": Recipe(
        model=CycleGAN.Config(),
        data=Unpaired(path="photos", size=(256, 256), crop=True, flip=True),
        optim=both(2e-4, 200_000),
        ema=Averaging(half_life=0),
        train=Train(examples=200_000, batch=1, sheet_every=10_000, checkpoint_every=20_000),
        evaluate=Evaluate(every=20_000, samples=100),
        about="give your folder with A and B in it with --data",
        sources=RULES
        | cite(PAPER, "optim", "train.batch")
        | cite(LAYERS, "model.width", "model.blocks", "data.size", "data.flip", "data.crop"),
    ),
    "tiny": tiny(
        CycleGAN.Config(width=4, blocks=1, critic_width=4, pool=20),
        Unpaired(path="digits-edges"),
        both(2e-4, 640),
    ),
}
