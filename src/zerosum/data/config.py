"""What a user can say about data: typed, described, and opened by its own method."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor

from zerosum.data import toy
from zerosum.data.gallery import Progress
from zerosum.data.pixels import Filter, Resize
from zerosum.data.source import Split, TensorSource
from zerosum.errors import UserError

_SIZE = re.compile(r"\s*\[?\(?\s*(\d+)\s*(?:[x,]\s*(\d+)\s*)?\)?\]?\s*")


class Images(BaseModel):
    """Pictures: a named set, a folder, an archive, an array file, the hub, or tar shards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["images"] = Field(default="images", description="pictures")
    path: str = Field(
        default="digits",
        description="named set (digits, mnist, fashion-mnist, cifar10), folder, .zip, .tar, "
        ".npz, .npy, hf:org/name[:split], or wds:shards-{000..009}.tar",
    )
    size: tuple[int, int] | None = Field(
        default=None,
        description="(height, width) in pixels, one number for a square; None: as stored",
    )
    channels: Literal[1, 3, 4] | None = Field(
        default=None,
        description="1 grey, 3 RGB, 4 RGBA; None: 1 or 3, the fewer that loses no colour",
    )
    resize: Resize = Field(
        default="crop",
        description="other proportions: crop the centre, pad with black, or fit (stretch)",
    )
    filter: Filter = Field(default="lanczos", description="resampling filter; it changes scores")
    flip: bool = Field(
        default=False, description="mirror half of the training pictures, at random"
    )
    holdout: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="share kept aside where the set has no test part of its own",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="use only that many training pictures, always the same ones",
    )
    labels: bool = Field(default=True, description="use class labels where there are any")
    skip_bad: bool = Field(
        default=False, description="leave out unreadable pictures instead of stopping"
    )
    workers: int = Field(
        default=2,
        ge=0,
        description="processes that decode; only for sets that do not fit in memory",
    )
    memory: float = Field(
        default=2.0, ge=0, description="GiB; decoded sets up to that size are kept in memory"
    )

    @field_validator("size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        """Accept 64, "64", "64x128" and "64,128" beside a pair."""
        if isinstance(value, int) and not isinstance(value, bool):
            return (value, value)
        if isinstance(value, str):
            found = _SIZE.fullmatch(value)
            if found is None:
                raise ValueError(
                    f"data.size={value} is no size: write 64 or 64x128 (height x width)"
                )
            return (int(found[1]), int(found[2] or found[1]))
        return value

    @field_validator("size")
    @classmethod
    def _positive(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and min(value) < 1:
            raise ValueError(f"data.size={value} must be at least 1 pixel each way")
        return value

    def open(self, on_progress: Progress | None = None) -> Split:
        """Find, check and, where they fit, decode the pictures.

        Args:
            on_progress: Called now and then with (done, of how many).

        Returns:
            Training and held-out pictures. `train` is a `Stream` for tar shards.

        Raises:
            UserError: Nothing is there, a picture cannot be read, or sizes differ and none
                was asked for.
        """
        # Imported here: a recipe that only names its data should not load decoders.
        from zerosum.data.images import open_images
        from zerosum.data.locate import shards_of
        from zerosum.data.stream import open_stream

        shards = shards_of(self.path)
        if shards is not None:
            return open_stream(self, shards, on_progress)
        return open_images(self, on_progress)


class Toy(BaseModel):
    """Points in one or two dimensions from a law that is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["toy"] = Field(default="toy", description="points of a known law")
    name: Literal[
        "ring", "grid", "spiral", "moons", "checkerboard", "rings", "gaussian", "mixture"
    ] = Field(default="ring", description="which law; gaussian and mixture are one-dimensional")
    count: int = Field(
        default=100_000, ge=1, description="training points; held-out ones are drawn anew"
    )
    modes: int | None = Field(
        default=None,
        ge=1,
        description="ring: Gaussians on the circle (8); grid: a square number (25)",
    )
    radius: float | None = Field(
        default=None,
        gt=0,
        description="reach from the centre (ring 1, grid 4, checkerboard 2, others 1)",
    )
    sigma: float | None = Field(
        default=None, ge=0, description="width of a mode or of the noise (ring 0.01, grid 0.05)"
    )
    mean: float | None = Field(default=None, description="gaussian: its mean (0)")
    std: float | None = Field(
        default=None, gt=0, description="gaussian: its standard deviation (1)"
    )
    seed: int = Field(
        default=0, ge=0, description="of the points; another seed draws another sample"
    )
    holdout: float = Field(
        default=0.1, ge=0, lt=1, description="held-out points, as a share of count, drawn besides"
    )

    @model_validator(mode="after")
    def _applies(self) -> Toy:
        modes, radius, sigma = toy.DEFAULTS[self.name]
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

    def open(self, on_progress: Progress | None = None) -> Split:
        """Draw the points: float32 (count, D) and, where there are modes, which one.

        Args:
            on_progress: Unused; there for likeness with `Images.open`.
        """
        extra = max(1, round(self.count * self.holdout)) if self.holdout > 0 else 0
        train = self._draw(self.count, part=0)
        if not extra:
            return Split(train, None, "none: every point is used for training")
        note = f"{extra:,} more points of the same law, seed {self.seed}"
        return Split(train, self._draw(extra, part=1), note)

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
        modes, radius, sigma = toy.DEFAULTS[self.name]
        return (
            self.modes or modes or 0,
            self.radius or radius or 0.0,
            self.sigma if self.sigma is not None else sigma or 0.0,
        )

    def _law(self) -> toy.Mixture | None:
        modes, radius, sigma = self._numbers()
        match self.name:
            case "ring":
                return toy.ring(modes, radius, sigma)
            case "grid":
                return toy.grid(modes, radius, sigma)
            case "gaussian":
                return toy.gaussian(self.mean or 0.0, self.std or 1.0)
            case "mixture":
                return toy.three()
        return None

    def _mixture(self, wanted: str) -> toy.Mixture:
        law = self._law()
        if law is None:
            raise UserError(
                f"{self.name} has no {wanted} in closed form: use ring, grid, gaussian or mixture"
            )
        return law

    def _draw(self, count: int, part: int) -> TensorSource:
        rng = np.random.Generator(np.random.PCG64([self.seed, part]))
        law = self._law()
        name = f"{self.name}/{('train', 'heldout')[part]}"
        if law is None:
            _, radius, sigma = self._numbers()
            points = toy.SHAPES[self.name](rng, count, radius, sigma)
            return TensorSource({"point": torch.from_numpy(points).float()}, name=name)
        points, labels = law.sample(rng, count)
        tensors = {"point": torch.from_numpy(points).float()}
        if len(law.means) == 1:
            return TensorSource(tensors, name=name)
        tensors["label"] = torch.from_numpy(labels)
        classes = tuple(f"mode {number}" for number in range(len(law.means)))
        return TensorSource(tensors, name=name, classes=classes)


DataConfig = Annotated[Images | Toy, Field(discriminator="kind")]
