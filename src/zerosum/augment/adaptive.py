"""Adaptive discriminator augmentation (ADA): changes that do not leak, of a controlled strength.

Karras, Aittala, Hellsten, Laine, Lehtinen and Aila 2020, "Training Generative Adversarial
Networks with Limited Data", arXiv:2006.06676. Section 2 and appendix B: the discriminator sees
changed images alone, real and generated; each change happens to an image with probability p, so
that an unchanged image stays the most likely one and nothing leaks into the samples while p is
well below 1. Section 3: p follows how much the discriminator has overfitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.augment.colour import COLOUR, coloured, drawn_bands, drawn_colours, filtered
from zerosum.augment.draws import Draws, beside
from zerosum.augment.geometry import BLIT, GEOMETRIC, drawn_inverse, warped
from zerosum.errors import UserError, nearest

Selection = Literal[
    "blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"
]
SELECTIONS: dict[str, tuple[str, ...]] = {
    "blit": BLIT,
    "geom": GEOMETRIC,
    "color": COLOUR,
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
    "bg": BLIT + GEOMETRIC,
    "bgc": BLIT + GEOMETRIC + COLOUR,
    "bgcf": (*BLIT, *GEOMETRIC, *COLOUR, "imgfilter"),
    "bgcfn": (*BLIT, *GEOMETRIC, *COLOUR, "imgfilter", "noise"),
    "bgcfnc": (*BLIT, *GEOMETRIC, *COLOUR, "imgfilter", "noise", "cutout"),
}
"""Changes by the names of the paper's selections; `bgc` is its choice."""
CHANGES = SELECTIONS["bgcfnc"]
"""All changes, in their order."""
NOISE, HOLE = 0.1, 0.5
"""Appendix B: scale of the noise's standard deviation, and the side of the cut square."""


class AdaptiveAugment(nn.Module):
    """The whole pipeline of random changes, drawn anew for each image and each call.

    Colour changes act on the first three channels (on the first of grey images); all others on
    every channel. Height and width are free, of at least 2 pixels.

    Args:
        select: A selection's name, names of changes, or a multiplier for each change: it happens
            to an image with probability multiplier x strength.
        strength: p, in [0, 1]; at 0 images pass untouched.

    Attributes:
        strength: p; a plain number that whoever controls it may set at any time.

    Raises:
        UserError: An unknown selection or change, or a negative number.
    """

    def __init__(
        self, select: str | Sequence[str] | Mapping[str, float] = "bgc", strength: float = 0.0
    ) -> None:
        super().__init__()
        self.multipliers, self.strength = multipliers_of(select), strength

    def forward(
        self, images: Tensor, rng: torch.Generator | None = None, percentile: float | None = None
    ) -> Tensor:
        """Changed images (B, C, H, W) of images (B, C, H, W) in [-1, 1].

        Gradients pass to the images, any number of times. Half precision is computed in float32.

        Args:
            images: The images.
            rng: Source of the randomness; the global generators when None, the processor's for
                what happens and the images' device's for noise.
            percentile: Makes every change at this quantile of what it draws, for tests.
        """
        if self.strength <= 0 and percentile is None:
            return images
        with torch.autocast(images.device.type, enabled=False):
            exact = images if images.dtype == torch.float64 else images.float()
            return self._changed(exact, rng, percentile).to(images.dtype)

    def _changed(
        self, images: Tensor, rng: torch.Generator | None, percentile: float | None
    ) -> Tensor:
        draws = Draws.of(images, self.strength, rng, percentile)
        on = self.multipliers
        if any(on.get(name) for name in (*BLIT, *GEOMETRIC)):
            images = warped(images, drawn_inverse(draws, on))
        if any(on.get(name) for name in COLOUR):
            images = coloured(images, drawn_colours(draws, on))
        if on.get("imgfilter"):
            images = filtered(images, drawn_bands(draws, on["imgfilter"]))
        if on.get("noise"):
            sigma = draws.spared(draws.normal(1, 1, 1).abs() * NOISE, on["noise"], 0)
            device = images.device if rng is None else rng.device
            noise = torch.randn(images.shape, generator=rng, device=device).to(images)
            images = images + beside(sigma, images) * noise
        if on.get("cutout"):
            images = images * _kept(draws, on["cutout"], images)
        return images

    def extra_repr(self) -> str:
        return f"{', '.join(self.multipliers)}, strength={self.strength:g}"


def multipliers_of(select: str | Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    """The multiplier of each change that a selection has.

    Args:
        select: A selection's name, names of changes or selections, or multipliers by change.

    Raises:
        UserError: An unknown name or a negative number.
    """
    if isinstance(select, str):
        select = [select]
    given = dict(select) if isinstance(select, Mapping) else dict.fromkeys(select, 1.0)
    found: dict[str, float] = {}
    for name, value in given.items():
        if name not in SELECTIONS and name not in CHANGES:
            hint = nearest(name, dict.fromkeys([*SELECTIONS, *CHANGES]))
            raise UserError(f"ADA knows no change '{name}': {hint}")
        if not value >= 0:
            raise UserError(f"ADA's multiplier of {name} must be at least 0, not {value}")
        found |= dict.fromkeys(SELECTIONS.get(name, (name,)), float(value))
    return {name: found[name] for name in CHANGES if name in found}


def _kept(draws: Draws, multiplier: float, images: Tensor) -> Tensor:
    """Masks (B, 1, H, W): 0 in a square of half the sides whose centre lies anywhere."""
    height, width = images.shape[-2:]
    size = draws.spared(torch.full_like(draws.uniform(1, 1, 1), HOLE), multiplier, 0)
    size, centre = beside(size, images), beside(draws.uniform(2, 1, 1), images)
    x = (torch.arange(width, device=images.device) + 0.5) / width
    y = (torch.arange(height, device=images.device) + 0.5) / height
    aside = (x.view(1, 1, 1, -1) - centre[:, :1]).abs() >= size / 2
    above = (y.view(1, 1, -1, 1) - centre[:, 1:]).abs() >= size / 2
    return (aside | above).to(images.dtype)


# -- how strong (section 3) ----------------------------------------------------------------


def overfitted_by_sign(real_logits: Tensor) -> Tensor:
    """r_t = E[sign D(x)], eq. 1: 0 without overfitting, 1 when every real image is known."""
    return real_logits.sign().mean()


def overfitted_by_heldout(real: Tensor, heldout: Tensor, fake: Tensor) -> Tensor:
    """r_v = (E[D train] - E[D validation]) / (E[D train] - E[D generated]), eq. 1, of logits (B,).

    0 where held-out images are judged as the training's, 1 where they are judged as generated.
    """
    return (real.mean() - heldout.mean()) / (real.mean() - fake.mean())


def adjusted(
    strength: float, measured: float, target: float, examples: float, speed: float
) -> float:
    """The next strength: p moves by examples / speed towards the target, and stays in [0, 1].

    Args:
        strength: p now.
        measured: r_t or r_v since it was last set.
        target: What is aimed at; 0.6 in the paper.
        examples: Real images since then: batch x 4 in the paper.
        speed: Real images in which p can go from 0 to 1; 500,000 in the paper.
    """
    way = (measured > target) - (measured < target)
    return min(max(strength + way * examples / speed, 0.0), 1.0)
