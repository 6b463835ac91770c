"""Virtual try-on: a garment bent onto a person, then a person who wears it.

Wang et al. 2018, "Toward characteristic-preserving image-based virtual try-on network" (CP-VTON),
arXiv:1807.07688. Of a person p without clothes and a flat garment c:

    section 3.1  features of both are correlated, and of that the moves of a thin-plate spline's
                 anchors are read, which bend the garment; eq. 1: |bent c - worn garment|_1;
    section 3.2  a U-Net sees p and the bent garment, and gives a picture r and a mask m;
                 answer = m bent c + (1 - m) r (eq. 2), so that a print is kept as it is;
    eq. 3, 4     |answer - truth|_1 + perceptual distance + a term of the mask.

The second follows the first (section 4.2: as many steps each, Adam(1e-4, 0.5, 0.999), batch 4).

Deviations: CP-VTON has no critic; here patches of (p, c, picture) are judged as in pix2pix
(Isola et al. 2017), and `model.adversarial=0` leaves it out. A person is one picture, blank where
it is dressed, instead of a heat map of each joint, a blurred shape and a face. The garment's mask
is bent too, and beside the garment's distance stands that of its shape, for what is white on
white. The mask's term is the distance to where the garment is seen in truth; the paper's is to 1
everywhere, and fights the distance of pixels. The classifier is EfficientNet-Lite0 in place of
VGG-19. Normalisation is by each picture's own statistics; the matcher's networks are narrower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count, Share, Size, Weight, Whole
from zerosum.core.game import Batch, Game, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Piecewise
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.reconstruction import l1
from zerosum.modalities.images.dressed import Dressed
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.perceptual import (
    PerceptualName,
    perceptual_loss,
    perceptual_network,
)
from zerosum.nets.translate import PatchCritic, TranslatingUNet, fitting_patch
from zerosum.nets.warping import GeometricMatcher, ThinPlateSpline, warped

SMALLEST = 16
"""Pixels each way, below which the matcher has no two places to compare."""


class TryOn(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "garment", "garment_mask", "worn", "image")

        channels: Whole = 0
        """Channels of the pictures; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) in pixels; 0 takes it from the data."""
        warp_width: Count = 64
        """Feature maps of the matcher's first layer; doubled at each halving, up to 8 times."""
        anchors: int = Setting(default=5, ge=2, le=16)
        """Anchors of the spline each way."""
        width: Count = 64
        """Feature maps of the U-Net's first layer; doubled at each halving, up to 8 times."""
        halvings: Whole = 0
        """How often the U-Net halves a picture; 0: as often as its size allows, at most 8."""
        critic_width: Count = 64
        """Feature maps of the critic's first layer."""
        patch: Whole = 0
        """Side of what a logit sees: 7, 16, 34, 70, 142 or 286; 0: 70, less for small pictures."""
        warping: Share = 0.5
        """Share of the run in which the matcher learns alone; then it rests, and the others do."""
        objective: ObjectiveName = "nonsaturating"
        """The adversarial loss."""
        adversarial: float = Setting(default=0.02, ge=0)
        """Weight of the game for the U-Net; 0 plays none, as in the paper."""
        distance: Weight = 1.0
        """Weight of the L1 distance to the true picture."""
        features: PerceptualName = "efficientnet-lite0"
        """Whose layers say how far a picture is from the truth; none."""
        perceptual: Weight = 1.0
        """Weight of that distance."""
        mask: Weight = 1.0
        """Weight of the mask's L1 distance to where the garment is seen."""
        shape: Weight = 1.0
        """Weight, beside the bent garment's distance of weight 1, of its shape's."""

        def matched(self, spec: DataSpec) -> Self:
            for field in self.needs:
                spec.shape(field)
            channels, *size = spec.shape("image")
            if min(size) < SMALLEST:
                raise UserError(
                    f"pictures of {size[0]}x{size[1]} are too small to be matched: set data.size "
                    f"to at least {SMALLEST} each way"
                )
            return self.following({"channels": channels, "size": (size[0], size[1])})

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights, channels, size = config, config.channels, config.size
        picture, mask = (ImageField(shape=(count, *size)) for count in (channels, 1))
        self.given = {"input": picture, "garment": picture, "garment_mask": mask}
        self.objective = OBJECTIVES[config.objective]
        self.matcher = GeometricMatcher(
            channels, channels + 1, size, width=config.warp_width, side=config.anchors
        )
        self.spline = ThinPlateSpline(size, config.anchors)
        self.generator = TranslatingUNet(
            2 * channels + 1,
            channels + 1,
            size,
            width=config.width,
            norm="instance",
            levels=config.halvings,
        )
        self.discriminator = PatchCritic(
            3 * channels,
            width=config.critic_width,
            patch=fitting_patch(config.patch, size),
            norm="instance",
        )
        self.perceptual = perceptual_network(config.features)

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "matcher": [self.matcher],
            "discriminator": [self.discriminator],
            "generator": [self.generator],
        }

    def generators(self) -> list[nn.Module]:
        return [self.matcher, self.generator]

    def turns(self) -> list[Turn]:
        match = [Turn("matcher", self.matcher_loss)]
        if not self.ready():
            return match
        dress = [Turn("generator", self.generator_loss)]
        if self.weights.adversarial:
            dress.insert(0, Turn("discriminator", self.discriminator_loss))
        # A run without an end has no half: both phases are played side by side.
        return dress if self.progress.total else match + dress

    def ready(self) -> bool:
        clock = self.progress
        return clock.seen >= self.weights.warping * clock.total

    def inputs(self) -> dict[str, ImageField]:
        return self.given

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        lacking = [name for name in self.given if name not in condition]
        if lacking:
            raise UserError(
                f"tryon dresses a person: give {' and '.join(lacking)} (n, channels, H, W), the "
                "mask light where the flat garment is"
            )
        given = {name: condition[name] for name in self.given}
        if any(one.shape[0] != n for one in given.values()):
            counts = ", ".join(f"{len(one)} of {name}" for name, one in given.items())
            raise UserError(f"{n} samples were asked for with {counts}: give as many")
        made = self.dressed(given)
        return {"image": made["image"], **given}

    def bent(self, given: Batch) -> tuple[Tensor, Tensor]:
        """The garment (B, C, H, W) and its mask (B, 1, H, W) as the person would wear them."""
        flat = torch.cat([given["garment"], given["garment_mask"]], dim=1)
        grid = self.spline(self.matcher(given["input"], flat))
        worn = warped(flat, grid)
        return worn[:, :-1], worn[:, -1:]

    def dressed(self, given: Batch) -> dict[str, Tensor]:
        """Equation 2: `image`, made of the `bent` garment, the `mask` m (B, 1, H, W) in [0, 1] and
        the picture `rendered`."""
        garment, shape = self.bent(given)
        seen = torch.cat([given["input"], garment, shape], dim=1)
        made = self.generator(seen, noise=False)
        rendered, mask = made[:, :-1], (made[:, -1:] + 1) / 2
        image = composed(garment, rendered, mask)
        return {"image": image, "bent": garment, "mask": mask, "rendered": rendered}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": self.judge} if self.weights.adversarial else {}

    def judge(self, batch: Batch) -> Tensor:
        """Logits (B, 1, h, w) of patches of person, flat garment and dressed person."""
        seen = [batch[name] for name in ("input", "garment", "image")]
        return self.discriminator(torch.cat(seen, dim=1))

    def matcher_loss(self, batch: Batch) -> Terms:
        garment, shape = self.bent(batch)
        terms = {"warp": l1(garment, alone(batch["image"], batch["worn"]))}
        if self.weights.shape:
            terms["shape"] = self.weights.shape * l1(shape, batch["worn"])
        return terms

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self.answered(batch)
        real_logits, fake_logits = self.judge(batch), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        weights, truth = self.weights, batch["image"]
        made = self.dressed(batch)
        terms = {"l1": weights.distance * l1(made["image"], truth)}
        if weights.mask:
            terms["mask"] = weights.mask * l1(made["mask"], (batch["worn"] + 1) / 2)
        if self.perceptual is not None:
            layers = perceptual_loss(self.perceptual(made["image"]), self.perceptual(truth))
            terms["perceptual"] = weights.perceptual * layers
        if weights.adversarial:
            real_logits = self.judge(batch) if self.objective.relativistic else None
            fake_logits = self.judge({**batch, "image": made["image"]})
            loss = self.objective.generator(fake_logits, real_logits)
            terms["adversarial"] = weights.adversarial * loss
        return terms


