"""pix2pixHD: pictures of high resolution from label maps or pictures, from coarse to fine.

Wang, Liu, Zhu, Tao, Kautz and Catanzaro 2018, "High-resolution image synthesis and semantic
manipulation with conditional GANs", arXiv:1711.11585. Of an input x and its answer y:

    sec. 3.2  G1 learns at half the size first; then G2, around it, learns with it at full size;
    eq. 3     three critics of patches, each at half the size of the one before, by least squares;
    eq. 4, 5  the distance of the critics' layers, of real and made, weight 10.

Section 4 and authors' code: a classifier's layers too, weight 10; Adam(2e-4, 0.5), the rate
falling to 0 over the second half, batch 1.

Deviations: no instance maps, so neither their edges nor their features; the classifier is
EfficientNet-Lite0 in place of VGG-19, each layer's distance as a share of its size; without its
weights here, set model.perceptual=0. The first phase is a share of one run, and its critics are
those of the second; smaller pictures are halved less often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.config import Count, Share, Size, Weight, Whole
from zerosum.core.frozen import Frozen
from zerosum.core.game import Batch, Game, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Linear
from zerosum.core.search import Factor
from zerosum.data.fields import Field
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.matching import feature_matching
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images.fields import ImageField, LabelMap
from zerosum.modalities.images.labelled import Labelled
from zerosum.modalities.images.pairs import Pairs
from zerosum.modalities.images.perceptual import (
    NAME,
    SCALES,
    SHA256,
    PerceptualLayers,
    perceptual_loss,
)
from zerosum.modalities.images.sized import Sight
from zerosum.nets.coarse_to_fine import CoarseToFine, halved
from zerosum.nets.multiscale import Layers, MultiScaleCritic, joined


class Pix2PixHD(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "image")

        classes: Whole = 0
        """Classes of label maps; 0 where the inputs are pictures. The data decide."""
        input_channels: Whole = 0
        """Channels that the generator is given: of pictures, or one for each class."""
        channels: Whole = 0
        """Channels of the answer; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) of both in pixels; 0 takes it from the data."""
        width: Count = 32
        """Feature maps of G2 at full size; G1 has twice as many at half."""
        blocks: Count = 9
        """Residual blocks of G1."""
        fine_blocks: Count = 3
        """Residual blocks of G2."""
        halvings: Count = 4
        """How often G1 halves what it sees."""
        coarse: Share = 0.5
        """Share of the run in which G1 learns alone."""
        critic_width: Count = 64
        """Feature maps of the critics' first layer."""
        critic_halvings: Count = 3
        """How often a critic halves what it sees; 3 judges patches of 70 pixels."""
        scales: Count = 3
        """Critics, each on pictures of half the size of those before it."""
        matching: Weight = 10.0
        """Weight of the distance of the critics' layers."""
        perceptual: Weight = 10.0
        """Weight of the distance of a classifier's layers, whose weights must be here."""

        def matched(self, spec: DataSpec) -> Self:
            channels, *size = spec.shape("image")
            given = spec.fields.get("input")
            classes = given.count if isinstance(given, LabelMap) else 0
            before = classes or spec.shape("input")[0]
            if list(spec.shape("input")[-2:]) != size:
                raise UserError("input and answer differ in size: set data.size, one for both")
            step = 2 ** (self.halvings + 1)
            if any(side % step for side in size):
                near = [max(1, round(side / step)) * step for side in size]
                raise UserError(
                    f"pix2pixhd needs sides that are multiples of {step}, not "
                    f"{size[0]}x{size[1]}: set data.size={near[0]}x{near[1]}, or lower "
                    "model.halvings"
                )
            found = {
                "classes": classes,
                "input_channels": before,
                "channels": channels,
                "size": (size[0], size[1]),
            }
            return self.model_copy(update=found)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights, self.classes = config, config.classes
        self.objective = OBJECTIVES["lsgan"]
        self.given: Field = (
            LabelMap(shape=config.size, count=config.classes)
            if config.classes
            else ImageField(shape=(config.input_channels, *config.size))
        )
        self.generator = CoarseToFine(
            config.input_channels,
            config.channels,
            width=config.width,
            blocks=config.blocks,
            halvings=config.halvings,
            fine_blocks=config.fine_blocks,
        )
        self.discriminator = MultiScaleCritic(
            config.input_channels + config.channels,
            width=config.critic_width,
            halvings=config.critic_halvings,
            scales=config.scales,
        )
        self.perceptual = (
            Frozen(PerceptualLayers(), name=NAME, hash=SHA256) if config.perceptual else None
        )

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    @property
    def is_coarse(self) -> bool:
        """Whether G1 still learns alone."""
        total = self.progress.total
        return bool(total) and self.progress.seen < self.weights.coarse * total

    def inputs(self) -> dict[str, Field]:
        return {"input": self.given}

    def sight(self) -> Sight:
        """Statistics see the whole picture."""
        return Sight(self.generator.step)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        if "input" not in condition:
            raise UserError("pix2pixhd answers inputs: give them as input (n, ...)")
        given = condition["input"]
        return {"image": self.generator(self.split(given)), "input": given}

    def split(self, given: Tensor) -> Tensor:
        """What the generator sees: pictures, or one map of 0 and 1 for each class."""
        if not self.classes:
            return given
        return one_hot(given.long(), self.classes).permute(0, 3, 1, 2).float()

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": self.judge}

    def judge(self, batch: Batch) -> Tensor:
        """Logits (B, n) of pairs of input and answer, of all patches at all scales."""
        return joined(self._layers(self.split(batch["input"]), batch["image"]))

    def discriminator_loss(self, batch: Batch) -> Terms:
        given, truth = self._phase(batch)
        with torch.no_grad():
            fake = self._made(given)
        real_layers, fake_layers = self._layers(given, truth), self._layers(given, fake)
        self.report(real_logits=joined(real_layers), fake_logits=joined(fake_layers))
        losses = [
            # The authors' squares have no half before them; their critic's loss is halved.
            self.objective.critic(real[-1], made[-1])
            for real, made in zip(real_layers, fake_layers)
        ]
        return {"adversarial": torch.stack(losses).sum()}

    def generator_loss(self, batch: Batch) -> Terms:
        given, truth = self._phase(batch)
        fake = self._made(given)
        made = self._layers(given, fake)
        with torch.no_grad():
            real = self._layers(given, truth)
        losses = [2 * self.objective.generator(layers[-1], None) for layers in made]
        terms = {"adversarial": torch.stack(losses).sum()}
        if self.weights.matching:
            parts = [feature_matching(a[:-1], b[:-1]) for a, b in zip(real, made)]
            terms["matching"] = self.weights.matching * torch.stack(parts).mean()
        if self.perceptual is not None:
            seen, wanted = self.perceptual(fake), self.perceptual(truth)
            apart = perceptual_loss(seen, wanted, SCALES)
            terms["perceptual"] = self.weights.perceptual * apart
        return terms

    def _phase(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Inputs and answers at the size that is learned at now."""
        given, truth = self.split(batch["input"]), batch["image"]
        return (halved(given), halved(truth)) if self.is_coarse else (given, truth)

    def _made(self, given: Tensor) -> Tensor:
        return self.generator.coarse(given) if self.is_coarse else self.generator(given)

    def _layers(self, given: Tensor, pictures: Tensor) -> list[Layers]:
        return self.discriminator(torch.cat([given, pictures], dim=1))


def both(rate: float, examples: int) -> dict[str, Optim]:
    """A rate that falls to 0 over the second half of a run (authors' code)."""
    falling = Optim(lr=Linear(start=rate, end=0.0, begin=examples // 2), betas=(0.5, 0.999))
    return {"discriminator": falling, "generator": falling}


SECTION = "arXiv:1711.11585, section 3.2 and authors' code"
CITED = cite(SECTION, "model.matching", "model.perceptual", "model.scales")
SEARCH = {"model.matching": Factor(0.1, 10), "model.perceptual": Factor(0.1, 10)}

PRESETS = {
    "facades": Recipe(
        model=Pix2PixHD.Config(width=12, blocks=3, halvings=2, fine_blocks=2, critic_width=24),
        data=Labelled(path="facades", size=(64, 64), crop=True, flip=True),
        optim=both(4e-4, 6_000),
        ema=Averaging(half_life=300),
        train=Train(
            examples=6_000, batch=4, checkpoint_every=2_000, sheet_every=2_000, log_every=200
        ),
        evaluate=Evaluate(samples=106),
        about="an eighth of the paper's size: minutes of one core",
        sources=CITED,
    ),
    "pairs": Recipe(
        model=Pix2PixHD.Config(),
        data=Pairs(path="pairs", size=(512, 512), crop=True, flip=True),
        optim=both(2e-4, 80_000),
        ema=Averaging(half_life=0),
        train=Train(examples=80_000, batch=1, sheet_every=8_000, checkpoint_every=20_000),
        evaluate=Evaluate(samples=100),
        about="the paper's networks: give your folder of pairs with --data; for a GPU",
        sources=CITED
        | cite(
            SECTION,
            "optim",
            "train.batch",
            "model.width",
            "model.blocks",
            "model.fine_blocks",
            "model.halvings",
            "model.critic_width",
        ),
    ),
    "tiny": tiny(
        Pix2PixHD.Config(
            width=2,
            blocks=1,
            halvings=1,
            fine_blocks=1,
            critic_width=4,
            critic_halvings=1,
            scales=2,
            perceptual=0.0,
        ),
        Pairs(path="digits-edges"),
        both(2e-4, 640),
    ),
}
