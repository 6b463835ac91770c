"""LaMa: large holes in pictures filled, by layers that see the whole picture at once.

Suvorov et al. 2022, "Resolution-robust large mask inpainting with Fourier convolutions",
arXiv:2109.07161. Of a picture y with a hole m, the generator sees (y (1 - m), m):

    section 2.1  it is made of fast Fourier convolutions;
    section 2.4  holes are large, drawn anew each time;
    eq. 3        real patches are real; of G's picture those that the hole touches are fake, and
                 the others are real;
    eq. 6        10 times the game, 30 times the distance of a classifier's layers, 100 times that
                 of the critic's, and 0.001 R1;
    appendix     10 |y - G|_1 where the picture is known, 0 in the hole.

A sample is y outside the hole and G within it. Adam with 1e-3 for the generator and 1e-4 for the
critic (section 3).

Deviations: the classifier is EfficientNet-Lite0 in place of a segmentation network with dilated
convolutions, and the distance of each layer is a share of its size; without its weights here, set
model.features=none. The critic is normalised by each picture, and a sample is pasted back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from pydantic import Field as Setting
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, softplus

from zerosum.config import Count, Size, Weight, Whole
from zerosum.core.game import Batch, Game, Terms, Turn, input_of
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.penalties import r1
from zerosum.losses.reconstruction import l1
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.masked import Masked
from zerosum.modalities.images.perceptual import (
    PerceptualName,
    perceptual_loss,
    perceptual_network,
)
from zerosum.modalities.images.sized import Sight
from zerosum.nets.ffc import FFCResNet
from zerosum.nets.multiscale import LayeredPatchCritic, Layers


class LaMa(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "mask", "image")

        channels: Whole = 0
        """Channels of the pictures; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) in pixels; 0 takes it from the data. Any other can be given to the
        trained model."""
        width: Count = 64
        """Feature maps of the generator at full size; doubled at each halving."""
        halvings: Count = 3
        """How often the generator halves a picture."""
        blocks: Count = 9
        """Residual blocks of the generator; 18 in the paper's largest."""
        share: float = Setting(default=0.75, gt=0, lt=1)
        """Of the blocks' maps that see the whole picture."""
        critic_width: Count = 64
        """Feature maps of the critic's first layer."""
        critic_halvings: Count = 3
        """How often the critic halves what it sees; 3 judges patches of 70 pixels."""
        adversarial: Weight = 10.0
        """Weight of the game for the generator."""
        matching: Weight = 100.0
        """Weight of the squared distance of the critic's layers."""
        features: PerceptualName = "efficientnet-lite0"
        """Whose layers say how far a picture is from the truth; none."""
        perceptual: Weight = 30.0
        """Weight of that distance."""
        distance: Weight = 10.0
        """Weight of the mean difference of known pixels."""
        penalty: Weight = 0.001
        """Weight of R1, the squared slope of the critic at real pictures."""

        def matched(self, spec: DataSpec) -> Self:
            channels, *size = spec.shape("image")
            spec.shape("mask")
            found = {"channels": channels, "size": (size[0], size[1])}
            followed = self.following(found)
            step = 2**self.halvings
            if any(side % step for side in size):
                near = [max(1, round(side / step)) * step for side in size]
                raise UserError(
                    f"model.halvings={self.halvings} needs sides that are multiples of {step}, "
                    f"not {size[0]}x{size[1]}: set data.size={near[0]}x{near[1]}"
                )
            return followed

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights = config
        self.given = {
            "input": ImageField(shape=(config.channels, *config.size)),
            "mask": ImageField(shape=(1, *config.size)),
        }
        self.generator = FFCResNet(
            config.channels,
            width=config.width,
            halvings=config.halvings,
            blocks=config.blocks,
            share=config.share,
        )
        self.discriminator = LayeredPatchCritic(
            config.channels,
            width=config.critic_width,
            halvings=config.critic_halvings,
            spectral=False,
        )
        self.perceptual = perceptual_network(config.features)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def inputs(self) -> dict[str, ImageField]:
        return self.given

    def sight(self) -> Sight:
        """A Fourier transform sees the whole picture."""
        return Sight(self.generator.step)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        lacking = [name for name in self.given if name not in condition]
        if lacking:
            raise UserError(
                f"lama fills holes: give {' and '.join(lacking)} (n, channels, H, W), the mask "
                "light where the hole is"
            )
        given = input_of(condition, n, "")
        hole = holes(condition["mask"])
        made = self.filled(given, hole)
        answer = given * (1 - hole) + made * hole
        return {"image": answer, "input": given, "mask": condition["mask"]}

    def filled(self, given: Tensor, hole: Tensor) -> Tensor:
        """The generator's whole pictures (B, C, H, W) of those with holes (B, 1, H, W)."""
        return self.generator(torch.cat([given * (1 - hole), hole], dim=1))

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self._layers(batch["image"])[-1]}

    def discriminator_loss(self, batch: Batch) -> Terms:
        real, hole = batch["image"], holes(batch["mask"])
        with torch.no_grad():
            fake = self.filled(batch["input"], hole)
        real_logits, fake_logits = self._layers(real)[-1], self._layers(fake)[-1]
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        terms = {"adversarial": critic_loss(real_logits, fake_logits, hole)}
        if self.weights.penalty:
            slope = r1(lambda pictures: self._layers(pictures)[-1].flatten(1).sum(1), real)
            terms["r1"] = self.weights.penalty * slope
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        weights, real, hole = self.weights, batch["image"], holes(batch["mask"])
        fake = self.filled(batch["input"], hole)
        made = self._layers(fake)
        terms = {"l1": weights.distance * l1(fake, real, 1 - hole)}
        terms["adversarial"] = weights.adversarial * softplus(-made[-1].float()).mean()
        if weights.matching:
            with torch.no_grad():
                wanted = self._layers(real)
            parts = [(a - b).square().mean() for a, b in zip(made[:-1], wanted[:-1])]
            terms["matching"] = weights.matching * torch.stack(parts).mean()
        if self.perceptual is not None:
            layers = perceptual_loss(self.perceptual(fake), self.perceptual(real))
            terms["perceptual"] = weights.perceptual * layers
        return terms

    def _layers(self, pictures: Tensor) -> Layers:
        return self.discriminator(pictures)