def composed(garment: Tensor, rendered: Tensor, mask: Tensor) -> Tensor:
    """Equation 2: m c + (1 - m) r of pictures (B, C, H, W) and a mask (B, 1, H, W) in [0, 1]."""
    return mask * garment + (1 - mask) * rendered


def alone(pictures: Tensor, worn: Tensor) -> Tensor:
    """What persons (B, C, H, W) wear, on white, of masks (B, 1, H, W) in [-1, 1]."""
    share = (worn + 1) / 2
    return pictures * share + 1 - share


def paper(begin: int) -> Optim:
    """Adam as CP-VTON has it for a phase of 200,000 steps of 4 examples: falling in its half."""
    fall, end = begin + 400_000, begin + 800_000
    rate = Piecewise(points=[(0, 1e-4), (fall, 1e-4), (end, 0.0)])
    return Optim(lr=rate, betas=(0.5, 0.999))


PAPER = {"matcher": paper(0), "discriminator": paper(800_000), "generator": paper(800_000)}
RULES = "arXiv:1807.07688, section 4.2"
EQUATIONS = "arXiv:1807.07688, section 4.2, weights"

QUICK = {
    "matcher": Optim(lr=5e-4, betas=(0.5, 0.999)),
    "discriminator": Optim(lr=2e-4, betas=(0.5, 0.999)),
    "generator": Optim(lr=5e-4, betas=(0.5, 0.999)),
}
SMALL = TryOn.Config(warp_width=24, width=24, critic_width=24, features="none")
SHORT = Train(examples=20_000, batch=8, checkpoint_every=5_000, sheet_every=5_000, log_every=800)
SCORED = Evaluate(every=0, samples=240, metrics=("l1", "psnr", "ssim"))

