"""Points in one or two dimensions from laws that are known."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor

from zerosum.config import AnyNumber, Count, Examples, Positive, Seed, Weight
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.source import Split, TensorSource
from zerosum.errors import UserError
from zerosum.modalities.points import laws
from zerosum.modalities.points.codec import PointCodec


class Toy(DataConfig):
    """Points in one or two dimensions from a law that is known."""

    modality: ClassVar[str] = "points"
    codec: ClassVar[type[Codec]] = PointCodec

    kind: Literal["toy"] = "toy"
    """Points of a known law."""
    name: Literal[
        "ring", "grid", "spiral", "moons", "checkerboard", "rings", "gaussian", "mixture"
    ] = "ring"
    """Which law; gaussian and mixture are one-dimensional."""
    count: Examples = 100_000
    """Training points; held-out ones are drawn anew."""
    modes: Count | None = None
    """Ring: Gaussians on the circle (8); grid: a square number (25)."""
    radius: Positive | None = None
    """Reach from the centre (ring 1, grid 4, checkerboard 2, others 1)."""
    sigma: Weight | None = None
    """Width of a mode or of the noise (ring 0.01, grid 0.05)."""
    mean: AnyNumber | None = None
    """Gaussian: its mean (0)."""
    std: Positive | None = None
    """Gaussian: its standard deviation (1)."""
    seed: Seed = 0
    """Of the points; another seed draws another sample."""
    holdout: float = Setting(default=0.1, ge=0, lt=1)
    """Held-out points, as a share of count, drawn besides."""

    @model_validator(mode="after")
    def _applies(self) -> Toy:
        modes, radius, sigma = laws.DEFAULTS[self.name]
        known = {"modes": modes, "radius": radius, "sigma": sigma}
        wrong = [key for key, default in known.items() if default is None]
        wrong += [] if self.name == "gaussian" else ["mean", "std"]
        for key in wrong:
            if getattr(self, key) is not None:
                raise UserError(f"data.{key} means nothing for {self.name}: leave it out")
        if self.name == "grid" and self.modes and math.isqrt(self.modes) ** 2 != self.modes:
            raise UserError(f"data.modes={self.modes}: a grid needs a square number, such as 25")
        if self.name in ("ring", "grid") and self.sigma == 0:
            raise UserError(f"data.sigma=0: the modes of {self.name} need a width above 0")
        return self

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Draw the points: float32 (count, D) and, where there are modes, which one."""
        extra = max(1, round(self.count * self.holdout)) if self.holdout > 0 else 0
        train, codec = self._draw(self.count, part=0)
        if not extra:
            return Split(train, None, "none: every point is used for training", codec)
        note = f"{extra:,} more points of the same law, seed {self.seed}"
        return Split(train, self._draw(extra, part=1)[0], note, codec)

    def at(self, path: str) -> Self:
        if path in laws.DEFAULTS:
            return type(self).model_validate({"name": path})
        raise UserError(
            f"{path}: these points come from a law, not from a file: name one of "
            f"{', '.join(laws.DEFAULTS)}"
        )

    @property
    def title(self) -> str:
        return self.name

    def log_density(self, points: Tensor) -> Tensor:
        """Natural logarithm of the law's density.

        Args:
            points: (B, D), D = 2, or 1 for gaussian and mixture.

        Returns:
            (B,), of the type and on the device of the points.

        Raises:
            UserError: The law has no density in closed form.
        """
        return self._mixture("density").log_density(points)

    def modes_of(self) -> tuple[Tensor, float]:
        """Centres of the modes, float32 (K, D), and their common standard deviation.

        Raises:
            UserError: The law has no modes.
        """
        law = self._mixture("modes")
        return torch.from_numpy(law.means).float(), law.sigma

    def _numbers(self) -> tuple[int, float, float]:
        """Modes, radius and sigma, the literature's where they are not set."""
        modes, radius, sigma = laws.DEFAULTS[self.name]
        return (
            self.modes or modes or 0,
            self.radius or radius or 0.0,
            self.sigma if self.sigma is not None else sigma or 0.0,
        )

    def _law(self) -> laws.Mixture | None:
        modes, radius, sigma = self._numbers()
        match self.name:
            case "ring":
                return laws.ring(modes, radius, sigma)
            case "grid":
                return laws.grid(modes, radius, sigma)
            case "gaussian":
                return laws.gaussian(self.mean or 0.0, self.std or 1.0)
            case "mixture":
                return laws.three()
        return None

    def _mixture(self, wanted: str) -> laws.Mixture:
        law = self._law()
        if law is None:
            raise UserError(
                f"{self.name} has no {wanted} in closed form: use ring, grid, gaussian or mixture"
            )
        return law

    def _draw(self, count: int, part: int) -> tuple[TensorSource, PointCodec]:
        rng = np.random.Generator(np.random.PCG64([self.seed, part]))
        law = self._law()
        name = f"{self.name}/{('train', 'heldout')[part]}"
        labels, modes = None, 0
        if law is None:
            _, radius, sigma = self._numbers()
            points = laws.SHAPES[self.name](rng, count, radius, sigma)
        else:
            points, labels = law.sample(rng, count)
            modes = len(law.means)
        tensors = {"point": torch.from_numpy(points).float()}
        if labels is not None and modes > 1:
            tensors["label"] = torch.from_numpy(labels)
        classes = [f"mode {number}" for number in range(modes)] if modes > 1 else []
        codec = PointCodec(points.shape[1], classes)
        return TensorSource(tensors, codec.fields, name=name), codec