def holes(masks: Tensor) -> Tensor:
    """Masks (B, 1, H, W) in [-1, 1] as 1 where the hole is and 0 elsewhere."""
    return (masks > 0).to(masks.dtype)


def critic_loss(real_logits: Tensor, fake_logits: Tensor, hole: Tensor) -> Tensor:
    """Equation 3: patches of the answer are fake where the hole touches them, else real.

    Args:
        real_logits: (B, 1, h, w).
        fake_logits: The same shape.
        hole: (B, 1, H, W), 1 where it is.
    """
    real_logits, fake_logits = real_logits.float(), fake_logits.float()
    touched = adaptive_max_pool2d(hole, (fake_logits.shape[2], fake_logits.shape[3]))
    fake = touched * softplus(fake_logits) + (1 - touched) * softplus(-fake_logits)
    return softplus(-real_logits).mean() + fake.mean()


PAPER = {
    "discriminator": Optim(lr=1e-4, betas=(0.9, 0.999)),
    "generator": Optim(lr=1e-3, betas=(0.9, 0.999)),
}
RULES = "arXiv:2109.07161, section 3"
WEIGHTS = "arXiv:2109.07161, eq. 6"
CITED = cite(RULES, "optim.generator.lr", "optim.discriminator.lr") | cite(
    WEIGHTS, "model.adversarial", "model.matching", "model.perceptual", "model.penalty"
)

SCORED = Evaluate(
    every=0, samples=106, features="efficientnet-lite0", metrics=("kd", "perceptual", "psnr")
)
SEARCH = {"model.matching": Factor(0.1, 10), "model.perceptual": Factor(0.1, 10)}

PRESETS = {
    "facades": Recipe(
        model=LaMa.Config(
            width=16, halvings=2, blocks=4, critic_width=24, critic_halvings=2, perceptual=30.0
        ),
        data=Masked(path="facades", size=(64, 64), flip=True),
        optim=PAPER,
        ema=Averaging(half_life=400),
        train=Train(
            examples=8_000, batch=8, checkpoint_every=2_000, sheet_every=2_000, log_every=400
        ),
        evaluate=SCORED,
        about="photos of houses at 64 pixels: minutes of one core",
        sources=CITED,
    ),
    "photos": Recipe(
        model=LaMa.Config(),
        data=Masked(path="photos", size=(256, 256), flip=True),
        optim=PAPER,
        ema=Averaging(half_life=10_000),
        train=Train(examples=10_000_000, batch=30, sheet_every=30_000),
        evaluate=SCORED,
        about="the paper's networks, for a GPU and a folder given with --data",
        sources=CITED
        | cite(RULES, "data.size", "train.batch", "model.blocks", "model.halvings", "model.share"),
    ),
    "tiny": tiny(
        LaMa.Config(
            width=4, halvings=1, blocks=1, critic_width=4, critic_halvings=2, features="none"
        ),
        Masked(path="digits", masks="boxes"),
        PAPER,
    ),
}