SEARCH = {"model.adversarial": Factor(0.1, 10), "model.mask": Factor(0.1, 10)}

PRESETS = {
    "figures": Recipe(
        model=SMALL,
        data=Dressed(),
        optim=QUICK,
        ema=Averaging(half_life=400),
        train=SHORT,
        evaluate=SCORED,
        about="synthetic figures of 64x48 pixels: minutes of one core",
        sources=cite(EQUATIONS, "model.distance", "model.mask")
        | cite("arXiv:1807.07688, section 3.1", "model.anchors"),
    ),
    "figures-l1": Recipe(
        model=SMALL.model_copy(update={"adversarial": 0.0}),
        data=Dressed(),
        optim=QUICK,
        ema=Averaging(half_life=400),
        train=SHORT,
        evaluate=SCORED,
        about="figures without the game, as CP-VTON has it",
        sources=cite(EQUATIONS, "model.distance", "model.mask")
        | cite("arXiv:1807.07688, section 3.1", "model.anchors"),
    ),
    "viton": Recipe(
        model=TryOn.Config(),
        data=Dressed(path="viton", size=(256, 192), memory=12),
        optim=PAPER,
        ema=Averaging(half_life=0),
        train=Train(examples=1_600_000, batch=4, sheet_every=40_000, checkpoint_every=40_000),
        evaluate=SCORED,
        about="CP-VTON's scale, for a GPU and a folder laid out as VITON given with --data",
        sources=cite(RULES, "optim.matcher", "optim.generator", "train.batch", "train.examples")
        | cite(RULES, "data.size", "model.warping")
        | cite(EQUATIONS, "model.distance", "model.perceptual", "model.mask")
        | cite("arXiv:1807.07688, section 3.1", "model.anchors"),
    ),
    "tiny": tiny(
        TryOn.Config(warp_width=4, anchors=3, width=4, critic_width=4, features="none"),
        Dressed(limit=32, holdout=0.01, size=(32, 24)),
        QUICK,
    ),
}
